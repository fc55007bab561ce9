//! The launch of a spot instance: a launch template, and a fleet of one that is launched from it.

use crate::aws::fleet::{self, Fleet};
use crate::aws::launch::Launch;
use crate::aws::launch_template::{self, NewTemplate};
use crate::aws::release;
use crate::engine::Cause;
use crate::engine::ledger::{ClaimId, Keep};

use super::super::bake::Bake;
use super::super::capacity;
use super::super::tags::BuildTags;

/// Launches it and returns its claim and id. The template goes at once: the instance does not need it any more.
pub async fn request(bake: &Bake<'_>, launch: Launch, tags: &BuildTags) -> Result<(ClaimId, String), Cause> {
    bake.cx.events.say("Launching a spot AWS instance...");
    if capacity::is_given(&bake.source.options) {
        bake.cx
            .events
            .warn("capacity_reservation_* has no effect: EC2 launches no spot instance into reserved capacity");
    }
    if bake.source.options.block_duration_minutes != 0 {
        bake.cx
            .events
            .warn("block_duration_minutes has no effect: EC2 no longer offers spot instances for a fixed time");
    }
    let awaits_profile = launch.awaits_profile;
    let (claim, template) = make_template(bake, launch, tags).await?;
    let launched = launch_from(bake, &template, tags, awaits_profile).await?;
    // A failure is no harm here, nor is a signal: the claim stays open and is released with the rest.
    if let Ok(Ok(())) = bake.cx.cancel.guard(launch_template::release(&bake.ec2, &template)).await {
        bake.released(claim)?;
    }
    Ok(launched)
}

async fn make_template(bake: &Bake<'_>, launch: Launch, tags: &BuildTags) -> Result<(ClaimId, String), Cause> {
    bake.cx.events.say("Creating Spot Fleet launch template...");
    let options = &bake.source.options;
    let token = bake.token("CreateLaunchTemplate");
    let name = format!("packer-fleet-launch-template-{}", bake.names.short(&token));
    let new = NewTemplate {
        name: &name,
        token: &token,
        launch: &launch,
        max_price: options.max_price(),
        request_tags: &tags.spot,
        tags: &tags.template,
    };
    let mut intent = bake.intent(release::LAUNCH_TEMPLATE, Keep::Never, &name);
    intent.token = token.clone();
    let call = async { launch_template::create_template(&bake.ec2, &new).await.map(|id| (id.clone(), id)) };
    let (claim, id) = bake.cx.journal.acquire(intent, call).await?;
    bake.cx.events.say(format!("Created Spot Fleet launch template: {id}"));
    Ok((claim, id))
}

async fn launch_from(
    bake: &Bake<'_>,
    template: &str,
    tags: &BuildTags,
    awaits_profile: bool,
) -> Result<(ClaimId, String), Cause> {
    let options = &bake.source.options;
    let fleet = Fleet {
        template,
        types: &options.spot_instance_types,
        strategy: options.spot_allocation_strategy.as_deref().filter(|text| !text.is_empty()),
        awaits_profile,
        tags: &tags.fleet,
        instance_tags: &tags.run,
    };
    let first = bake.token("CreateFleet");
    let token = |again: u32| bake.names.token(&format!("{first} {again}"));
    let tell = |reason: &str| bake.cx.waiting("StepRunSpotInstance", &format!("no capacity yet: {reason}"), None);
    let mut intent = bake.intent(release::INSTANCE, Keep::Never, "");
    intent.token = token(1);
    let call = async { fleet::launch_one(&bake.ec2, &fleet, token, tell).await.map(|id| (id.clone(), id)) };
    Ok(bake.cx.journal.acquire(intent, call).await?)
}
