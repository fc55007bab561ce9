//! Volumes.

use super::encryption;
use super::filter::Filters;
use super::mapping::WantedDisk;
use super::tags::{self, Specified};
use super::token::ClientToken;
use super::{Call, Kind, done, kms, page, snapshot};
use crate::local_ec2::state::{Change, Moment, RegionInfo, SnapshotState, Volume, VolumeState, id};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Xml};

/// What CreateVolume takes.
pub const CREATE_PARAMS: &str = "AvailabilityZone AvailabilityZoneId Size SnapshotId VolumeType Iops Throughput Encrypted KmsKeyId \
     MultiAttachEnabled TagSpecification ClientToken";

/// CreateVolume.
pub fn create(call: &Call<'_>) -> Result<Xml, Error> {
    let zone = zone(call)?;
    let wanted = WantedDisk::read(call.params, "Size", "VolumeType")?;
    if call.params.flag("MultiAttachEnabled")?.unwrap_or(false) {
        return Err(Error::new("UnsupportedOperation", "Multi-Attach volumes are not there in local EC2."));
    }
    let tags = Specified::read(call.params, &["volume"])?.of(Kind::Volume);
    let token = ClientToken::read(call, "")?;
    let volume = call.update(|region| {
        if let Some(earlier) = token.earlier(region)? {
            let found = earlier.first().and_then(|id| region.volumes.get(id)).cloned();
            return found.ok_or_else(|| Kind::Volume.not_found(&[earlier.first().map_or("", String::as_str)]));
        }
        let source = wanted.snapshot_id.as_ref().map(|id| snapshot::find(call, region, id)).transpose()?;
        if let Some(pending) = source.as_ref().filter(|snapshot| snapshot.state != SnapshotState::Completed) {
            let text = format!("Snapshot is in invalid state - {}", pending.state.name());
            return Err(Error::new("IncorrectState", text));
        }
        let floor = source.as_ref().map(|snapshot| (snapshot.disk.size, snapshot.id.as_str()));
        let mut base = source.as_ref().map(|snapshot| snapshot.disk.clone());
        // The type of the volume that the snapshot was made from does not carry over.
        if let Some(base) = &mut base {
            (base.kind, base.iops, base.throughput) = (String::new(), None, None);
        }
        let disk =
            wanted.resolve(base.as_ref(), floor).map(|disk| encryption::by_default(region, disk)).map_err(|error| {
                match error.code.as_ref() {
                    "InvalidBlockDeviceMapping" => Error::value(error.message),
                    _ => error,
                }
            })?;
        let id = id::fresh("vol");
        let due = call.due(Transition::Volume);
        // A key is looked at only after the call was accepted.
        let is_locked = disk.kms_key.as_deref().is_some_and(|key| encryption::problem(call, key).is_some());
        let change = match call.injected.fails_at(due) {
            Some((_, at)) => Change::timed(VolumeState::Error, at),
            None if is_locked => Change::timed(VolumeState::Error, due),
            None => Change::timed(VolumeState::Ready, due),
        };
        let volume = Volume {
            change: Some(change),
            zone,
            disk,
            snapshot_id: wanted.snapshot_id.clone(),
            content: source.map(|snapshot| snapshot.content).unwrap_or_default(),
            state: VolumeState::Creating,
            created: call.now,
            attachment: None,
            tags,
            id,
        };
        region.volumes.insert(volume.id.clone(), volume.clone());
        token.remember(region, call, vec![volume.id.clone()]);
        Ok(volume)
    })?;
    let mut xml = Xml::new();
    write(&mut xml, &volume, call);
    Ok(xml)
}

fn zone(call: &Call<'_>) -> Result<String, Error> {
    let zones = RegionInfo::find(&call.scope.region).map(RegionInfo::zones).unwrap_or_default();
    let (name, id) = (call.params.get("AvailabilityZone"), call.params.get("AvailabilityZoneId"));
    let wanted = name.or(id).ok_or_else(|| Error::missing("availabilityZone"))?;
    let found = zones.into_iter().find(|zone| Some(zone.name.as_str()) == name || Some(zone.id.as_str()) == id);
    let unknown = || Error::new("InvalidZone.NotFound", format!("The zone '{wanted}' does not exist."));
    found.map(|zone| zone.name).ok_or_else(unknown)
}

