//! Instant fleets: one spot instance, of the first of several types that there is capacity for.
//!
//! A fleet of this type is a request and no resource: it costs nothing, keeps nothing alive, and EC2 forgets it. What it launches is an instance.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ec2::operation::create_fleet::CreateFleetOutput;
use aws_sdk_ec2::types::{
    CreateFleetError, DefaultTargetCapacityType, FleetLaunchTemplateConfigRequest, FleetLaunchTemplateOverridesRequest,
    FleetLaunchTemplateSpecificationRequest, FleetType, InstanceType, ResourceType, SpotAllocationStrategy,
    SpotOptionsRequest, TargetCapacitySpecificationRequest,
};

use crate::engine::wait::{Pace, Probe, WaitError, until};

use super::clients::Ec2;
use super::error::{Error, Kind};
use super::repeat::create;
use super::tags::{BUILD, RUN, Tags, specification};
use super::{instance, launch};

/// What to launch.
pub struct Fleet<'a> {
    /// Id of the launch template.
    pub template: &'a str,
    /// Instance types to choose from; the template's own when empty.
    pub types: &'a [String],
    /// How EC2 chooses among them; its own way when unset.
    pub strategy: Option<&'a str>,
    /// Whether the instance profile was made just now: EC2 does not know it for a while.
    pub awaits_profile: bool,
    /// Tags of the fleet.
    pub tags: &'a Tags,
    /// Tags of the instance, as the template gives them: it is found by the run's.
    pub instance_tags: &'a Tags,
}

/// How often a fleet without capacity is asked for again. Packer's own pauses.
const PACE: Pace = Pace { first: Duration::from_millis(500), factor: 2.0, longest: Duration::from_secs(30) };
/// How long. Packer gives up after eleven tries, which is as long.
const PATIENCE: Duration = Duration::from_secs(180);

/// Launches the instance and returns its id. Each try for capacity has a client token of its own, since the same one would give the empty fleet back;
/// `token` makes them from the number of the try. `tell` hears why there is no instance yet.
pub async fn launch_one(
    ec2: &Ec2,
    fleet: &Fleet<'_>,
    token: impl Fn(u32) -> String,
    tell: impl FnMut(&str),
) -> Result<String, Error> {
    let (mut tell, mut tries) = (tell, 0);
    let probe = async || {
        tries += 1;
        let token = token(tries);
        let look = async || {
            let (run, build) = (fleet.instance_tags.get(RUN), fleet.instance_tags.get(BUILD));
            Ok(instance::find(ec2, run, build).await?.map(Outcome::Instance))
        };
        Ok(match create(ec2, async || request(ec2, fleet, &token).await, look).await? {
            Outcome::Instance(id) => Probe::Ready(id),
            Outcome::Later(reason) => Probe::NotYet(reason, None),
        })
    };
    match until(PACE, Some(PATIENCE), probe, |reason, _| tell(reason)).await {
        Ok(id) => Ok(id),
        Err(WaitError::Hopeless(error)) => Err(error),
        Err(WaitError::TimedOut { last, .. }) => Err(no_instance(Kind::NoCapacity, &last)),
    }
}

/// What a fleet came to.
enum Outcome {
    Instance(String),
    /// No instance, and asking again may help.
    Later(String),
}

async fn request(ec2: &Ec2, fleet: &Fleet<'_>, token: &str) -> Result<Outcome, Error> {
    let template = FleetLaunchTemplateSpecificationRequest::builder().launch_template_id(fleet.template).version("1");
    let overrides = fleet.types.iter().map(|kind| {
        FleetLaunchTemplateOverridesRequest::builder().instance_type(InstanceType::from(kind.as_str())).build()
    });
    let overrides: Vec<_> = overrides.collect();
    let config = FleetLaunchTemplateConfigRequest::builder()
        .launch_template_specification(template.build())
        .set_overrides((!overrides.is_empty()).then_some(overrides));
    let capacity = TargetCapacitySpecificationRequest::builder()
        .total_target_capacity(1)
        .default_target_capacity_type(DefaultTargetCapacityType::Spot);
    let strategy = fleet.strategy.map(SpotAllocationStrategy::from);
    let spot = strategy.map(|strategy| SpotOptionsRequest::builder().allocation_strategy(strategy).build());
    let request = ec2
        .client
        .create_fleet()
        .client_token(token)
        .r#type(FleetType::Instant)
        .target_capacity_specification(capacity.build())
        .launch_template_configs(config.build())
        .set_spot_options(spot)
        .replace_unhealthy_instances(false)
        .set_tag_specifications(specification(ResourceType::Fleet, fleet.tags).map(|one| vec![one]));
    judge(fleet.awaits_profile, &request.send().await.map_err(|e| Error::from_sdk("CreateFleet", "", &e))?)
}

