//! `force_deregister`: a new image takes the place of older ones of its name.
//!
//! EC2 lets no two images of one name exist side by side. So where the name is taken the new one is made under another name, and only when it is
//! available does the older one go and the new one get the name: a bake that fails has lost nothing.

use futures_util::future::try_join_all;

use crate::aws::image::{self, Image, Snapshots};
use crate::aws::image_rename::{self, Renamed};
use crate::aws::{Ec2, release, snapshot};
use crate::engine::ledger::{Claim, ClaimId, Entry, Keep};
use crate::engine::{Cause, chain};

use super::super::bake::Bake;
use super::super::tags::BuildTags;
use super::Refused;
use super::pre_validate::Older;

/// EC2 takes at most 128 characters in an image's name.
const LONGEST_NAME: usize = 128;

/// The name that a new image in `region` gets at first.
pub fn first_name(bake: &Bake<'_>, older: &Older, region: &str) -> String {
    let name = &bake.image_name;
    if !older.iter().any(|(place, _)| place == region) {
        return name.clone();
    }
    name_beside(bake)
}

/// What the new image is called as long as an older one has its name.
fn name_beside(bake: &Bake<'_>) -> String {
    let suffix = format!("-{}", bake.cx.run);
    let kept: String = bake.image_name.chars().take(LONGEST_NAME - suffix.len()).collect();
    kept + &suffix
}

/// The image in `region` that the run had asked for before it was resumed, under whichever of its names it has not given up yet.
pub fn begun(bake: &Bake<'_>, region: &str) -> Option<(ClaimId, String)> {
    let beside = bake.past.image(region, &name_beside(bake));
    beside.or_else(|| bake.past.image(region, &bake.image_name))
}

/// Removes the older images, and gives the new ones their name.
pub async fn replace(
    bake: &Bake<'_>,
    older: &Older,
    images: Vec<(String, Image)>,
    tags: &BuildTags,
) -> Result<Vec<(String, Image)>, Cause> {
    try_join_all(images.into_iter().map(|(region, image)| async {
        let image = replace_in(bake, older, &region, image, tags).await?;
        Ok((region, image))
    }))
    .await
}

async fn replace_in(
    bake: &Bake<'_>,
    older: &Older,
    region: &str,
    new: Image,
    tags: &BuildTags,
) -> Result<Image, Cause> {
    let ec2 = bake.aws.ec2_in(region);
    let here: Vec<&Image> = older.iter().filter(|(place, _)| place == region).map(|(_, image)| image).collect();
    if new.name == bake.image_name {
        return Ok(new);
    }
    // From here on the new image is all there is: no clean-up of any machine may take it.
    image::keep(&ec2, &new.id).await?;
    make_precious(bake, &new)?;
    let replaced = async {
        for old in here {
            remove(bake, &ec2, old).await?;
        }
        rename(bake, &ec2, &new, tags).await
    };
    replaced.await.map_err(|cause: Cause| {
        let text = format!("{} (the new image is {}, under the name {})", chain(cause.as_ref()), new.id, new.name);
        Refused(text).into()
    })
}

fn make_precious(bake: &Bake<'_>, image: &Image) -> Result<(), Cause> {
    let ledger = bake.cx.journal.ledger();
    let own = ledger.claims(&bake.cx.build).find(|claim| claim.resource_id() == Some(&image.id) && claim.is_open());
    match own {
        Some(claim) => Ok(bake.cx.journal.append(&Entry::Precious { claim: claim.id })?),
        None => Ok(()),
    }
}

async fn remove(bake: &Bake<'_>, ec2: &Ec2, old: &Image) -> Result<(), Cause> {
    let with_snapshots = if bake.source.options.force_delete_snapshot { Snapshots::Go } else { Snapshots::Stay };
    image::deregister(ec2, &old.id, with_snapshots).await?;
    bake.cx.events.say(format!("Deregistered AMI {}, id: {}", old.name, old.id));
    if !bake.source.options.force_delete_snapshot {
        return Ok(());
    }
    // Not every endpoint knows how to delete them in one call. Recorded, so that none is forgotten when this is cut short.
    let record =
        |id: &String| bake.cx.journal.adopt(bake.intent_in(ec2, release::SNAPSHOT, Keep::Never, id), id.clone());
    let claims = old.snapshots.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    for (id, claim) in old.snapshots.iter().zip(claims) {
        snapshot::release(ec2, id).await?;
        bake.released(claim)?;
        bake.cx.events.say(format!("Deleted snapshot: {id}"));
    }
    Ok(())
}

async fn rename(bake: &Bake<'_>, ec2: &Ec2, new: &Image, tags: &BuildTags) -> Result<Image, Cause> {
    let name = &bake.image_name;
    let renamed = Renamed {
        image: new.id.clone(),
        name: name.clone(),
        token: bake.token(&format!("rename {}", ec2.region)),
        tags: tags.image.clone(),
        snapshot_tags: tags.snapshots.clone(),
    };
    let intent = bake.intent_in(ec2, release::IMAGE, Keep::OnSuccess, name);
    let call = async { image_rename::rename(ec2, &renamed).await.map(|id| (id.clone(), id)) };
    let (claim, id) = match bake.past.image(&ec2.region, name) {
        Some(begun) => begun,
        None => bake.cx.journal.acquire(intent, call).await?,
    };
    let tell = |state: &str, percent| bake.cx.waiting("StepDeregisterAMI", &format!("image {state}"), percent);
    let image = image::wait_available(ec2, &id, bake.patience(), tell).await?;
    bake.ready(claim)?;
    image::keep(ec2, &id).await?;
    bake.cx.journal.append(&Entry::Precious { claim })?;
    bake.cx.events.say(format!("AMI {name} is now {id} in {}", ec2.region));
    give_up(bake, ec2, new, &image).await?;
    Ok(image)
}

/// The first registration goes; its snapshots stay when the new one stands on them.
async fn give_up(bake: &Bake<'_>, ec2: &Ec2, first: &Image, renamed: &Image) -> Result<(), Cause> {
    image::deregister(ec2, &first.id, Snapshots::Stay).await?;
    for snapshot in first.snapshots.iter().filter(|id| !renamed.snapshots.contains(id)) {
        snapshot::release(ec2, snapshot).await?;
    }
    let ledger = bake.cx.journal.ledger();
    let is_first = |claim: &Claim| claim.resource_id() == Some(&first.id);
    match ledger.products(&bake.cx.build).into_iter().find(is_first) {
        Some(claim) => bake.released(claim.id),
        None => Ok(()),
    }
}
