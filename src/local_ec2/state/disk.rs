//! Volumes, snapshots and images as they are kept.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Change, Content, Moment, Process, Reason, Tags};

/// A volume's own state; `in-use` follows from its attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeState {
    /// Not usable yet.
    Creating,
    /// Usable: `in-use` when attached, else `available`.
    Ready,
    /// On its way out.
    Deleting,
    /// It could not be made: its key cannot be used, or an injected fault.
    Error,
}

/// How a volume hangs on an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The instance.
    pub instance_id: String,
    /// `/dev/sdf`.
    pub device: String,
    /// When.
    pub since: Moment,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
    /// When it is `attached`.
    #[serde(default)]
    pub attached_at: Moment,
    /// When it is gone, once it is being detached.
    #[serde(default)]
    pub detached_at: Option<Moment>,
}

impl Attachment {
    /// The name on the wire of the state it is in.
    pub fn status(&self, now: Moment) -> &'static str {
        match self.detached_at {
            Some(_) => "detaching",
            None if self.attached_at > now => "attaching",
            None => "attached",
        }
    }
}

/// Size, speed and encryption: what volumes and mappings have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskType {
    /// GiB.
    pub size: i64,
    /// `gp2`, `gp3`, `io1`, …
    pub kind: String,
    /// Provisioned IOPS, where the type has them.
    pub iops: Option<i64>,
    /// MiB/s, gp3 only.
    pub throughput: Option<i64>,
    /// Encrypted at rest (in name: nothing here is encrypted).
    pub encrypted: bool,
    /// The key's ARN or alias, when one was named.
    pub kms_key: Option<String>,
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// `vol-…`.
    pub id: String,
    /// Zone name.
    pub zone: String,
    /// Size, speed, encryption.
    pub disk: DiskType,
    /// The snapshot it was made from.
    pub snapshot_id: Option<String>,
    /// What was on it when it was made.
    pub content: Content,
    /// The state, as of the last settling.
    pub state: VolumeState,
    /// The change under way.
    pub change: Option<Change<VolumeState>>,
    /// When it was made.
    pub created: Moment,
    /// Where it hangs.
    pub attachment: Option<Attachment>,
    /// User tags.
    pub tags: Tags,
}

impl Volume {
    /// The state's name on the wire.
    pub fn state_name(&self) -> &'static str {
        match (self.state, &self.attachment) {
            (VolumeState::Creating, _) => "creating",
            (VolumeState::Deleting, _) => "deleting",
            (VolumeState::Error, _) => "error",
            (VolumeState::Ready, Some(_)) => "in-use",
            (VolumeState::Ready, None) => "available",
        }
    }
}

/// EC2's snapshot states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotState {
    /// Being written.
    Pending,
    /// Usable.
    Completed,
    /// Never usable.
    Error,
}

impl SnapshotState {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Error => "error",
        }
    }
}

/// One snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// `snap-…`.
    pub id: String,
    /// The volume; a dummy for copies.
    pub volume_id: String,
    /// Size, encryption (the type says nothing here).
    pub disk: DiskType,
    /// What is on it; empty until captured.
    pub content: Content,
    /// The state, as of the last settling.
    pub state: SnapshotState,
    /// The change under way.
    pub change: Option<Change<SnapshotState>>,
    /// The process that is writing its content, until it is written.
    pub writer: Option<Process>,
    /// Why it is in error.
    pub message: String,
    /// Point in time.
    pub started: Moment,
    /// When it was complete.
    pub completed: Option<Moment>,
    /// What its maker wrote.
    pub description: String,
    /// Accounts that may make volumes from it; `all` is everybody.
    pub shared_with: BTreeSet<String>,
    /// Deleted while pending: goes when it is complete, and is there until then.
    pub doomed: bool,
    /// User tags.
    pub tags: Tags,
}

impl Snapshot {
    /// True when this account, not its owner, may make volumes from it.
    pub fn is_shared_with(&self, account: &str) -> bool {
        self.shared_with.contains(account) || self.shared_with.contains("all")
    }

    /// `13%`: jumpy and monotone while pending.
    pub fn progress(&self, now: Moment) -> String {
        let Some(change) = self.change.as_ref().filter(|_| self.state == SnapshotState::Pending) else {
            return if self.state == SnapshotState::Completed { "100%".into() } else { String::new() };
        };
        let whole = self.started.until(change.at).as_millis().max(1);
        let part = self.started.until(now).as_millis() * 100 / whole;
        // Real progress moves in a few steps; an empty text at first.
        match part.min(99) / 16 * 16 {
            0 => String::new(),
            step => format!("{step}%"),
        }
    }
}