/// A launch that failed is a successful reply with errors in it.
fn judge(awaits_profile: bool, made: &CreateFleetOutput) -> Result<Outcome, Error> {
    let mut ids = made.instances().iter().flat_map(|instance| instance.instance_ids());
    if let Some(id) = ids.next() {
        return Ok(Outcome::Instance(id.clone()));
    }
    let id = made.fleet_id().unwrap_or("the fleet");
    if made.errors().is_empty() {
        return Err(no_instance(Kind::NoCapacity, &format!("{id}: EC2 gives no reason")));
    }
    let reasons: BTreeSet<String> = made.errors().iter().map(reason).collect();
    let reasons = format!("{id}: {}", reasons.into_iter().collect::<Vec<_>>().join("; "));
    let has = |code: &str| made.errors().iter().any(|error| error.error_code() == Some(code));
    if has("InsufficientInstanceCapacity") || (awaits_profile && made.errors().iter().any(is_young_profile)) {
        return Ok(Outcome::Later(reasons));
    }
    Err(no_instance(Kind::NoCapacity, &reasons))
}

/// A new instance profile takes a while to be known to EC2.
fn is_young_profile(error: &CreateFleetError) -> bool {
    error.error_message().is_some_and(launch::says_unknown_profile)
}

fn reason(error: &CreateFleetError) -> String {
    let (code, message) = (error.error_code().unwrap_or("unknown"), error.error_message().unwrap_or_default());
    let overrides = error.launch_template_and_overrides().and_then(|pool| pool.overrides());
    let kind = overrides.and_then(|overrides| overrides.instance_type()).map(|kind| format!(" ({kind})"));
    format!("{code}: {}{}", message.trim_end_matches('.'), kind.unwrap_or_default())
}

fn no_instance(kind: Kind, reasons: &str) -> Error {
    let remedy = if reasons.contains("SpotMaxPriceTooLow") {
        "raise spot_price, or set it to \"auto\""
    } else if reasons.contains("Capacity") {
        "name more spot_instance_types, another availability_zone or subnet, or leave spot_price out for an instance on demand"
    } else {
        "see what EC2 says of it"
    };
    Error::new("CreateFleet", "", kind, format!("no spot instance, {reasons} ({remedy})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(codes: &[(&str, &str)]) -> CreateFleetOutput {
        let error = |(code, message): &(&str, &str)| {
            CreateFleetError::builder().error_code(*code).error_message(*message).build()
        };
        let errors = codes.iter().map(error).collect();
        CreateFleetOutput::builder().fleet_id("fleet-1").set_errors(Some(errors)).build()
    }

    #[test]
    fn a_want_of_capacity_may_pass_and_a_low_price_does_not() {
        let later = |codes: &[(&str, &str)]| matches!(judge(true, &answer(codes)), Ok(Outcome::Later(_)));
        assert!(later(&[("InsufficientInstanceCapacity", "none left."), ("Unsupported", "not here.")]));
        assert!(later(&[("InvalidParameterValue", "Value (p) for ... Invalid IAM Instance Profile name")]));
        let Err(error) =
            judge(true, &answer(&[("SpotMaxPriceTooLow", "too low."), ("SpotMaxPriceTooLow", "too low.")]))
        else {
            panic!("a price does not rise by itself")
        };
        let text = error.to_string();
        assert!(text.contains("fleet-1: SpotMaxPriceTooLow: too low (raise spot_price"), "{text}");
        assert!(judge(true, &answer(&[])).is_err());
    }
}
