//! An instance as the answers show it.

use super::options;
use crate::local_ec2::api::{Call, tags};
use crate::local_ec2::state::{Instance, InstanceState, Region};
use crate::local_ec2::wire::Xml;

/// RunInstances answers before volumes and public address exist; later looks show them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// In the answer of RunInstances.
    JustMade,
    /// In every later one.
    Known,
}

/// One reservation with some of its instances.
pub fn write_reservation(xml: &mut Xml, region: &Region, instances: &[&Instance], age: Age, call: &Call<'_>) {
    let Some(first) = instances.first() else { return };
    xml.text("reservationId", &first.reservation_id).text("ownerId", &call.scope.account);
    // Only EC2-Classic had groups here.
    xml.list("groupSet", std::iter::empty::<()>(), |_, ()| {});
    xml.list("instancesSet", instances, |xml, instance| write(xml, region, instance, age, call));
}

/// `<code/><name/>` of a state.
pub fn write_state(xml: &mut Xml, name: &str, state: InstanceState) {
    xml.node(name, |xml| {
        xml.text("code", state.code()).text("name", state.name());
    });
}

fn write(xml: &mut Xml, region: &Region, instance: &Instance, age: Age, call: &Call<'_>) {
    let origin = &instance.origin;
    xml.text("instanceId", &instance.id).text("imageId", &origin.image_id);
    write_state(xml, "instanceState", instance.state);
    // The names are the address itself: that is what makes them reachable from here.
    xml.text("privateDnsName", private_address(instance).unwrap_or_default());
    xml.text("dnsName", public_address(instance, age).unwrap_or_default());
    xml.text("reason", &instance.transition_reason);
    xml.some("keyName", instance.key.as_ref().map(|(name, _)| name));
    xml.text("amiLaunchIndex", instance.launch_index).text("instanceType", &instance.instance_type);
    xml.list("productCodes", std::iter::empty::<()>(), |_, ()| {});
    xml.text("launchTime", instance.launched);
    xml.node("placement", |xml| {
        xml.text("availabilityZone", &instance.zone).text("groupName", &instance.attributes.placement_group);
        xml.text("tenancy", &instance.attributes.tenancy);
    });
    xml.node("monitoring", |xml| {
        xml.text("state", if instance.attributes.monitoring { "enabled" } else { "disabled" });
    });
    if instance.is_live() {
        xml.text("subnetId", &instance.subnet_id).text("vpcId", &instance.vpc_id);
    }
    xml.some("privateIpAddress", private_address(instance)).some("ipAddress", public_address(instance, age));
    if let Some(reason) = &instance.reason {
        xml.node("stateReason", |xml| {
            xml.text("code", &reason.code).text("message", &reason.message);
        });
    }
    xml.text("architecture", &origin.architecture).text("rootDeviceType", "ebs");
    xml.text("rootDeviceName", &origin.root_device);
    write_devices(xml, region, instance, age, call);
    xml.text("virtualizationType", "hvm").text("clientToken", &instance.client_token);
    if let Some(request) = &instance.spot_request {
        xml.text("instanceLifecycle", "spot").text("spotInstanceRequestId", request);
    }
    tags::write(xml, &instance.tags);
    xml.text("hypervisor", "xen");
    write_groups(xml, region, instance);
    write_interface(xml, region, instance, age, call);
    if let Some(arn) = instance.profile_arn.as_ref().filter(|_| instance.is_live()) {
        xml.node("iamInstanceProfile", |xml| {
            xml.text("arn", arn).some("id", instance.profile_id.as_ref());
        });
    }
    write_options(xml, instance);
    xml.text("platformDetails", &origin.platform_details).text("usageOperation", &origin.usage_operation);
}

