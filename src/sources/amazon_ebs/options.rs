//! The options of `amazon-ebs` itself (packer-amazon.md sections 1.2 to 1.5).

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hcl::duration::GoDuration;
use crate::sources::options::filters::{Filter, ImageFilter};
use crate::sources::options::tags::{NamedTag, Tag};

/// Bakes an EBS-backed AMI from a temporary instance.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    /// Name of the AMI: 3 to 128 letters, digits, blanks and `()[]./-'@_`, unique in the region. Required.
    pub ami_name: String,
    /// Description of the AMI; may have `{{ .SourceAMI }}`, `{{ .BuildRegion }}` and the like in it.
    pub ami_description: Option<String>,
    /// Accounts that may launch the AMI, by their ids. Default: your own alone.
    pub ami_users: Vec<String>,
    /// Groups that may launch the AMI; `all` makes it public.
    pub ami_groups: Vec<String>,
    /// Organisations that may launch the AMI, by ARN.
    pub ami_org_arns: Vec<String>,
    /// Organisational units that may launch the AMI, by ARN.
    pub ami_ou_arns: Vec<String>,
    /// Regions that the AMI is copied to, besides the one it is made in.
    pub ami_regions: Vec<String>,
    /// Encrypts the AMI: it is made unencrypted under a passing name, copied with encryption, and removed. `false` asks copies not to be encrypted. Default: as the volumes are.
    pub encrypt_boot: Option<bool>,
    /// KMS key of the AMI in the region where it is made: id, alias or ARN. Needs `encrypt_boot`. Default: the account's key for EBS.
    pub kms_key_id: Option<String>,
    /// KMS keys of the AMI by region; empty for the region's default key. Needs `encrypt_boot`. One for the region where the AMI is made wins over `kms_key_id`.
    pub region_kms_key_ids: BTreeMap<String, String>,
    /// Keeps the copies in `ami_regions` alone: the AMI in the region where it is made goes once they are complete. Default: `false`.
    pub skip_save_build_region: bool,
    /// What becomes of the AMI and the copies that are complete when a copy fails for good: `undo` or `keep`. The build fails either way. Default: `undo`.
    pub on_copy_failure: Option<String>,
    /// Does not check that the regions in `ami_regions` exist. Default: `false`.
    pub skip_region_validation: bool,
    /// Minutes within which copies of snapshots shall be complete: a multiple of 15. Default: as long as it takes.
    pub snapshot_copy_duration_minutes: Option<i64>,
    /// Virtualization type of the AMI, `hvm` or `paravirtual`, for the check of enhanced networking.
    pub ami_virtualization_type: Option<String>,
    /// Tags of the AMI and its snapshots, by key.
    pub tags: BTreeMap<String, String>,
    /// Tags of the AMI and its snapshots, as blocks.
    pub tag: Vec<Tag>,
    /// Tags of the snapshots alone, by key; they win over `tags`.
    pub snapshot_tags: BTreeMap<String, String>,
    /// Tags of the snapshots alone, as blocks.
    pub snapshot_tag: Vec<Tag>,
    /// Accounts that may make volumes from the snapshots, by their ids.
    pub snapshot_users: Vec<String>,
    /// Groups that may make volumes from the snapshots; `all` makes them public.
    pub snapshot_groups: Vec<String>,
    /// Switches ENA networking of the AMI on or off. Default: as the source image has it.
    pub ena_support: Option<bool>,
    /// Switches SR-IOV networking of the AMI on. Default: `false`.
    pub sriov_support: bool,
    /// Removes an older AMI of the same name, once the new one is available. Default: `false`.
    pub force_deregister: bool,
    /// Deletes the snapshots of an AMI that `force_deregister` removes. Default: `false`.
    pub force_delete_snapshot: bool,
    /// Instance metadata of machines that start from the AMI: `v2.0` demands session tokens. Default: tokens are optional.
    pub imds_support: Option<String>,
    /// When the AMI counts as deprecated, in UTC: `2027-01-31T00:00:00Z`. Default: never.
    pub deprecate_at: Option<String>,
    /// Protects the AMI from being deregistered.
    pub deregistration_protection: Option<Protection>,
    /// How long to wait for EC2. Kiln looks more often than this says. Default: up to 30 minutes for an instance, a day for an AMI.
    pub aws_polling: Option<Polling>,
    /// Makes no AMI: the instance is provisioned, stopped and removed. Default: `false`.
    pub skip_create_ami: bool,
    /// Does not put `run_tags` on the AMI and its snapshots. Default: `false`.
    pub skip_ami_run_tags: bool,
    /// Block devices of the AMI; machines that start from it get them.
    pub ami_block_device_mappings: Vec<Device>,
    /// Block devices of the temporary instance; they go into the AMI, too.
    pub launch_block_device_mappings: Vec<Device>,
    /// Tags of the temporary instance's volumes, by key.
    pub run_volume_tags: BTreeMap<String, String>,
    /// Tags of the temporary instance's volumes, as blocks.
    pub run_volume_tag: Vec<NamedTag>,
    /// Keeps instance-store volumes out of the mapping of the instance. Default: `false`.
    pub no_ephemeral: bool,

    /// Type of the temporary instance, `t3.micro` for one. One of this and `spot_instance_types` must be given.
    pub instance_type: Option<String>,
    /// The most that a spot instance may cost, in dollars an hour; `auto` for up to the on-demand price. With `0` or without it the instance is an on-demand one.
    pub spot_price: Option<String>,
    /// Says nothing to EC2 any more: `auto` knows the product by itself. Older templates have it.
    pub spot_price_auto_product: Option<String>,
    /// Types that a spot instance may have; EC2 takes one that it has capacity for. Asks for a spot instance by itself, too.
    pub spot_instance_types: Vec<String>,
    /// How EC2 chooses among types: `lowest-price`, `diversified`, `capacity-optimized`, `capacity-optimized-prioritized` or `price-capacity-optimized`. Default: EC2's own.
    pub spot_allocation_strategy: Option<String>,
    /// Tags of the spot request and of its temporary launch template, by key.
    pub spot_tags: BTreeMap<String, String>,
    /// Tags of the spot request and of its temporary launch template, as blocks.
    pub spot_tag: Vec<Tag>,
    /// Tags of the fleet request that launches the spot instance, by key.
    pub fleet_tags: BTreeMap<String, String>,
    /// Tags of the fleet request that launches the spot instance, as blocks.
    pub fleet_tag: Vec<Tag>,
    /// A multiple of 60. EC2 has ended the offer of spot instances for a fixed time, so that this changes nothing; a bake warns of it.
    pub block_duration_minutes: i64,
    /// Id of the image to start from. One of `source_ami` and `source_ami_filter` must be given.
    pub source_ami: Option<String>,
    /// Finds the image to start from, instead of `source_ami`.
    pub source_ami_filter: Option<ImageFilter>,
    /// Availability zone of the instance. Default: one that EC2 or the subnet chooses.
    pub availability_zone: Option<String>,
    /// Id of the subnet that the instance is launched in; wins over `subnet_filter`. Default: one of the default VPC.
    pub subnet_id: Option<String>,
    /// Finds the subnet that the instance is launched in.
    pub subnet_filter: Option<SubnetFilter>,
    /// Id of the VPC for subnet and security group; wins over `vpc_filter`. Default: the subnet's, else the default VPC.
    pub vpc_id: Option<String>,
    /// Finds the VPC for subnet and security group.
    pub vpc_filter: Option<NetworkFilter>,
    /// Whether the instance gets a public address. Default: as the subnet has it.
    pub associate_public_ip_address: Option<bool>,
    /// Id of an existing security group, instead of a temporary one.
    pub security_group_id: Option<String>,
    /// Ids of existing security groups, instead of a temporary one.
    pub security_group_ids: Vec<String>,
    /// Finds existing security groups, instead of a temporary one.
    pub security_group_filter: Option<NetworkFilter>,
    /// Networks (CIDR blocks) that the temporary security group lets in. Packer lets everybody in when unset. Default: your own public address alone.
    pub temporary_security_group_source_cidrs: Vec<String>,
    /// Lets only your own public address in; that is what happens anyhow. Default: `true`.
    pub temporary_security_group_source_public_ip: bool,
    /// Name of the instance profile that the instance gets.
    pub iam_instance_profile: Option<String>,
    /// Does not ask IAM whether `iam_instance_profile` exists. Default: `false`.
    pub skip_profile_validation: bool,
    /// What the instance may do: it gets a temporary instance profile with a role of this policy. Not used together with `iam_instance_profile`.
    pub temporary_iam_instance_profile_policy_document: Option<PolicyDocument>,
    /// User data of the instance, as it is. Not together with `user_data_file`.
    pub user_data: Option<String>,
    /// File whose content is the user data of the instance. Not together with `user_data`.
    pub user_data_file: Option<String>,
    /// Switches EBS optimisation of the instance on. Default: `false`.
    pub ebs_optimized: bool,
    /// Lets an instance of a burstable type use more CPU credits than it has earned, at a price. Default: `false`.
    pub enable_unlimited_credits: bool,
    /// Older name of `enable_unlimited_credits`.
    pub enable_t2_unlimited: bool,
    /// How long the instance may live: it ends itself then, even when Kiln is gone; `0s` for no limit. Default: `6h`.
    pub max_duration: Option<GoDuration>,
    /// What a power-off inside the instance does: `stop` or `terminate`. Default: `terminate`; with `disable_stop_instance`, where the power-off is the stop, `stop`.
    /// A spot instance is always terminated.
    pub shutdown_behavior: Option<String>,
    /// Does not stop the instance before the AMI is made: a provisioner does. Default: `false`.
    pub disable_stop_instance: bool,
    /// Reserved capacity that the instance may use: `open` for any that fits, `none`. Default: `none`.
    pub capacity_reservation_preference: Option<String>,
    /// Id of the capacity reservation that the instance uses.
    pub capacity_reservation_id: Option<String>,
    /// ARN of a group of capacity reservations, one of which the instance uses.
    pub capacity_reservation_group_arn: Option<String>,
    /// Licence configurations (AWS License Manager) that the instance counts for.
    pub license_specifications: Vec<LicenseSpecification>,
    /// Lets the instance have Nitro enclaves. Not for burstable types, nor for spot instances. Default: `false`.
    pub enable_nitro_enclave: bool,
    /// Where the instance is placed.
    pub placement: Option<Placement>,
    /// Older place of `tenancy` in the `placement` block.
    pub tenancy: Option<String>,
    /// Metadata service of the temporary instance.
    pub metadata_options: Option<MetadataOptions>,
    /// Tags of all that the run makes, by key, and of the AMI unless `skip_ami_run_tags` is set.
    pub run_tags: BTreeMap<String, String>,
    /// Tags of all that the run makes, as blocks.
    pub run_tag: Vec<Tag>,
    /// Which of the instance's addresses to connect to: `public_ip`, `private_ip`, `public_dns`, `private_dns` or `ipv6`. Default: its public address, else its private one.
    pub ssh_interface: Option<String>,
}

