//! AttachVolume and DetachVolume. What hangs on an instance is known to the API and part of its images; the guest does not see more disks.

use super::mapping::check_device;
use super::{Call, Kind};
use crate::local_ec2::state::{Attachment, Instance, InstanceState, Moment, Region, Volume, VolumeState};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Xml};

/// Volumes per instance (Nitro types share 28 places with network interfaces).
const MAX_ATTACHED: usize = 28;

/// AttachVolume.
pub fn attach(call: &Call<'_>) -> Result<Xml, Error> {
    let (volume_id, instance_id) = (call.params.need("VolumeId")?, call.params.need("InstanceId")?);
    let device = call.params.need("Device")?;
    Kind::Volume.check_shape(volume_id)?;
    Kind::Instance.check_shape(instance_id)?;
    if check_device(device).is_err() {
        let text =
            format!("Value ({device}) for parameter device is invalid. {device} is not a valid EBS device name.");
        return Err(Error::value(text));
    }
    let hook = call.update(|region| {
        let volume = region.volumes.get(volume_id).ok_or_else(|| Kind::Volume.not_found(&[volume_id]))?;
        let instance = region.instances.get(instance_id).ok_or_else(|| Kind::Instance.not_found(&[instance_id]))?;
        check_volume(volume, call.now)?;
        check_instance(region, instance, volume, device)?;
        let hook = Attachment {
            instance_id: instance_id.to_owned(),
            device: device.to_owned(),
            since: call.now,
            delete_on_termination: false,
            attached_at: call.due(Transition::Attach),
            detached_at: None,
        };
        if let Some(volume) = region.volumes.get_mut(volume_id) {
            volume.attachment = Some(hook.clone());
        }
        Ok(hook)
    })?;
    let mut xml = Xml::new();
    write(&mut xml, volume_id, &hook, "attaching");
    xml.text("deleteOnTermination", hook.delete_on_termination);
    Ok(xml)
}

fn check_volume(volume: &Volume, now: Moment) -> Result<(), Error> {
    if let Some(hook) = &volume.attachment {
        let text = if hook.status(now) == "detaching" {
            format!("Volume {} is still being detached from {}", volume.id, hook.instance_id)
        } else {
            format!("{} is already attached to an instance", volume.id)
        };
        return Err(Error::new("VolumeInUse", text));
    }
    if volume.state != VolumeState::Ready {
        let text = format!("Volume '{}' is in the '{}' state.", volume.id, volume.state_name());
        return Err(Error::new("IncorrectState", text));
    }
    Ok(())
}

fn check_instance(region: &Region, instance: &Instance, volume: &Volume, device: &str) -> Result<(), Error> {
    if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
        let text = format!("Instance '{}' is not 'running'.", instance.id);
        return Err(Error::new("IncorrectState", text));
    }
    if instance.zone != volume.zone {
        let text =
            format!("The volume '{}' is not in the same availability zone as instance '{}'", volume.id, instance.id);
        return Err(Error::new("InvalidVolume.ZoneMismatch", text));
    }
    let taken = region.volumes_of(&instance.id);
    if taken.iter().any(|(_, hook)| hook.device == device) {
        let text = format!("Invalid value '{device}' for unixDevice. Attachment point {device} is already in use");
        return Err(Error::value(text));
    }
    if taken.len() >= MAX_ATTACHED {
        let text = format!("Instance {} has no room for another volume", instance.id);
        return Err(Error::new("AttachmentLimitExceeded", text));
    }
    Ok(())
}

/// DetachVolume: the volume alone says enough.
pub fn detach(call: &Call<'_>) -> Result<Xml, Error> {
    let volume_id = call.params.need("VolumeId")?;
    Kind::Volume.check_shape(volume_id)?;
    call.params.flag("Force")?;
    let (instance_id, device) = (call.params.get("InstanceId"), call.params.get("Device"));
    let hook = call.update(|region| {
        let volume = region.volumes.get(volume_id).ok_or_else(|| Kind::Volume.not_found(&[volume_id]))?;
        let hook = volume.attachment.clone().filter(|hook| {
            instance_id.is_none_or(|id| id == hook.instance_id) && device.is_none_or(|device| device == hook.device)
        });
        let mut hook = hook.ok_or_else(|| not_attached(volume, instance_id))?;
        if let Some(instance) = region.instances.get(&hook.instance_id) {
            check_not_root(instance, &hook, volume_id)?;
        }
        if hook.detached_at.is_none() {
            hook.detached_at = Some(call.due(Transition::Detach));
        }
        if let Some(volume) = region.volumes.get_mut(volume_id) {
            volume.attachment = Some(hook.clone());
        }
        Ok(hook)
    })?;
    let mut xml = Xml::new();
    write(&mut xml, volume_id, &hook, "detaching");
    Ok(xml)
}

fn not_attached(volume: &Volume, instance_id: Option<&str>) -> Error {
    match instance_id {
        Some(instance_id) => {
            let text = format!("Volume '{}' is not attached to instance '{instance_id}'.", volume.id);
            Error::new("InvalidAttachment.NotFound", text)
        }
        None => {
            let text = format!("Volume '{}' is in the '{}' state.", volume.id, volume.state_name());
            Error::new("IncorrectState", text)
        }
    }
}

/// The root volume is the machine itself here: it can be detached neither from a running instance (as on EC2) nor from a stopped one.
fn check_not_root(instance: &Instance, hook: &Attachment, volume_id: &str) -> Result<(), Error> {
    if hook.device != instance.origin.root_device {
        return Ok(());
    }
    if instance.state == InstanceState::Stopped {
        let text = "Local EC2 does not detach the root volume of an instance: make a snapshot of it instead.";
        return Err(Error::new("UnsupportedOperation", text));
    }
    let text = format!("Unable to detach root volume '{volume_id}' from instance '{}'", instance.id);
    Err(Error::new("OperationNotPermitted", text))
}

fn write(xml: &mut Xml, volume_id: &str, hook: &Attachment, status: &str) {
    xml.text("volumeId", volume_id).text("instanceId", &hook.instance_id).text("device", &hook.device);
    xml.text("status", status).text("attachTime", hook.since);
}