fn write_options(xml: &mut Xml, instance: &Instance) {
    let (attributes, origin, metadata) = (&instance.attributes, &instance.origin, &instance.metadata);
    let on = |value: bool| if value { "enabled" } else { "disabled" };
    xml.text("ebsOptimized", attributes.ebs_optimized).text("enaSupport", attributes.ena_support);
    xml.some("sriovNetSupport", attributes.sriov_simple.then_some("simple"));
    xml.filled("bootMode", &origin.boot_mode).filled("tpmSupport", &origin.tpm);
    xml.text("currentInstanceBootMode", if origin.boot_mode.starts_with("uefi") { "uefi" } else { "legacy-bios" });
    xml.text("sourceDestCheck", attributes.source_dest_check);
    xml.node("metadataOptions", |xml| {
        xml.text("state", "applied").text("httpTokens", if metadata.tokens_required { "required" } else { "optional" });
        xml.text("httpPutResponseHopLimit", metadata.hop_limit).text("httpEndpoint", on(metadata.enabled));
        xml.text("httpProtocolIpv6", "disabled").text("instanceMetadataTags", on(metadata.tags));
    });
    xml.node("enclaveOptions", |xml| {
        xml.text("enabled", attributes.enclave);
    });
    xml.node("capacityReservationSpecification", |xml| {
        let preference = attributes.capacity_reservation.as_str();
        xml.text("capacityReservationPreference", if preference.is_empty() { "open" } else { preference });
    });
    options::write(xml, instance);
    if !attributes.licenses.is_empty() {
        xml.list("licenseSet", &attributes.licenses, |xml, arn| {
            xml.text("licenseConfigurationArn", arn);
        });
    }
}

/// The address that reaches it from this host: the same as the public one, so that every way of asking leads there. Whoever chose the private address
/// gets to see that one.
pub fn private_address(instance: &Instance) -> Option<String> {
    let address = if instance.interface.private_ip_named { instance.private_ip } else { instance.address };
    instance.is_live().then(|| address.to_string())
}

/// The public address: from `running` on, and not while stopped.
pub fn public_address(instance: &Instance, age: Age) -> Option<String> {
    let is_up = !matches!(instance.state, InstanceState::Pending | InstanceState::Stopped | InstanceState::Terminated);
    (age == Age::Known && is_up && instance.interface.public).then(|| instance.address.to_string())
}

fn write_devices(xml: &mut Xml, region: &Region, instance: &Instance, age: Age, call: &Call<'_>) {
    let volumes = if age == Age::Known { region.volumes_of(&instance.id) } else { Vec::new() };
    xml.list("blockDeviceMapping", volumes, |xml, (volume, hook)| {
        xml.text("deviceName", &hook.device);
        xml.node("ebs", |xml| {
            xml.text("volumeId", &volume.id).text("status", hook.status(call.now)).text("attachTime", hook.since);
            xml.text("deleteOnTermination", hook.delete_on_termination);
        });
    });
}

fn write_groups(xml: &mut Xml, region: &Region, instance: &Instance) {
    let live: &[String] = if instance.is_live() { &instance.groups } else { &[] };
    xml.list("groupSet", live, |xml, id| {
        xml.text("groupId", id);
        xml.text("groupName", region.groups.get(id).map_or("", |group| group.name.as_str()));
    });
}

fn write_interface(xml: &mut Xml, region: &Region, instance: &Instance, age: Age, call: &Call<'_>) {
    let (interface, account) = (&instance.interface, &call.scope.account);
    let live = instance.is_live().then_some(());
    xml.list("networkInterfaceSet", live, |xml, ()| {
        xml.text("networkInterfaceId", &interface.id).text("subnetId", &instance.subnet_id);
        xml.text("vpcId", &instance.vpc_id).text("description", &interface.description).text("ownerId", account);
        xml.text("status", "in-use").text("macAddress", &interface.mac);
        xml.some("privateIpAddress", private_address(instance)).some("privateDnsName", private_address(instance));
        xml.text("sourceDestCheck", instance.attributes.source_dest_check);
        write_groups(xml, region, instance);
        xml.node("attachment", |xml| {
            xml.text("attachmentId", &interface.attachment_id).text("deviceIndex", 0);
            xml.text("status", if age == Age::JustMade { "attaching" } else { "attached" });
            xml.text("attachTime", instance.created).text("deleteOnTermination", interface.delete_on_termination);
        });
        let association = |xml: &mut Xml| {
            if let Some(address) = public_address(instance, age) {
                xml.node("association", |xml| {
                    xml.text("publicIp", &address).text("publicDnsName", &address).text("ipOwnerId", "amazon");
                });
            }
        };
        association(xml);
        xml.list("privateIpAddressesSet", [()], |xml, ()| {
            xml.some("privateIpAddress", private_address(instance)).some("privateDnsName", private_address(instance));
            xml.text("primary", true);
            association(xml);
        });
        xml.list("ipv6AddressesSet", std::iter::empty::<()>(), |_, ()| {});
        xml.text("interfaceType", "interface");
    });
}
