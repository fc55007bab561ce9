//! Spot requests: made by launches on the spot market, and by RequestSpotInstances.

use super::filter::Filters;
use super::instance::{self, Request, SpotTerms};
use super::tags::{self, Specified};
use super::token::ClientToken;
use super::{Call, Kind, page};
use crate::local_ec2::state::{Instance, Moment, Region, SpotRequest, SpotState, Tags, id};
use crate::local_ec2::wire::{Error, Params, Xml};

/// What RequestSpotInstances takes. Launch groups and blocks of hours are gone from EC2 too.
pub const REQUEST_PARAMS: &str = "SpotPrice InstanceCount Type LaunchSpecification InstanceInterruptionBehavior ValidFrom ValidUntil \
     TagSpecification ClientToken";

/// Adds the fulfilled request of an instance, and gives its id.
pub fn fulfil(
    region: &mut Region,
    terms: &SpotTerms,
    price: &str,
    instance_id: &str,
    tags: Tags,
    now: Moment,
) -> String {
    let id = format!("sir-{}", &id::random_hex()[..8]);
    let mut request = SpotRequest {
        id: id.clone(),
        state: SpotState::Open,
        status: String::new(),
        message: String::new(),
        updated: now,
        created: now,
        price: terms.max_price.clone().unwrap_or_else(|| price.to_owned()),
        kind: terms.kind.clone(),
        on_interruption: terms.on_interruption.clone(),
        instance_id: instance_id.to_owned(),
        tags,
    };
    request.enter(SpotState::Active, "fulfilled", "Your spot request is fulfilled.", now);
    region.spot_requests.insert(id.clone(), request);
    id
}

/// RequestSpotInstances: one request for each instance, all fulfilled at the next look.
pub fn request(call: &Call<'_>) -> Result<Xml, Error> {
    let params = call.params;
    let count = params.int("InstanceCount")?.unwrap_or(1);
    for unsupported in ["ValidFrom", "ValidUntil"] {
        if params.get(unsupported).is_some() {
            return Err(Error::new(
                "Unsupported",
                "Spot requests that begin or end at a time are not there in local EC2.",
            ));
        }
    }
    Specified::read(params, &["spot-instances-request"])?;
    let token = ClientToken::read(call, "")?;
    let mut inner = params.sub("LaunchSpecification").with("MinCount", &count.to_string());
    inner = inner.with("MaxCount", &count.to_string()).with("InstanceMarketOptions.MarketType", "spot");
    for (from, to) in [
        ("SpotPrice", "MaxPrice"),
        ("Type", "SpotInstanceType"),
        ("InstanceInterruptionBehavior", "InstanceInterruptionBehavior"),
    ] {
        if let Some(value) = params.get(from) {
            inner = inner.with(&format!("InstanceMarketOptions.SpotOptions.{to}"), value);
        }
    }
    let inner = inner.with_all(params, "TagSpecification");
    let there = Call { params: &inner, scope: call.scope.clone(), ..*call };
    let (region, ids) = call.update(|region| {
        if let Some(ids) = token.earlier(region)? {
            return Ok((region.clone(), ids));
        }
        let request = Request::read(&there)?;
        let instances = instance::launch(&there, region, &request)?;
        let ids: Vec<String> =
            instances.iter().filter_map(|id| region.instances.get(id)?.spot_request.clone()).collect();
        token.remember(region, call, ids.clone());
        Ok((region.clone(), ids))
    })?;
    let requests = ids.iter().filter_map(|id| region.spot_requests.get(id));
    let mut xml = Xml::new();
    xml.list("spotInstanceRequestSet", requests, |xml, request| {
        // The answer comes before the request is looked at.
        let mut fresh = request.clone();
        let text = "Your Spot request has been submitted for review, and is pending evaluation.";
        fresh.enter(SpotState::Open, "pending-evaluation", text, request.created);
        write(xml, &region, &fresh);
    });
    Ok(xml)
}

const FILTERS: &[&str] = &[
    "create-time",
    "instance-id",
    "launch.image-id",
    "launch.instance-type",
    "launch.key-name",
    "launched-availability-zone",
    "product-description",
    "spot-instance-request-id",
    "spot-price",
    "state",
    "status-code",
    "status-message",
    "type",
];

/// DescribeSpotInstanceRequests.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    let filters = Filters::read(call.params, FILTERS)?;
    let ids = call.params.list("SpotInstanceRequestId");
    let region = call.read()?;
    Kind::SpotRequest.check(&ids, |id| region.spot_requests.contains_key(id))?;
    let found = region.spot_requests.values().filter(|request| {
        (ids.is_empty() || ids.contains(&request.id))
            && filters.pass(&request.tags, |name| values(&region, request, name))
    });
    let page = page::cut(call, found.collect(), page::USUAL, |request| request.id.clone())?;
    let mut xml = Xml::new();
    xml.list("spotInstanceRequestSet", &page.items, |xml, request| write(xml, &region, request));
    xml.some("nextToken", page.next);
    Ok(xml)
}

