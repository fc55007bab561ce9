//! Temporary instance profiles: a profile, a role in it, and the role's one policy, all of one name. They belong to the account, not to a region.

mod call;

use std::time::Duration;

use super::clients::Aws;
use super::error::{Error, Kind};
use super::release::{INSTANCE_PROFILE, ROLE};
use super::repeat::{change, create, look, release};
use super::retry::Age;
use super::tagged::Tagged;
use super::tags::{EXPIRES, Tags, expiry};

use call::{call, elements, tags};

/// How names of temporary profiles and roles begin: so they are found among those of an account.
pub const PREFIX: &str = "packer-";
/// What Packer writes at its roles.
const DESCRIPTION: &str = "Temporary role for Packer";

/// Whether there is an instance profile of that name.
pub async fn has_profile(aws: &Aws, name: &str) -> Result<bool, Error> {
    Ok(find(aws, INSTANCE_PROFILE, name).await?.is_some())
}

/// The name of a profile or role when it is there. The names of temporary ones hold a random part, so they are ours.
pub async fn find(aws: &Aws, kind: &str, name: &str) -> Result<Option<String>, Error> {
    let (action, parameter) = match kind {
        INSTANCE_PROFILE => ("GetInstanceProfile", "InstanceProfileName"),
        _ => ("GetRole", "RoleName"),
    };
    match look(aws, Age::Old, async || call(aws, action, name, &pairs(&[(parameter, name)])).await).await {
        Ok(_) => Ok(Some(name.to_owned())),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes an instance profile without a role.
pub async fn create_profile(aws: &Aws, name: &str, tags: &Tags) -> Result<String, Error> {
    let params = with_tags(pairs(&[("InstanceProfileName", name)]), tags);
    let made = async || call(aws, "CreateInstanceProfile", name, &params).await.map(|_| name.to_owned());
    create(aws, made, async || find(aws, INSTANCE_PROFILE, name).await).await
}

/// Makes a role that EC2 may take for its instances.
pub async fn create_role(aws: &Aws, name: &str, tags: &Tags) -> Result<String, Error> {
    let ec2 = if aws.region().starts_with("cn-") { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
    let statement = serde_json::json!({"Effect": "Allow", "Principal": {"Service": ec2}, "Action": "sts:AssumeRole"});
    let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let own = pairs(&[("RoleName", name), ("Description", DESCRIPTION), ("AssumeRolePolicyDocument", &trust)]);
    let params = with_tags(own, tags);
    let made = async || call(aws, "CreateRole", name, &params).await.map(|_| name.to_owned());
    create(aws, made, async || find(aws, ROLE, name).await).await
}

/// Gives the role its policy (JSON), and the profile the role. Both go with the role's release.
pub async fn fill(aws: &Aws, name: &str, policy: &str) -> Result<(), Error> {
    let params = pairs(&[("RoleName", name), ("PolicyName", name), ("PolicyDocument", policy)]);
    change(aws, Age::Young, async || call(aws, "PutRolePolicy", name, &params).await.map(drop)).await?;
    change(aws, Age::Young, async || match call(aws, "AddRoleToInstanceProfile", name, &membership(name)).await {
        // A profile takes one role, and nobody else knows this one: an earlier try, whose reply was lost, put ours there.
        Err(error) if error.has_code("LimitExceeded") => Ok(()),
        other => other.map(drop),
    })
    .await
}

/// Deletes a temporary profile; what is gone is no error.
pub async fn release_profile(aws: &Aws, name: &str) -> Result<(), Error> {
    gone(aws, "RemoveRoleFromInstanceProfile", name, &membership(name)).await?;
    gone(aws, "DeleteInstanceProfile", name, &pairs(&[("InstanceProfileName", name)])).await
}

/// Deletes a temporary role with its policy, and takes it out of its profile first; what is gone is no error.
pub async fn release_role(aws: &Aws, name: &str) -> Result<(), Error> {
    gone(aws, "RemoveRoleFromInstanceProfile", name, &membership(name)).await?;
    gone(aws, "DeleteRolePolicy", name, &pairs(&[("RoleName", name), ("PolicyName", name)])).await?;
    gone(aws, "DeleteRole", name, &pairs(&[("RoleName", name)])).await
}

/// IAM takes a while to see itself what was just taken away, and refuses as long: `DeleteConflict`.
async fn gone(aws: &Aws, action: &'static str, name: &str, params: &[(String, String)]) -> Result<(), Error> {
    release(aws, Age::Old, async || call(aws, action, name, params).await.map(drop)).await
}

/// Renews the lease on a profile or role.
pub async fn renew(aws: &Aws, kind: &str, name: &str, lease: Duration) -> Result<(), Error> {
    let (action, parameter) = match kind {
        INSTANCE_PROFILE => ("TagInstanceProfile", "InstanceProfileName"),
        _ => ("TagRole", "RoleName"),
    };
    let tags = [(EXPIRES.to_owned(), expiry(lease))].into();
    let params = with_tags(pairs(&[(parameter, name)]), &tags);
    change(aws, Age::Old, async || call(aws, action, name, &params).await.map(drop)).await
}

/// Everything of the account that carries a lease.
pub async fn tagged(aws: &Aws) -> Result<Vec<Tagged>, Error> {
    let (profiles, roles) = tokio::try_join!(
        tagged_of(aws, INSTANCE_PROFILE, ("ListInstanceProfiles", "GetInstanceProfile", "InstanceProfileName")),
        tagged_of(aws, ROLE, ("ListRoles", "GetRole", "RoleName"))
    )?;
    Ok(profiles.into_iter().chain(roles).collect())
}

/// Lists show no tags, so each that may be ours is looked at.
async fn tagged_of(
    aws: &Aws,
    kind: &'static str,
    (list, get, parameter): (&'static str, &'static str, &'static str),
) -> Result<Vec<Tagged>, Error> {
    let mut found = Vec::new();
    for name in names(aws, list, parameter).await? {
        match look(aws, Age::Old, async || call(aws, get, &name, &pairs(&[(parameter, &name)])).await).await {
            Ok(xml) => found.extend(Tagged::new(kind, Some(&name), Some(&name), &tags(&xml))),
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

async fn names(aws: &Aws, list: &'static str, element: &str) -> Result<Vec<String>, Error> {
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let mut params = pairs(&[("MaxItems", "1000")]);
        params.extend(marker.map(|marker| ("Marker".to_owned(), marker)));
        let xml = match look(aws, Age::Old, async || call(aws, list, "", &params).await).await {
            Ok(xml) => xml,
            // Who may not look has made none: only bakes with a temporary profile need rights in IAM.
            Err(error) if error.has_code("AccessDenied") => return Ok(names),
            Err(error) => return Err(error),
        };
        names.extend(elements(&xml, element).into_iter().filter(|name| name.starts_with(PREFIX)));
        marker = elements(&xml, "Marker").into_iter().next();
        if marker.is_none() {
            // A profile is listed with its role, so that names of roles come up twice.
            names.sort();
            names.dedup();
            return Ok(names);
        }
    }
}

fn pairs(params: &[(&str, &str)]) -> Vec<(String, String)> {
    params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn membership(name: &str) -> Vec<(String, String)> {
    pairs(&[("InstanceProfileName", name), ("RoleName", name)])
}

fn with_tags(mut params: Vec<(String, String)>, tags: &Tags) -> Vec<(String, String)> {
    for (number, (key, value)) in (1..).zip(tags) {
        params.push((format!("Tags.member.{number}.Key"), key.clone()));
        params.push((format!("Tags.member.{number}.Value"), value.clone()));
    }
    params
}