/// A block device.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Device {
    /// Name of the device, `/dev/sda1` for one. Required.
    pub device_name: String,
    /// Whether the volume is deleted with its instance. Default: `false`.
    pub delete_on_termination: bool,
    /// Whether the volume is encrypted. Default: as its snapshot is, or as the account demands.
    pub encrypted: Option<bool>,
    /// KMS key of the encryption: its id, alias or ARN. Default: the account's key for EBS.
    pub kms_key_id: Option<String>,
    /// I/O operations per second of an `io1`, `io2` or `gp3` volume. Default: as EC2 thinks fit.
    pub iops: Option<i32>,
    /// Throughput of a `gp3` volume in MiB per second: 125 to 1000. Default: 125.
    pub throughput: Option<i32>,
    /// Leaves this device of the source image out. Default: `false`.
    pub no_device: bool,
    /// Id of the snapshot that the volume starts from. Default: an empty volume.
    pub snapshot_id: Option<String>,
    /// Instance-store volume that the device is, `ephemeral0` for one.
    pub virtual_name: Option<String>,
    /// Type of the volume: `gp3`, `gp2`, `io1`, `io2`, `st1`, `sc1` or `standard`. Default: as EC2 thinks fit.
    pub volume_type: Option<String>,
    /// Size of the volume in GiB. Default: its snapshot's.
    pub volume_size: Option<i32>,
}