fn values(region: &Region, request: &SpotRequest, name: &str) -> Vec<String> {
    let instance = region.instances.get(&request.instance_id);
    let of = |pick: fn(&Instance) -> Option<String>| instance.and_then(pick).into_iter().collect();
    match name {
        "create-time" => vec![request.created.to_string()],
        "instance-id" => vec![request.instance_id.clone()],
        "launch.image-id" => of(|i| Some(i.origin.image_id.clone())),
        "launch.instance-type" => of(|i| Some(i.instance_type.clone())),
        "launch.key-name" => of(|i| i.key.as_ref().map(|(name, _)| name.clone())),
        "launched-availability-zone" => of(|i| Some(i.zone.clone())),
        "product-description" => vec!["Linux/UNIX".to_owned()],
        "spot-instance-request-id" => vec![request.id.clone()],
        "spot-price" => vec![request.price.clone()],
        "state" => vec![request.state.name().to_owned()],
        "status-code" => vec![request.status.clone()],
        "status-message" => vec![request.message.clone()],
        _ => vec![request.kind.clone()],
    }
}

fn write(xml: &mut Xml, region: &Region, request: &SpotRequest) {
    xml.text("spotInstanceRequestId", &request.id).text("spotPrice", &request.price).text("type", &request.kind);
    xml.text("state", request.state.name());
    xml.node("status", |xml| {
        xml.text("code", &request.status).text("updateTime", request.updated).text("message", &request.message);
    });
    let instance = region.instances.get(&request.instance_id);
    if let Some(instance) = instance {
        xml.node("launchSpecification", |xml| write_specification(xml, region, instance));
    }
    if request.state != SpotState::Open {
        xml.text("instanceId", &request.instance_id);
        xml.some("launchedAvailabilityZone", instance.map(|instance| &instance.zone));
    }
    xml.text("createTime", request.created).text("productDescription", "Linux/UNIX");
    xml.text("instanceInterruptionBehavior", &request.on_interruption);
    tags::write(xml, &request.tags);
}

fn write_specification(xml: &mut Xml, region: &Region, instance: &Instance) {
    xml.text("imageId", &instance.origin.image_id).text("instanceType", &instance.instance_type);
    xml.some("keyName", instance.key.as_ref().map(|(name, _)| name)).text("subnetId", &instance.subnet_id);
    xml.list("groupSet", &instance.groups, |xml, id| {
        xml.text("groupId", id).some("groupName", region.groups.get(id).map(|group| &group.name));
    });
    xml.node("placement", |xml| {
        xml.text("availabilityZone", &instance.zone);
    });
    xml.node("monitoring", |xml| {
        xml.text("enabled", instance.attributes.monitoring);
    });
}

/// CancelSpotInstanceRequests: instances go on.
pub fn cancel(call: &Call<'_>) -> Result<Xml, Error> {
    let ids = call.params.list("SpotInstanceRequestId");
    if ids.is_empty() {
        return Err(Error::missing("SpotInstanceRequestId"));
    }
    let states = call.update(|region| {
        Kind::SpotRequest.check(&ids, |id| region.spot_requests.contains_key(id))?;
        let mut states = Vec::new();
        for id in &ids {
            let Some(request) = region.spot_requests.get_mut(id) else { continue };
            if request.state == SpotState::Active {
                let status = "request-canceled-and-instance-running";
                request.enter(
                    SpotState::Cancelled,
                    status,
                    "The Spot request was cancelled; its instance runs on.",
                    call.now,
                );
            }
            states.push((id.clone(), request.state));
        }
        Ok(states)
    })?;
    let mut xml = Xml::new();
    xml.list("spotInstanceRequestSet", states, |xml, (id, state)| {
        xml.text("spotInstanceRequestId", id).text("state", state.name());
    });
    Ok(xml)
}

/// What a launch on the spot market asks for; `None` for one that is on demand.
pub fn read_terms(params: &Params) -> Result<Option<SpotTerms>, Error> {
    let market = params.sub("InstanceMarketOptions");
    match market.get("MarketType") {
        None if market.is_empty() => return Ok(None),
        Some("spot") => {}
        None => return Err(Error::missing("InstanceMarketOptions.MarketType")),
        Some(other) => return Err(Error::value(format!("Value ({other}) for parameter marketType is invalid."))),
    }
    let options = market.sub("SpotOptions");
    let choice = |name: &str, legal: &[&str]| match options.get(name) {
        None => Ok(legal[0].to_owned()),
        Some(value) if legal.contains(&value) => Ok(value.to_owned()),
        Some(value) => Err(Error::value(format!("Value ({value}) for parameter {name} is invalid."))),
    };
    let terms = SpotTerms {
        max_price: options.get("MaxPrice").map(str::to_owned),
        kind: choice("SpotInstanceType", &["one-time", "persistent"])?,
        on_interruption: choice("InstanceInterruptionBehavior", &["terminate", "stop", "hibernate"])?,
    };
    if terms.kind == "one-time" && terms.on_interruption != "terminate" {
        let text = "For one-time Spot requests, the instance interruption behavior must be terminate.";
        return Err(Error::combination(text));
    }
    Ok(Some(terms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_and_checked() {
        let read = |text: &str| read_terms(&Params::parse(text));
        assert!(read("ImageId=x").unwrap().is_none());
        let terms =
            read("InstanceMarketOptions.MarketType=spot&InstanceMarketOptions.SpotOptions.MaxPrice=0.1").unwrap();
        assert_eq!(terms.unwrap().max_price.as_deref(), Some("0.1"));
        for (text, code) in [
            ("InstanceMarketOptions.MarketType=free", "InvalidParameterValue"),
            ("InstanceMarketOptions.SpotOptions.MaxPrice=1", "MissingParameter"),
            (
                "InstanceMarketOptions.MarketType=spot&InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior=stop",
                "InvalidParameterCombination",
            ),
        ] {
            assert_eq!(read(text).unwrap_err().code, code, "{text}");
        }
    }
}
