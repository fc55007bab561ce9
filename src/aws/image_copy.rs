//! Copies of an image in other regions.

use aws_sdk_ec2::types::ResourceType;

use super::clients::Ec2;
use super::error::{Error, Kind};
use super::image;
use super::repeat::create;
use super::tags::{RUN, Tags, specification};

/// What to copy. The copy is made in the region of the client that it is asked of.
#[derive(Clone, Debug, Default)]
pub struct Copy {
    /// Client token: the same for every try of this build and region.
    pub token: String,
    /// Region of the source.
    pub source_region: String,
    /// The source image.
    pub source: String,
    /// Name of the copy.
    pub name: String,
    /// Whether the copy's snapshots are encrypted; the source's state is kept when unset.
    pub encrypted: Option<bool>,
    /// Key of the encryption; the region's default one when unset.
    pub kms_key: Option<String>,
    /// Minutes within which EC2 shall finish, for time-based copies.
    pub duration_minutes: Option<i64>,
    /// Tags of the copy, the run's included.
    pub tags: Tags,
    /// Tags of its snapshots, the run's included.
    pub snapshot_tags: Tags,
}

/// Asks for a copy and returns its id.
pub async fn copy(target: &Ec2, copy: &Copy) -> Result<String, Error> {
    let found = async || image::find(target, &copy.name, copy.tags.get(RUN)).await;
    create(target, async || request(target, copy).await, found).await
}

async fn request(target: &Ec2, copy: &Copy) -> Result<String, Error> {
    let tags =
        [specification(ResourceType::Image, &copy.tags), specification(ResourceType::Snapshot, &copy.snapshot_tags)];
    let request = target
        .client
        .copy_image()
        .client_token(&copy.token)
        .source_region(&copy.source_region)
        .source_image_id(&copy.source)
        .name(&copy.name)
        .copy_image_tags(true)
        .set_encrypted(copy.encrypted)
        .set_kms_key_id(copy.kms_key.clone())
        .set_snapshot_copy_completion_duration_minutes(copy.duration_minutes)
        .set_tag_specifications(Some(tags.into_iter().flatten().collect()));
    let subject = format!("{} to {}", copy.source, target.region);
    let made = request.send().await.map_err(|e| Error::from_sdk("CopyImage", &subject, &e))?;
    made.image_id.ok_or_else(|| Error::new("CopyImage", &subject, Kind::NoReply, "the reply names no image"))
}
