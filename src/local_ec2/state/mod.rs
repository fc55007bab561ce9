//! What EC2 holds, as data: one document per region and account, and how time moves it on.
//!
//! Nothing here runs by itself. A resource on its way to another state carries a [`Change`] with the moment it is due; [`Region::settle`] applies
//! what is due whenever somebody looks. So every process that looks sees the same, whoever made the resource.

mod disk;
mod fleet;
mod geography;
mod iam;
pub mod id;
mod instance;
mod launch_template;
mod moment;
mod network;
mod parking;
mod process;
mod settings;
mod settle;
mod spot;
mod store;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use disk::{
    Attachment, DiskType, Ebs, Image, ImageState, Mapping, Permission, Protection, Snapshot, SnapshotState, Volume,
    VolumeState,
};
pub use fleet::{Fleet, FleetError, FleetState, Launch, Pool};
pub use geography::{REGIONS, RegionInfo, Zone, partition_of};
pub use iam::{InstanceProfile, Role};
pub use instance::{
    Attributes, Doom, Instance, InstanceState, Interface, MetadataOptions, OnShutdown, Order, Origin, Work,
};
pub use launch_template::{LaunchTemplate, TemplateVersion};
pub use moment::Moment;
pub use network::{Group, Peer, Rule, Subnet, Vpc};
pub use process::Process;
pub use settings::Settings;
pub use spot::{SpotRequest, SpotState, status_of_end};
pub use store::Store;

use super::machine::LayerSet;

/// User tags.
pub type Tags = BTreeMap<String, String>;

/// Whose things and where: every object lives in one account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// `eu-west-1`; `global` for what belongs to the account alone.
    pub region: String,
    /// Twelve digits.
    pub account: String,
}

impl Scope {
    /// The scope of an account's region-less things (sessions of assumed roles).
    pub fn global(account: &str) -> Self {
        Self { region: "global".into(), account: account.to_owned() }
    }
}

/// A change of state that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change<S> {
    /// The state it leads to.
    pub to: S,
    /// Not before this moment.
    pub at: Moment,
    /// Also not before real work is done, which clears this.
    pub waits: bool,
    /// The reason that goes with the new state.
    pub reason: Option<Reason>,
}

impl<S> Change<S> {
    /// Only time has to pass.
    pub fn timed(to: S, at: Moment) -> Self {
        Self { to, at, waits: false, reason: None }
    }

    /// Time has to pass and work has to be done.
    pub fn working(to: S, at: Moment) -> Self {
        Self { to, at, waits: true, reason: None }
    }

    /// With a reason for the new state.
    pub fn because(self, code: &str, message: &str) -> Self {
        Self { reason: Some(Reason::new(code, message)), ..self }
    }

    fn is_due(&self, now: Moment) -> bool {
        !self.waits && self.at <= now
    }
}

/// `stateReason`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `Client.UserInitiatedShutdown`.
    pub code: String,
    /// For people.
    pub message: String,
}

impl Reason {
    /// From its two texts.
    pub fn new(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_owned() }
    }
}

/// What is on a disk, and who logs in to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The layers.
    pub layers: LayerSet,
    /// The user whom the image's init lets the launch key in as; empty for a disk that cannot boot.
    pub login_user: String,
}

/// An imported or created key pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// `key-…`.
    pub id: String,
    /// Unique per region.
    pub name: String,
    /// `rsa` or `ed25519`.
    pub kind: String,
    /// As EC2 prints it.
    pub fingerprint: String,
    /// `<type> <base64>`, without a comment.
    pub public_line: String,
    /// When it was made.
    pub created: Moment,
    /// User tags.
    pub tags: Tags,
}

/// What a client token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Of all parameters but the token, `DryRun`, region and zone.
    pub digest: String,
    /// What the first request made.
    pub ids: Vec<String>,
    /// When.
    pub used: Moment,
}