/// How long to wait for EC2: `max_attempts` times `delay_seconds`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Polling {
    /// Seconds of one attempt. Default: 15, Packer's own pace.
    pub delay_seconds: Option<u64>,
    /// Number of attempts. Without it nothing changes.
    pub max_attempts: Option<u64>,
}

impl Polling {
    /// The limit that this sets, if it sets one. (Packer takes 2 s where `delay_seconds` is missing, so that its waits end after minutes.)
    pub fn limit(&self) -> Option<Duration> {
        let attempts = self.max_attempts.filter(|n| *n > 0)?;
        let delay = self.delay_seconds.filter(|n| *n > 0).unwrap_or(15);
        Some(Duration::from_secs(attempts.saturating_mul(delay)))
    }
}

/// Protection from being deregistered.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Protection {
    /// Whether the protection is on. Default: `false`.
    pub enabled: bool,
    /// Whether the protection lasts a day longer once it is taken off; switches it on, too. Default: `false`.
    pub with_cooldown: bool,
}

/// Finds a VPC or security groups.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NetworkFilter {
    /// Filters by their names in the EC2 API, `tag:Name` for one; several values of one are separated by commas.
    pub filters: BTreeMap<String, String>,
    /// The same filters, as blocks.
    pub filter: Vec<Filter>,
}

