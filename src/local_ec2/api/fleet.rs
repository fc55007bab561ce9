//! Fleets of the type `instant`: one launch over several choices, whose failures are part of a successful answer.

use super::instance::{self, Request};
use super::instance_type::InstanceType;
use super::launch_template::{named, overlay};
use super::tags::{self, Specified};
use super::token::ClientToken;
use super::{Call, Kind, page, spot_price};
use crate::local_ec2::state::{Fleet, FleetError, FleetState, Instance, Launch, Pool, Region, Tags, id};
use crate::local_ec2::wire::{Error, Params, Xml};

/// What CreateFleet takes.
pub const CREATE_PARAMS: &str = "Type TargetCapacitySpecification LaunchTemplateConfigs SpotOptions OnDemandOptions \
     ExcessCapacityTerminationPolicy TerminateInstancesWithExpiration ReplaceUnhealthyInstances TagSpecification ClientToken";
/// Instances per fleet.
const MAX_TARGET: i64 = 100;

/// One way to launch an instance: a template version with one of the overrides.
struct Choice {
    pool: Pool,
    params: Params,
    /// Lower is tried first.
    rank: f64,
}

/// CreateFleet.
pub fn create(call: &Call<'_>) -> Result<Xml, Error> {
    let params = call.params;
    match params.get("Type").unwrap_or("maintain") {
        "instant" => {}
        "request" | "maintain" => {
            return Err(Error::new("Unsupported", "Local EC2 has fleets of the type instant only."));
        }
        other => return Err(Error::value(format!("Value ({other}) for parameter Type is invalid."))),
    }
    let (target, lifecycle) = capacity(params)?;
    let kinds = ["fleet", "instance", "volume", "network-interface", "spot-instances-request"];
    let specified = Specified::read(params, &kinds)?;
    let token = ClientToken::read(call, "")?;
    let (region, fleet_id) = call.update(|region| {
        if let Some(ids) = token.earlier(region)? {
            return Ok((region.clone(), ids.concat()));
        }
        let choices = choices(call, region, lifecycle)?;
        let mut fleet = Fleet {
            id: format!("fleet-{}", id::uuid()),
            state: FleetState::Active,
            created: call.now,
            client_token: params.get("ClientToken").unwrap_or_default().to_owned(),
            target,
            lifecycle: lifecycle.to_owned(),
            instances: Vec::new(),
            errors: Vec::new(),
            tags: specified.of(Kind::Fleet),
        };
        for choice in &choices {
            fill(call, region, &mut fleet, choice);
        }
        let fleet_id = fleet.id.clone();
        region.fleets.insert(fleet_id.clone(), fleet);
        token.remember(region, call, vec![fleet_id.clone()]);
        Ok((region.clone(), fleet_id))
    })?;
    let mut xml = Xml::new();
    xml.text("fleetId", &fleet_id);
    if let Some(fleet) = region.fleets.get(&fleet_id) {
        write_results(&mut xml, &region, fleet);
    }
    Ok(xml)
}

/// How many instances, and how they are paid for.
fn capacity(params: &Params) -> Result<(i64, &str), Error> {
    let wanted = params.sub("TargetCapacitySpecification");
    let total = wanted.int("TotalTargetCapacity")?;
    let total = total.ok_or_else(|| Error::missing("TargetCapacitySpecification.TotalTargetCapacity"))?;
    if !(1..=MAX_TARGET).contains(&total) {
        return Err(Error::value(format!("Invalid value '{total}' for TotalTargetCapacity: 1 to {MAX_TARGET}")));
    }
    let (spot, on_demand) = (wanted.int("SpotTargetCapacity")?, wanted.int("OnDemandTargetCapacity")?);
    if spot.unwrap_or(0) > 0 && on_demand.unwrap_or(0) > 0 {
        return Err(Error::new("Unsupported", "Local EC2 has no fleets that mix spot and on-demand instances."));
    }
    match params.get("TargetCapacitySpecification.DefaultTargetCapacityType") {
        _ if spot.is_some_and(|n| n > 0) => Ok((total, "spot")),
        _ if on_demand.is_some_and(|n| n > 0) => Ok((total, "on-demand")),
        None | Some("on-demand") => Ok((total, "on-demand")),
        Some("spot") => Ok((total, "spot")),
        Some(other) => {
            Err(Error::value(format!("Value ({other}) for parameter DefaultTargetCapacityType is invalid.")))
        }
    }
}

