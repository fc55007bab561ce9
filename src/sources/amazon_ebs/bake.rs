//! The story of a bake, one line a step.
//!
//! Only launch, boot, provision, stop and image are on the critical path: look-ups run together, the key goes while provisioners run, the
//! security group goes while the image is made, and the instance's end is asked for and not awaited.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::artifact::Artifact;
use crate::aws::image::Image;
use crate::aws::{Aws, Ec2};
use crate::engine::Cause;
use crate::engine::ledger::{ClaimId, Entry, Intent, Keep};
use crate::engine::step::{Cx, StepError};
use crate::hcl::Value;
use crate::sources::{Hook, World};

use super::AmazonEbs;
use super::artifact::artifact;
use super::names::Names;
use super::options::Polling;
use super::past::Past;
use super::steps::connect::Session;
use super::steps::deadline::Deadline;
use super::steps::key_pair::Key;
use super::steps::network::Network;
use super::steps::pre_validate::Older;
use super::steps::run_instance::Running;
use super::steps::security_group::Groups;
use super::steps::stop_instance::Stopped;
use super::steps::{
    clear_keys, connect, copy_image, create_image, finish_image, key_pair, network, pre_validate, profile, provision,
    replace_image, run_instance, security_group, source_image, stop_instance,
};
use super::tags::BuildTags;

/// What every step of a bake has at hand.
pub struct Bake<'a> {
    /// The checked template options.
    pub source: &'a AmazonEbs,
    /// The engine's context.
    pub cx: &'a Cx,
    /// AWS.
    pub aws: Arc<Aws>,
    /// EC2 in the build's region.
    pub ec2: Arc<Ec2>,
    /// Names and tokens.
    pub names: Names,
    /// What this run had before it was resumed.
    pub past: Past,
    /// The name that its image gets. One that was asked for before the run was resumed keeps its own.
    pub image_name: String,
}

/// Bakes. `None`: the template asked for no image.
pub async fn bake(source: &AmazonEbs, cx: &Cx, world: &World, hook: &dyn Hook) -> Result<Option<Artifact>, StepError> {
    let aws = world.aws(&source.access.access()).await.map_err(|e| StepError::Failed(e.into()))?;
    let names = Names::new(cx);
    let past = Past::recover(cx, &aws, &source.options, &names).await.map_err(StepError::Failed)?;
    let image_name = past.image_name().unwrap_or_else(|| source.options.ami_name.clone());
    let bake = &Bake { source, cx, ec2: aws.ec2(), aws, names, past, image_name };

    let (older, from, network) = tokio::try_join!(
        cx.step("StepPreValidate", async || pre_validate::check(bake).await),
        cx.step("StepSourceAMIInfo", async || source_image::find(bake).await),
        cx.step("StepNetworkInfo", async || network::find(bake).await),
    )?;
    let tags = &BuildTags::render(source, cx, &bake.ec2.region, &from).map_err(StepError::Failed)?;
    let (name, begun) = match source.options.is_intermediate() {
        true => (bake.names.intermediate(), bake.past.intermediate()),
        false => {
            (replace_image::first_name(bake, &older, &bake.ec2.region), replace_image::begun(bake, &bake.ec2.region))
        }
    };
    let made = match begun {
        Some(begun) => {
            hook.tell_missed();
            Some(go_on(bake, &from, begun).await?)
        }
        // Boxed, since the compiler lays futures out only so many levels deep.
        None => Box::pin(make(bake, hook, &from, &network, tags, &name)).await?,
    };
    let Some(Made { image, values, machine }) = made else { return Ok(None) };
    // Without copies the end is near, at which the machine goes while the image is handed over.
    let machine = machine.filter(|_| !source.options.copy_regions(&bake.ec2.region).is_empty());
    let (spread, ()) = tokio::join!(spread(bake, &older, image, tags), create_image::let_go(bake, machine));
    let Spread { images, failure } = spread?;
    match failure {
        Some(failure) => Err(StepError::ProductsKept(failure)),
        None => {
            let images = images.into_iter().map(|(region, image)| (region, image.id)).collect();
            Ok(Some(artifact(images, values)))
        }
    }
}

