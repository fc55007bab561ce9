//! Tags: the ones by which Kiln finds what it made, and those of the template.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};

use super::clients::Ec2;
use super::error::Error;
use super::repeat::change;
use super::retry::Age;

/// The run that made a resource.
pub const RUN: &str = "kiln:run";
/// The build that made it.
pub const BUILD: &str = "kiln:build";
/// The run's lease on it (RFC 3339): until then it is in use. Renewed while the run lives, taken off a product when its build succeeds.
pub const EXPIRES: &str = "kiln:expires";

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// The tags that every resource of a build carries from its create call on.
pub fn ownership(run: &str, build: &str, lease: Duration) -> Tags {
    [(RUN, run.to_owned()), (BUILD, tag_value(build)), (EXPIRES, expiry(lease))]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

/// The end of a lease that begins now.
pub(super) fn expiry(lease: Duration) -> String {
    let end = jiff::Timestamp::try_from(SystemTime::now() + lease);
    end.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}

/// Renews the lease on resources.
pub async fn renew(ec2: &Ec2, ids: &[String], lease: Duration) -> Result<(), Error> {
    put(ec2, ids, &[(EXPIRES.to_owned(), expiry(lease))].into()).await
}

/// EC2 takes at most 256 characters in a tag's value.
pub fn tag_value(text: &str) -> String {
    text.chars().take(256).collect()
}

/// `first` with `second` over it.
pub fn merged(first: &Tags, second: &Tags) -> Tags {
    let mut all = first.clone();
    all.extend(second.clone());
    all
}

/// The tags of one resource type, as a create call takes them; `None` when there are none.
pub fn specification(resource: ResourceType, tags: &Tags) -> Option<TagSpecification> {
    (!tags.is_empty())
        .then(|| TagSpecification::builder().resource_type(resource).set_tags(Some(sdk_tags(tags))).build())
}

/// The SDK's form of tags.
pub fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags out of the SDK's form.
pub fn from_sdk(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    tags.iter().filter_map(pair).collect()
}

/// Puts tags on existing resources.
pub async fn put(ec2: &Ec2, ids: &[String], tags: &Tags) -> Result<(), Error> {
    if ids.is_empty() || tags.is_empty() {
        return Ok(());
    }
    change(ec2, Age::Young, async || {
        let call = ec2.client.create_tags().set_resources(Some(ids.to_vec())).set_tags(Some(sdk_tags(tags)));
        call.send().await.map(drop).map_err(|e| Error::from_sdk("CreateTags", &ids.join(", "), &e))
    })
    .await
}

/// Takes one tag off existing resources, whatever its value.
pub async fn take_off(ec2: &Ec2, ids: &[String], key: &str) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    change(ec2, Age::Young, async || {
        let call = ec2.client.delete_tags().set_resources(Some(ids.to_vec())).tags(Tag::builder().key(key).build());
        call.send().await.map(drop).map_err(|e| Error::from_sdk("DeleteTags", &ids.join(", "), &e))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ownership_names_run_build_and_end() {
        let tags = ownership("r1", "b", Duration::from_secs(60));
        assert_eq!((tags[RUN].as_str(), tags[BUILD].as_str()), ("r1", "b"));
        assert!(tags[EXPIRES].parse::<jiff::Timestamp>().unwrap() > jiff::Timestamp::now());
        assert_eq!(tag_value(&"ä".repeat(300)).chars().count(), 256);
    }
}
