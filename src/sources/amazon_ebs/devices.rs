//! Block devices as EC2 takes them.

use crate::aws::device::BlockDevice;

use super::options::{Device, Options};

/// The devices of the launch; `no_ephemeral` keeps the instance-store volumes out.
pub fn launch(options: &Options) -> Vec<BlockDevice> {
    let mut devices: Vec<BlockDevice> = options.launch_block_device_mappings.iter().map(device).collect();
    if options.no_ephemeral {
        let names = ('a'..='z').map(|letter| format!("xvdc{letter}"));
        devices.extend(names.map(|name| BlockDevice { name, suppressed: true, ..BlockDevice::default() }));
    }
    devices
}

/// The devices of the image.
pub fn image(options: &Options) -> Vec<BlockDevice> {
    options.ami_block_device_mappings.iter().map(device).collect()
}

fn device(device: &Device) -> BlockDevice {
    let kind = device.volume_type.as_deref().unwrap_or_default();
    BlockDevice {
        name: device.device_name.clone(),
        suppressed: device.no_device,
        virtual_name: device.virtual_name.clone().filter(|name| name.starts_with("ephemeral")),
        delete_on_termination: device.delete_on_termination,
        encrypted: device.encrypted,
        kms_key: device.kms_key_id.clone(),
        // EC2 refuses these for types that have none.
        iops: device.iops.filter(|_| ["io1", "io2", "gp3"].contains(&kind)),
        throughput: device.throughput.filter(|_| kind == "gp3"),
        snapshot: device.snapshot_id.clone(),
        kind: device.volume_type.clone(),
        size: device.volume_size.filter(|size| *size > 0),
    }
}