/// Every template with each of its overrides, in the order in which they are tried.
fn choices(call: &Call<'_>, region: &Region, lifecycle: &str) -> Result<Vec<Choice>, Error> {
    let configs = call.params.each("LaunchTemplateConfigs");
    if configs.is_empty() {
        return Err(Error::missing("LaunchTemplateConfigs"));
    }
    let strategy = |name: &str| call.params.get(&format!("{name}.AllocationStrategy"));
    let strategy =
        strategy(if lifecycle == "spot" { "SpotOptions" } else { "OnDemandOptions" }).unwrap_or("lowest-price");
    for options in ["SpotOptions", "OnDemandOptions"] {
        check_strategy(call.params, options)?;
    }
    let mut found = Vec::new();
    for config in configs {
        let (template_id, version, data) = named(region, &config.sub("LaunchTemplateSpecification"))?;
        let mut overrides = config.each("Overrides");
        if overrides.is_empty() {
            overrides.push(Params::default());
        }
        for given in overrides {
            let params = with_overrides(&data, &given)?;
            let pool = Pool {
                template_id: template_id.clone(),
                version,
                overrides: given.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            };
            found.push(Choice { rank: rank(call, strategy, &given, &params, found.len()), pool, params });
        }
    }
    // Equal ranks stay in the order of the request.
    found.sort_by(|a, b| a.rank.total_cmp(&b.rank));
    Ok(found)
}

/// The camel-case spellings are those of spot fleets, which some tools still use.
const SPOT_STRATEGIES: [&str; 9] = [
    "lowest-price",
    "lowestPrice",
    "diversified",
    "capacity-optimized",
    "capacityOptimized",
    "capacity-optimized-prioritized",
    "capacityOptimizedPrioritized",
    "price-capacity-optimized",
    "priceCapacityOptimized",
];
const ON_DEMAND_STRATEGIES: [&str; 3] = ["lowest-price", "lowestPrice", "prioritized"];

fn check_strategy(params: &Params, options: &str) -> Result<(), Error> {
    let legal: &[&str] = if options == "SpotOptions" { &SPOT_STRATEGIES } else { &ON_DEMAND_STRATEGIES };
    match params.get(&format!("{options}.AllocationStrategy")) {
        Some(other) if !legal.contains(&other) => {
            Err(Error::value(format!("Value ({other}) for parameter {options}.AllocationStrategy is invalid.")))
        }
        _ => Ok(()),
    }
}

/// By price or by priority, as the allocation strategy says; the capacity strategies keep the order of the request.
fn rank(call: &Call<'_>, strategy: &str, given: &Params, params: &Params, at: usize) -> f64 {
    let price = || {
        let wanted = InstanceType::find(params.get("InstanceType")?)?;
        let zone = params.get("Placement.AvailabilityZone").unwrap_or_default();
        Some(spot_price::price_at(&wanted, zone, call.now))
    };
    match strategy {
        // The camel-case spellings are those of spot fleets, which some tools still use.
        "lowest-price" | "lowestPrice" | "price-capacity-optimized" | "priceCapacityOptimized" => {
            // A type that is not there is tried first, so that its failure is told.
            price().unwrap_or(f64::MIN)
        }
        "prioritized" | "capacity-optimized-prioritized" | "capacityOptimizedPrioritized" => {
            given.get("Priority").and_then(|text| text.parse().ok()).unwrap_or(f64::MAX)
        }
        _ => f64::from(u32::try_from(at).unwrap_or(u32::MAX)),
    }
}

