//! Credentials, regions, instance profile, and whether the image's name is free in every region where one will be made.

use futures_util::future::try_join_all;

use crate::aws::image::Image;
use crate::aws::tags::RUN;
use crate::aws::{identity, image, network};
use crate::engine::Cause;
use crate::engine::continuation::Reach;

use super::super::bake::Bake;
use super::{Refused, profile};

/// Images that `force_deregister` will replace: (region, image).
pub type Older = Vec<(String, Image)>;

/// Checks all of it at once; what holds the name already is returned when it may be replaced.
pub async fn check(bake: &Bake<'_>) -> Result<Older, Cause> {
    let ((), (), (), older) =
        tokio::try_join!(check_identity(bake), check_regions(bake), profile::check(bake), holders_of_name(bake))?;
    Ok(older)
}

/// Before anything is made it is on disk how to come to it again.
async fn check_identity(bake: &Bake<'_>) -> Result<(), Cause> {
    let account = identity::check(&bake.aws).await?;
    let (cx, options) = (bake.cx, &bake.source.options);
    let before = cx.keeper.reach(&cx.build);
    let mut places = before.map(|reach| reach.places).unwrap_or_default();
    let regions = options.copy_regions(&bake.ec2.region).into_iter().chain([bake.ec2.region.clone()]);
    places.extend(regions.map(|region| bake.aws.ec2_in(&region).place.clone()));
    places.sort();
    places.dedup();
    let uses_iam = options.temporary_iam_instance_profile_policy_document.is_some();
    let access = serde_json::to_value(bake.aws.access())?;
    let (endpoint, region, image_name) = (bake.aws.remote_endpoint(), bake.ec2.region.clone(), bake.image_name.clone());
    Ok(cx.keeper.keep_reach(&cx.build, Reach { account, endpoint, region, image_name, places, uses_iam, access })?)
}

async fn check_regions(bake: &Bake<'_>) -> Result<(), Cause> {
    let options = &bake.source.options;
    if options.skip_region_validation || options.ami_regions.is_empty() {
        return Ok(());
    }
    let known = network::regions(&bake.ec2).await?;
    let wrong: Vec<String> = options.copy_regions(&bake.ec2.region);
    let wrong: Vec<&String> = wrong.iter().filter(|region| !known.contains(region)).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let text = format!("error validating regions: Invalid region(s): {wrong:?}, available regions: {known:?}");
    Err(Refused(text).into())
}

async fn holders_of_name(bake: &Bake<'_>) -> Result<Older, Cause> {
    let options = &bake.source.options;
    if options.skip_create_ami {
        bake.cx.events.say("skip_create_ami was set; not prevalidating AMI name");
        return Ok(Older::new());
    }
    let regions = options.image_regions(&bake.ec2.region);
    if regions.is_empty() {
        let text = "skip_save_build_region is set and ami_regions names no other region, so that no image would be left: name one, or set skip_create_ami";
        return Err(Refused(text.to_owned()).into());
    }
    bake.cx.events.say(format!("Prevalidating AMI Name: {}", bake.image_name));
    let found = try_join_all(regions.into_iter().map(|region| named_in(bake, region))).await?;
    let found: Older = found.into_iter().flatten().collect();
    match found.first() {
        Some((region, image)) if !options.force_deregister => {
            let text = format!("AMI Name: '{}' is used by an existing AMI: {} in {region}", bake.image_name, image.id);
            Err(Refused(format!("{text} (choose another ami_name, or set force_deregister)")).into())
        }
        _ => Ok(found),
    }
}

async fn named_in(bake: &Bake<'_>, region: String) -> Result<Older, Cause> {
    let ec2 = bake.aws.ec2_in(&region);
    let images = image::named(&ec2, &bake.image_name).await?;
    // What this run made before it was resumed is in nobody's way.
    let others = images.into_iter().filter(|image| image.tags.get(RUN).is_none_or(|run| **run != *bake.cx.run));
    Ok(others.map(|image| (region.clone(), image)).collect())
}
