//! What a machine is started with, and what its metadata service serves, from the instance as the state has it.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::machine::{IngressRule, Later, LaunchKey, LaunchSpec, Metadata};
use super::state::{Instance, Peer, Region, partition_of};

/// Everything the machine of this instance needs.
pub fn launch_spec(region: &Region, instance: &Instance) -> LaunchSpec {
    let key = instance.key.as_ref();
    LaunchSpec {
        instance_id: instance.id.clone(),
        image: region.disk_of(instance).layers.clone(),
        login_user: instance.origin.content.login_user.clone(),
        hostname: hostname(instance),
        key: key.map(|(name, line)| LaunchKey { name: name.clone(), public_line: format!("{line} {name}") }),
        // It was decoded and checked when it came.
        user_data: instance.user_data.as_ref().and_then(|text| STANDARD.decode(text).ok()),
        address: instance.address,
        private_ip: instance.private_ip,
        mac: instance.interface.mac.clone(),
        metadata: Metadata {
            tokens_required: instance.metadata.tokens_required,
            enabled: instance.metadata.enabled,
            hop_limit: instance.metadata.hop_limit,
            tree: tree(region, instance),
            later: interruption(instance),
        },
        ingress: ingress(region, instance),
        link: instance.link,
    }
}

/// How long before its end a spot instance is told.
const NOTICE: Duration = Duration::from_secs(120);

/// The notice of an interruption that is to come: two minutes ahead, or at once when it comes sooner.
fn interruption(instance: &Instance) -> Vec<Later> {
    let Some(doom) = instance.doom.as_ref().filter(|_| instance.spot_request.is_some()) else { return Vec::new() };
    let end = UNIX_EPOCH + Duration::from_millis(u64::try_from(doom.at.0).unwrap_or(0));
    let from = end.checked_sub(NOTICE).unwrap_or(UNIX_EPOCH);
    let time = doom.at.format("%Y-%m-%dT%H:%M:%SZ");
    let leaf = |name: &str, text: String| Later { path: format!("meta-data/spot/{name}"), text, from };
    let action = json!({ "action": "terminate", "time": time }).to_string();
    vec![leaf("instance-action", action), leaf("termination-time", time)]
}

fn hostname(instance: &Instance) -> String {
    format!("ip-{}", instance.private_ip.to_string().replace('.', "-"))
}

fn domain(region: &str) -> String {
    if region == "us-east-1" { "ec2.internal".into() } else { format!("{region}.compute.internal") }
}

fn ingress(region: &Region, instance: &Instance) -> Vec<IngressRule> {
    let groups = instance.groups.iter().filter_map(|id| region.groups.get(id));
    let rules = groups.flat_map(|group| &group.ingress);
    let port = |n: i32| u16::try_from(n).unwrap_or(0);
    rules
        .filter_map(|rule| match &rule.peer {
            Peer::V4(cidr) | Peer::V6(cidr) => Some(IngressRule {
                protocol: rule.protocol.clone(),
                ports: rule.ports.map(|(from, to)| (port(from), port(to))),
                cidr: cidr.clone(),
            }),
            Peer::Group(_) => None,
        })
        .collect()
}

