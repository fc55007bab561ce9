//! CopyImage, called in the destination.

use super::{check_description, check_name, find};
use crate::local_ec2::api::copies::{check_minutes, check_region};
use crate::local_ec2::api::encryption::Encryption;
use crate::local_ec2::api::snapshot::NO_VOLUME;
use crate::local_ec2::api::tags::Specified;
use crate::local_ec2::api::token::ClientToken;
use crate::local_ec2::api::{Call, Kind};
use crate::local_ec2::state::{
    Change, Content, DiskType, Ebs, Image, ImageState, Mapping, Moment, Protection, Region, Scope, Snapshot,
    SnapshotState, Tags, id,
};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Xml};

/// What CopyImage takes. boto3 adds `PresignedUrl` to some copies; what it says is in the other parameters too.
pub const COPY_PARAMS: &str = "Name SourceImageId SourceRegion Description Encrypted KmsKeyId CopyImageTags TagSpecification ClientToken \
     SnapshotCopyCompletionDurationMinutes PresignedUrl DestinationRegion";

/// CopyImage.
pub fn copy(call: &Call<'_>) -> Result<Xml, Error> {
    let params = call.params;
    let name = params.need("Name")?;
    let source_region = params.need("SourceRegion")?;
    let source_id = params.need("SourceImageId")?;
    let description = check_description(params.get("Description"))?;
    Kind::Image.check_shape(source_id)?;
    check_region(source_region, &call.scope.region)?;
    check_minutes(params, "SnapshotCopyCompletionDurationMinutes")?;
    let encryption = Encryption::read(params)?;
    let specified = Specified::read(params, &["image", "snapshot"])?;
    let token = ClientToken::read(call, "")?;
    let from = Scope { region: source_region.to_owned(), account: call.scope.account.clone() };
    let image_id = call.update(|region| {
        if let Some(ids) = token.earlier(region)? {
            return Ok(ids.concat());
        }
        let (source, content, sources) = read_source(call, &from, source_id)?;
        check_name(region, name)?;
        let image_id = id::fresh("ami");
        let takes = if from.region == call.scope.region { Transition::CopyWithin } else { Transition::CopyAcross };
        let due = call.due(takes);
        let job = Job {
            image_id: &image_id,
            source: &source,
            content: &content,
            sources: &sources,
            encryption: &encryption,
            is_across: from.region != call.scope.region,
            now: call.now,
            due,
            tags: specified.of(Kind::Snapshot),
        };
        let mappings = job.copy_disks(region)?;
        let mut tags = Tags::new();
        if params.flag("CopyImageTags")?.unwrap_or(false) && source.owner == call.scope.account {
            tags.extend(source.tags.clone());
        }
        tags.extend(specified.of(Kind::Image));
        let change = match (call.injected.fails_at(due), encryption.problem(call)) {
            (Some((failure, at)), _) => Change::timed(ImageState::Failed, at).because(&failure.code, &failure.message),
            (None, Some(problem)) => {
                let text = format!(
                    "AMI snapshot copy failed with error: {problem}. You must have DescribeKey permissions on the default CMK"
                );
                Change::timed(ImageState::Failed, due).because("Client.InternalError", &text)
            }
            (None, None) => Change::timed(ImageState::Available, due),
        };
        let image = Image {
            id: image_id.clone(),
            name: name.to_owned(),
            description,
            owner: call.scope.account.clone(),
            owner_alias: None,
            state: ImageState::Pending,
            change: Some(change),
            reason: None,
            created: call.now,
            mappings,
            permissions: [].into(),
            deprecate_at: None,
            protection: Protection::Off,
            last_launched: None,
            source_instance: None,
            source_image: Some((source_id.to_owned(), source_region.to_owned())),
            content: Content::default(),
            tags,
            ..source
        };
        region.images.insert(image_id.clone(), image);
        token.remember(region, call, vec![image_id.clone()]);
        Ok(image_id)
    })?;
    let mut xml = Xml::new();
    xml.text("imageId", image_id);
    Ok(xml)
}