/// EC2's image states, as far as they are reached here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageState {
    /// Its snapshots are not complete.
    Pending,
    /// Launchable.
    Available,
    /// Never launchable.
    Failed,
    /// Switched off by DisableImage.
    Disabled,
}

impl ImageState {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
        }
    }
}

/// One block device mapping of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// `/dev/xvda`.
    pub device: String,
    /// `ephemeral0`, for an instance store volume.
    pub virtual_name: Option<String>,
    /// The EBS volume it makes.
    pub ebs: Option<Ebs>,
}

/// The EBS part of a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ebs {
    /// What the volume is made from; none for an empty one.
    pub snapshot_id: Option<String>,
    /// Size, speed, encryption.
    pub disk: DiskType,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
}

/// Who may launch an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Permission {
    /// An account.
    User(String),
    /// `all`.
    Group(String),
    /// ARN of an organization.
    Organization(String),
    /// ARN of an organizational unit.
    Unit(String),
}

/// Protection against DeregisterImage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protection {
    /// None.
    #[default]
    Off,
    /// Until it is switched off.
    On,
    /// Until a day after it is switched off.
    OnWithCooldown,
    /// Switched off with a cooldown: protected until then.
    CoolingUntil(Moment),
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `ami-…`.
    pub id: String,
    /// Unique per account and region.
    pub name: String,
    /// What its maker wrote.
    pub description: String,
    /// Account id of the owner.
    pub owner: String,
    /// `amazon` for the publishers that have an alias.
    pub owner_alias: Option<String>,
    /// The state, as of the last settling.
    pub state: ImageState,
    /// The change under way; to `Available` it also waits for the snapshots.
    pub change: Option<Change<ImageState>>,
    /// Why it failed.
    pub reason: Option<Reason>,
    /// `creationDate`.
    pub created: Moment,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// `/dev/xvda`.
    pub root_device: String,
    /// Devices.
    pub mappings: Vec<Mapping>,
    /// `hvm` or `paravirtual`.
    pub virtualization: String,
    /// `enaSupport`.
    pub ena_support: bool,
    /// `sriovNetSupport=simple`.
    pub sriov_simple: bool,
    /// `uefi`, `legacy-bios`, `uefi-preferred`, or empty.
    pub boot_mode: String,
    /// `v2.0` or empty.
    pub tpm: String,
    /// `v2.0` or empty.
    pub imds: String,
    /// `UefiData`, base64.
    pub uefi_data: String,
    /// `Linux/UNIX` and the like.
    pub platform_details: String,
    /// `RunInstances` and the like.
    pub usage_operation: String,
    /// Who else may launch it.
    pub permissions: BTreeSet<Permission>,
    /// `deprecationTime`.
    pub deprecate_at: Option<Moment>,
    /// Protection against DeregisterImage.
    pub protection: Protection,
    /// The last launch.
    pub last_launched: Option<Moment>,
    /// The instance it was made from.
    pub source_instance: Option<String>,
    /// The image it was copied from: id and region.
    pub source_image: Option<(String, String)>,
    /// What boots, for an image whose snapshots are not in the state (the publishers'); else empty.
    pub content: Content,
    /// User tags.
    pub tags: Tags,
}

impl Image {
    /// True when everybody may launch it.
    pub fn is_public(&self) -> bool {
        self.permissions.contains(&Permission::Group("all".into()))
    }

    /// True when this account may launch it.
    pub fn is_visible_to(&self, account: &str) -> bool {
        self.owner == account || self.is_public() || self.permissions.contains(&Permission::User(account.to_owned()))
    }

    /// The snapshots it is made of.
    pub fn snapshot_ids(&self) -> impl Iterator<Item = &str> {
        self.mappings.iter().filter_map(|mapping| mapping.ebs.as_ref()?.snapshot_id.as_deref())
    }

    /// The mapping of the root device.
    pub fn root_mapping(&self) -> Option<&Ebs> {
        self.mappings.iter().find(|mapping| mapping.device == self.root_device)?.ebs.as_ref()
    }
}
