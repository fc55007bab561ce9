//! The contract between the API half and whatever runs the instances: what a machine is started with, what can be asked of it, what it reports.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

/// A disk as a stack of immutable layers over a base. It is what an image or a snapshot *is*; an empty set is an empty disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerSet {
    /// The base under the layers: a name the store knows, or a wish such as `wish:ubuntu:22.04` that the store resolves to its best match.
    pub base: String,
    /// Digests (`sha256:<hex>`) of the layers, lowest first.
    pub layers: Vec<String>,
    /// What the layers weigh in the store, in bytes; the base is not counted.
    pub size_bytes: u64,
}

impl LayerSet {
    /// True for a disk without content, which nothing can boot from.
    pub fn is_empty(&self) -> bool {
        self.base.is_empty() && self.layers.is_empty()
    }
}

/// An OpenSSH key that may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchKey {
    /// The key pair's name, as EC2 knows it.
    pub name: String,
    /// One line `<type> <base64> <name>`, without a newline.
    pub public_line: String,
}

/// One thing the security groups let in. Information only: enforcing it is the instance half's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressRule {
    /// `tcp`, `udp`, `icmp`, or `-1` for everything.
    pub protocol: String,
    /// First and last port; `None` for every port (and for protocols without ports).
    pub ports: Option<(u16, u16)>,
    /// Who may: an IPv4 or IPv6 block in canonical form.
    pub cidr: String,
}

/// What the metadata service of one instance serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `HttpTokens=required`: a GET without a token is answered with 401.
    pub tokens_required: bool,
    /// `HttpEndpoint=enabled`. When false the service must not answer at all.
    pub enabled: bool,
    /// `HttpPutResponseHopLimit`, 1 to 64: the IP TTL of the token response.
    pub hop_limit: u8,
    /// Leaf path below `/latest/` without a leading slash (`meta-data/instance-id`) to its text. A directory listing is the set of next segments, a `/` after
    /// those that have children of their own. A path that ends in a slash (`meta-data/public-keys/`) is the text of that directory's listing where it
    /// differs from that (`0=my-key`). `user-data` is not here: it is [`LaunchSpec::user_data`]. Tags are present only when the instance asked for them.
    pub tree: BTreeMap<String, String>,
    /// What is there only from a moment on: the notice that a spot instance will be interrupted.
    pub later: Vec<Later>,
}

/// A leaf of the metadata that is not there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// Its path, as in [`Metadata::tree`].
    pub path: String,
    /// Its text.
    pub text: String,
    /// From when on.
    pub from: SystemTime,
}

/// What is wrong with the way to a machine's SSH server: injected faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// For so long after each boot nothing listens there, though the machine is up.
    pub opens_after: Duration,
    /// After each boot, the first connection that lives so long is reset.
    pub cut_after: Option<Duration>,
}

/// Everything a machine needs to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchSpec {
    /// `i-…`: the machine's name in every later call.
    pub instance_id: String,
    /// The root disk.
    pub image: LayerSet,
    /// The user whom the launch key lets in, with passwordless sudo (`ec2-user`, `ubuntu`, `admin`, …).
    pub login_user: String,
    /// The host name without a domain.
    pub hostname: String,
    /// The launch key, when the instance was launched with one.
    pub key: Option<LaunchKey>,
    /// User data, decoded.
    pub user_data: Option<Vec<u8>>,
    /// The address on the host, in 127.0.0.0/8, whose port 22 (and others) lead into the machine. No other live instance has it.
    pub address: Ipv4Addr,
    /// The address that the metadata calls `local-ipv4`.
    pub private_ip: Ipv4Addr,
    /// The MAC address that the metadata names, as `02:xx:xx:xx:xx:xx`.
    pub mac: String,
    /// What the metadata service serves.
    pub metadata: Metadata,
    /// What the security groups let in at launch.
    pub ingress: Vec<IngressRule>,
    /// What is wrong with the way to its SSH server.
    pub link: Link,
}

/// A machine that is up: its SSH server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launched {
    /// How long it took from the call.
    pub boot: Duration,
}