/// What a build made.
struct Made {
    /// The image.
    image: Image,
    /// What post-processors can name of the build.
    values: BTreeMap<String, Value>,
    /// The machine, when this process still has one.
    machine: Option<Stopped>,
}

/// Images in all their regions.
struct Spread {
    /// Each with its region.
    images: Vec<(String, Image)>,
    /// Why others are missing, when the template keeps what is complete.
    failure: Option<Cause>,
}

/// From the image to its copies, names, attributes and tags.
async fn spread(bake: &Bake<'_>, older: &Older, image: Image, tags: &BuildTags) -> Result<Spread, StepError> {
    let cx = bake.cx;
    let first_name = |region: &str| replace_image::first_name(bake, older, region);
    let copies =
        cx.step("StepAMIRegionCopy", async || copy_image::copy_all(bake, &image, &first_name, tags).await).await?;
    let own = (!bake.source.options.is_intermediate()).then(|| (bake.ec2.region.clone(), image));
    let images: Vec<_> = own.into_iter().chain(copies.complete).collect();
    finish_image::finish(bake, &images, tags).await?;
    let images = take_places(bake, older, images, tags).await.map_err(|error| match error {
        // Older images are gone: the new ones must not go, too.
        StepError::Failed(cause) if cx.journal.ledger().has_precious(&cx.build) => StepError::ProductsKept(cause),
        other => other,
    })?;
    Ok(Spread { images, failure: copies.failure })
}

/// Puts finished images in the place of older ones of their name. One that was registered anew for that is finished once more; what was refused then has
/// been refused before an older image went.
async fn take_places(
    bake: &Bake<'_>,
    older: &Older,
    images: Vec<(String, Image)>,
    tags: &BuildTags,
) -> Result<Vec<(String, Image)>, StepError> {
    let replace = async || replace_image::replace(bake, older, images.clone(), tags).await;
    let replaced = bake.cx.step("StepDeregisterAMI", replace).await?;
    let is_new = |(_, image): &&(String, Image)| images.iter().all(|(_, before)| before.id != image.id);
    let renamed: Vec<(String, Image)> = replaced.iter().filter(is_new).cloned().collect();
    if !renamed.is_empty() {
        finish_image::finish(bake, &renamed, tags).await?;
    }
    Ok(replaced)
}

/// From launch to image. `None`: the template asked for none.
async fn make(
    bake: &Bake<'_>,
    hook: &dyn Hook,
    from: &Image,
    network: &Network,
    tags: &BuildTags,
    name: &str,
) -> Result<Option<Made>, StepError> {
    let cx = bake.cx;
    // Not `try_join!`: when one fails, the other's call is already on its way and must be seen to its end.
    let (key, groups, profile) = tokio::join!(
        cx.step("StepKeyPair", async || key_pair::import(bake, tags).await),
        cx.step("StepSecurityGroup", async || security_group::choose(bake, tags, network).await),
        cx.step("StepIamInstanceProfile", async || profile::choose(bake, tags).await),
    );
    let (key, groups, profile) = (key?, groups?, profile?);
    let deadline = Deadline::new(bake.source);
    let launched = run_instance::Wanted { image: from, network, key: &key, groups: &groups, profile, tags, deadline };
    // The group's rule is there long before the machine answers. A launch that was begun must be seen to its end here, too.
    let (let_in, running) = tokio::join!(
        cx.step("StepSecurityGroupRules", async || security_group::let_in(bake, &groups).await),
        cx.step(run_instance::step(bake), async || run_instance::launch(bake, &launched).await),
    );
    let ((), running) = (let_in?, running?);
    if bake.past.is_provisioned() {
        hook.tell_missed();
        let values = provision::values(bake, from, &running.instance.id, "", &key);
        return take(bake, &running, name, tags, &groups, values).await;
    }
    let session = cx.step("StepConnect", async || connect::connect(bake, &running, &key, deadline).await).await?;
    let work = async {
        let values = provision::values(bake, from, &running.instance.id, &session.host, &key);
        provisioned(bake, hook, (&running, session), &values, &key, deadline).await?;
        take(bake, &running, name, tags, &groups, values).await
    };
    // The session stands, so nobody needs the key pair at EC2 any more, and nobody waits for its end.
    let (made, ()) = tokio::join!(work, key_pair::delete(bake, &key));
    made
}

