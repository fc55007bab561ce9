//! CreateSnapshots: all volumes of an instance at one point in time.

use super::{begin, capture, check_description};
use crate::local_ec2::api::tags::{self, Specified};
use crate::local_ec2::api::{Call, Kind};
use crate::local_ec2::state::{Region, Snapshot, Volume};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Xml};

/// Volumes that one request may leave out.
const MAX_EXCLUDED: usize = 40;

/// CreateSnapshots.
pub fn create_all(call: &Call<'_>) -> Result<Xml, Error> {
    let specification = call.params.sub("InstanceSpecification");
    let instance_id = specification.need("InstanceId")?;
    Kind::Instance.check_shape(instance_id)?;
    let without_root = specification.flag("ExcludeBootVolume")?.unwrap_or(false);
    let excluded = specification.list("ExcludeDataVolumeId");
    if excluded.len() > MAX_EXCLUDED {
        return Err(Error::value(format!("At most {MAX_EXCLUDED} volumes can be excluded")));
    }
    let copies_tags = match call.params.get("CopyTagsFromSource") {
        None => false,
        Some("volume") => true,
        Some(other) => {
            return Err(Error::value(format!("Value ({other}) for parameter CopyTagsFromSource is invalid.")));
        }
    };
    let description = check_description(call.params)?;
    let given = Specified::read(call.params, &["snapshot"])?.of(Kind::Snapshot);
    let snapshots = call.update(|region| {
        let instance = region.instances.get(instance_id).ok_or_else(|| Kind::Instance.not_found(&[instance_id]))?;
        let root = instance.origin.root_device.clone();
        let volumes = wanted(region, instance_id, &root, without_root, &excluded)?;
        let mut made = Vec::new();
        for volume in volumes {
            let mut tags = if copies_tags { volume.tags.clone() } else { Default::default() };
            tags.extend(given.clone());
            let id = begin(call, region, &volume, description.clone(), tags, Transition::Snapshot);
            if volume.attachment.as_ref().is_some_and(|hook| hook.device == root) {
                capture(region, instance_id, std::slice::from_ref(&id), false);
            }
            made.extend(region.snapshots.get(&id).cloned());
        }
        Ok(made)
    })?;
    let mut xml = Xml::new();
    xml.list("snapshotSet", &snapshots, |xml, snapshot| write(xml, snapshot, call));
    Ok(xml)
}

fn wanted(
    region: &Region,
    instance_id: &str,
    root: &str,
    without_root: bool,
    excluded: &[String],
) -> Result<Vec<Volume>, Error> {
    let attached = region.volumes_of(instance_id);
    if let Some(alien) = excluded.iter().find(|id| !attached.iter().any(|(volume, _)| volume.id == **id)) {
        return Err(Error::value(format!("The volume '{alien}' is not attached to instance '{instance_id}'")));
    }
    let is_wanted = |volume: &Volume, device: &str| !(excluded.contains(&volume.id) || without_root && device == root);
    Ok(attached.iter().filter(|(v, hook)| is_wanted(v, &hook.device)).map(|(volume, _)| (*volume).clone()).collect())
}

/// Here the state is called `state`, unlike everywhere else.
fn write(xml: &mut Xml, snapshot: &Snapshot, call: &Call<'_>) {
    xml.text("snapshotId", &snapshot.id).text("volumeId", &snapshot.volume_id).text("state", snapshot.state.name());
    xml.text("startTime", snapshot.started).text("progress", snapshot.progress(call.now));
    xml.text("ownerId", &call.scope.account).text("volumeSize", snapshot.disk.size);
    xml.text("description", &snapshot.description).text("encrypted", snapshot.disk.encrypted);
    tags::write(xml, &snapshot.tags);
}
