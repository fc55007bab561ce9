//! Block devices, in the SDK's form only here.

use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, VolumeType};

/// A block device of a launch or an image.
#[derive(Clone, Debug, Default)]
pub struct BlockDevice {
    /// Its name.
    pub name: String,
    /// Leaves the source image's device of that name out.
    pub suppressed: bool,
    /// Instance-store volume.
    pub virtual_name: Option<String>,
    /// Whether it goes with its instance.
    pub delete_on_termination: bool,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// Key of the encryption.
    pub kms_key: Option<String>,
    /// Operations per second.
    pub iops: Option<i32>,
    /// MiB per second.
    pub throughput: Option<i32>,
    /// Snapshot that it starts from.
    pub snapshot: Option<String>,
    /// Volume type.
    pub kind: Option<String>,
    /// Size in GiB.
    pub size: Option<i32>,
}

/// The SDK's form of devices.
pub fn sdk_devices(devices: &[BlockDevice]) -> Option<Vec<BlockDeviceMapping>> {
    (!devices.is_empty()).then(|| devices.iter().map(mapping).collect())
}

fn mapping(device: &BlockDevice) -> BlockDeviceMapping {
    let builder = BlockDeviceMapping::builder().device_name(&device.name);
    if device.suppressed {
        return builder.no_device("").build();
    }
    if let Some(name) = &device.virtual_name {
        return builder.virtual_name(name).build();
    }
    let ebs = EbsBlockDevice::builder()
        .delete_on_termination(device.delete_on_termination)
        .set_encrypted(device.encrypted)
        .set_kms_key_id(device.kms_key.clone())
        .set_iops(device.iops)
        .set_throughput(device.throughput)
        .set_snapshot_id(device.snapshot.clone())
        .set_volume_type(device.kind.as_deref().map(VolumeType::from))
        .set_volume_size(device.size);
    builder.ebs(ebs.build()).build()
}
