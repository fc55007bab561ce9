//! Key pairs: the public half of a key made here is imported; the private half never leaves this process.

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{Filter, KeyPairInfo, ResourceType};

use super::clients::Ec2;
use super::error::Error;
use super::repeat::{self, create, look};
use super::retry::Age;
use super::tags::{RUN, Tags, from_sdk, specification};

/// Imports a public key (one OpenSSH line) and returns the pair's id.
pub async fn import(ec2: &Ec2, name: &str, public_key: &str, tags: &Tags) -> Result<String, Error> {
    let call = async || {
        let request = ec2
            .client
            .import_key_pair()
            .key_name(name)
            .public_key_material(Blob::new(public_key))
            .set_tag_specifications(specification(ResourceType::KeyPair, tags).map(|one| vec![one]));
        let made = request.send().await.map_err(|e| Error::from_sdk("ImportKeyPair", name, &e))?;
        Ok(made.key_pair_id.unwrap_or_else(|| name.to_owned()))
    };
    create(ec2, call, async || find(ec2, name, tags.get(RUN)).await).await
}

/// The id of the pair of that name that this run made, if there is one. The template may give the name, so the name alone does not make it ours.
pub async fn find(ec2: &Ec2, name: &str, run: Option<&String>) -> Result<Option<String>, Error> {
    let named = Filter::builder().name("key-name").values(name).build();
    let found = look(ec2, Age::Old, async || {
        let found = ec2.client.describe_key_pairs().filters(named.clone()).send().await;
        found.map_err(|e| Error::from_sdk("DescribeKeyPairs", name, &e))
    })
    .await?;
    let ours = |pair: &&KeyPairInfo| run.is_none_or(|run| from_sdk(pair.tags()).get(RUN) == Some(run));
    Ok(found.key_pairs().iter().find(ours).map(|pair| pair.key_pair_id().unwrap_or(name).to_owned()))
}

/// Deletes a pair by name; one that is gone is no error.
pub async fn release(ec2: &Ec2, name: &str) -> Result<(), Error> {
    repeat::release(ec2, Age::Old, async || {
        let call = ec2.client.delete_key_pair().key_name(name).send().await;
        call.map(drop).map_err(|e| Error::from_sdk("DeleteKeyPair", name, &e))
    })
    .await
}
