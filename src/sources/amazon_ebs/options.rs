//! The options of `amazon-ebs` itself (packer-amazon.md sections 1.2 to 1.5).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::sources::options::filters::{Filter, ImageFilter};
use crate::sources::options::tags::{NamedTag, Tag};

/// Bakes an EBS-backed AMI from a temporary instance.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    /// Name of the AMI: 3 to 128 characters, unique in the region. Required.
    pub ami_name: String,
    /// Description of the AMI. May use `{{ .SourceAMI }}` and its like.
    pub ami_description: Option<String>,
    /// Accounts that may launch the AMI.
    pub ami_users: Vec<String>,
    /// Groups that may launch the AMI; `all` makes it public.
    pub ami_groups: Vec<String>,
    /// Organisations that may launch the AMI, by ARN.
    pub ami_org_arns: Vec<String>,
    /// Organisational units that may launch the AMI, by ARN.
    pub ami_ou_arns: Vec<String>,
    /// Regions that the AMI is copied to.
    pub ami_regions: Vec<String>,
    /// Does not check that the regions exist.
    pub skip_region_validation: bool,
    /// Minutes within which copies shall be complete: a multiple of 15.
    pub snapshot_copy_duration_minutes: Option<i64>,
    /// Virtualization type, for the check of enhanced networking.
    pub ami_virtualization_type: Option<String>,
    /// Tags of the AMI and its snapshots.
    pub tags: BTreeMap<String, String>,
    /// Tags of the AMI and its snapshots, as blocks.
    pub tag: Vec<Tag>,
    /// Tags of the snapshots alone; they win over `tags`.
    pub snapshot_tags: BTreeMap<String, String>,
    /// Tags of the snapshots alone, as blocks.
    pub snapshot_tag: Vec<Tag>,
    /// Accounts that may use the snapshots.
    pub snapshot_users: Vec<String>,
    /// Groups that may use the snapshots.
    pub snapshot_groups: Vec<String>,
    /// Switches ENA networking of the AMI on or off.
    pub ena_support: Option<bool>,
    /// Switches SR-IOV networking of the AMI on.
    pub sriov_support: bool,
    /// Removes an older AMI of the same name once the new one is available.
    pub force_deregister: bool,
    /// Deletes the snapshots of an AMI that `force_deregister` removes.
    pub force_delete_snapshot: bool,
    /// Instance metadata of the AMI: `v2.0` demands tokens.
    pub imds_support: Option<String>,
    /// When the AMI counts as deprecated (RFC 3339).
    pub deprecate_at: Option<String>,
    /// Protects the AMI from being deregistered.
    pub deregistration_protection: Option<Protection>,
    /// Makes no AMI: the instance is provisioned, stopped and removed.
    pub skip_create_ami: bool,
    /// Does not put the run's tags on the AMI and its snapshots.
    pub skip_ami_run_tags: bool,
    /// Block devices of the AMI.
    pub ami_block_device_mappings: Vec<Device>,
    /// Block devices of the instance.
    pub launch_block_device_mappings: Vec<Device>,
    /// Tags of the instance's volumes.
    pub run_volume_tags: BTreeMap<String, String>,
    /// Tags of the instance's volumes, as blocks.
    pub run_volume_tag: Vec<NamedTag>,
    /// Keeps instance-store volumes out of the mapping.
    pub no_ephemeral: bool,

    /// Instance type. Required.
    pub instance_type: Option<String>,
    /// Image to start from.
    pub source_ami: Option<String>,
    /// Finds the image to start from.
    pub source_ami_filter: Option<ImageFilter>,
    /// Availability zone.
    pub availability_zone: Option<String>,
    /// Subnet; wins over `subnet_filter`.
    pub subnet_id: Option<String>,
    /// Finds the subnet.
    pub subnet_filter: Option<SubnetFilter>,
    /// VPC; wins over `vpc_filter`.
    pub vpc_id: Option<String>,
    /// Finds the VPC.
    pub vpc_filter: Option<NetworkFilter>,
    /// Whether the instance gets a public address; the subnet decides when unset.
    pub associate_public_ip_address: Option<bool>,
    /// An existing security group.
    pub security_group_id: Option<String>,
    /// Existing security groups.
    pub security_group_ids: Vec<String>,
    /// Finds existing security groups.
    pub security_group_filter: Option<NetworkFilter>,
    /// Who may connect to the temporary security group. Only your own address when unset (Packer lets everybody in).
    pub temporary_security_group_source_cidrs: Vec<String>,
    /// Lets only your own public address in; the default here.
    pub temporary_security_group_source_public_ip: bool,
    /// Instance profile, by name.
    pub iam_instance_profile: Option<String>,
    /// User data.
    pub user_data: Option<String>,
    /// File with user data.
    pub user_data_file: Option<String>,
    /// Switches EBS optimisation on.
    pub ebs_optimized: bool,
    /// Unlimited CPU credits for burstable types.
    pub enable_unlimited_credits: bool,
    /// Older name of `enable_unlimited_credits`.
    pub enable_t2_unlimited: bool,
    /// What a power-off inside the instance does: `stop` (default) or `terminate`.
    pub shutdown_behavior: Option<String>,
    /// Does not stop the instance; a provisioner does.
    pub disable_stop_instance: bool,
    /// Placement.
    pub placement: Option<Placement>,
    /// Older place of `placement.tenancy`.
    pub tenancy: Option<String>,
    /// Metadata options of the instance.
    pub metadata_options: Option<MetadataOptions>,
    /// Tags of what the run makes, and of the AMI unless `skip_ami_run_tags`.
    pub run_tags: BTreeMap<String, String>,
    /// The same, as blocks.
    pub run_tag: Vec<Tag>,
    /// Which of the instance's addresses to connect to: `public_ip`, `private_ip`, `public_dns`, `private_dns` or `ipv6`.
    pub ssh_interface: Option<String>,
}

