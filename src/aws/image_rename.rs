//! An image under another name. EC2 cannot rename, so its snapshots are registered once more, which takes no time.

use aws_sdk_ec2::types::{BlockDeviceMapping, Image as SdkImage, ResourceType};

use super::clients::Ec2;
use super::error::{Error, Kind};
use super::image;
use super::image_copy::{self, Copy};
use super::repeat::{create, look};
use super::retry::Age;
use super::tags::{RUN, Tags, specification};

/// A new registration of an image that exists.
#[derive(Clone, Debug)]
pub struct Renamed {
    /// The image, which stays as it is.
    pub image: String,
    /// The new name, which must be free.
    pub name: String,
    /// Client token, for where a copy is needed.
    pub token: String,
    /// Tags of the new image, the run's included.
    pub tags: Tags,
    /// Tags of its snapshots, where a copy makes new ones.
    pub snapshot_tags: Tags,
}

/// Registers the image's snapshots under the new name and returns the new id.
///
/// What EC2 bills by (Windows, Red Hat, marketplace products) is lost in a registration: such an image is copied within its region.
pub async fn rename(ec2: &Ec2, renamed: &Renamed) -> Result<String, Error> {
    let old = describe(ec2, &renamed.image).await?;
    if is_billed(&old) {
        return copy(ec2, renamed).await;
    }
    let found = async || image::find(ec2, &renamed.name, renamed.tags.get(RUN)).await;
    create(ec2, async || register(ec2, &old, renamed).await, found).await
}

fn is_billed(image: &SdkImage) -> bool {
    let plain = matches!(image.platform_details(), None | Some("" | "Linux/UNIX"));
    !plain || !image.product_codes().is_empty()
}

async fn describe(ec2: &Ec2, id: &str) -> Result<SdkImage, Error> {
    let found = look(ec2, Age::Young, async || {
        let found = ec2.client.describe_images().image_ids(id).send().await;
        found.map_err(|e| Error::from_sdk("DescribeImages", id, &e))
    })
    .await?;
    let image = found.images.unwrap_or_default().into_iter().next();
    image.ok_or_else(|| Error::new("DescribeImages", id, Kind::NotFound, "the image no longer exists"))
}

async fn copy(ec2: &Ec2, renamed: &Renamed) -> Result<String, Error> {
    let copy = Copy {
        token: renamed.token.clone(),
        source_region: ec2.region.clone(),
        source: renamed.image.clone(),
        name: renamed.name.clone(),
        encrypted: None,
        kms_key: None,
        duration_minutes: None,
        tags: renamed.tags.clone(),
        snapshot_tags: renamed.snapshot_tags.clone(),
    };
    image_copy::copy(ec2, &copy).await
}

async fn register(ec2: &Ec2, old: &SdkImage, renamed: &Renamed) -> Result<String, Error> {
    let request = ec2
        .client
        .register_image()
        .name(&renamed.name)
        .set_description(old.description.clone())
        .set_architecture(old.architecture.clone())
        .set_root_device_name(old.root_device_name.clone())
        .set_block_device_mappings(Some(old.block_device_mappings().iter().cloned().map(registrable).collect()))
        .set_virtualization_type(old.virtualization_type.as_ref().map(|kind| kind.to_string()))
        .set_ena_support(old.ena_support)
        .set_sriov_net_support(old.sriov_net_support.clone())
        .set_kernel_id(old.kernel_id.clone())
        .set_ramdisk_id(old.ramdisk_id.clone())
        .set_boot_mode(old.boot_mode.as_ref().map(|mode| mode.as_str().into()))
        .set_tpm_support(old.tpm_support.as_ref().map(|version| version.as_str().into()))
        .set_imds_support(old.imds_support.as_ref().map(|version| version.as_str().into()))
        .set_tag_specifications(specification(ResourceType::Image, &renamed.tags).map(|tags| vec![tags]));
    let made = request.send().await.map_err(|e| Error::from_sdk("RegisterImage", &renamed.name, &e))?;
    let missing = || Error::new("RegisterImage", &renamed.name, Kind::NoReply, "the reply names no image");
    made.image_id.ok_or_else(missing)
}

/// A mapping as RegisterImage takes it: it refuses to be told what follows from the snapshot.
fn registrable(mut mapping: BlockDeviceMapping) -> BlockDeviceMapping {
    if let Some(ebs) = mapping.ebs.as_mut().filter(|ebs| ebs.snapshot_id.is_some()) {
        ebs.encrypted = None;
        ebs.kms_key_id = None;
    }
    mapping
}
