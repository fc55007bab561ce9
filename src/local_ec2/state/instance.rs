//! Instances as they are kept, and the orders that wait for the process that runs them.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::local_ec2::machine::Link;

use super::{Change, Content, Moment, Process, Reason, Tags};

/// EC2's instance states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceState {
    /// Asked for, not up yet.
    Pending,
    /// Up.
    Running,
    /// Being terminated.
    ShuttingDown,
    /// Gone; listed for an hour.
    Terminated,
    /// Being stopped.
    Stopping,
    /// Down, with its disks.
    Stopped,
}

impl InstanceState {
    /// The low byte of the state code.
    pub fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// True when it is gone or about to be.
    pub fn is_ending(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

/// What a power-off inside the guest means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnShutdown {
    /// The instance stops.
    Stop,
    /// The instance is terminated.
    Terminate,
}

impl OnShutdown {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Terminate => "terminate",
        }
    }
}

/// `MetadataOptions` of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    /// `HttpTokens=required`.
    pub tokens_required: bool,
    /// `HttpEndpoint=enabled`.
    pub enabled: bool,
    /// `HttpPutResponseHopLimit`.
    pub hop_limit: u8,
    /// `InstanceMetadataTags=enabled`.
    pub tags: bool,
}

/// The one network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// `eni-…`.
    pub id: String,
    /// `eni-attach-…`.
    pub attachment_id: String,
    /// What its maker wrote.
    pub description: String,
    /// Whether the instance has a public address.
    pub public: bool,
    /// Whether the launch named its private address.
    #[serde(default)]
    pub private_ip_named: bool,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
    /// MAC address.
    pub mac: String,
    /// User tags.
    pub tags: Tags,
}

/// Attributes that clients set and read and that change nothing else here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// `EbsOptimized`.
    pub ebs_optimized: bool,
    /// `EnaSupport`.
    pub ena_support: bool,
    /// `SriovNetSupport=simple`.
    pub sriov_simple: bool,
    /// `SourceDestCheck`.
    pub source_dest_check: bool,
    /// `DisableApiTermination`: TerminateInstances is refused.
    pub no_termination: bool,
    /// `DisableApiStop`: StopInstances is refused.
    pub no_stop: bool,
    /// `Monitoring.Enabled`.
    pub monitoring: bool,
    /// `EnclaveOptions.Enabled`.
    pub enclave: bool,
    /// `Placement.Tenancy`.
    pub tenancy: String,
    /// `Placement.GroupName`.
    pub placement_group: String,
    /// `CreditSpecification.CpuCredits`.
    pub cpu_credits: String,
    /// `CapacityReservationSpecification.CapacityReservationPreference`.
    pub capacity_reservation: String,
    /// `LicenseSpecification.N.LicenseConfigurationArn`.
    pub licenses: Vec<String>,
    /// `CpuOptions`: cores and threads per core, where they were named.
    #[serde(default)]
    pub cpu: (Option<i64>, Option<i64>),
    /// `CpuOptions.AmdSevSnp`.
    #[serde(default)]
    pub sev_snp: String,
    /// `HibernationOptions.Configured`: StopInstances may ask for hibernation.
    #[serde(default)]
    pub hibernation: bool,
    /// `MaintenanceOptions.AutoRecovery`.
    #[serde(default)]
    pub auto_recovery: String,
    /// `PrivateDnsNameOptions.HostnameType`.
    #[serde(default)]
    pub hostname_type: String,
    /// `PrivateDnsNameOptions.EnableResourceNameDns{A,AAAA}Record`.
    #[serde(default)]
    pub resource_names: (bool, bool),
    /// `KernelId` and `RamdiskId`: nothing here boots with them.
    #[serde(default)]
    pub kernel: (String, String),
}

/// What the instance took over from its image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The image.
    pub image_id: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// `/dev/xvda` and the like.
    pub root_device: String,
    /// `uefi`, `legacy-bios`, `uefi-preferred`, or empty.
    pub boot_mode: String,
    /// `v2.0` or empty.
    pub tpm: String,
    /// `Linux/UNIX` and the like.
    pub platform_details: String,
    /// `RunInstances` and the like.
    pub usage_operation: String,
    /// What its root disk was at launch.
    pub content: Content,
}

