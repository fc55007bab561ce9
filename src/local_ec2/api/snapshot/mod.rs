//! Snapshots.

mod attribute;
mod copy;
mod set;

pub use attribute::{describe_attribute, modify_attribute};
pub use copy::{COPY_PARAMS, copy};
pub use set::create_all;

use super::filter::Filters;
use super::tags::{self, Specified};
use super::{Call, Kind, done, kms, page};
use crate::local_ec2::state::{Change, Region, Scope, Snapshot, SnapshotState, Tags, Volume, VolumeState, Work, id};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Params, Xml};

/// Pending snapshots per volume.
const MAX_PENDING: usize = 5;
/// The volume id of a copied snapshot, which has no volume.
pub const NO_VOLUME: &str = "vol-ffffffff";

/// CreateSnapshot. The point in time is the call: content of a root disk is captured before anything else happens to its instance.
pub fn create(call: &Call<'_>) -> Result<Xml, Error> {
    let volume_id = call.params.need("VolumeId")?;
    Kind::Volume.check_shape(volume_id)?;
    let description = check_description(call.params)?;
    let tags = Specified::read(call.params, &["snapshot"])?.of(Kind::Snapshot);
    let snapshot = call.update(|region| {
        let volume = region.volumes.get(volume_id).ok_or_else(|| Kind::Volume.not_found(&[volume_id]))?.clone();
        if volume.state != VolumeState::Ready {
            let text = format!("Volume '{volume_id}' is in the '{}' state.", volume.state_name());
            return Err(Error::new("IncorrectState", text));
        }
        let is_pending = |s: &&Snapshot| s.volume_id == volume_id && s.state == SnapshotState::Pending;
        if region.snapshots.values().filter(is_pending).count() >= MAX_PENDING {
            let text = "Maximum allowed in-progress snapshots for a single volume exceeded.";
            return Err(Error::new("ConcurrentSnapshotLimitExceeded", text));
        }
        let id = begin(call, region, &volume, description, tags, Transition::Snapshot);
        if let Some(instance_id) = instance_whose_root(region, &volume) {
            capture(region, &instance_id, std::slice::from_ref(&id), false);
        }
        region.snapshots.get(&id).cloned().ok_or_else(|| Error::internal("the snapshot just made is missing"))
    })?;
    let mut xml = Xml::new();
    write(&mut xml, &snapshot, call);
    Ok(xml)
}

/// Adds a pending snapshot of a volume, with what was on the volume when it was made.
pub fn begin(
    call: &Call<'_>,
    region: &mut Region,
    volume: &Volume,
    description: String,
    tags: Tags,
    takes: Transition,
) -> String {
    let id = id::fresh("snap");
    let due = call.due(takes);
    // An image has its own way to fail.
    let failure = call.injected.fails_at(due).filter(|_| takes == Transition::Snapshot);
    let change = match failure {
        Some((failure, at)) => Change::timed(SnapshotState::Error, at).because(&failure.code, &failure.message),
        None => Change::timed(SnapshotState::Completed, due),
    };
    let snapshot = Snapshot {
        volume_id: volume.id.clone(),
        disk: volume.disk.clone(),
        content: volume.content.clone(),
        state: SnapshotState::Pending,
        change: Some(change),
        writer: None,
        message: String::new(),
        started: call.now,
        completed: None,
        description,
        shared_with: [].into(),
        doomed: false,
        tags,
        id: id.clone(),
    };
    region.snapshots.insert(id.clone(), snapshot);
    id
}

/// Has the process that runs an instance write its root disk into snapshots, which are not complete before that.
pub fn capture(region: &mut Region, instance_id: &str, snapshots: &[String], restart: bool) {
    let Some(instance) = region.instances.get_mut(instance_id) else { return };
    instance.order(Work::Capture { into: snapshots.to_vec(), restart });
    for id in snapshots {
        if let Some(snapshot) = region.snapshots.get_mut(id) {
            snapshot.writer = Some(instance.runner);
            if let Some(change) = &mut snapshot.change {
                change.waits = true;
            }
        }
    }
}

