//! What runs left in a region, found by tags alone: for machines that do not have the journal, and for journals that have lost lines.

use std::time::SystemTime;

use aws_sdk_ec2::types::Filter;

use crate::engine::ledger::{Intent, Keep, Ledger, Place};

use super::clients::{Aws, Ec2};
use super::error::Error;
use super::iam;
use super::image::Image;
use super::release::{IMAGE, INSTANCE, KEY_PAIR, LAUNCH_TEMPLATE, SECURITY_GROUP, SNAPSHOT, VOLUME};
use super::repeat::look;
use super::retry::Age;
use super::tags::{BUILD, EXPIRES, RUN, Tags, from_sdk};

/// A resource that carries a run's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// Its kind, as claims name it.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Its name, where the kind has names.
    pub name: String,
    /// The run that made it.
    pub run: String,
    /// The build that made it.
    pub build: String,
    /// The end of the lease; `None` when the tag is no time.
    pub expires: Option<SystemTime>,
}

impl Tagged {
    /// `None` for what lacks one of our tags: that is a product, or somebody else's.
    pub(super) fn new(kind: &'static str, id: Option<&str>, name: Option<&str>, tags: &Tags) -> Option<Self> {
        let expires = tags.get(EXPIRES)?.parse::<jiff::Timestamp>().ok().map(SystemTime::from);
        let (run, build) = (tags.get(RUN)?.clone(), tags.get(BUILD)?.clone());
        let (id, name) = (id?.to_owned(), name.unwrap_or_default().to_owned());
        Some(Self { kind, id, name, run, build, expires })
    }

    /// As if a journal named it. Its age is that of its run: who finds it sees it.
    pub fn intent(&self, place: &Place, keep: Keep) -> Intent {
        let (build, kind, name) = (self.build.clone(), self.kind.to_owned(), self.name.clone());
        Intent { build, kind, keep, place: place.clone(), name, at: 0, token: String::new() }
    }
}

/// What a run has in a region, and in the account if it `uses_iam`, and its journal does not name: it may have lost lines.
pub async fn unnamed(aws: &Aws, region: &str, uses_iam: bool, run: &str, known: &Ledger) -> Result<Vec<Tagged>, Error> {
    let ec2 = aws.ec2_in(region);
    let in_account = async { if uses_iam { iam::tagged(aws).await } else { Ok(Vec::new()) } };
    let (in_region, in_account) = tokio::try_join!(find(&ec2), in_account)?;
    let all = in_region.into_iter().chain(in_account);
    Ok(all.filter(|one| one.run == run && !known.names(&one.intent(&ec2.place, Keep::Never), &one.id)).collect())
}

/// Everything in a region that carries a lease.
pub async fn find(ec2: &Ec2) -> Result<Vec<Tagged>, Error> {
    let (keys, groups, templates, instances, volumes, images, snapshots) = tokio::try_join!(
        key_pairs(ec2),
        security_groups(ec2),
        launch_templates(ec2),
        instances(ec2),
        volumes(ec2),
        images(ec2),
        snapshots(ec2)
    )?;
    // Those of images are released with them, and volumes that will go with their instance by it.
    let of_images: Vec<&String> = images.iter().flat_map(|image| &image.snapshots).collect();
    let snapshots = snapshots.into_iter().filter(|snapshot| !of_images.contains(&&snapshot.id));
    let images = images.iter().filter_map(|image| Tagged::new(IMAGE, Some(&image.id), Some(&image.name), &image.tags));
    let temporary = keys.into_iter().chain(groups).chain(templates).chain(instances).chain(volumes);
    Ok(temporary.chain(images).chain(snapshots).collect())
}

fn ours() -> Filter {
    Filter::builder().name("tag-key").values(EXPIRES).build()
}

async fn key_pairs(ec2: &Ec2) -> Result<Vec<Tagged>, Error> {
    look(ec2, Age::Old, async || {
        let found = ec2.client.describe_key_pairs().filters(ours()).send().await;
        let found = match found.map_err(|e| Error::from_sdk("DescribeKeyPairs", &ec2.region, &e)) {
            // The rights that Packer asks for do not include this one, and a key pair costs nothing.
            Err(error) if error.has_code("UnauthorizedOperation") => return Ok(Vec::new()),
            found => found?,
        };
        let tagged = |pair: &aws_sdk_ec2::types::KeyPairInfo| {
            Tagged::new(KEY_PAIR, pair.key_pair_id(), pair.key_name(), &from_sdk(pair.tags()))
        };
        Ok(found.key_pairs().iter().filter_map(tagged).collect())
    })
    .await
}

