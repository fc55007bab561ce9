//! DescribeImages.

use super::visible;
use crate::local_ec2::api::filter::Filters;
use crate::local_ec2::api::{Call, Kind, mapping, page, tags};
use crate::local_ec2::state::{Ebs, Image, ImageState, Protection};
use crate::local_ec2::wire::{Error, Params, Xml};

const FILTERS: &[&str] = &[
    "architecture",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.encrypted",
    "block-device-mapping.snapshot-id",
    "block-device-mapping.volume-size",
    "block-device-mapping.volume-type",
    "boot-mode",
    "creation-date",
    "description",
    "ena-support",
    "free-tier-eligible",
    "hypervisor",
    "image-allowed",
    "image-id",
    "image-type",
    "is-public",
    "kernel-id",
    "manifest-location",
    "name",
    "owner-alias",
    "owner-id",
    "platform",
    "product-code",
    "product-code.type",
    "ramdisk-id",
    "root-device-name",
    "root-device-type",
    "source-image-id",
    "source-image-region",
    "source-instance-id",
    "sriov-net-support",
    "state",
    "state-reason-code",
    "state-reason-message",
    "virtualization-type",
];

/// DescribeImages: own ones in every state, others' with permission; a deprecated one of others only by id or on request.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    let filters = Filters::read(call.params, FILTERS)?;
    let ids = call.params.list("ImageId");
    let owners = Owners::read(call.params)?;
    let flag = |name| call.params.flag(name).map(|value| value.unwrap_or(false));
    let (with_deprecated, with_disabled) = (flag("IncludeDeprecated")?, flag("IncludeDisabled")?);
    let me = call.scope.account.as_str();
    let all = visible(call)?;
    Kind::Image.check(&ids, |id| all.iter().any(|image| image.id == id))?;
    let found = all.into_iter().filter(|image| {
        let is_deprecated = image.deprecate_at.is_some_and(|at| at <= call.now);
        let is_shown = if ids.is_empty() {
            (image.owner == me || with_deprecated || !is_deprecated)
                && (image.state != ImageState::Disabled || with_disabled)
        } else {
            ids.contains(&image.id)
        };
        is_shown && owners.pass(image, me) && filters.pass(&image.tags, |name| values(image, name))
    });
    let page = page::cut(call, found.collect(), page::USUAL, |image| image.id.clone())?;
    let mut xml = Xml::new();
    xml.list("imagesSet", &page.items, write);
    xml.some("nextToken", page.next);
    Ok(xml)
}

/// `Owner.N` and `ExecutableBy.N`.
struct Owners {
    owners: Vec<String>,
    executable_by: Vec<String>,
}

impl Owners {
    fn read(params: &Params) -> Result<Self, Error> {
        let this = Self { owners: params.list("Owner"), executable_by: params.list("ExecutableBy") };
        let known = ["self", "amazon", "aws-marketplace", "aws-backup-vault", "all"];
        for name in this.owners.iter().chain(&this.executable_by) {
            let is_account = name.len() == 12 && name.bytes().all(|b| b.is_ascii_digit());
            if !is_account && !known.contains(&name.as_str()) {
                return Err(Error::new("InvalidUserID.Malformed", format!("Invalid user id: \"{name}\"")));
            }
        }
        Ok(this)
    }

    fn pass(&self, image: &Image, me: &str) -> bool {
        let owned = |name: &String| match name.as_str() {
            "self" => image.owner == me,
            name => image.owner == name || image.owner_alias.as_deref() == Some(name),
        };
        let executable = |name: &String| match name.as_str() {
            "all" => image.is_public(),
            // Implicit permission (as owner, or through everybody) does not count.
            "self" => image.permissions.contains(&crate::local_ec2::state::Permission::User(me.to_owned())),
            name => image.permissions.contains(&crate::local_ec2::state::Permission::User(name.to_owned())),
        };
        (self.owners.is_empty() || self.owners.iter().any(owned))
            && (self.executable_by.is_empty() || self.executable_by.iter().any(executable))
    }
}

/// `disabled`, `enabled-without-cooldown`, …
pub fn protection_text(protection: Protection) -> String {
    match protection {
        Protection::Off => "disabled".to_owned(),
        Protection::On => "enabled-without-cooldown".to_owned(),
        Protection::OnWithCooldown => "enabled-with-cooldown".to_owned(),
        Protection::CoolingUntil(end) => format!("disabled after {end}"),
    }
}

