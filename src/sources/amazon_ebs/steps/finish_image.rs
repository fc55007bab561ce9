//! What follows once the image is available: attributes and tags of every image, all regions at once.

use futures_util::future::try_join_all;

use crate::aws::image::Image;
use crate::aws::image_attributes::{self as attributes, Cooldown, Shares};
use crate::aws::tags::{EXPIRES, Tags};
use crate::aws::{Ec2, snapshot, tags};
use crate::engine::Cause;
use crate::engine::step::StepError;

use super::super::bake::Bake;
use super::super::tags::BuildTags;

/// Finishes all images, each with its region.
pub async fn finish(bake: &Bake<'_>, images: &[(String, Image)], tags: &BuildTags) -> Result<(), StepError> {
    let cx = bake.cx;
    cx.step("StepModifyAMIAttributes", async || {
        try_join_all(images.iter().map(|(region, image)| set_attributes(bake, region, image, tags))).await.map(drop)
    })
    .await?;
    cx.step("StepCreateTags", async || {
        try_join_all(images.iter().map(|(region, image)| set_tags(bake, region, image, tags))).await.map(drop)
    })
    .await
}

async fn set_attributes(bake: &Bake<'_>, region: &str, image: &Image, tags: &BuildTags) -> Result<(), Cause> {
    let (ec2, options) = (bake.aws.ec2_in(region), &bake.source.options);
    let shares = Shares {
        users: options.ami_users.clone(),
        groups: options.ami_groups.clone(),
        organizations: options.ami_org_arns.clone(),
        units: options.ami_ou_arns.clone(),
    };
    let say = |what: &str| bake.cx.events.say(format!("Modifying attributes on AMI ({}): {what}", image.id));
    if let Some(text) = &tags.description {
        say("description");
        attributes::describe(&ec2, &image.id, text).await?;
    }
    if !shares.is_empty() {
        say("sharing");
        attributes::share_image(&ec2, &image.id, &shares).await?;
    }
    if options.imds_support.as_deref() == Some("v2.0") {
        say("imds_support");
        attributes::require_imds_v2(&ec2, &image.id).await?;
    }
    share_snapshots(bake, &ec2, image).await?;
    expire_and_protect(bake, &ec2, image).await
}

async fn share_snapshots(bake: &Bake<'_>, ec2: &Ec2, image: &Image) -> Result<(), Cause> {
    let options = &bake.source.options;
    let (users, groups) = (options.snapshot_users.clone(), options.snapshot_groups.clone());
    let shares = Shares { users, groups, ..Shares::default() };
    if shares.is_empty() {
        return Ok(());
    }
    for snapshot in &image.snapshots {
        bake.cx.events.say(format!("Modifying attributes on snapshot ({snapshot}): sharing"));
        attributes::share_snapshot(ec2, snapshot, &shares).await?;
    }
    Ok(())
}

async fn expire_and_protect(bake: &Bake<'_>, ec2: &Ec2, image: &Image) -> Result<(), Cause> {
    let options = &bake.source.options;
    if let Some(at) = options.deprecate_at.as_deref().and_then(|at| at.parse::<jiff::Timestamp>().ok()) {
        bake.cx.events.say(format!("Enabling deprecation on AMI ({}) in region \"{}\" ...", image.id, ec2.region));
        attributes::deprecate(ec2, &image.id, at.as_second()).await?;
    }
    if let Some(protection) = options.deregistration_protection.as_ref().filter(|p| p.enabled || p.with_cooldown) {
        let cooldown = if protection.with_cooldown { Cooldown::Day } else { Cooldown::None };
        bake.cx.events.say(format!("Enabling deregistration protection on AMI ({})...", image.id));
        attributes::protect(ec2, &image.id, cooldown).await?;
    }
    Ok(())
}

/// The tags were sent with the create calls; here they are made sure of where an endpoint ignored them.
async fn set_tags(bake: &Bake<'_>, region: &str, image: &Image, tags: &BuildTags) -> Result<(), Cause> {
    let ec2 = bake.aws.ec2_in(region);
    for (key, value) in &tags.shown {
        bake.cx.events.say(format!("Adding tag: \"{key}\": \"{value}\""));
    }
    if lacks(&image.tags, &tags.image) {
        tags::put(&ec2, std::slice::from_ref(&image.id), &tags.image).await?;
    }
    let of_snapshots = snapshot::tags_of(&ec2, &image.snapshots).await?;
    let bare = |id: &&String| of_snapshots.get(*id).is_none_or(|own| lacks(own, &tags.snapshots));
    let bare: Vec<String> = image.snapshots.iter().filter(bare).cloned().collect();
    Ok(tags::put(&ec2, &bare, &tags.snapshots).await?)
}

/// The lease may have been renewed since.
fn lacks(own: &Tags, wanted: &Tags) -> bool {
    wanted.iter().any(|(key, value)| key != EXPIRES && own.get(key) != Some(value))
}