/// The template's data with one set of overrides. A subnet replaces the one of the template's network interface, too.
fn with_overrides(data: &Params, given: &Params) -> Result<Params, Error> {
    const KNOWN: [&str; 11] = [
        "InstanceType",
        "MaxPrice",
        "SubnetId",
        "AvailabilityZone",
        "WeightedCapacity",
        "Priority",
        "Placement",
        "ImageId",
        "BlockDeviceMapping",
        "KeyName",
        "IamInstanceProfile",
    ];
    if let Some(other) = given.heads().into_iter().find(|head| !KNOWN.contains(head)) {
        return Err(Error::new("Unsupported", format!("The override {other} is not there in local EC2.")));
    }
    let own = given.clone().without("MaxPrice").without("WeightedCapacity").without("Priority");
    let (subnet, zone) = (given.get("SubnetId"), given.get("AvailabilityZone"));
    let mut params = overlay(data, &own.without("SubnetId").without("AvailabilityZone"));
    if let Some(subnet) = subnet {
        let is_interface = !params.each("NetworkInterface").is_empty();
        params = params.with(if is_interface { "NetworkInterface.1.SubnetId" } else { "SubnetId" }, subnet);
    }
    if let Some(zone) = zone {
        params = params.with("Placement.AvailabilityZone", zone);
    }
    if let Some(price) = given.get("MaxPrice") {
        params = params.with("InstanceMarketOptions.SpotOptions.MaxPrice", price);
    }
    Ok(params)
}

/// Launches what is still wanted from one choice. What cannot be launched is noted, and the next choice is tried.
fn fill(call: &Call<'_>, region: &mut Region, fleet: &mut Fleet, choice: &Choice) {
    let missing = fleet.target - i64::try_from(fleet.instances.len()).unwrap_or(i64::MAX);
    if missing <= 0 {
        return;
    }
    // A launch that fails midway must leave nothing.
    let mut trial = region.clone();
    match launch(call, &mut trial, fleet, choice, missing) {
        Ok(ids) => {
            *region = trial;
            let made = ids.into_iter().map(|instance_id| Launch { instance_id, pool: choice.pool.clone() });
            fleet.instances.extend(made);
        }
        Err(error) => fleet.errors.push(FleetError {
            code: error.code.to_string(),
            message: error.message,
            pool: choice.pool.clone(),
        }),
    }
}

fn launch(
    call: &Call<'_>,
    region: &mut Region,
    fleet: &Fleet,
    choice: &Choice,
    count: i64,
) -> Result<Vec<String>, Error> {
    let mut params = choice.params.clone().with("MinCount", "1").with("MaxCount", &count.to_string());
    if fleet.lifecycle == "spot" {
        params = params.with("InstanceMarketOptions.MarketType", "spot");
    } else {
        params = params.without("InstanceMarketOptions");
    }
    // Of a fleet's tags, those on the fleet itself stay there.
    let tags = Params::default().with_all(call.params, "TagSpecification");
    params = overlay(&params, &tags);
    params = without_fleet_tags(params);
    let there = Call { params: &params, scope: call.scope.clone(), ..*call };
    let mut request = Request::read(&there)?;
    request.system_tags = Tags::from([
        ("aws:ec2:fleet-id".to_owned(), fleet.id.clone()),
        ("aws:ec2launchtemplate:id".to_owned(), choice.pool.template_id.clone()),
        ("aws:ec2launchtemplate:version".to_owned(), choice.pool.version.to_string()),
    ]);
    instance::launch(&there, region, &request)
}

fn without_fleet_tags(params: Params) -> Params {
    let kept: Vec<Params> =
        params.each("TagSpecification").into_iter().filter(|s| s.get("ResourceType") != Some("fleet")).collect();
    let mut params = params.without("TagSpecification");
    for (number, specification) in (1..).zip(kept) {
        for (name, value) in specification.iter() {
            params = params.with(&format!("TagSpecification.{number}.{name}"), value);
        }
    }
    params
}