/// The source image, what it boots, and the region (of its owner's account) that holds its snapshots.
fn read_source(call: &Call<'_>, from: &Scope, id: &str) -> Result<(Image, Content, Region), Error> {
    let region = call.world.store.read(from, call.now)?;
    let there = Call { scope: from.clone(), ..*call };
    let (image, content) = find(&there, &region, id)?.ok_or_else(|| Kind::Image.not_found(&[id]))?;
    if image.state != ImageState::Available {
        let text = format!("The image ID '{id}' is not available to copy: it is {}", image.state.name());
        return Err(Error::new("InvalidRequest", text));
    }
    if image.owner == from.account {
        return Ok((image, content, region));
    }
    let theirs = Scope { region: from.region.clone(), account: image.owner.clone() };
    let region = call.world.store.read(&theirs, call.now)?;
    // The launch permission is for launching; whoever copies reads the storage too. A publisher's snapshots are everybody's and not in the state.
    let is_closed = |id: &str| region.snapshots.get(id).is_some_and(|snapshot| !snapshot.is_shared_with(&from.account));
    if image.snapshot_ids().any(is_closed) {
        return Err(Error::new("InvalidRequest", "You do not have permission to access the storage of this ami"));
    }
    Ok((image, content, region))
}

/// The copy of one image's disks.
struct Job<'a> {
    image_id: &'a str,
    source: &'a Image,
    content: &'a Content,
    /// Where the source's snapshots are.
    sources: &'a Region,
    encryption: &'a Encryption,
    is_across: bool,
    now: Moment,
    due: Moment,
    tags: Tags,
}

impl Job<'_> {
    /// The mappings of the copy; the snapshots they need are added to the region.
    fn copy_disks(&self, region: &mut Region) -> Result<Vec<Mapping>, Error> {
        self.source.mappings.iter().map(|mapping| self.copy_disk(region, mapping)).collect()
    }

    fn copy_disk(&self, region: &mut Region, mapping: &Mapping) -> Result<Mapping, Error> {
        let Some(ebs) = &mapping.ebs else { return Ok(mapping.clone()) };
        let disk = self.encryption.apply(&self.disk_of(ebs), region, self.is_across)?;
        let snapshot_id = ebs.snapshot_id.as_deref().map(|original| {
            let is_root = mapping.device == self.source.root_device;
            let content = if is_root {
                self.content.clone()
            } else {
                self.sources.snapshots.get(original).map(|snapshot| snapshot.content.clone()).unwrap_or_default()
            };
            let snapshot = self.snapshot(original, disk.clone(), content);
            let id = snapshot.id.clone();
            region.snapshots.insert(id.clone(), snapshot);
            id
        });
        Ok(Mapping { ebs: Some(Ebs { snapshot_id, disk, ..ebs.clone() }), ..mapping.clone() })
    }

    /// A mapping does not say with which key its snapshot is encrypted.
    fn disk_of(&self, ebs: &Ebs) -> DiskType {
        let snapshot = ebs.snapshot_id.as_ref().and_then(|id| self.sources.snapshots.get(id));
        let kms_key = ebs.disk.kms_key.clone().or_else(|| snapshot.and_then(|s| s.disk.kms_key.clone()));
        DiskType { kms_key, ..ebs.disk.clone() }
    }

    fn snapshot(&self, original: &str, disk: DiskType, content: Content) -> Snapshot {
        let description = format!(
            "Copied for DestinationAmi {} from SourceAmi {} for SourceSnapshot {original}. Task created on {}.",
            self.image_id, self.source.id, self.now.0
        );
        Snapshot {
            id: id::fresh("snap"),
            volume_id: NO_VOLUME.to_owned(),
            disk,
            content,
            state: SnapshotState::Pending,
            change: Some(Change::timed(SnapshotState::Completed, self.due)),
            writer: None,
            message: String::new(),
            started: self.now,
            completed: None,
            description,
            shared_with: [].into(),
            doomed: false,
            tags: self.tags.clone(),
        }
    }
}