/// The live instance whose root disk a volume is.
pub fn instance_whose_root(region: &Region, volume: &Volume) -> Option<String> {
    let hook = volume.attachment.as_ref()?;
    let instance = region.instances.get(&hook.instance_id)?;
    (instance.is_live() && instance.origin.root_device == hook.device).then(|| instance.id.clone())
}

fn check_description(params: &Params) -> Result<String, Error> {
    let text = params.get("Description").unwrap_or_default();
    if text.chars().count() <= 255 {
        return Ok(text.to_owned());
    }
    Err(Error::value("Value for parameter description is invalid: at most 255 characters."))
}

/// DescribeSnapshots: own ones, and those of others that are shared.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    const KNOWN: [&str; 11] = [
        "snapshot-id",
        "status",
        "volume-id",
        "description",
        "encrypted",
        "owner-alias",
        "owner-id",
        "progress",
        "start-time",
        "volume-size",
        "storage-tier",
    ];
    let filters = Filters::read(call.params, &KNOWN)?;
    let ids = call.params.list("SnapshotId");
    let owners = call.params.list("Owner");
    let restorable = call.params.list("RestorableBy");
    for owner in owners.iter().chain(&restorable) {
        let is_account = owner.len() == 12 && owner.bytes().all(|b| b.is_ascii_digit());
        if !is_account && !["self", "amazon", "all"].contains(&owner.as_str()) {
            return Err(Error::new("InvalidUserID.Malformed", format!("Invalid user id: \"{owner}\"")));
        }
    }
    let me = &call.scope.account;
    let is_me = |name: &String| name == "self" || name == me;
    let seen = visible(call)?;
    Kind::Snapshot.check(&ids, |id| seen.iter().any(|(_, snapshot)| snapshot.id == id))?;
    let found = seen.into_iter().filter(|(owner, snapshot)| {
        let own = owner == me;
        (ids.is_empty() || ids.contains(&snapshot.id))
            && (owners.is_empty() || owners.iter().any(|name| name == owner || own && is_me(name)))
            && (restorable.is_empty()
                || restorable.iter().any(is_me) && (own || snapshot.shared_with.contains(me))
                || restorable.iter().any(|name| snapshot.shared_with.contains(name)))
            && filters.pass(&snapshot.tags, |name| values(call, owner, snapshot, name))
    });
    let page = page::cut(call, found.collect(), page::USUAL, |(_, snapshot)| snapshot.id.clone())?;
    let mut xml = Xml::new();
    xml.list("snapshotSet", &page.items, |xml, (owner, snapshot)| write_for(xml, snapshot, owner, call));
    xml.some("nextToken", page.next);
    Ok(xml)
}

fn visible(call: &Call<'_>) -> Result<Vec<(String, Snapshot)>, Error> {
    visible_in(call, &call.scope)
}

/// What an account sees in a region: its own, and what others share with it; each with its owner.
fn visible_in(call: &Call<'_>, there: &Scope) -> Result<Vec<(String, Snapshot)>, Error> {
    let me = &there.account;
    let own = call.world.store.read(there, call.now)?;
    let mut found: Vec<(String, Snapshot)> = own.snapshots.into_values().map(|s| (me.clone(), s)).collect();
    for scope in call.world.store.scopes_in(&there.region)? {
        if scope.account != *me {
            let others = call.world.store.read(&scope, call.now)?.snapshots.into_values();
            let shared = others.filter(|s| s.is_shared_with(me));
            found.extend(shared.map(|mut snapshot| {
                // Tags belong to the account that set them.
                snapshot.tags.clear();
                (scope.account.clone(), snapshot)
            }));
        }
    }
    Ok(found)
}