/// DescribeVolumes.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    const KNOWN: [&str; 12] = [
        "volume-id",
        "status",
        "attachment.instance-id",
        "attachment.device",
        "attachment.status",
        "attachment.delete-on-termination",
        "snapshot-id",
        "size",
        "volume-type",
        "encrypted",
        "availability-zone",
        "create-time",
    ];
    let filters = Filters::read(call.params, &KNOWN)?;
    let ids = call.params.list("VolumeId");
    let region = call.read()?;
    Kind::Volume.check(&ids, |id| region.volumes.contains_key(id))?;
    let found = region.volumes.values().filter(|volume| {
        (ids.is_empty() || ids.contains(&volume.id))
            && filters.pass(&volume.tags, |name| values(volume, call.now, name))
    });
    let page = page::cut(call, found.collect(), page::USUAL, |volume| volume.id.clone())?;
    let mut xml = Xml::new();
    xml.list("volumeSet", &page.items, |xml, volume| write(xml, volume, call));
    xml.some("nextToken", page.next);
    Ok(xml)
}

fn values(volume: &Volume, now: Moment, name: &str) -> Vec<String> {
    let hook = volume.attachment.as_ref();
    match name {
        "volume-id" => vec![volume.id.clone()],
        "status" => vec![volume.state_name().to_owned()],
        "attachment.instance-id" => hook.map(|hook| hook.instance_id.clone()).into_iter().collect(),
        "attachment.device" => hook.map(|hook| hook.device.clone()).into_iter().collect(),
        "attachment.status" => hook.map(|hook| hook.status(now).to_owned()).into_iter().collect(),
        "attachment.delete-on-termination" => {
            hook.map(|hook| hook.delete_on_termination.to_string()).into_iter().collect()
        }
        "snapshot-id" => vec![volume.snapshot_id.clone().unwrap_or_default()],
        "size" => vec![volume.disk.size.to_string()],
        "volume-type" => vec![volume.disk.kind.clone()],
        "encrypted" => vec![volume.disk.encrypted.to_string()],
        "availability-zone" => vec![volume.zone.clone()],
        _ => vec![volume.created.to_string()],
    }
}

fn write(xml: &mut Xml, volume: &Volume, call: &Call<'_>) {
    xml.text("volumeId", &volume.id).text("size", volume.disk.size);
    xml.text("snapshotId", volume.snapshot_id.as_deref().unwrap_or_default());
    xml.text("availabilityZone", &volume.zone).text("status", volume.state_name()).text("createTime", volume.created);
    xml.list("attachmentSet", &volume.attachment, |xml, hook| {
        xml.text("volumeId", &volume.id).text("instanceId", &hook.instance_id).text("device", &hook.device);
        xml.text("status", hook.status(call.now)).text("attachTime", hook.since);
        xml.text("deleteOnTermination", hook.delete_on_termination);
    });
    xml.text("volumeType", &volume.disk.kind).some("iops", volume.disk.iops).some("throughput", volume.disk.throughput);
    let key = volume.disk.kms_key.as_ref().map(|key| kms::arn(&call.scope, key));
    xml.text("encrypted", volume.disk.encrypted).some("kmsKeyId", key);
    xml.text("multiAttachEnabled", false);
    tags::write(xml, &volume.tags);
}

/// DeleteVolume: only one that is not attached.
pub fn delete(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("VolumeId")?;
    Kind::Volume.check_shape(id)?;
    call.update(|region| {
        let volume = region.volumes.get(id).filter(|volume| volume.state != VolumeState::Deleting);
        let volume = volume.ok_or_else(|| Kind::Volume.not_found(&[id]))?;
        if let Some(hook) = &volume.attachment {
            let text = format!("Volume {id} is currently attached to {}", hook.instance_id);
            return Err(Error::new("VolumeInUse", text));
        }
        if volume.state == VolumeState::Creating {
            return Err(Error::new("IncorrectState", format!("Volume '{id}' is in the 'creating' state.")));
        }
        region.volumes.remove(id);
        Ok(())
    })?;
    Ok(done())
}