fn write_results(xml: &mut Xml, region: &Region, fleet: &Fleet) {
    xml.list("errorSet", &fleet.errors, |xml, error| {
        write_pool(xml, &error.pool);
        xml.text("lifecycle", &fleet.lifecycle).text("errorCode", &error.code).text("errorMessage", &error.message);
    });
    // One entry for each choice that has instances.
    let by_pool = fleet.instances.chunk_by(|a, b| a.pool == b.pool);
    xml.list("fleetInstanceSet", by_pool, |xml, launches| {
        let Some(first) = launches.first() else { return };
        write_pool(xml, &first.pool);
        xml.text("lifecycle", &fleet.lifecycle);
        xml.node("instanceIds", |xml| {
            for launch in launches {
                xml.text("item", &launch.instance_id);
            }
        });
        if let Some(instance) = region.instances.get(&first.instance_id) {
            xml.text("instanceType", &instance.instance_type).text("availabilityZone", &instance.zone);
            xml.text("subnetId", &instance.subnet_id);
        }
    });
}

fn write_pool(xml: &mut Xml, pool: &Pool) {
    xml.node("launchTemplateAndOverrides", |xml| {
        xml.node("launchTemplateSpecification", |xml| {
            xml.text("launchTemplateId", &pool.template_id).text("version", pool.version);
        });
        xml.node("overrides", |xml| {
            let given = |name: &str| pool.overrides.get(name).filter(|value| !value.is_empty());
            for (name, element) in [
                ("InstanceType", "instanceType"),
                ("MaxPrice", "maxPrice"),
                ("SubnetId", "subnetId"),
                ("AvailabilityZone", "availabilityZone"),
                ("WeightedCapacity", "weightedCapacity"),
                ("Priority", "priority"),
                ("ImageId", "imageId"),
            ] {
                xml.some(element, given(name));
            }
        });
    });
}

/// DescribeFleets: instant ones are listed only when they are named.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    let ids = call.params.list("FleetId");
    let region = call.read()?;
    Kind::Fleet.check(&ids, |id| region.fleets.contains_key(id))?;
    let found: Vec<&Fleet> = ids.iter().filter_map(|id| region.fleets.get(id)).collect();
    let page = page::cut(call, found, 1..=1000, |fleet| fleet.id.clone())?;
    let mut xml = Xml::new();
    xml.list("fleetSet", &page.items, |xml, fleet| {
        xml.text("fleetId", &fleet.id).text("fleetState", fleet.state.name()).text("createTime", fleet.created);
        xml.filled("clientToken", &fleet.client_token).text("type", "instant");
        xml.node("targetCapacitySpecification", |xml| {
            xml.text("totalTargetCapacity", fleet.target).text("defaultTargetCapacityType", &fleet.lifecycle);
        });
        xml.text("fulfilledCapacity", fleet.instances.len());
        write_results(xml, &region, fleet);
        tags::write(xml, &fleet.tags);
    });
    xml.some("nextToken", page.next);
    Ok(xml)
}

/// DescribeFleetInstances.
pub fn describe_instances(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("FleetId")?;
    let region = call.read()?;
    Kind::Fleet.check(&[id.to_owned()], |id| region.fleets.contains_key(id))?;
    let members = region.fleets.get(id).map(|fleet| fleet.instances.as_slice()).unwrap_or_default();
    let live: Vec<&Instance> =
        members.iter().filter_map(|m| region.instances.get(&m.instance_id)).filter(|i| !i.state.is_ending()).collect();
    let page = page::cut(call, live, 1..=1000, |instance| instance.id.clone())?;
    let mut xml = Xml::new();
    xml.list("activeInstanceSet", &page.items, |xml, instance| {
        xml.text("instanceId", &instance.id).text("instanceType", &instance.instance_type);
        xml.some("spotInstanceRequestId", instance.spot_request.as_ref()).text("instanceHealth", "healthy");
    });
    xml.text("fleetId", id).some("nextToken", page.next);
    Ok(xml)
}