/// A snapshot that the caller may make volumes from: its own, or one that is shared with it.
pub fn find(call: &Call<'_>, region: &Region, id: &str) -> Result<Snapshot, Error> {
    Kind::Snapshot.check_shape(id)?;
    if let Some(own) = region.snapshots.get(id) {
        return Ok(own.clone());
    }
    let me = &call.scope;
    for scope in call.world.store.scopes_in(&me.region)?.into_iter().filter(|scope| scope.account != me.account) {
        let mut theirs = call.world.store.read(&scope, call.now)?;
        if let Some(shared) = theirs.snapshots.remove(id).filter(|s| s.is_shared_with(&me.account)) {
            return Ok(shared);
        }
    }
    Err(Kind::Snapshot.not_found(&[id]))
}

fn values(call: &Call<'_>, owner: &str, snapshot: &Snapshot, name: &str) -> Vec<String> {
    match name {
        "snapshot-id" => vec![snapshot.id.clone()],
        "status" => vec![snapshot.state.name().to_owned()],
        "volume-id" => vec![snapshot.volume_id.clone()],
        "description" => vec![snapshot.description.clone()],
        "encrypted" => vec![snapshot.disk.encrypted.to_string()],
        "owner-id" => vec![owner.to_owned()],
        "progress" => vec![snapshot.progress(call.now)],
        "start-time" => vec![snapshot.started.to_string()],
        "volume-size" => vec![snapshot.disk.size.to_string()],
        "storage-tier" => vec!["standard".to_owned()],
        // Only the publishers' accounts have an alias, and their snapshots are not listed.
        _ => Vec::new(),
    }
}

fn write(xml: &mut Xml, snapshot: &Snapshot, call: &Call<'_>) {
    write_for(xml, snapshot, &call.scope.account, call);
}

fn write_for(xml: &mut Xml, snapshot: &Snapshot, owner: &str, call: &Call<'_>) {
    xml.text("snapshotId", &snapshot.id).text("volumeId", &snapshot.volume_id);
    xml.text("status", snapshot.state.name()).filled("statusMessage", &snapshot.message);
    xml.text("startTime", snapshot.started).some("completionTime", snapshot.completed);
    xml.text("progress", snapshot.progress(call.now)).text("ownerId", owner);
    xml.text("volumeSize", snapshot.disk.size).text("description", &snapshot.description);
    let owner = Scope { region: call.scope.region.clone(), account: owner.to_owned() };
    let key = snapshot.disk.kms_key.as_ref().map(|key| kms::arn(&owner, key));
    xml.text("encrypted", snapshot.disk.encrypted).some("kmsKeyId", key);
    xml.text("storageTier", "standard");
    if snapshot.state == SnapshotState::Completed {
        xml.text("fullSnapshotSizeInBytes", snapshot.content.layers.size_bytes);
    }
    tags::write(xml, &snapshot.tags);
}

/// Why a snapshot may not go, if so.
pub fn in_use(region: &Region, id: &str) -> Option<Error> {
    let image = region.image_using(id)?;
    let text = format!("The snapshot {id} is currently in use by {}", image.id);
    Some(Error::new("InvalidSnapshot.InUse", text))
}

/// Deletes a snapshot; one that is pending goes when it is complete, and can be seen until then.
pub fn remove(region: &mut Region, id: &str) {
    match region.snapshots.get_mut(id) {
        Some(snapshot) if snapshot.state == SnapshotState::Pending => snapshot.doomed = true,
        _ => drop(region.snapshots.remove(id)),
    }
}

/// DeleteSnapshot.
pub fn delete(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("SnapshotId")?;
    Kind::Snapshot.check_shape(id)?;
    call.update(|region| {
        if !region.snapshots.contains_key(id) {
            return Err(Kind::Snapshot.not_found(&[id]));
        }
        if let Some(error) = in_use(region, id) {
            return Err(error);
        }
        remove(region, id);
        Ok(())
    })?;
    Ok(done())
}
