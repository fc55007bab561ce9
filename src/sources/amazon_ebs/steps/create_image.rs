//! The image. While it is made, the temporary security group goes; when it is available, the instance may.

use crate::aws::image::{self, Image, NewImage};
use crate::aws::{Age, instance, release, security_group};
use crate::engine::Cause;
use crate::engine::ledger::{ClaimId, Keep};

use super::super::bake::Bake;
use super::super::devices;
use super::super::tags::BuildTags;
use super::security_group::Groups;
use super::stop_instance::Stopped;

/// Makes it under that name and waits until it is available.
pub async fn create(
    bake: &Bake<'_>,
    stopped: &Stopped,
    name: String,
    tags: &BuildTags,
    groups: &Groups,
) -> Result<Image, Cause> {
    let options = &bake.source.options;
    let instance = stopped.instance.id.clone();
    bake.cx.events.say(format!("Creating AMI {name} from instance {instance}"));
    let new = NewImage {
        instance,
        name,
        devices: devices::image(options),
        tags: tags.image.clone(),
        snapshot_tags: tags.snapshots.clone(),
    };
    let intent = bake.intent(release::IMAGE, keep(bake), &new.name);
    let call = async { image::create_image(&bake.ec2, &new).await.map(|id| (id.clone(), id)) };
    let (claim, id) = bake.cx.journal.acquire(intent, call).await?;
    bake.cx.events.say(format!("AMI: {id}"));
    bake.cx.events.say("Waiting for AMI to become ready...");
    let tell = |state: &str, percent| bake.cx.waiting("stepCreateAMI", &format!("image {state}"), percent);
    let (available, ()) = tokio::join!(
        image::wait_available(&bake.ec2, &id, bake.patience(), tell),
        give_up_group(bake, stopped, groups)
    );
    let available = available?;
    ready(bake, claim)?;
    Ok(available)
}

/// Ends the machine that an image was made of. EC2's acceptance is its promise; nothing waits for the end. A failure is no harm: the claim stays open and
/// is released with the rest.
pub async fn let_go(bake: &Bake<'_>, machine: Option<Stopped>) {
    let Some(Stopped { instance, claim }) = machine else { return };
    bake.cx.events.say("Terminating the source AWS instance...");
    if let Ok(Ok(())) = bake.cx.cancel.guard(instance::terminate(&bake.ec2, &instance.id, Age::Old)).await {
        let _ = bake.released(claim);
    }
}

/// Waits until the image is available.
pub async fn wait(bake: &Bake<'_>, claim: ClaimId, id: &str) -> Result<Image, Cause> {
    let tell = |state: &str, percent| bake.cx.waiting("stepCreateAMI", &format!("image {state}"), percent);
    let image = image::wait_available(&bake.ec2, id, bake.patience(), tell).await?;
    ready(bake, claim)?;
    Ok(image)
}

/// An image that only serves to be copied is no product.
fn keep(bake: &Bake<'_>) -> Keep {
    if bake.source.options.is_intermediate() { Keep::Meanwhile } else { Keep::OnSuccess }
}

fn ready(bake: &Bake<'_>, claim: ClaimId) -> Result<(), Cause> {
    if keep(bake) == Keep::OnSuccess { bake.ready(claim) } else { Ok(()) }
}

/// Moves the stopped instance to its VPC's default group and deletes the temporary one. Failures are no harm: the claim stays open and is released later.
async fn give_up_group(bake: &Bake<'_>, stopped: &Stopped, groups: &Groups) {
    let Some((claim, group)) = &groups.temporary else { return };
    let moved = async {
        let default = security_group::default_of(&bake.ec2, &stopped.instance.vpc).await?;
        let Some(default) = default else { return Ok(false) };
        instance::set_groups(&bake.ec2, &stopped.instance.id, vec![default]).await?;
        security_group::release(&bake.ec2, group).await.map(|()| true)
    };
    if let Ok(true) = moved.await {
        let _ = bake.released(*claim);
    }
}
