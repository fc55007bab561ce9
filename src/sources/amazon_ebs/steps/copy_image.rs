//! Copies in other regions, and in the same one where the copy is what encrypts, all at once. One that fails is made again alone; what is complete is kept or undone as the template says.

use futures_util::future::join_all;

use crate::aws::image::{self, Image, StillPending};
use crate::aws::image_copy::{self, Copy};
use crate::aws::{Ec2, release};
use crate::engine::ledger::{ClaimId, Keep};
use crate::engine::{Cause, chain};

use super::super::bake::Bake;
use super::super::tags::BuildTags;
use super::{Refused, replace_image};

/// How often one copy is asked for. EC2 gives no reason for most copies that fail, and another try mends them.
const TRIES: u32 = 3;

/// What the copies came to.
#[derive(Default)]
pub struct Copies {
    /// Complete copies, each with its region.
    pub complete: Vec<(String, Image)>,
    /// Why others failed for good, when the template keeps what is complete.
    pub failure: Option<Cause>,
}

/// Copies the image to all regions that the template names.
pub async fn copy_all(
    bake: &Bake<'_>,
    image: &Image,
    names: &CopyNames<'_>,
    tags: &BuildTags,
) -> Result<Copies, Cause> {
    let regions = bake.source.options.copy_regions(&bake.ec2.region);
    if regions.is_empty() {
        return Ok(Copies::default());
    }
    bake.cx.events.say(format!("Copying/Encrypting AMI ({}) to other regions...", image.id));
    for region in &regions {
        bake.cx.events.say(format!("Copying to: {region}"));
    }
    bake.cx.events.say("Waiting for all copies to complete...");
    // All are seen to their end, so that a copy that fails does not take the others with it halfway.
    let made = join_all(regions.iter().map(|region| copy(bake, image, names(region), tags, region))).await;
    sort(bake, regions, made)
}

/// The name that the copy in a region gets.
pub type CopyNames<'a> = dyn Fn(&str) -> String + 'a;

fn sort(bake: &Bake<'_>, regions: Vec<String>, made: Vec<Result<Image, Cause>>) -> Result<Copies, Cause> {
    let (mut copies, mut reasons) = (Copies::default(), Vec::new());
    for (region, result) in regions.into_iter().zip(made) {
        match result {
            Ok(image) => copies.complete.push((region, image)),
            // It is not lost: whoever goes on with the run will find it.
            Err(error) if error.is::<StillPending>() => return Err(error),
            Err(error) => reasons.push(format!("copy to {region}: {}", chain(error.as_ref()))),
        }
    }
    if reasons.is_empty() {
        return Ok(copies);
    }
    for (region, image) in &copies.complete {
        bake.cx.events.say(format!("The copy to {region} is complete: {}", image.id));
    }
    let failure: Cause = Refused(reasons.join("; ")).into();
    if bake.source.options.on_copy_failure.as_deref() != Some("keep") {
        return Err(failure);
    }
    copies.failure = Some(failure);
    Ok(copies)
}

async fn copy(bake: &Bake<'_>, image: &Image, name: String, tags: &BuildTags, region: &str) -> Result<Image, Cause> {
    let target = bake.aws.ec2_in(region);
    let mut begun = replace_image::begun(bake, region);
    let mut again = 1;
    loop {
        let (claim, id) = match begun.take() {
            Some(begun) => begun,
            None => request(bake, image, &name, tags, &target).await?,
        };
        let tell =
            |state: &str, percent| bake.cx.waiting("StepAMIRegionCopy", &format!("{region}: image {state}"), percent);
        let error = match image::wait_available(&target, &id, bake.patience(), tell).await {
            Ok(copy) => {
                bake.ready(claim)?;
                return Ok(copy);
            }
            Err(error) if error.is::<StillPending>() => return Err(error),
            Err(error) => error,
        };
        // Its name must be free for the next try. When this fails the claim stays open and is released with the rest.
        if image::release(&target, &id).await.is_ok() {
            bake.released(claim)?;
        }
        if again == TRIES {
            return Err(error);
        }
        let reason = chain(error.as_ref());
        bake.cx.events.error(format!("The copy to {region} failed and is made again: {reason}"));
        again += 1;
    }
}

async fn request(
    bake: &Bake<'_>,
    image: &Image,
    name: &str,
    tags: &BuildTags,
    target: &Ec2,
) -> Result<(ClaimId, String), Cause> {
    let request = Copy {
        token: bake.token(&format!("CopyImage {}", target.region)),
        source_region: bake.ec2.region.clone(),
        source: image.id.clone(),
        name: name.to_owned(),
        encrypted: bake.source.options.encrypt_boot,
        kms_key: bake.source.options.copy_key(&target.region, &bake.ec2.region),
        duration_minutes: bake.source.options.snapshot_copy_duration_minutes,
        tags: tags.image.clone(),
        snapshot_tags: tags.snapshots.clone(),
    };
    let mut intent = bake.intent_in(target, release::IMAGE, Keep::OnSuccess, name);
    intent.token = request.token.clone();
    let call = async { image_copy::copy(target, &request).await.map(|id| (id.clone(), id)) };
    Ok(bake.cx.journal.acquire(intent, call).await?)
}