fn tree(region: &Region, instance: &Instance) -> BTreeMap<String, String> {
    let here = &region.scope.region;
    let host = format!("{}.{}", hostname(instance), domain(here));
    let address = instance.address.to_string();
    let zone_id = region.subnets.get(&instance.subnet_id).map(|subnet| subnet.zone_id.clone()).unwrap_or_default();
    let mut tree = BTreeMap::new();
    let mut put = |path: &str, text: String| {
        tree.insert(format!("meta-data/{path}"), text);
    };
    put("ami-id", instance.origin.image_id.clone());
    put("ami-launch-index", instance.launch_index.to_string());
    put("ami-manifest-path", "(unknown)".into());
    put("hostname", host.clone());
    put("instance-action", "none".into());
    put("instance-id", instance.id.clone());
    put("instance-life-cycle", if instance.spot_request.is_some() { "spot" } else { "on-demand" }.into());
    put("instance-type", instance.instance_type.clone());
    put("local-hostname", host.clone());
    put("local-ipv4", instance.private_ip.to_string());
    put("mac", instance.interface.mac.clone());
    put("placement/availability-zone", instance.zone.clone());
    put("placement/availability-zone-id", zone_id);
    put("placement/region", here.clone());
    put("profile", "default-hvm".into());
    put("reservation-id", instance.reservation_id.clone());
    put("security-groups", group_names(region, instance).join("\n"));
    put("services/domain", "amazonaws.com".into());
    put("services/partition", partition_of(here).into());
    if instance.interface.public {
        put("public-hostname", address.clone());
        put("public-ipv4", address.clone());
    }
    if let Some((name, line)) = &instance.key {
        put("public-keys/", format!("0={name}"));
        put("public-keys/0/openssh-key", format!("{line} {name}"));
    }
    if let Some(arn) = &instance.profile_arn {
        let id = instance.profile_id.as_deref().unwrap_or_default();
        let info = json!({
            "Code": "Success",
            "LastUpdated": instance.launched.format("%Y-%m-%dT%H:%M:%SZ"),
            "InstanceProfileArn": arn,
            "InstanceProfileId": id,
        });
        put("iam/info", format!("{info:#}"));
    }
    put("block-device-mapping/ami", short_device(&instance.origin.root_device));
    put("block-device-mapping/root", instance.origin.root_device.clone());
    let extra = region.volumes_of(&instance.id);
    let extra = extra.iter().filter(|(_, hook)| hook.device != instance.origin.root_device);
    for (n, (_, hook)) in (1..).zip(extra) {
        put(&format!("block-device-mapping/ebs{n}"), short_device(&hook.device));
    }
    // A key with a slash has no path of its own; EC2 refuses such tags here.
    for (key, value) in instance.tags.iter().filter(|(key, _)| instance.metadata.tags && !key.contains('/')) {
        put(&format!("tags/instance/{key}"), value.clone());
    }
    put_interface(region, instance, &host, &mut put);
    tree.insert("dynamic/instance-identity/document".into(), identity(region, instance));
    tree
}

fn put_interface(region: &Region, instance: &Instance, host: &str, put: &mut impl FnMut(&str, String)) {
    let interface = &instance.interface;
    let mut put = |name: &str, text: String| put(&format!("network/interfaces/macs/{}/{name}", interface.mac), text);
    put("device-number", "0".into());
    put("interface-id", interface.id.clone());
    put("local-hostname", host.to_owned());
    put("local-ipv4s", instance.private_ip.to_string());
    put("mac", interface.mac.clone());
    put("owner-id", region.scope.account.clone());
    put("security-group-ids", instance.groups.join("\n"));
    put("security-groups", group_names(region, instance).join("\n"));
    put("subnet-id", instance.subnet_id.clone());
    put("vpc-id", instance.vpc_id.clone());
    if let Some(subnet) = region.subnets.get(&instance.subnet_id) {
        put("subnet-ipv4-cidr-block", subnet.cidr());
    }
    if let Some(vpc) = region.vpcs.get(&instance.vpc_id) {
        put("vpc-ipv4-cidr-block", vpc.cidr.clone());
        put("vpc-ipv4-cidr-blocks", vpc.cidr.clone());
    }
    if interface.public {
        put("public-hostname", instance.address.to_string());
        put("public-ipv4s", instance.address.to_string());
    }
}

fn group_names(region: &Region, instance: &Instance) -> Vec<String> {
    instance.groups.iter().filter_map(|id| region.groups.get(id)).map(|group| group.name.clone()).collect()
}

fn short_device(device: &str) -> String {
    device.trim_start_matches("/dev/").to_owned()
}

fn identity(region: &Region, instance: &Instance) -> String {
    let document = json!({
        "accountId": region.scope.account,
        "architecture": instance.origin.architecture,
        "availabilityZone": instance.zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "marketplaceProductCodes": null,
        "imageId": instance.origin.image_id,
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "kernelId": null,
        "pendingTime": instance.launched.format("%Y-%m-%dT%H:%M:%SZ"),
        "privateIp": instance.private_ip.to_string(),
        "ramdiskId": null,
        "region": region.scope.region,
        "version": "2017-09-30",
    });
    format!("{document:#}")
}
