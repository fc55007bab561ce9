//! DescribeInstanceAttribute and ModifyInstanceAttribute.

use super::request::{check_user_data, read_shutdown};
use crate::local_ec2::api::instance_type::InstanceType;
use crate::local_ec2::api::{Call, Kind, done};
use crate::local_ec2::state::{Instance, InstanceState, Region};
use crate::local_ec2::wire::{Error, Params, Xml};

/// What ModifyInstanceAttribute takes.
pub const MODIFY_PARAMS: &str = "InstanceId Attribute Value InstanceType EnaSupport SriovNetSupport UserData DisableApiTermination \
     DisableApiStop InstanceInitiatedShutdownBehavior EbsOptimized SourceDestCheck GroupId BlockDeviceMapping";

/// DescribeInstanceAttribute.
pub fn describe_attribute(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("InstanceId")?;
    let attribute = call.params.need("Attribute")?;
    Kind::Instance.check_shape(id)?;
    let region = call.read()?;
    let instance = region.instances.get(id).ok_or_else(|| Kind::Instance.not_found(&[id]))?;
    let flags = &instance.attributes;
    let mut xml = Xml::new();
    xml.text("instanceId", id);
    let value = |value: Option<String>| value;
    let value = match attribute {
        "userData" => value(instance.user_data.clone()),
        "disableApiTermination" => value(Some(flags.no_termination.to_string())),
        "disableApiStop" => value(Some(flags.no_stop.to_string())),
        "instanceInitiatedShutdownBehavior" => value(Some(instance.on_shutdown.name().to_owned())),
        "rootDeviceName" => value(Some(instance.origin.root_device.clone())),
        "ebsOptimized" => value(Some(flags.ebs_optimized.to_string())),
        "enaSupport" => value(Some(flags.ena_support.to_string())),
        "sriovNetSupport" => value(flags.sriov_simple.then(|| "simple".to_owned())),
        "sourceDestCheck" => value(Some(flags.source_dest_check.to_string())),
        "instanceType" => value(Some(instance.instance_type.clone())),
        "kernel" => value(Some(flags.kernel.0.clone()).filter(|id| !id.is_empty())),
        "ramdisk" => value(Some(flags.kernel.1.clone()).filter(|id| !id.is_empty())),
        "enclaveOptions" => {
            xml.node("enclaveOptions", |xml| {
                xml.text("enabled", flags.enclave);
            });
            return Ok(xml);
        }
        "groupSet" => {
            xml.list("groupSet", &instance.groups, |xml, group| {
                xml.text("groupId", group);
            });
            return Ok(xml);
        }
        "productCodes" => {
            xml.list("productCodes", std::iter::empty::<()>(), |_, ()| {});
            return Ok(xml);
        }
        "blockDeviceMapping" => {
            xml.list("blockDeviceMapping", region.volumes_of(id), |xml, (volume, hook)| {
                xml.text("deviceName", &hook.device);
                xml.node("ebs", |xml| {
                    xml.text("volumeId", &volume.id)
                        .text("status", hook.status(call.now))
                        .text("attachTime", hook.since);
                    xml.text("deleteOnTermination", hook.delete_on_termination);
                });
            });
            return Ok(xml);
        }
        other => {
            return Err(Error::value(format!(
                "Value ({other}) for parameter attribute is invalid. Unknown attribute."
            )));
        }
    };
    xml.node(attribute, |xml| {
        xml.some("value", value);
    });
    Ok(xml)
}

/// ModifyInstanceAttribute: one attribute per call.
pub fn modify_attribute(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("InstanceId")?;
    Kind::Instance.check_shape(id)?;
    let change = Edit::read(call.params)?;
    call.update(|region| {
        let instance = region.instances.get(id).ok_or_else(|| Kind::Instance.not_found(&[id]))?;
        if instance.state.is_ending() {
            let text = format!("The instance '{id}' is being terminated: its attributes cannot be changed any more.");
            return Err(Error::new("IncorrectInstanceState", text));
        }
        change.apply(region, id)
    })?;
    Ok(done())
}

/// One change of one attribute, by its DescribeInstanceAttribute name.
enum Edit {
    Value(String, String),
    Groups(Vec<String>),
    Devices(Vec<Params>),
}

/// Which attributes can only change while the instance is stopped.
const STOPPED_ONLY: [&str; 5] = ["instanceType", "userData", "enaSupport", "sriovNetSupport", "ebsOptimized"];

