//! `amazon-ebs`: launches an instance from an image, provisions it, and makes an image of it.

mod artifact;
mod bake;
mod capacity;
mod copies;
mod devices;
mod names;
mod options;
mod past;
mod problems;
mod spot;
mod steps;
mod tags;
mod unsupported;

use async_trait::async_trait;

use crate::artifact::Artifact;
use crate::aws::identity::Elsewhere;
use crate::aws::{image, release};
use crate::engine::Cause;
use crate::engine::ledger::Claim;
use crate::engine::mode::{Force, OnError, Pauses};
use crate::engine::step::{Cx, StepError};
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;

use super::options::access::AccessOptions;
use super::options::communicator::CommunicatorOptions;
use super::options::take;
use super::{Confirm, Hook, Kind, Prepared, Source, World};

use options::Options;
use steps::key_pair::debug_file;

/// The kind.
pub const KIND: Kind = Kind {
    name: "amazon-ebs",
    // Rendered when the source image is known (packer-amazon.md section 0.5).
    deferred: &[
        "ami_description",
        "fleet_tags",
        "fleet_tag",
        "run_tags",
        "run_tag",
        "run_volume_tags",
        "run_volume_tag",
        "spot_tags",
        "spot_tag",
        "snapshot_tags",
        "snapshot_tag",
        "tags",
        "tag",
    ],
    values: &[
        "SourceAMIName",
        "BuildRegion",
        "SourceAMI",
        "SourceAMICreationDate",
        "SourceAMIOwner",
        "SourceAMIOwnerName",
    ],
    timed: true,
    prepare,
    schema: || {
        vec![
            schemars::schema_for!(AccessOptions),
            schemars::schema_for!(CommunicatorOptions),
            schemars::schema_for!(Options),
        ]
    },
};

/// A checked `amazon-ebs` source.
struct AmazonEbs {
    name: String,
    access: AccessOptions,
    communicator: CommunicatorOptions,
    options: Options,
}

fn prepare(body: &EvaluatedBody, prepared: &Prepared<'_>) -> Result<Box<dyn Source>, Diagnostics> {
    let mut rest = body.clone();
    // Packer knows them, and none of them is wanted.
    rest.absent.retain(|(kind, _)| !unsupported::OPTIONS.contains(&kind.as_str()));
    let mut all = Diagnostics::new();
    let mut keep = |found: Diagnostics| all.extend(found);
    let access = take::<AccessOptions>(&mut rest).map_err(&mut keep).ok();
    let communicator = take::<CommunicatorOptions>(&mut rest).map_err(&mut keep).ok();
    let options = decode::<Options>(&rest).map_err(&mut keep).ok();
    let (Some(access), Some(communicator), Some(mut options)) = (access, communicator, options) else {
        return Err(problems::with_hints(all));
    };
    if prepared.force == Force::Yes {
        options.force_deregister = true;
    }
    let secrets = access.secrets().into_iter().chain(communicator.secrets());
    secrets.for_each(|text| prepared.secrets.register(&text));
    let name = prepared.name.to_owned();
    let source = AmazonEbs { name, access, communicator, options };
    let problems = source.problems();
    if !problems.is_empty() {
        all.extend(body.refused(&problems));
    }
    if all.has_errors() { Err(all) } else { Ok(Box::new(source)) }
}

/// Whether the machine stays for somebody to look at, who then needs the key.
fn is_left_as_it_is<T>(cx: &Cx, result: &Result<T, StepError>) -> bool {
    match result {
        Ok(_) => false,
        Err(StepError::Aborted(_)) => true,
        Err(_) => matches!(cx.mode.on_error, OnError::Abort | OnError::RunCleanupProvisioner),
    }
}

#[async_trait(?Send)]
impl Source for AmazonEbs {
    async fn build(&self, cx: &Cx, world: &World, hook: &dyn Hook) -> Result<Option<Artifact>, StepError> {
        let result = bake::bake(self, cx, world, hook).await;
        if cx.mode.pauses == Pauses::AfterSteps && !is_left_as_it_is(cx, &result) {
            // Who removed it himself has done what was wanted.
            let _ = std::fs::remove_file(debug_file(&self.name));
        }
        result.map_err(|error| match error {
            StepError::Failed(cause) if cause.is::<image::StillPending>() => StepError::StillPending(cause),
            StepError::Failed(cause) if cause.is::<Elsewhere>() => StepError::OutOfReach(cause),
            other => other,
        })
    }

    async fn release(&self, cx: &Cx, world: &World, claim: &Claim, confirm: Confirm) -> Result<(), Cause> {
        let aws = world.aws(&self.access.access()).await?;
        Ok(release::release(&aws, claim, &cx.run, &cx.journal.ledger(), confirm).await?)
    }

    fn refusal(&self) -> Option<String> {
        self.communicator.refusal()
    }

    async fn renew(&self, cx: &Cx, world: &World, claim: &Claim) -> Result<(), Cause> {
        let Some(id) = claim.resource_id() else { return Ok(()) };
        let aws = world.aws(&self.access.access()).await?;
        Ok(release::renew(&aws, claim, id, cx.mode.lease).await?)
    }

    async fn keep(&self, _cx: &Cx, world: &World, claim: &Claim) -> Result<(), Cause> {
        let Some(id) = claim.resource_id() else { return Ok(()) };
        let aws = world.aws(&self.access.access()).await?;
        Ok(image::keep(&aws.ec2_in(&claim.intent.place.region), id).await?)
    }

    fn warnings(&self) -> Vec<String> {
        let text = "enable_t2_unlimited is deprecated please use enable_unlimited_credits. In future versions of Packer, inclusion of enable_t2_unlimited will error your builds.";
        let own = self.options.enable_t2_unlimited.then(|| text.to_owned());
        spot::warning(&self.options).into_iter().chain(own).collect()
    }
}