/// Finds a subnet.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SubnetFilter {
    /// Filters by their names in the EC2 API, `tag:Name` for one; several values of one are separated by commas.
    pub filters: BTreeMap<String, String>,
    /// The same filters, as blocks.
    pub filter: Vec<Filter>,
    /// Takes the subnet with most free addresses when several match. Default: `false`.
    pub most_free: bool,
    /// Takes any one when several match; otherwise several are an error. Default: `false`.
    pub random: bool,
}

/// A policy of IAM. Its keys are written as IAM has them.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "PascalCase")]
pub struct PolicyDocument {
    /// Version of the policy language. Default: `2012-10-17`.
    pub version: String,
    /// What is allowed or denied.
    pub statement: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "PascalCase")]
pub struct Statement {
    /// `Allow` or `Deny`.
    pub effect: String,
    /// Actions, `s3:GetObject` for one.
    pub action: Vec<String>,
    /// ARNs of what they are allowed or denied on; `*` for all.
    pub resource: Vec<String>,
}

/// Placement of the instance.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Placement {
    /// On whose hardware the instance runs: `default` (shared), `dedicated` or `host`. Default: `default`.
    pub tenancy: Option<String>,
    /// Id of the dedicated host that the instance runs on.
    pub host_id: Option<String>,
    /// ARN of a group of dedicated hosts, one of which the instance runs on. Not together with `host_id`.
    pub host_resource_group_arn: Option<String>,
}

/// A licence configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LicenseSpecification {
    /// The configuration.
    pub license_configuration_request: LicenseConfiguration,
}

/// What names a licence configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LicenseConfiguration {
    /// Its ARN.
    pub license_configuration_arn: String,
}

/// Metadata options of the instance.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MetadataOptions {
    /// Whether the metadata service answers: `enabled` or `disabled`. Default: `enabled`.
    pub http_endpoint: Option<String>,
    /// Whether it demands session tokens: `optional` or `required`. Default: `optional`.
    pub http_tokens: Option<String>,
    /// How many hops its answers may travel: 1 to 64. More than one is for containers. Default: 1.
    pub http_put_response_hop_limit: Option<i32>,
    /// Whether it tells the instance's tags: `enabled` or `disabled`. Default: `disabled`.
    pub instance_metadata_tags: Option<String>,
}

impl Options {
    /// The existing security groups that the template names by id.
    pub fn group_ids(&self) -> Vec<String> {
        self.security_group_id.iter().chain(&self.security_group_ids).filter(|id| !id.is_empty()).cloned().collect()
    }
}
