//! CreateImage.

use super::{check_description, check_name};
use crate::local_ec2::api::mapping::{Wanted, floor_of};
use crate::local_ec2::api::tags::Specified;
use crate::local_ec2::api::{Call, Kind, snapshot};
use crate::local_ec2::state::{
    Change, Content, DiskType, Ebs, Image, ImageState, Instance, InstanceState, Mapping, Protection, Region, Volume, id,
};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Xml};

/// CreateImage: one snapshot for every attached volume, at one point in time.
pub fn create(call: &Call<'_>) -> Result<Xml, Error> {
    let instance_id = call.params.need("InstanceId")?;
    Kind::Instance.check_shape(instance_id)?;
    let name = call.params.need("Name")?;
    let description = check_description(call.params.get("Description"))?;
    let may_reboot = !call.params.flag("NoReboot")?.unwrap_or(false);
    check_location(call.params.get("SnapshotLocation"))?;
    let wanted = Wanted::read_all(call.params)?;
    let tags = Specified::read(call.params, &["image", "snapshot"])?;
    let image_id = call.update(|region| {
        let instance = region.instances.get(instance_id).ok_or_else(|| Kind::Instance.not_found(&[instance_id]))?.clone();
        let ready = [InstanceState::Running, InstanceState::Stopping, InstanceState::Stopped];
        if !ready.contains(&instance.state) {
            let text = format!(
                "Invalid value '{instance_id}' for instanceId. Instance is not in state 'running' or 'stopping' or 'stopped'"
            );
            return Err(Error::value(text));
        }
        check_name(region, name)?;
        let image_id = id::fresh("ami");
        let (volumes, extras) = merge(region, &instance, &wanted)?;
        let mut mappings = Vec::new();
        for (volume, delete_on_termination) in volumes {
            let text = format!("Created by CreateImage({instance_id}) for {image_id}");
            let snapshot_id =
                snapshot::begin(call, region, &volume, text, tags.of(Kind::Snapshot), Transition::Image);
            let device = volume.attachment.as_ref().map(|hook| hook.device.clone()).unwrap_or_default();
            let disk = DiskType { kms_key: None, ..volume.disk.clone() };
            mappings.push(Mapping { device, virtual_name: None, ebs: Some(Ebs { snapshot_id: Some(snapshot_id), disk, delete_on_termination }) });
        }
        capture_root(region, &instance, &mappings, may_reboot);
        mappings.extend(extras);
        let image = Image {
            name: name.to_owned(),
            description: description.clone(),
            tags: tags.of(Kind::Image),
            mappings,
            source_instance: Some(instance_id.to_owned()),
            ..image_of(call, region, &instance, &image_id)
        };
        region.images.insert(image_id.clone(), image);
        Ok(image_id)
    })?;
    let mut xml = Xml::new();
    xml.text("imageId", image_id);
    Ok(xml)
}

/// Snapshots are kept in the region; `local` is for instances in Local Zones, of which there are none here.
fn check_location(wanted: Option<&str>) -> Result<(), Error> {
    match wanted {
        None | Some("regional") => Ok(()),
        Some("local") => Err(Error::combination("SnapshotLocation=local is only for instances in a Local Zone")),
        Some(other) => Err(Error::value(format!("Invalid value '{other}' for SnapshotLocation: regional or local."))),
    }
}

fn capture_root(region: &mut Region, instance: &Instance, mappings: &[Mapping], may_reboot: bool) {
    let root = mappings.iter().find(|mapping| mapping.device == instance.origin.root_device);
    if let Some(id) = root.and_then(|mapping| mapping.ebs.as_ref()?.snapshot_id.clone()) {
        let restart = may_reboot && instance.state == InstanceState::Running;
        snapshot::capture(region, &instance.id, &[id], restart);
    }
}