/// Why a machine could not do as asked.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum MachineError {
    /// There is no machine with this id.
    #[error("no machine `{0}`")]
    Unknown(String),
    /// The image's layers or base are not in the store.
    #[error("image of `{id}`: {reason}")]
    Image { id: String, reason: String },
    /// It did not come up.
    #[error("boot `{id}`: {reason}")]
    Boot { id: String, reason: String },
    /// Anything else, with the operation that failed.
    #[error("{operation} `{id}`: {reason}")]
    Failed { operation: &'static str, id: String, reason: String },
}

/// Something a machine did by itself. What was asked for by [`Machines::stop`], [`Machines::terminate`] and the like is never reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineEvent {
    /// The machine.
    pub id: String,
    /// What it did.
    pub kind: MachineEventKind,
}

/// The kinds of [`MachineEvent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineEventKind {
    /// `poweroff` or `halt` inside the guest; the machine is down, its disk is kept.
    PoweredOff,
    /// It ended in another way (its init was killed, the host ran out of memory); the reason is for people.
    Died(String),
}

/// Runs instances. Calls for one machine never overlap, except that `terminate` may come after another call's future was dropped midway:
/// every future is safe to drop, and `terminate` then cleans up whatever was half done. All calls are idempotent.
#[async_trait]
pub trait Machines: Send + Sync + 'static {
    /// Boots a new machine; returns when its SSH server answers.
    async fn launch(&self, spec: LaunchSpec) -> Result<Launched, MachineError>;

    /// Shuts the guest down in order and returns when it is down; the disk stays. The implementation bounds the time and then uses force.
    async fn stop(&self, id: &str) -> Result<(), MachineError>;

    /// Boots a stopped machine from its own disk; returns when its SSH server answers.
    async fn start(&self, id: &str) -> Result<(), MachineError>;

    /// Restarts the guest; returns when its SSH server answers again.
    async fn reboot(&self, id: &str) -> Result<(), MachineError>;

    /// Ends the machine and removes its disk. Succeeds for a machine that is not there.
    async fn terminate(&self, id: &str) -> Result<(), MachineError>;

    /// What the machine wrote to its console since launch: at most the last 64 KiB. Empty when there is nothing (or no such machine).
    fn console(&self, id: &str) -> Vec<u8>;

    /// Freezes what a stopped (or running) machine wrote as one more layer, and returns the whole stack, base and image's layers included.
    async fn snapshot(&self, id: &str) -> Result<LayerSet, MachineError>;

    /// Events from now on.
    fn watch(&self) -> broadcast::Receiver<MachineEvent>;
}

/// Machines that only change state: nothing boots, a snapshot adds no layer. For tests of clients, and of this API.
pub struct NoMachines {
    images: Mutex<BTreeMap<String, LayerSet>>,
    events: broadcast::Sender<MachineEvent>,
}

impl Default for NoMachines {
    fn default() -> Self {
        Self { images: Mutex::default(), events: broadcast::channel(64).0 }
    }
}

impl NoMachines {
    /// Lets a test play a guest that acts by itself.
    pub fn emit(&self, id: &str, kind: MachineEventKind) {
        // Nobody listening is no error: the API may not have started yet.
        let _ = self.events.send(MachineEvent { id: id.to_owned(), kind });
    }

    fn images(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, LayerSet>> {
        self.images.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[async_trait]
impl Machines for NoMachines {
    async fn launch(&self, spec: LaunchSpec) -> Result<Launched, MachineError> {
        self.images().insert(spec.instance_id, spec.image);
        Ok(Launched { boot: Duration::ZERO })
    }

    async fn stop(&self, _id: &str) -> Result<(), MachineError> {
        Ok(())
    }

    async fn start(&self, _id: &str) -> Result<(), MachineError> {
        Ok(())
    }

    async fn reboot(&self, _id: &str) -> Result<(), MachineError> {
        Ok(())
    }

    async fn terminate(&self, id: &str) -> Result<(), MachineError> {
        self.images().remove(id);
        Ok(())
    }

    fn console(&self, _id: &str) -> Vec<u8> {
        Vec::new()
    }

    async fn snapshot(&self, id: &str) -> Result<LayerSet, MachineError> {
        self.images().get(id).cloned().ok_or_else(|| MachineError::Unknown(id.to_owned()))
    }

    fn watch(&self) -> broadcast::Receiver<MachineEvent> {
        self.events.subscribe()
    }
}