/// Provisions, and takes the temporary key off the machine if the template says so.
async fn provisioned(
    bake: &Bake<'_>,
    hook: &dyn Hook,
    (running, session): (&Running, Session),
    values: &BTreeMap<String, Value>,
    key: &Key,
    deadline: Option<Deadline>,
) -> Result<(), StepError> {
    let cx = bake.cx;
    cx.step("StepProvision", async || provision::run(bake, hook, (running, &session), values, deadline).await).await?;
    if bake.source.communicator.ssh_clear_authorized_keys {
        cx.step("StepCleanupTempKeys", async || clear_keys::clear(bake, &session, key).await).await?;
    }
    Ok(())
}

/// Stops the machine and makes an image of it. `None`: the template asked for none.
async fn take(
    bake: &Bake<'_>,
    running: &Running,
    name: &str,
    tags: &BuildTags,
    groups: &Groups,
    values: BTreeMap<String, Value>,
) -> Result<Option<Made>, StepError> {
    let cx = bake.cx;
    let stopped = cx.step("StepStopEBSBackedInstance", async || stop_instance::stop(bake, running).await).await?;
    if bake.source.options.skip_create_ami {
        cx.events.say("Skipping AMI creation...");
        return Ok(None);
    }
    let create = async || create_image::create(bake, &stopped, name.to_owned(), tags, groups).await;
    let image = cx.step("stepCreateAMI", create).await?;
    Ok(Some(Made { image, values, machine: Some(stopped) }))
}

/// An image that this run asked for before it was resumed.
async fn go_on(bake: &Bake<'_>, from: &Image, (claim, id): (ClaimId, String)) -> Result<Made, StepError> {
    let image = bake.cx.step("stepCreateAMI", async || create_image::wait(bake, claim, &id).await).await?;
    let instance = bake.past.instance().map(|(_, id)| id).unwrap_or_default();
    let values = provision::values(bake, from, &instance, "", &Key::default());
    Ok(Made { image, values, machine: None })
}

impl Bake<'_> {
    /// An intent of this build in its own region.
    pub fn intent(&self, kind: &str, keep: Keep, name: &str) -> Intent {
        self.intent_in(&self.ec2, kind, keep, name)
    }

    /// An intent of this build in any region.
    pub fn intent_in(&self, ec2: &Ec2, kind: &str, keep: Keep, name: &str) -> Intent {
        Intent {
            build: self.cx.build.to_string(),
            kind: kind.to_owned(),
            keep,
            place: ec2.place.clone(),
            name: name.to_owned(),
            at: jiff::Timestamp::now().as_second(),
            token: String::new(),
        }
    }

    /// The client token of the next call `what`. It is the same in every try of one call, and another one for a call that is made once more because what
    /// the first one made has failed, or is gone when the run is resumed: EC2 would give that back.
    pub fn token(&self, what: &str) -> String {
        let ledger = self.cx.journal.ledger();
        let made = ledger.claims(&self.cx.build).count();
        self.names.token(&format!("{what} {made} {}", ledger.resumptions()))
    }

    /// Records that a product is complete.
    pub fn ready(&self, claim: ClaimId) -> Result<(), Cause> {
        Ok(self.cx.journal.append(&Entry::Ready { claim })?)
    }

    /// How long to wait for EC2, when the template says so.
    pub fn patience(&self) -> Option<Duration> {
        self.source.options.aws_polling.as_ref().and_then(Polling::limit)
    }

    /// Records that something is gone.
    pub fn released(&self, claim: ClaimId) -> Result<(), Cause> {
        Ok(self.cx.journal.append(&Entry::Released { claim })?)
    }
}