/// A stored SSM parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// `String`, `StringList` or `SecureString`.
    pub kind: String,
    /// `text` or `aws:ec2:image`.
    pub data_type: String,
    /// All values, version 1 first, each with its time.
    pub versions: Vec<(String, Moment)>,
}

/// A stored secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSecret {
    /// Its ARN, with six random characters at the end.
    pub arn: String,
    /// When it was made.
    pub created: Moment,
    /// All versions, oldest first.
    pub versions: Vec<SecretVersion>,
    /// Set while it is scheduled for deletion.
    pub deleted: Option<Moment>,
}

/// One version of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretVersion {
    /// UUID.
    pub id: String,
    /// The text, or base64 of the bytes.
    pub value: String,
    /// Whether `value` is base64 of bytes.
    pub is_binary: bool,
    /// `AWSCURRENT` and the like.
    pub stages: Vec<String>,
    /// When it was put.
    pub created: Moment,
}

/// Temporary credentials of an assumed role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// ARN of the assumed role, with the session's name.
    pub arn: String,
    /// `AROA…:session`.
    pub user_id: String,
    /// The account of the role.
    pub account: String,
    /// The secret key, for strict mode.
    pub secret: String,
    /// When they end.
    pub expires: Moment,
}

/// Everything of one account in one region. `generation` is the first field because the store reads it without reading the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Grows with every write.
    pub generation: u64,
    /// Whose and where.
    pub scope: Scope,
    /// By id.
    pub vpcs: BTreeMap<String, Vpc>,
    /// By id.
    pub subnets: BTreeMap<String, Subnet>,
    /// By id.
    pub groups: BTreeMap<String, Group>,
    /// By name.
    pub key_pairs: BTreeMap<String, KeyPair>,
    /// By id.
    pub instances: BTreeMap<String, Instance>,
    /// By id.
    pub volumes: BTreeMap<String, Volume>,
    /// By id.
    pub snapshots: BTreeMap<String, Snapshot>,
    /// By id.
    pub images: BTreeMap<String, Image>,
    /// By action, zone (or nothing) and token, joined by `/`.
    pub tokens: BTreeMap<String, Token>,
    /// By name.
    pub parameters: BTreeMap<String, Parameter>,
    /// By name.
    pub secrets: BTreeMap<String, StoredSecret>,
    /// By access key id; only in an account's global document.
    pub sessions: BTreeMap<String, Session>,
    /// By id.
    #[serde(default)]
    pub spot_requests: BTreeMap<String, SpotRequest>,
    /// By id.
    #[serde(default)]
    pub launch_templates: BTreeMap<String, LaunchTemplate>,
    /// By id.
    #[serde(default)]
    pub fleets: BTreeMap<String, Fleet>,
    /// What the account set for itself.
    #[serde(default)]
    pub settings: Settings,
    /// By name; only in an account's global document.
    #[serde(default)]
    pub roles: BTreeMap<String, Role>,
    /// By name; only in an account's global document.
    #[serde(default)]
    pub profiles: BTreeMap<String, InstanceProfile>,
}

impl Region {
    /// A region in which nobody has done anything yet: a default VPC with a subnet per zone and a default group.
    pub fn new(scope: Scope) -> Self {
        let mut region = Self {
            generation: 0,
            vpcs: BTreeMap::new(),
            subnets: BTreeMap::new(),
            groups: BTreeMap::new(),
            key_pairs: BTreeMap::new(),
            instances: BTreeMap::new(),
            volumes: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            images: BTreeMap::new(),
            tokens: BTreeMap::new(),
            parameters: BTreeMap::new(),
            secrets: BTreeMap::new(),
            sessions: BTreeMap::new(),
            spot_requests: BTreeMap::new(),
            launch_templates: BTreeMap::new(),
            fleets: BTreeMap::new(),
            settings: Settings::default(),
            roles: BTreeMap::new(),
            profiles: BTreeMap::new(),
            scope,
        };
        if let Some(info) = RegionInfo::find(&region.scope.region) {
            region.seed(&info.zones());
        }
        region
    }