fn location(image: &Image) -> String {
    format!("{}/{}", image.owner_alias.as_deref().unwrap_or(&image.owner), image.name)
}

fn values(image: &Image, name: &str) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    let filled = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
    let ebs = |pick: fn(&Ebs) -> Option<String>| {
        image.mappings.iter().filter_map(|mapping| mapping.ebs.as_ref()).filter_map(pick).collect::<Vec<_>>()
    };
    match name {
        "architecture" => one(&image.architecture),
        "block-device-mapping.delete-on-termination" => ebs(|ebs| Some(ebs.delete_on_termination.to_string())),
        "block-device-mapping.device-name" => image.mappings.iter().map(|mapping| mapping.device.clone()).collect(),
        "block-device-mapping.encrypted" => ebs(|ebs| Some(ebs.disk.encrypted.to_string())),
        "block-device-mapping.snapshot-id" => ebs(|ebs| ebs.snapshot_id.clone()),
        "block-device-mapping.volume-size" => ebs(|ebs| Some(ebs.disk.size.to_string())),
        "block-device-mapping.volume-type" => ebs(|ebs| Some(ebs.disk.kind.clone())),
        "boot-mode" => filled(&image.boot_mode),
        "creation-date" => vec![image.created.to_string()],
        "description" => one(&image.description),
        "ena-support" => one(&image.ena_support.to_string()),
        "free-tier-eligible" | "image-allowed" => one("true"),
        "hypervisor" => one("xen"),
        "image-id" => one(&image.id),
        "image-type" => one("machine"),
        "is-public" => one(&image.is_public().to_string()),
        "manifest-location" => vec![location(image)],
        "name" => one(&image.name),
        "owner-alias" => image.owner_alias.clone().into_iter().collect(),
        "owner-id" => one(&image.owner),
        "root-device-name" => one(&image.root_device),
        "root-device-type" => one("ebs"),
        "source-image-id" => image.source_image.iter().map(|(id, _)| id.clone()).collect(),
        "source-image-region" => image.source_image.iter().map(|(_, region)| region.clone()).collect(),
        "source-instance-id" => image.source_instance.clone().into_iter().collect(),
        "sriov-net-support" => filled(if image.sriov_simple { "simple" } else { "" }),
        "state" => one(image.state.name()),
        "state-reason-code" => image.reason.iter().map(|reason| reason.code.clone()).collect(),
        "state-reason-message" => image.reason.iter().map(|reason| reason.message.clone()).collect(),
        "virtualization-type" => one(&image.virtualization),
        // No image here has a product code, a kernel of its own, or is for Windows.
        _ => Vec::new(),
    }
}

fn write(xml: &mut Xml, image: &Image) {
    xml.text("imageId", &image.id).text("imageLocation", location(image)).text("imageState", image.state.name());
    xml.text("imageOwnerId", &image.owner).some("imageOwnerAlias", image.owner_alias.as_ref());
    xml.text("creationDate", image.created).text("isPublic", image.is_public());
    xml.text("architecture", &image.architecture).text("imageType", "machine").text("name", &image.name);
    xml.filled("description", &image.description);
    xml.text("platformDetails", &image.platform_details).text("usageOperation", &image.usage_operation);
    xml.text("rootDeviceType", "ebs").text("rootDeviceName", &image.root_device);
    xml.list("blockDeviceMapping", &image.mappings, mapping::write);
    xml.text("virtualizationType", &image.virtualization).text("hypervisor", "xen");
    xml.text("enaSupport", image.ena_support).some("sriovNetSupport", image.sriov_simple.then_some("simple"));
    xml.filled("bootMode", &image.boot_mode).filled("tpmSupport", &image.tpm).filled("imdsSupport", &image.imds);
    xml.some("deprecationTime", image.deprecate_at);
    xml.text("deregistrationProtection", protection_text(image.protection));
    xml.some("lastLaunchedTime", image.last_launched).some("sourceInstanceId", image.source_instance.as_ref());
    if let Some((id, region)) = &image.source_image {
        xml.text("sourceImageId", id).text("sourceImageRegion", region);
    }
    if let Some(reason) = &image.reason {
        xml.node("stateReason", |xml| {
            xml.text("code", &reason.code).text("message", &reason.message);
        });
    }
    tags::write(xml, &image.tags);
}