/// What an image of this instance has, whatever it is called.
fn image_of(call: &Call<'_>, region: &Region, instance: &Instance, image_id: &str) -> Image {
    let source = region.images.get(&instance.origin.image_id);
    let due = call.due(Transition::Image);
    let change = match call.injected.fails_at(due) {
        Some((failure, at)) => Change::timed(ImageState::Failed, at).because(&failure.code, &failure.message),
        None => Change::timed(ImageState::Available, due),
    };
    Image {
        id: image_id.to_owned(),
        name: String::new(),
        description: String::new(),
        owner: call.scope.account.clone(),
        owner_alias: None,
        state: ImageState::Pending,
        change: Some(change),
        reason: None,
        created: call.now,
        architecture: instance.origin.architecture.clone(),
        root_device: instance.origin.root_device.clone(),
        mappings: Vec::new(),
        virtualization: "hvm".into(),
        ena_support: instance.attributes.ena_support,
        sriov_simple: instance.attributes.sriov_simple,
        boot_mode: instance.origin.boot_mode.clone(),
        tpm: instance.origin.tpm.clone(),
        imds: source.map(|image| image.imds.clone()).unwrap_or_default(),
        uefi_data: source.map(|image| image.uefi_data.clone()).unwrap_or_default(),
        platform_details: instance.origin.platform_details.clone(),
        usage_operation: instance.origin.usage_operation.clone(),
        permissions: [].into(),
        deprecate_at: None,
        protection: Protection::Off,
        last_launched: None,
        source_instance: None,
        source_image: Some((instance.origin.image_id.clone(), call.scope.region.clone())),
        content: Content::default(),
        tags: [].into(),
    }
}

/// Volumes to snapshot, each with its DeleteOnTermination in the image, and mappings that the request adds.
type Merged = (Vec<(Volume, bool)>, Vec<Mapping>);

/// The attached volumes that become snapshots, with their DeleteOnTermination, and the request's additional mappings.
fn merge(region: &Region, instance: &Instance, wanted: &[Wanted]) -> Result<Merged, Error> {
    let mut volumes = Vec::new();
    for (volume, hook) in region.volumes_of(&instance.id) {
        let change = wanted.iter().find(|wanted| wanted.device == hook.device);
        if change.is_some_and(|change| change.suppressed) {
            if hook.device == instance.origin.root_device {
                let text = format!("Cannot suppress the root device {}", hook.device);
                return Err(Error::new("InvalidBlockDeviceMapping", text));
            }
            continue;
        }
        if let Some(change) = change {
            check_only_delete(change, &hook.device)?;
        }
        let asked = change.and_then(|change| change.ebs.delete_on_termination);
        volumes.push((volume.clone(), asked.unwrap_or(hook.delete_on_termination)));
    }
    let attached = |device: &str| region.volumes_of(&instance.id).iter().any(|(_, hook)| hook.device == device);
    let extras = wanted.iter().filter(|wanted| !wanted.suppressed && !attached(&wanted.device));
    Ok((volumes, extras.map(|wanted| extra(region, wanted)).collect::<Result<_, _>>()?))
}

/// Of a device that exists, only DeleteOnTermination may be changed.
fn check_only_delete(change: &Wanted, device: &str) -> Result<(), Error> {
    let ebs = &change.ebs;
    let touches = ebs.snapshot_id.is_some() || ebs.size.is_some() || ebs.kind.is_some() || ebs.iops.is_some();
    if touches || ebs.throughput.is_some() || ebs.encrypted.is_some() {
        let text = format!("Only deleteOnTermination can be changed for the attached device {device}");
        return Err(Error::new("InvalidBlockDeviceMapping", text));
    }
    Ok(())
}

fn extra(region: &Region, wanted: &Wanted) -> Result<Mapping, Error> {
    let mapping = |virtual_name, ebs| Mapping { device: wanted.device.clone(), virtual_name, ebs };
    if let Some(name) = &wanted.virtual_name {
        return Ok(mapping(Some(name.clone()), None));
    }
    let snapshot_id = wanted.ebs.snapshot_id.as_deref();
    if snapshot_id.is_some() && wanted.ebs.encrypted.is_some() {
        let text = "The parameter Encrypted cannot be used with a snapshot here.";
        return Err(Error::combination(text));
    }
    let floor = floor_of(region, snapshot_id)?;
    let ebs = Ebs {
        snapshot_id: snapshot_id.map(str::to_owned),
        disk: wanted.ebs.resolve(None, floor)?,
        delete_on_termination: wanted.ebs.delete_on_termination.unwrap_or(false),
    };
    Ok(mapping(None, Some(ebs)))
}
