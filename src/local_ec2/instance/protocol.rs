//! What Kiln and the small process that boots an instance say to each other: one JSON value a line, commands down its stdin, reports up its stdout.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::mask::HostMask;

/// Everything the boot process needs; written to a file whose path is its only argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootSpec {
    /// `i-…`.
    pub instance_id: String,
    /// The host name inside, without a domain.
    pub hostname: String,
    /// The instance's own directory (see [`super::layout`]).
    pub directory: PathBuf,
    /// The read-only directories of its root, topmost first, the base last.
    pub lower: Vec<PathBuf>,
    /// What is hidden of the base, when that is a host's root.
    pub mask: Option<HostMask>,
    /// Kiln's program for the instance: see [`super::runtime`].
    pub runtime: PathBuf,
    /// The first host id of the range that the instance's ids are mapped to.
    pub id_base: u32,
    /// How it reaches the world.
    pub network: NetworkMode,
}

/// How an instance reaches the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum NetworkMode {
    /// A network namespace of its own, joined to the world by slirp4netns.
    Own {
        /// The address of its interface, `02:…`.
        mac: String,
        /// The slirp4netns program.
        slirp: PathBuf,
    },
    /// The host's own network: slirp4netns is not installed.
    Host,
}

/// What Kiln asks of the boot process. End of file means that Kiln is gone, and the instance goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Its network is prepared: let its first process run.
    Start,
    /// Shut it down in order.
    Stop,
    /// Restart it in order.
    Reboot,
    /// End it now.
    Kill,
}

/// What the boot process reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Report {
    /// The namespaces exist, and its first process waits for [`Command::Start`].
    Created {
        /// The first process, as the host numbers it.
        pid: u32,
        /// Counts the boots from 1.
        boot: u32,
        /// False when the file system can't map ids: root inside then owns what root owns on the host.
        ids_mapped: bool,
    },
    /// The way to the world is open.
    Connected,
    /// The instance ended.
    Exited {
        /// In which way.
        how: Ending,
        /// For people.
        detail: String,
    },
    /// It could not be made to run; the boot process ends.
    Failed {
        /// The whole chain of causes.
        reason: String,
    },
}

/// How an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It was shut down, from inside or on demand.
    PowerOff,
    /// It was restarted: another [`Report::Created`] follows.
    Reboot,
    /// Its first process was killed or failed.
    Died,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_stable() {
        assert_eq!(serde_json::to_string(&Command::Start).unwrap(), r#""start""#);
        let exited = Report::Exited { how: Ending::PowerOff, detail: String::new() };
        assert_eq!(serde_json::to_string(&exited).unwrap(), r#"{"event":"exited","how":"power_off","detail":""}"#);
    }
}
