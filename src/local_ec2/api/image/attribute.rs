//! DescribeImageAttribute and ModifyImageAttribute.

use super::own;
use crate::local_ec2::api::account_settings::blocked;
use crate::local_ec2::api::encryption::is_aws_key;
use crate::local_ec2::api::{Call, done, mapping};
use crate::local_ec2::state::{Image, ImageState, Permission};
use crate::local_ec2::wire::{Error, Params, Xml};

/// What ModifyImageAttribute takes.
pub const MODIFY_PARAMS: &str = "ImageId Attribute OperationType Value Description ImdsSupport LaunchPermission UserId UserGroup \
     OrganizationArn OrganizationalUnitArn";

/// DescribeImageAttribute: for the owner.
pub fn describe_attribute(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("ImageId")?;
    let attribute = call.params.need("Attribute")?;
    let mut region = call.read()?;
    let image = own(call, &mut region, id)?;
    let mut xml = Xml::new();
    xml.text("imageId", id);
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let value = match attribute {
        "description" => filled(&image.description),
        "kernel" | "ramdisk" => None,
        "sriovNetSupport" => image.sriov_simple.then(|| "simple".to_owned()),
        "bootMode" => filled(&image.boot_mode),
        "tpmSupport" => filled(&image.tpm),
        "uefiData" => filled(&image.uefi_data),
        "imdsSupport" => filled(&image.imds),
        "lastLaunchedTime" => image.last_launched.map(|time| time.to_string()),
        "deregistrationProtection" => Some(super::listing::protection_text(image.protection)),
        "launchPermission" => {
            xml.list("launchPermission", &image.permissions, |xml, permission| {
                match permission {
                    Permission::User(id) => xml.text("userId", id),
                    Permission::Group(name) => xml.text("group", name),
                    Permission::Organization(arn) => xml.text("organizationArn", arn),
                    Permission::Unit(arn) => xml.text("organizationalUnitArn", arn),
                };
            });
            return Ok(xml);
        }
        "productCodes" => {
            xml.list("productCodes", std::iter::empty::<()>(), |_, ()| {});
            return Ok(xml);
        }
        "blockDeviceMapping" => {
            xml.list("blockDeviceMapping", &image.mappings, mapping::write);
            return Ok(xml);
        }
        other => return Err(Error::value(format!("Value ({other}) for parameter attribute is invalid."))),
    };
    xml.node(attribute, |xml| {
        xml.some("value", value);
    });
    Ok(xml)
}

/// ModifyImageAttribute. Packer sends launch permissions as a structure and as flat lists in one request.
pub fn modify_attribute(call: &Call<'_>) -> Result<Xml, Error> {
    let params = call.params;
    let id = params.need("ImageId")?;
    let (add, remove) = (permissions(params, "Add")?, permissions(params, "Remove")?);
    let attribute = params.get("Attribute");
    let by_name = |name: &str| (attribute == Some(name)).then(|| params.raw("Value")).flatten();
    let description = params.raw("Description.Value").or_else(|| by_name("description"));
    let imds = params.get("ImdsSupport.Value").or_else(|| by_name("imdsSupport"));
    let kinds = [!add.is_empty() || !remove.is_empty(), description.is_some(), imds.is_some()];
    match kinds.iter().filter(|given| **given).count() {
        0 => return Err(Error::combination("No attributes specified.")),
        1 => {}
        _ => return Err(Error::combination("Fields for multiple attribute types specified")),
    }
    call.update(|region| {
        let is_blocked = region.settings.image_block.is_some();
        let image = own(call, region, id)?;
        if image.state != ImageState::Available {
            let text = format!("The image {id} is in the '{}' state", image.state.name());
            return Err(Error::new("IncorrectState", text));
        }
        if let Some(text) = description {
            image.description = super::check_description(Some(text))?;
        }
        if let Some(version) = imds {
            if version != "v2.0" {
                return Err(Error::value(format!("Value ({version}) for parameter ImdsSupport is invalid.")));
            }
            image.imds = version.to_owned();
        }
        if is_blocked && add.contains(&Permission::Group("all".into())) {
            return Err(blocked("AMI"));
        }
        check_sharing(image, &add)?;
        image.permissions.extend(add.iter().cloned());
        image.permissions.retain(|permission| !remove.contains(permission));
        Ok(())
    })?;
    Ok(done())
}

/// What is encrypted with the account's default key is of no use to others.
fn check_sharing(image: &Image, add: &[Permission]) -> Result<(), Error> {
    let is_bound = image
        .mappings
        .iter()
        .filter_map(|mapping| mapping.ebs.as_ref())
        .any(|ebs| ebs.disk.encrypted && is_aws_key(ebs.disk.kms_key.as_deref()));
    if is_bound && !add.is_empty() {
        let text = format!("Snapshots of image {} encrypted with the AWS Managed CMK can't be shared", image.id);
        return Err(Error::new("InvalidParameter", text));
    }
    Ok(())
}

fn permissions(params: &Params, which: &str) -> Result<Vec<Permission>, Error> {
    let mut found = Vec::new();
    for entry in params.sub("LaunchPermission").each(which) {
        found.extend(entry.get("UserId").map(|x| Permission::User(x.into())));
        found.extend(entry.get("Group").map(|x| Permission::Group(x.into())));
        found.extend(entry.get("OrganizationArn").map(|x| Permission::Organization(x.into())));
        found.extend(entry.get("OrganizationalUnitArn").map(|x| Permission::Unit(x.into())));
    }
    let removes = params.get("OperationType") == Some("remove");
    if removes == (which == "Remove") {
        found.extend(params.list("UserId").into_iter().map(Permission::User));
        found.extend(params.list("UserGroup").into_iter().map(Permission::Group));
        found.extend(params.list("OrganizationArn").into_iter().map(Permission::Organization));
        found.extend(params.list("OrganizationalUnitArn").into_iter().map(Permission::Unit));
    }
    found.iter().try_for_each(check_permission)?;
    Ok(found)
}

fn check_permission(permission: &Permission) -> Result<(), Error> {
    let (item, kind, ok) = match permission {
        Permission::User(id) => (id, "userId", id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())),
        Permission::Group(name) => (name, "group", name == "all"),
        Permission::Organization(arn) => (arn, "organizationArn", arn.starts_with("arn:")),
        Permission::Unit(arn) => (arn, "organizationalUnitArn", arn.starts_with("arn:")),
    };
    if ok {
        return Ok(());
    }
    let text = format!("Invalid attribute item value \"{item}\" for {kind} item type.");
    Err(Error::new("InvalidAMIAttributeItemValue", text))
}
