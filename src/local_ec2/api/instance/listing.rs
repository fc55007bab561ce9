//! DescribeInstances and DescribeInstanceStatus.

use super::view::{self, Age};
use crate::local_ec2::api::filter::Filters;
use crate::local_ec2::api::{Call, Kind, page};
use crate::local_ec2::state::{Instance, InstanceState, Region};
use crate::local_ec2::wire::{Error, Xml};

const FILTERS: &[&str] = &[
    "instance-id",
    "instance-state-name",
    "instance-state-code",
    "instance-type",
    "image-id",
    "key-name",
    "vpc-id",
    "subnet-id",
    "availability-zone",
    "client-token",
    "instance-lifecycle",
    "spot-instance-request-id",
    "reservation-id",
    "private-ip-address",
    "ip-address",
    "dns-name",
    "private-dns-name",
    "instance.group-id",
    "instance.group-name",
    "network-interface.network-interface-id",
    "block-device-mapping.volume-id",
    "block-device-mapping.device-name",
    "iam-instance-profile.arn",
    "root-device-type",
    "root-device-name",
    "architecture",
    "launch-time",
    "state-reason-code",
    "owner-id",
    "virtualization-type",
    "tenancy",
];

/// DescribeInstances. Pages count instances, so a reservation may be spread over pages.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    let filters = Filters::read(call.params, FILTERS)?;
    let ids = named_ids(call)?;
    let region = call.read()?;
    Kind::Instance.check(&ids, |id| region.instances.contains_key(id))?;
    let found = region.instances.values().filter(|instance| {
        (ids.is_empty() || ids.contains(&instance.id))
            && filters.pass(&instance.tags, |name| values(&region, instance, call, name))
    });
    let page = page::cut(call, found.collect(), page::USUAL, |i: &&Instance| format!("{} {}", i.reservation_id, i.id))?;
    let mut xml = Xml::new();
    let reservations = page.items.chunk_by(|a, b| a.reservation_id == b.reservation_id);
    xml.list("reservationSet", reservations, |xml, instances| {
        view::write_reservation(xml, &region, instances, Age::Known, call);
    });
    xml.some("nextToken", page.next);
    Ok(xml)
}

fn named_ids(call: &Call<'_>) -> Result<Vec<String>, Error> {
    let ids = call.params.list("InstanceId");
    if !ids.is_empty() && call.params.get("MaxResults").is_some() {
        let text = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(Error::combination(text));
    }
    Ok(ids)
}

fn values(region: &Region, instance: &Instance, call: &Call<'_>, name: &str) -> Vec<String> {
    let some = |value: Option<String>| value.into_iter().collect();
    match name {
        "instance-id" => vec![instance.id.clone()],
        "instance-state-name" => vec![instance.state.name().to_owned()],
        "instance-state-code" => vec![instance.state.code().to_string()],
        "instance-type" => vec![instance.instance_type.clone()],
        "image-id" => vec![instance.origin.image_id.clone()],
        "key-name" => some(instance.key.as_ref().map(|(name, _)| name.clone())),
        "vpc-id" => some(instance.is_live().then(|| instance.vpc_id.clone())),
        "subnet-id" => some(instance.is_live().then(|| instance.subnet_id.clone())),
        "availability-zone" => vec![instance.zone.clone()],
        "client-token" => vec![instance.client_token.clone()],
        // On-demand instances have no lifecycle.
        "instance-lifecycle" => some(instance.spot_request.as_ref().map(|_| "spot".to_owned())),
        "spot-instance-request-id" => some(instance.spot_request.clone()),
        "reservation-id" => vec![instance.reservation_id.clone()],
        "private-ip-address" | "private-dns-name" => some(view::private_address(instance)),
        "ip-address" | "dns-name" => some(view::public_address(instance, Age::Known)),
        "instance.group-id" if instance.is_live() => instance.groups.clone(),
        "instance.group-name" if instance.is_live() => {
            instance.groups.iter().filter_map(|id| region.groups.get(id)).map(|group| group.name.clone()).collect()
        }
        "network-interface.network-interface-id" => some(instance.is_live().then(|| instance.interface.id.clone())),
        "block-device-mapping.volume-id" => region.volumes_of(&instance.id).iter().map(|(v, _)| v.id.clone()).collect(),
        "block-device-mapping.device-name" => {
            region.volumes_of(&instance.id).iter().map(|(_, hook)| hook.device.clone()).collect()
        }
        "iam-instance-profile.arn" => some(instance.profile_arn.clone()),
        "root-device-type" => vec!["ebs".to_owned()],
        "root-device-name" => vec![instance.origin.root_device.clone()],
        "architecture" => vec![instance.origin.architecture.clone()],
        "launch-time" => vec![instance.launched.to_string()],
        "state-reason-code" => some(instance.reason.as_ref().map(|reason| reason.code.clone())),
        "owner-id" => vec![call.scope.account.clone()],
        "virtualization-type" => vec!["hvm".to_owned()],
        "tenancy" => vec![instance.attributes.tenancy.clone()],
        _ => Vec::new(),
    }
}

/// DescribeInstanceStatus.
pub fn describe_status(call: &Call<'_>) -> Result<Xml, Error> {
    const KNOWN: [&str; 6] = [
        "instance-state-name",
        "instance-state-code",
        "instance-status.status",
        "system-status.status",
        "event.code",
        "availability-zone",
    ];
    let filters = Filters::read(call.params, &KNOWN)?;
    let ids = named_ids(call)?;
    if ids.len() > 100 {
        return Err(Error::value("At most 100 instances can be named in one call"));
    }
    let all = call.params.flag("IncludeAllInstances")?.unwrap_or(false);
    let region = call.read()?;
    Kind::Instance.check(&ids, |id| region.instances.contains_key(id))?;
    let found = region.instances.values().filter(|instance| {
        (ids.is_empty() || ids.contains(&instance.id))
            && (all || instance.state == InstanceState::Running)
            && filters.pass(&instance.tags, |name| match name {
                "instance-state-name" => vec![instance.state.name().to_owned()],
                "instance-state-code" => vec![instance.state.code().to_string()],
                "availability-zone" => vec![instance.zone.clone()],
                "event.code" => Vec::new(),
                _ => vec![checks(instance, call).0.to_owned()],
            })
    });
    let page = page::cut(call, found.collect(), page::USUAL, |i: &&Instance| i.id.clone())?;
    let mut xml = Xml::new();
    xml.list("instanceStatusSet", &page.items, |xml, instance| {
        xml.text("instanceId", &instance.id).text("availabilityZone", &instance.zone);
        view::write_state(xml, "instanceState", instance.state);
        let (status, detail) = checks(instance, call);
        for name in ["systemStatus", "instanceStatus", "attachedEbsStatus"] {
            xml.node(name, |xml| {
                xml.text("status", status);
                xml.list("details", detail, |xml, detail| {
                    xml.text("name", "reachability").text("status", detail);
                });
            });
        }
    });
    xml.some("nextToken", page.next);
    Ok(xml)
}

fn checks(instance: &Instance, call: &Call<'_>) -> (&'static str, Option<&'static str>) {
    match instance.state {
        InstanceState::Running if instance.checks_ok_at <= call.now => ("ok", Some("passed")),
        InstanceState::Running => ("initializing", Some("initializing")),
        _ => ("not-applicable", None),
    }
}