/// A block device.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Device {
    /// Its name, `/dev/sda1` for one. Required.
    pub device_name: String,
    /// Whether it goes with its instance.
    pub delete_on_termination: bool,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// Key of the encryption.
    pub kms_key_id: Option<String>,
    /// Operations per second (`io1`, `io2`, `gp3`).
    pub iops: Option<i32>,
    /// MiB per second (`gp3`).
    pub throughput: Option<i32>,
    /// Leaves a device of the source image out.
    pub no_device: bool,
    /// Snapshot that it starts from.
    pub snapshot_id: Option<String>,
    /// Instance-store volume, `ephemeral0` for one.
    pub virtual_name: Option<String>,
    /// Volume type, `gp3` for one.
    pub volume_type: Option<String>,
    /// Size in GiB.
    pub volume_size: Option<i32>,
}

/// Protection from being deregistered.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Protection {
    /// Whether it is on.
    pub enabled: bool,
    /// Whether it outlives its removal by a day; switches it on.
    pub with_cooldown: bool,
}

/// Finds a VPC or security groups.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NetworkFilter {
    /// Filters by name; several values are separated by commas.
    pub filters: BTreeMap<String, String>,
    /// Filters as blocks.
    pub filter: Vec<Filter>,
}

/// Finds a subnet.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SubnetFilter {
    /// Filters by name; several values are separated by commas.
    pub filters: BTreeMap<String, String>,
    /// Filters as blocks.
    pub filter: Vec<Filter>,
    /// Takes the one with most free addresses when several match.
    pub most_free: bool,
    /// Takes any one when several match.
    pub random: bool,
}

/// Placement of the instance.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Placement {
    /// `default`, `dedicated` or `host`.
    pub tenancy: Option<String>,
}

/// Metadata options of the instance.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MetadataOptions {
    /// `enabled` (default) or `disabled`.
    pub http_endpoint: Option<String>,
    /// `optional` (default) or `required`.
    pub http_tokens: Option<String>,
    /// 1 to 64; 1 when unset.
    pub http_put_response_hop_limit: Option<i32>,
    /// `disabled` (default) or `enabled`.
    pub instance_metadata_tags: Option<String>,
}

impl Options {
    /// The existing security groups that the template names by id.
    pub fn group_ids(&self) -> Vec<String> {
        self.security_group_id.iter().chain(&self.security_group_ids).filter(|id| !id.is_empty()).cloned().collect()
    }

    /// Target regions of copies, each once, without the region of the build.
    pub fn copy_regions(&self, build_region: &str) -> Vec<String> {
        let mut regions: Vec<String> = self.ami_regions.clone();
        regions.retain(|region| !region.is_empty() && region != build_region);
        regions.sort();
        regions.dedup();
        regions
    }
}