async fn security_groups(ec2: &Ec2) -> Result<Vec<Tagged>, Error> {
    look(ec2, Age::Old, async || {
        let pages = ec2.client.describe_security_groups().filters(ours()).into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await;
        let found = found.map_err(|e| Error::from_sdk("DescribeSecurityGroups", &ec2.region, &e))?;
        let tagged = |group: &aws_sdk_ec2::types::SecurityGroup| {
            Tagged::new(SECURITY_GROUP, group.group_id(), group.group_name(), &from_sdk(group.tags()))
        };
        Ok(found.iter().filter_map(tagged).collect())
    })
    .await
}

async fn launch_templates(ec2: &Ec2) -> Result<Vec<Tagged>, Error> {
    look(ec2, Age::Old, async || {
        let pages = ec2.client.describe_launch_templates().filters(ours()).into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await;
        let found = match found.map_err(|e| Error::from_sdk("DescribeLaunchTemplates", &ec2.region, &e)) {
            // Who may not look at templates has made none: only bakes on spot instances need the right.
            Err(error) if error.has_code("UnauthorizedOperation") => Vec::new(),
            found => found?,
        };
        let tagged = |template: &aws_sdk_ec2::types::LaunchTemplate| {
            let (id, name) = (template.launch_template_id(), template.launch_template_name());
            Tagged::new(LAUNCH_TEMPLATE, id, name, &from_sdk(template.tags()))
        };
        Ok(found.iter().filter_map(tagged).collect())
    })
    .await
}

async fn instances(ec2: &Ec2) -> Result<Vec<Tagged>, Error> {
    let alive = ["pending", "running", "stopping", "stopped"].map(str::to_owned).to_vec();
    let state = Filter::builder().name("instance-state-name").set_values(Some(alive)).build();
    look(ec2, Age::Old, async || {
        let call = ec2.client.describe_instances().filters(ours()).filters(state.clone());
        let found = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = found.map_err(|e| Error::from_sdk("DescribeInstances", &ec2.region, &e))?;
        let tagged = |instance: &aws_sdk_ec2::types::Instance| {
            Tagged::new(INSTANCE, instance.instance_id(), None, &from_sdk(instance.tags()))
        };
        Ok(found.iter().flat_map(|reservation| reservation.instances()).filter_map(tagged).collect())
    })
    .await
}

async fn volumes(ec2: &Ec2) -> Result<Vec<Tagged>, Error> {
    // One in use goes with its instance, or is free after it and found by the next clean-up.
    let free = Filter::builder().name("status").values("available").build();
    look(ec2, Age::Old, async || {
        let call = ec2.client.describe_volumes().filters(ours()).filters(free.clone());
        let found = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = found.map_err(|e| Error::from_sdk("DescribeVolumes", &ec2.region, &e))?;
        let tagged = |volume: &aws_sdk_ec2::types::Volume| {
            Tagged::new(VOLUME, volume.volume_id(), None, &from_sdk(volume.tags()))
        };
        Ok(found.iter().filter_map(tagged).collect())
    })
    .await
}

async fn images(ec2: &Ec2) -> Result<Vec<Image>, Error> {
    look(ec2, Age::Old, async || {
        let call = ec2.client.describe_images().owners("self").filters(ours());
        let found = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = found.map_err(|e| Error::from_sdk("DescribeImages", &ec2.region, &e))?;
        Ok(found.into_iter().map(Image::from_sdk).collect())
    })
    .await
}

async fn snapshots(ec2: &Ec2) -> Result<Vec<Tagged>, Error> {
    look(ec2, Age::Old, async || {
        let call = ec2.client.describe_snapshots().owner_ids("self").filters(ours());
        let found = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = found.map_err(|e| Error::from_sdk("DescribeSnapshots", &ec2.region, &e))?;
        let tagged = |snapshot: &aws_sdk_ec2::types::Snapshot| {
            Tagged::new(SNAPSHOT, snapshot.snapshot_id(), None, &from_sdk(snapshot.tags()))
        };
        Ok(found.iter().filter_map(tagged).collect())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_a_tag_of_ours_is_not_ours() {
        let all = [(RUN, "r"), (BUILD, "b"), (EXPIRES, "2026-01-01T00:00:00Z")];
        for missing in 0..all.len() {
            let tags = all.iter().enumerate().filter(|(at, _)| *at != missing);
            let tags: Tags = tags.map(|(_, (key, value))| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(Tagged::new(INSTANCE, Some("i-1"), None, &tags), None);
        }
        let tags: Tags = all.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let found = Tagged::new(INSTANCE, Some("i-1"), None, &tags).unwrap();
        assert!(found.expires.unwrap() < SystemTime::now());
    }
}
