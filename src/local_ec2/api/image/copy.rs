//! CopyImage, called in the destination.

use super::{check_description, check_name, find};
use crate::local_ec2::api::snapshot::NO_VOLUME;
use crate::local_ec2::api::tags::Specified;
use crate::local_ec2::api::token::ClientToken;
use crate::local_ec2::api::{Call, Kind};
use crate::local_ec2::state::{
    Change, Content, DiskType, Ebs, Image, ImageState, Mapping, Moment, Protection, Region, RegionInfo, Scope,
    Snapshot, SnapshotState, Tags, id,
};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Xml};

/// What CopyImage takes. boto3 adds `PresignedUrl` to some copies; what it says is in the other parameters too.
pub const COPY_PARAMS: &str = "Name SourceImageId SourceRegion Description Encrypted KmsKeyId CopyImageTags TagSpecification ClientToken \
     SnapshotCopyCompletionDurationMinutes PresignedUrl DestinationRegion";

/// How the copy is encrypted.
struct Encryption {
    on: Option<bool>,
    key: Option<String>,
}

/// CopyImage.
pub fn copy(call: &Call<'_>) -> Result<Xml, Error> {
    let params = call.params;
    let name = params.need("Name")?;
    let source_region = params.need("SourceRegion")?;
    let source_id = params.need("SourceImageId")?;
    let description = check_description(params.get("Description"))?;
    Kind::Image.check_shape(source_id)?;
    check_region(source_region, &call.scope.region)?;
    check_minutes(call)?;
    let encryption = Encryption { on: params.flag("Encrypted")?, key: params.get("KmsKeyId").map(str::to_owned) };
    if encryption.key.is_some() && encryption.on != Some(true) {
        let text = "The parameter [KmsKeyId] requires the parameter Encrypted to be set.";
        return Err(Error::new("InvalidParameterDependency", text));
    }
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
        let due = call.due(takes, &image_id);
        let mut mappings = Vec::new();
        for mapping in &source.mappings {
            let original = mapping.ebs.as_ref().and_then(|ebs| sources.snapshots.get(ebs.snapshot_id.as_deref()?));
            let is_root = mapping.device == source.root_device;
            let content = if is_root { content.clone() } else { original.map(|s| s.content.clone()).unwrap_or_default() };
            let copied = copy_mapping(mapping, &encryption)?;
            let snapshot =
                copied.ebs.as_ref().filter(|ebs| ebs.snapshot_id.is_some()).map(|ebs| {
                    let text = format!(
                        "Copied for DestinationAmi {image_id} from SourceAmi {source_id} for SourceSnapshot {}. Task created on {}.",
                        ebs.snapshot_id.as_deref().unwrap_or_default(),
                        call.now.0
                    );
                    copy_snapshot(ebs, content, text, call.now, due, specified.of(Kind::Snapshot))
                });
            mappings.push(place(region, copied, snapshot));
        }
        let mut tags = Tags::new();
        if params.flag("CopyImageTags")?.unwrap_or(false) && source.owner == call.scope.account {
            tags.extend(source.tags.clone());
        }
        tags.extend(specified.of(Kind::Image));
        let change = match &call.late {
            Some(failure) => Change::timed(ImageState::Failed, due).because(&failure.code, &failure.message),
            None => Change::timed(ImageState::Available, due),
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

fn check_region(source: &str, here: &str) -> Result<(), Error> {
    let known = RegionInfo::find(source).map(RegionInfo::partition);
    if known.is_some() && known == RegionInfo::find(here).map(RegionInfo::partition) {
        return Ok(());
    }
    Err(Error::new("InvalidRegion", format!("The specified region '{source}' does not exist")))
}

/// Time-based copies are accepted in their legal range; here they take as long as the profile says.
fn check_minutes(call: &Call<'_>) -> Result<(), Error> {
    match call.params.int("SnapshotCopyCompletionDurationMinutes")? {
        Some(minutes) if minutes % 15 != 0 || !(15..=2880).contains(&minutes) => Err(Error::value(format!(
            "Value ({minutes}) for parameter SnapshotCopyCompletionDurationMinutes is invalid. A multiple of 15 from 15 to 2880."
        ))),
        _ => Ok(()),
    }
}

/// The source image, what it boots, and the region (of the caller's account) that holds its snapshots.
fn read_source(call: &Call<'_>, from: &Scope, id: &str) -> Result<(Image, Content, Region), Error> {
    let region = call.world.store.read(from, call.now)?;
    let there = Call { scope: from.clone(), late: None, ..*call };
    let (image, content) = find(&there, &region, id)?.ok_or_else(|| Kind::Image.not_found(&[id]))?;
    if image.state != ImageState::Available {
        let text = format!("The image ID '{id}' is not available to copy: it is {}", image.state.name());
        return Err(Error::new("InvalidRequest", text));
    }
    Ok((image, content, region))
}

fn copy_mapping(mapping: &Mapping, encryption: &Encryption) -> Result<Mapping, Error> {
    let Some(ebs) = &mapping.ebs else { return Ok(mapping.clone()) };
    if ebs.disk.encrypted && encryption.on == Some(false) {
        return Err(Error::value("Unencrypted copies of encrypted snapshots are not allowed"));
    }
    let encrypted = ebs.disk.encrypted || encryption.on == Some(true);
    let kms_key = encrypted.then(|| encryption.key.clone().unwrap_or_else(|| "alias/aws/ebs".into()));
    let disk = DiskType { encrypted, kms_key, ..ebs.disk.clone() };
    Ok(Mapping { ebs: Some(Ebs { disk, ..ebs.clone() }), ..mapping.clone() })
}

fn copy_snapshot(ebs: &Ebs, content: Content, description: String, now: Moment, due: Moment, tags: Tags) -> Snapshot {
    Snapshot {
        id: id::fresh("snap"),
        volume_id: NO_VOLUME.to_owned(),
        disk: ebs.disk.clone(),
        content,
        state: SnapshotState::Pending,
        change: Some(Change::timed(SnapshotState::Completed, due)),
        writer: None,
        message: String::new(),
        started: now,
        completed: None,
        description,
        shared_with: [].into(),
        doomed: false,
        tags,
    }
}

fn place(region: &mut Region, mut mapping: Mapping, snapshot: Option<Snapshot>) -> Mapping {
    if let (Some(ebs), Some(snapshot)) = (&mut mapping.ebs, snapshot) {
        ebs.snapshot_id = Some(snapshot.id.clone());
        region.snapshots.insert(snapshot.id.clone(), snapshot);
    }
    mapping
}
