//! CopySnapshot, called in the destination.

use super::{NO_VOLUME, check_description};
use crate::local_ec2::api::copies::{check_minutes, check_region};
use crate::local_ec2::api::encryption::Encryption;
use crate::local_ec2::api::tags::{self, Specified};
use crate::local_ec2::api::{Call, Kind};
use crate::local_ec2::state::{Change, Scope, Snapshot, SnapshotState, id};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Xml};

/// What CopySnapshot takes. boto3 adds `PresignedUrl` and `DestinationRegion`; what they say is in the signature too.
pub const COPY_PARAMS: &str = "SourceRegion SourceSnapshotId Description Encrypted KmsKeyId CompletionDurationMinutes TagSpecification \
     PresignedUrl DestinationRegion";
/// Copies that may be under way in one region.
const MAX_COPIES: usize = 20;

/// CopySnapshot. Tags do not come along, and the volume is a dummy.
pub fn copy(call: &Call<'_>) -> Result<Xml, Error> {
    let params = call.params;
    let (source_region, source_id) = (params.need("SourceRegion")?, params.need("SourceSnapshotId")?);
    Kind::Snapshot.check_shape(source_id)?;
    check_region(source_region, &call.scope.region)?;
    check_minutes(params, "CompletionDurationMinutes")?;
    let description = check_description(params)?;
    let encryption = Encryption::read(params)?;
    let tags = Specified::read(params, &["snapshot"])?.of(Kind::Snapshot);
    let source = find_source(call, source_region, source_id)?;
    if source.state != SnapshotState::Completed {
        let text = format!(
            "Snapshot {source_id} is in the '{}' state: only a completed one can be copied",
            source.state.name()
        );
        return Err(Error::new("IncorrectState", text));
    }
    let is_across = source_region != call.scope.region;
    let snapshot = call.update(|region| {
        let is_copying = |s: &&Snapshot| s.volume_id == NO_VOLUME && s.state == SnapshotState::Pending;
        if region.snapshots.values().filter(is_copying).count() >= MAX_COPIES {
            let text =
                format!("Too many snapshot copies in progress. The limit is {MAX_COPIES} for this destination region.");
            return Err(Error::new("ResourceLimitExceeded", text));
        }
        let id = id::fresh("snap");
        let due = call.due(if is_across { Transition::CopyAcross } else { Transition::CopyWithin });
        let problem = encryption.problem(call).map(|text| ("Client.InternalError".to_owned(), text, due));
        let injected = call.injected.fails_at(due).map(|(f, at)| (f.code.clone(), f.message.clone(), at));
        let change = match injected.or(problem) {
            Some((code, text, at)) => Change::timed(SnapshotState::Error, at).because(&code, &text),
            None => Change::timed(SnapshotState::Completed, due),
        };
        let snapshot = Snapshot {
            id: id.clone(),
            volume_id: NO_VOLUME.to_owned(),
            disk: encryption.apply(&source.disk, region, is_across)?,
            content: source.content.clone(),
            state: SnapshotState::Pending,
            change: Some(change),
            writer: None,
            message: String::new(),
            started: call.now,
            completed: None,
            description: description.clone(),
            shared_with: [].into(),
            doomed: false,
            tags,
        };
        region.snapshots.insert(id, snapshot.clone());
        Ok(snapshot)
    })?;
    let mut xml = Xml::new();
    xml.text("snapshotId", &snapshot.id);
    tags::write(&mut xml, &snapshot.tags);
    Ok(xml)
}

/// The caller's own snapshot, or one that is shared with it.
fn find_source(call: &Call<'_>, region: &str, id: &str) -> Result<Snapshot, Error> {
    let there = Scope { region: region.to_owned(), account: call.scope.account.clone() };
    super::visible_in(call, &there)?
        .into_iter()
        .map(|(_, snapshot)| snapshot)
        .find(|snapshot| snapshot.id == id)
        .ok_or_else(|| Kind::Snapshot.not_found(&[id]))
}
