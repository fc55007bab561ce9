//! What follows once the image is available: copies, then attributes and tags of every image, all regions at once.

use futures_util::future::{join_all, try_join_all};

use crate::aws::image::{self, Image};
use crate::aws::image_attributes::{self as attributes, Cooldown, Shares};
use crate::aws::image_copy::{self, Copy};
use crate::aws::tags::{self, EXPIRES};
use crate::aws::{Ec2, release};
use crate::engine::Cause;
use crate::engine::ledger::Keep;
use crate::engine::step::StepError;

use super::super::bake::Bake;
use super::super::tags::BuildTags;

/// Finishes the image and its copies; returns all of them as (region, image id).
pub async fn finish(bake: &Bake<'_>, image: &Image, tags: &BuildTags) -> Result<Vec<(String, String)>, StepError> {
    let cx = bake.cx;
    let mut images = vec![(bake.ec2.region.clone(), image.clone())];
    let copied = cx.step("StepAMIRegionCopy", async || copies(bake, image, tags).await).await?;
    images.extend(copied);
    cx.step("StepModifyAMIAttributes", async || {
        try_join_all(images.iter().map(|(region, image)| set_attributes(bake, region, image, tags))).await.map(drop)
    })
    .await?;
    cx.step("StepCreateTags", async || {
        try_join_all(images.iter().map(|(region, image)| set_tags(bake, region, image, tags))).await.map(drop)
    })
    .await?;
    Ok(images.into_iter().map(|(region, image)| (region, image.id)).collect())
}

async fn copies(bake: &Bake<'_>, image: &Image, tags: &BuildTags) -> Result<Vec<(String, Image)>, Cause> {
    let regions = bake.source.options.copy_regions(&bake.ec2.region);
    if regions.is_empty() {
        return Ok(Vec::new());
    }
    bake.cx.events.say(format!("Copying/Encrypting AMI ({}) to other regions...", image.id));
    for region in &regions {
        bake.cx.events.say(format!("Copying to: {region}"));
    }
    bake.cx.events.say("Waiting for all copies to complete...");
    // All are seen to their end, so that a copy that fails does not take the others with it halfway.
    join_all(regions.iter().map(|region| copy(bake, image, tags, region))).await.into_iter().collect()
}

async fn copy(bake: &Bake<'_>, image: &Image, tags: &BuildTags, region: &str) -> Result<(String, Image), Cause> {
    let (target, options) = (bake.aws.ec2_in(region), &bake.source.options);
    let request = Copy {
        token: bake.names.token(&format!("CopyImage {region}")),
        source_region: bake.ec2.region.clone(),
        source: image.id.clone(),
        name: options.ami_name.clone(),
        encrypted: None,
        kms_key: None,
        duration_minutes: options.snapshot_copy_duration_minutes,
        tags: tags.image.clone(),
        snapshot_tags: tags.snapshots.clone(),
    };
    let mut intent = bake.intent_in(&target, release::IMAGE, Keep::OnSuccess, &request.name);
    intent.token = request.token.clone();
    let call = async { image_copy::copy(&target, &request).await.map(|id| (id.clone(), id)) };
    let (_, id) = bake.cx.journal.acquire(intent, call).await?;
    let tell =
        |state: &str, percent| bake.cx.waiting("StepAMIRegionCopy", &format!("{region}: image {state}"), percent);
    Ok((region.to_owned(), image::wait_available(&target, &id, tell).await?))
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

/// The tags were sent with the create calls; here they are made sure of where an endpoint ignored them, and the expiry goes: the image is a product now.
async fn set_tags(bake: &Bake<'_>, region: &str, image: &Image, tags: &BuildTags) -> Result<(), Cause> {
    let ec2 = bake.aws.ec2_in(region);
    for (key, value) in &tags.shown {
        bake.cx.events.say(format!("Adding tag: \"{key}\": \"{value}\""));
    }
    let missing = |wanted: &tags::Tags| wanted.iter().any(|(key, value)| image.tags.get(key) != Some(value));
    if missing(&tags.image) {
        tags::put(&ec2, std::slice::from_ref(&image.id), &tags.image).await?;
    }
    tags::put(&ec2, &image.snapshots, &tags.snapshots).await?;
    let mut products = image.snapshots.clone();
    products.push(image.id.clone());
    Ok(tags::take_off(&ec2, &products, EXPIRES).await?)
}
