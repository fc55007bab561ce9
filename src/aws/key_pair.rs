//! Key pairs: the public half of a key made here is imported; the private half never leaves this process.

use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::ResourceType;

use super::clients::Ec2;
use super::error::{Error, Kind};
use super::repeat::{create, repeat};
use super::tags::{Tags, specification};

/// Imports a public key (one OpenSSH line) and returns the pair's id.
pub async fn import(ec2: &Ec2, name: &str, public_key: &str, tags: &Tags) -> Result<String, Error> {
    let call = async || {
        let request = ec2
            .client
            .import_key_pair()
            .key_name(name)
            .public_key_material(Blob::new(public_key))
            .set_tag_specifications(specification(ResourceType::KeyPair, tags).map(|one| vec![one]))
            .customize()
            .config_override(aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled()));
        let made = request.send().await.map_err(|e| Error::from_sdk("ImportKeyPair", name, &e))?;
        Ok(made.key_pair_id.unwrap_or_else(|| name.to_owned()))
    };
    create(call, async || find(ec2, name).await).await
}

/// The id of the pair of that name, if there is one. The name holds a random part, so it is ours.
pub async fn find(ec2: &Ec2, name: &str) -> Result<Option<String>, Error> {
    let found = ec2.client.describe_key_pairs().key_names(name).send().await;
    match found.map_err(|e| Error::from_sdk("DescribeKeyPairs", name, &e)) {
        Ok(found) => Ok(found.key_pairs().first().map(|pair| pair.key_pair_id().unwrap_or(name).to_owned())),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes a pair by name; one that is gone is no error.
pub async fn release(ec2: &Ec2, name: &str) -> Result<(), Error> {
    repeat(async || match ec2.client.delete_key_pair().key_name(name).send().await {
        Ok(_) => Ok(()),
        Err(e) => match Error::from_sdk("DeleteKeyPair", name, &e) {
            error if error.kind == Kind::NotFound => Ok(()),
            error => Err(error),
        },
    })
    .await
}
