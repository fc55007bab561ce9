//! ModifySnapshotAttribute and DescribeSnapshotAttribute.

use crate::local_ec2::api::account_settings::blocked;
use crate::local_ec2::api::encryption::is_aws_key;
use crate::local_ec2::api::{Call, Kind, done};
use crate::local_ec2::wire::{Error, Params, Xml};

/// ModifySnapshotAttribute: who may make volumes from it. Packer sends the structure and the flat form together.
pub fn modify_attribute(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("SnapshotId")?;
    let (add, remove) = read_permissions(call.params)?;
    if add.is_empty() && remove.is_empty() {
        return Err(Error::missing("createVolumePermission"));
    }
    if !add.is_empty() && !remove.is_empty() {
        return Err(Error::combination("Adding and removing permissions in one request is not allowed"));
    }
    call.update(|region| {
        let is_blocked = region.settings.snapshot_block.is_some();
        if is_blocked && add.iter().any(|who| who == "all") {
            return Err(blocked("snapshot"));
        }
        let snapshot = region.snapshots.get_mut(id).ok_or_else(|| Kind::Snapshot.not_found(&[id]))?;
        if snapshot.disk.encrypted && !add.is_empty() {
            if add.iter().any(|who| who == "all") {
                return Err(Error::new("OperationNotPermitted", "Encrypted snapshots cannot be made public"));
            }
            if is_aws_key(snapshot.disk.kms_key.as_deref()) {
                let text = "Encrypted snapshots with EBS default key cannot be shared";
                return Err(Error::new("OperationNotPermitted", text));
            }
        }
        snapshot.shared_with.extend(add.iter().cloned());
        snapshot.shared_with.retain(|who| !remove.contains(who));
        Ok(())
    })?;
    Ok(done())
}

fn read_permissions(params: &Params) -> Result<(Vec<String>, Vec<String>), Error> {
    let structure = |which: &str| -> Vec<String> {
        let entries = params.sub("CreateVolumePermission").each(which);
        entries.iter().filter_map(|e| e.get("UserId").or(e.get("Group"))).map(str::to_owned).collect()
    };
    let (mut add, mut remove) = (structure("Add"), structure("Remove"));
    let flat: Vec<String> = params.list("UserId").into_iter().chain(params.list("UserGroup")).collect();
    match params.get("OperationType") {
        Some("remove") => remove.extend(flat),
        _ => add.extend(flat),
    }
    for who in add.iter().chain(&remove) {
        if who != "all" && (who.len() != 12 || !who.bytes().all(|b| b.is_ascii_digit())) {
            return Err(Error::value(format!("Invalid user id: \"{who}\"")));
        }
    }
    Ok((add, remove))
}

/// DescribeSnapshotAttribute.
pub fn describe_attribute(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("SnapshotId")?;
    let attribute = call.params.need("Attribute")?;
    let region = call.read()?;
    let snapshot = region.snapshots.get(id).ok_or_else(|| Kind::Snapshot.not_found(&[id]))?;
    let mut xml = Xml::new();
    xml.text("snapshotId", id);
    match attribute {
        "createVolumePermission" => xml.list("createVolumePermission", &snapshot.shared_with, |xml, who| {
            xml.text(if who == "all" { "group" } else { "userId" }, who);
        }),
        "productCodes" => xml.list("productCodes", std::iter::empty::<()>(), |_, ()| {}),
        other => return Err(Error::value(format!("Value ({other}) for parameter attribute is invalid."))),
    };
    Ok(xml)
}