/// DeleteFleets: each fleet has a result of its own; an instant fleet cannot go without its instances, as on EC2.
pub fn delete(call: &Call<'_>) -> Result<Xml, Error> {
    let ids = call.params.list("FleetId");
    if ids.is_empty() {
        return Err(Error::missing("FleetId"));
    }
    let terminate = call.params.flag("TerminateInstances")?.ok_or_else(|| Error::missing("TerminateInstances"))?;
    let results = call.update(|region| {
        let mut results = Vec::new();
        for id in &ids {
            let result = delete_one(call, region, id, terminate);
            results.push((id.clone(), result));
        }
        Ok(results)
    })?;
    let (gone, kept): (Vec<_>, Vec<_>) = results.into_iter().partition(|(_, result)| result.is_ok());
    let mut xml = Xml::new();
    xml.list("successfulFleetDeletionSet", gone, |xml, (id, result)| {
        if let Ok((before, after)) = result {
            xml.text("currentFleetState", after.name()).text("previousFleetState", before.name());
        }
        xml.text("fleetId", id);
    });
    xml.list("unsuccessfulFleetDeletionSet", kept, |xml, (id, result)| {
        if let Err((code, message)) = result {
            xml.node("error", |xml| {
                xml.text("code", code).text("message", message);
            });
        }
        xml.text("fleetId", id);
    });
    Ok(xml)
}

type Refusal = (&'static str, &'static str);

fn delete_one(
    call: &Call<'_>,
    region: &mut Region,
    id: &str,
    terminate: bool,
) -> Result<(FleetState, FleetState), Refusal> {
    if Kind::Fleet.check_shape(id).is_err() {
        return Err(("fleetIdMalformed", "The fleet ID is malformed."));
    }
    let fleet = region.fleets.get_mut(id).ok_or(("fleetIdDoesNotExist", "The fleet does not exist."))?;
    if !terminate {
        let text = "An instant fleet cannot be deleted without its instances: set TerminateInstances.";
        return Err(("fleetNotInDeletableState", text));
    }
    let before = fleet.state;
    fleet.state = FleetState::DeletedTerminating;
    let members: Vec<String> = fleet.instances.iter().map(|launch| launch.instance_id.clone()).collect();
    for member in members {
        // One that is protected stays, as it does on EC2.
        let _ = instance::end(call, region, &member);
    }
    Ok((before, FleetState::DeletedTerminating))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_reach_the_interface_of_the_template() {
        let data = Params::parse("ImageId=a&NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.SubnetId=subnet-1");
        let given = Params::parse("InstanceType=t3.micro&SubnetId=subnet-2&MaxPrice=0.1&Priority=1");
        let params = with_overrides(&data, &given).unwrap();
        assert_eq!(params.get("NetworkInterface.1.SubnetId"), Some("subnet-2"));
        assert_eq!((params.get("SubnetId"), params.get("Priority")), (None, None));
        assert_eq!(params.get("InstanceMarketOptions.SpotOptions.MaxPrice"), Some("0.1"));
        let refused = with_overrides(&data, &Params::parse("InstanceRequirements.VCpuCount.Min=1"));
        assert_eq!(refused.unwrap_err().code, "Unsupported");
    }

    #[test]
    fn the_capacity_says_how_it_is_paid_for() {
        let read = |text: &str| capacity(&Params::parse(text)).map(|(n, kind)| (n, kind.to_owned()));
        let with = |rest: &str| {
            format!("TargetCapacitySpecification.TotalTargetCapacity=2&TargetCapacitySpecification.{rest}")
        };
        assert_eq!(read(&with("DefaultTargetCapacityType=spot")).unwrap(), (2, "spot".to_owned()));
        assert_eq!(read(&with("OnDemandTargetCapacity=2")).unwrap(), (2, "on-demand".to_owned()));
        assert_eq!(read("").unwrap_err().code, "MissingParameter");
    }
}
