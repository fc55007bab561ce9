//! RegisterImage.

use super::{check_description, check_name};
use crate::local_ec2::api::mapping::{Wanted, floor_of};
use crate::local_ec2::api::tags::Specified;
use crate::local_ec2::api::{Call, Kind, text_of};
use crate::local_ec2::state::{
    Change, Content, DiskType, Ebs, Image, ImageState, Mapping, Protection, Region, SnapshotState, id,
};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Params, Xml};

/// What RegisterImage takes. Images from S3 and with kernels of their own are refused as unknown parameters.
pub const REGISTER_PARAMS: &str = "Name Description Architecture RootDeviceName VirtualizationType BlockDeviceMapping EnaSupport \
     SriovNetSupport BootMode UefiData TpmSupport ImdsSupport TagSpecification";

/// RegisterImage: an image from snapshots that exist.
pub fn register(call: &Call<'_>) -> Result<Xml, Error> {
    let params = call.params;
    let name = params.need("Name")?;
    let description = check_description(params.get("Description"))?;
    let root = params.need("RootDeviceName")?;
    let wanted = Wanted::read_all(params)?;
    let tags = Specified::read(params, &["image"])?.of(Kind::Image);
    // Real defaults, and traps: an image that is registered without them is an i386 paravirtual one.
    let architecture = one_of(params, "Architecture", "i386", &["i386", "x86_64", "arm64", "x86_64_mac", "arm64_mac"])?;
    let virtualization = one_of(params, "VirtualizationType", "paravirtual", &["hvm", "paravirtual"])?;
    let boot_mode = one_of(params, "BootMode", "", &["legacy-bios", "uefi", "uefi-preferred"])?;
    let tpm = one_of(params, "TpmSupport", "", &["v2.0"])?;
    let imds = one_of(params, "ImdsSupport", "", &["v2.0"])?;
    let sriov = one_of(params, "SriovNetSupport", "", &["simple"])?;
    if !tpm.is_empty() && boot_mode != "uefi" {
        return Err(Error::combination("TpmSupport requires BootMode uefi"));
    }
    if architecture == "arm64" && boot_mode == "legacy-bios" {
        return Err(Error::combination("The architecture arm64 requires BootMode uefi"));
    }
    let ena_support = params.flag("EnaSupport")?.unwrap_or(false);
    let image_id = call.update(|region| {
        check_name(region, name)?;
        let mappings: Vec<Mapping> =
            wanted.iter().filter(|w| !w.suppressed).map(|w| mapping(region, w)).collect::<Result<_, _>>()?;
        let root_ebs = mappings.iter().find(|m| m.device == root).and_then(|m| m.ebs.as_ref());
        if root_ebs.and_then(|ebs| ebs.snapshot_id.as_ref()).is_none() {
            let text = format!("The root device {root} must be mapped and have a snapshot");
            return Err(Error::new("InvalidBlockDeviceMapping", text));
        }
        let image_id = id::fresh("ami");
        let image = Image {
            name: name.to_owned(),
            description,
            owner: call.scope.account.clone(),
            owner_alias: None,
            state: ImageState::Pending,
            change: Some(Change::timed(ImageState::Available, call.due(Transition::Register))),
            reason: None,
            created: call.now,
            architecture,
            root_device: root.to_owned(),
            mappings,
            virtualization,
            ena_support,
            sriov_simple: !sriov.is_empty(),
            boot_mode,
            tpm,
            imds,
            uefi_data: text_of(params.get("UefiData")),
            platform_details: "Linux/UNIX".into(),
            usage_operation: "RunInstances".into(),
            permissions: [].into(),
            deprecate_at: None,
            protection: Protection::Off,
            last_launched: None,
            source_instance: None,
            source_image: None,
            content: Content::default(),
            tags,
            id: image_id.clone(),
        };
        region.images.insert(image_id.clone(), image);
        Ok(image_id)
    })?;
    let mut xml = Xml::new();
    xml.text("imageId", image_id);
    Ok(xml)
}

fn one_of(params: &Params, name: &str, default: &str, legal: &[&str]) -> Result<String, Error> {
    match params.get(name) {
        None => Ok(default.to_owned()),
        Some(value) if legal.contains(&value) => Ok(value.to_owned()),
        Some(value) => Err(Error::value(format!("Value ({value}) for parameter {name} is invalid."))),
    }
}

fn mapping(region: &Region, wanted: &Wanted) -> Result<Mapping, Error> {
    let device = wanted.device.clone();
    if let Some(name) = &wanted.virtual_name {
        return Ok(Mapping { device, virtual_name: Some(name.clone()), ebs: None });
    }
    let snapshot_id = wanted.ebs.snapshot_id.as_deref();
    let floor = floor_of(region, snapshot_id)?;
    let snapshot = snapshot_id.and_then(|id| region.snapshots.get(id));
    if let Some(pending) = snapshot.filter(|snapshot| snapshot.state != SnapshotState::Completed) {
        let text = format!("Snapshot {} is in invalid state - {}", pending.id, pending.state.name());
        return Err(Error::new("IncorrectState", text));
    }
    if snapshot.is_some() && wanted.ebs.encrypted.is_some() {
        return Err(Error::combination(
            "The parameter Encrypted cannot be used with a snapshot when registering an image.",
        ));
    }
    let base = snapshot.map(|s| DiskType { size: s.disk.size, encrypted: s.disk.encrypted, ..DiskType::default() });
    let disk = wanted.ebs.resolve(base.as_ref(), floor)?;
    let ebs = Ebs {
        snapshot_id: snapshot_id.map(str::to_owned),
        disk,
        // Registered mappings go with the instance unless they say otherwise.
        delete_on_termination: wanted.ebs.delete_on_termination.unwrap_or(true),
    };
    Ok(Mapping { device, virtual_name: None, ebs: Some(ebs) })
}