    /// Ids are derived from account and region, so that they are the same before the document is first written.
    fn seed(&mut self, zones: &[Zone]) {
        let stable = |prefix: &str, what: &str| id::stable(prefix, &format!("{:?} {what}", self.scope));
        let vpc_id = stable("vpc", "default");
        for (number, zone) in (0u8..).zip(zones) {
            let subnet = Subnet {
                id: stable("subnet", &zone.name),
                vpc_id: vpc_id.clone(),
                zone: zone.name.clone(),
                zone_id: zone.id.clone(),
                base: std::net::Ipv4Addr::new(172, 31, number * 16, 0),
                prefix: 20,
                default_for_az: true,
                public_ip_on_launch: true,
                tags: Tags::new(),
            };
            self.subnets.insert(subnet.id.clone(), subnet);
        }
        let group_id = stable("sg", "default");
        let rule = |what: &str, peer| Rule {
            id: stable("sgr", what),
            protocol: "-1".into(),
            ports: None,
            peer,
            description: String::new(),
            tags: Tags::new(),
        };
        let group = Group {
            id: group_id.clone(),
            name: "default".into(),
            description: "default VPC security group".into(),
            vpc_id: vpc_id.clone(),
            created: Moment(0),
            ingress: vec![rule("ingress", Peer::Group(group_id.clone()))],
            egress: vec![rule("egress", Peer::V4("0.0.0.0/0".into()))],
            tags: Tags::new(),
        };
        self.groups.insert(group_id, group);
        let vpc = Vpc { id: vpc_id.clone(), cidr: "172.31.0.0/16".into(), is_default: true, tags: Tags::new() };
        self.vpcs.insert(vpc_id, vpc);
    }

    /// The VPC that is taken when none is named.
    pub fn default_vpc(&self) -> Option<&Vpc> {
        self.vpcs.values().find(|vpc| vpc.is_default)
    }

    /// The volumes that hang on an instance, by device name.
    pub fn volumes_of<'a>(&'a self, instance_id: &str) -> Vec<(&'a Volume, &'a Attachment)> {
        let attached = |volume: &'a Volume| Some((volume, volume.attachment.as_ref()?));
        let mut found: Vec<_> =
            self.volumes.values().filter_map(attached).filter(|(_, hook)| hook.instance_id == instance_id).collect();
        found.sort_by(|a, b| a.1.device.cmp(&b.1.device));
        found
    }

    /// Orders the end of an instance's machine; a root volume that is to outlive it gets what is on the machine's disk before that.
    pub fn order_end(&mut self, id: &str) {
        let Some(root) = self.instances.get(id).map(|instance| instance.origin.root_device.clone()) else { return };
        let kept = |hook: &Attachment| hook.device == root && !hook.delete_on_termination;
        let kept = self.volumes_of(id).into_iter().find(|(_, hook)| kept(hook)).map(|(volume, _)| volume.id.clone());
        let Some(instance) = self.instances.get_mut(id) else { return };
        if let Some(volume_id) = kept {
            instance.order(Work::Capture { into: vec![volume_id], restart: false });
        }
        instance.order(Work::Terminate);
    }

    /// Addresses taken in a subnet.
    pub fn addresses_in_use(&self, subnet_id: &str) -> u32 {
        let live = self.instances.values().filter(|i| i.is_live() && i.subnet_id == subnet_id).count();
        u32::try_from(live).unwrap_or(u32::MAX)
    }

    /// What an image of this account boots: its root snapshot's content, or its own for a publisher's image.
    pub fn content_of(&self, image: &Image) -> Content {
        let root = image.root_mapping().and_then(|ebs| self.snapshots.get(ebs.snapshot_id.as_deref()?));
        root.map_or_else(|| image.content.clone(), |snapshot| snapshot.content.clone())
    }

    /// The image that holds a snapshot, whatever the image's state.
    pub fn image_using(&self, snapshot_id: &str) -> Option<&Image> {
        self.images.values().find(|image| image.snapshot_ids().any(|id| id == snapshot_id))
    }
}