/// An end that was fixed at launch: at that moment the instance is terminated, whatever it is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doom {
    /// When.
    pub at: Moment,
    /// The reason that it ends with.
    pub reason: Reason,
}

/// Something that the process that runs the instance has to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Boot it for the first time.
    Launch,
    /// Shut it down, keep the disk.
    Stop,
    /// Boot it again.
    Start,
    /// Restart it.
    Reboot,
    /// End it.
    Terminate,
    /// Freeze its disk into these snapshots (or a volume that outlives it); `restart` shuts it down before and boots it after.
    Capture { into: Vec<String>, restart: bool },
}

/// A numbered [`Work`]: what was asked first is done first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Grows within one instance.
    pub number: u64,
    /// What to do.
    pub work: Work,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// `i-…`.
    pub id: String,
    /// `r-…`.
    pub reservation_id: String,
    /// Its place in the launch (`amiLaunchIndex`).
    pub launch_index: u32,
    /// The process that runs it.
    pub runner: Process,
    /// What it took over from its image.
    pub origin: Origin,
    /// `t3.micro`.
    pub instance_type: String,
    /// The launch key: name and public line (the pair may be deleted while the instance lives).
    pub key: Option<(String, String)>,
    /// Zone name.
    pub zone: String,
    /// The subnet.
    pub subnet_id: String,
    /// The subnet's VPC.
    pub vpc_id: String,
    /// Security groups.
    pub groups: Vec<String>,
    /// The address on this host.
    pub address: Ipv4Addr,
    /// The address in the subnet.
    pub private_ip: Ipv4Addr,
    /// The network interface.
    pub interface: Interface,
    /// When it was launched (started, for a restarted one).
    pub launched: Moment,
    /// When it was made.
    pub created: Moment,
    /// The state, as of the last settling.
    pub state: InstanceState,
    /// When it entered that state.
    pub since: Moment,
    /// The change under way.
    pub change: Option<Change<InstanceState>>,
    /// `stateReason`.
    pub reason: Option<Reason>,
    /// `reason`, the state transition reason.
    pub transition_reason: String,
    /// When the status checks turn `ok`.
    pub checks_ok_at: Moment,
    /// User data, decoded and base64-encoded again.
    pub user_data: Option<String>,
    /// The token it was asked for with.
    pub client_token: String,
    /// What a power-off inside means.
    pub on_shutdown: OnShutdown,
    /// `MetadataOptions`.
    pub metadata: MetadataOptions,
    /// ARN of the instance profile.
    pub profile_arn: Option<String>,
    /// `AIPA…`.
    #[serde(default)]
    pub profile_id: Option<String>,
    /// Plain attributes.
    pub attributes: Attributes,
    /// The spot request that it fulfils, for a spot instance.
    #[serde(default)]
    pub spot_request: Option<String>,
    /// An end that is fixed from the start (an injected fault).
    #[serde(default)]
    pub doom: Option<Doom>,
    /// What is wrong with the way to its SSH server (an injected fault).
    #[serde(default)]
    pub link: Link,
    /// Its runner has ended while it was stopped: it has no machine any more, and its disk is the content of its root volume.
    #[serde(default)]
    pub parked: bool,
    /// User tags.
    pub tags: Tags,
    /// What its runner still has to do, in order.
    pub orders: Vec<Order>,
    /// Number of the last order.
    pub last_order: u64,
}

impl Instance {
    /// Appends an order.
    pub fn order(&mut self, work: Work) {
        self.last_order += 1;
        self.orders.push(Order { number: self.last_order, work });
    }

    /// Begins a change of state. With an order, it also waits for the runner to have done it.
    pub fn begin(&mut self, through: InstanceState, change: Change<InstanceState>, now: Moment) {
        self.state = through;
        self.since = now;
        self.change = Some(change);
    }

    /// True when it holds an address and uses its groups.
    pub fn is_live(&self) -> bool {
        self.state != InstanceState::Terminated
    }
}