impl Edit {
    fn read(params: &Params) -> Result<Self, Error> {
        let mut edits = Vec::new();
        for name in [
            "InstanceType",
            "EnaSupport",
            "SriovNetSupport",
            "UserData",
            "DisableApiTermination",
            "DisableApiStop",
            "InstanceInitiatedShutdownBehavior",
            "EbsOptimized",
            "SourceDestCheck",
        ] {
            if let Some(value) = params.raw(&format!("{name}.Value")) {
                let mut chars = name.chars();
                let first = chars.next().map(|c| c.to_ascii_lowercase());
                edits.push(Self::Value(first.into_iter().chain(chars).collect(), value.to_owned()));
            }
        }
        if let Some(attribute) = params.get("Attribute").filter(|name| *name != "blockDeviceMapping") {
            edits.push(Self::Value(attribute.to_owned(), params.raw("Value").unwrap_or_default().to_owned()));
        }
        let groups = params.list("GroupId");
        if !groups.is_empty() {
            edits.push(Self::Groups(groups));
        }
        let devices = params.each("BlockDeviceMapping");
        if !devices.is_empty() {
            edits.push(Self::Devices(devices));
        }
        match edits.len() {
            0 => Err(Error::combination("No attributes specified.")),
            1 => Ok(edits.remove(0)),
            _ => Err(Error::combination(
                "Fields for multiple attribute types specified: only one can be changed at a time.",
            )),
        }
    }

    fn apply(&self, region: &mut Region, id: &str) -> Result<(), Error> {
        match self {
            Self::Groups(groups) => {
                Kind::Group.check(groups, |group| region.groups.contains_key(group))?;
                with(region, id, |instance| {
                    instance.groups.clone_from(groups);
                    Ok(())
                })
            }
            Self::Devices(devices) => devices.iter().try_for_each(|device| set_device(region, id, device)),
            Self::Value(name, value) => with(region, id, |instance| {
                if STOPPED_ONLY.contains(&name.as_str()) && instance.state != InstanceState::Stopped {
                    let text = format!("The instance '{id}' is not in the 'stopped' state.");
                    return Err(Error::new("IncorrectInstanceState", text));
                }
                set_value(instance, name, value)
            }),
        }
    }
}

fn with(region: &mut Region, id: &str, edit: impl FnOnce(&mut Instance) -> Result<(), Error>) -> Result<(), Error> {
    edit(region.instances.get_mut(id).ok_or_else(|| Kind::Instance.not_found(&[id]))?)
}

fn set_value(instance: &mut Instance, name: &str, value: &str) -> Result<(), Error> {
    let bad = || {
        Error::new("InvalidInstanceAttributeValue", format!("The value '{value}' is not valid for attribute '{name}'"))
    };
    let flag = || match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(bad()),
    };
    let attributes = &mut instance.attributes;
    match name {
        "instanceType" => {
            let wanted = InstanceType::find(value).ok_or_else(bad)?;
            if wanted.architecture != instance.origin.architecture {
                return Err(bad());
            }
            instance.instance_type = wanted.name;
        }
        "enaSupport" => attributes.ena_support = flag()?,
        "sriovNetSupport" if value == "simple" => attributes.sriov_simple = true,
        "userData" if value.is_empty() => instance.user_data = None,
        "userData" => instance.user_data = Some(check_user_data(value)?),
        "disableApiTermination" => attributes.no_termination = flag()?,
        "disableApiStop" => attributes.no_stop = flag()?,
        "instanceInitiatedShutdownBehavior" => instance.on_shutdown = read_shutdown(Some(value))?,
        "ebsOptimized" => attributes.ebs_optimized = flag()?,
        "sourceDestCheck" => attributes.source_dest_check = flag()?,
        _ => return Err(bad()),
    }
    Ok(())
}

/// Only DeleteOnTermination can change; left out it means true.
fn set_device(region: &mut Region, id: &str, wanted: &Params) -> Result<(), Error> {
    let device = wanted.need("DeviceName")?;
    let keep = wanted.flag("Ebs.DeleteOnTermination")?.unwrap_or(true);
    let volume_id = wanted.get("Ebs.VolumeId");
    let found = region.volumes.values_mut().find(|volume| {
        let here = volume.attachment.as_ref().is_some_and(|hook| hook.instance_id == id && hook.device == device);
        here && volume_id.is_none_or(|wanted| wanted == volume.id)
    });
    let hook = found.and_then(|volume| volume.attachment.as_mut());
    let unknown = || Error::new("InvalidInstanceAttributeValue", format!("No device is currently mapped at {device}"));
    hook.ok_or_else(unknown)?.delete_on_termination = keep;
    Ok(())
}
