//! Where things lie in Kiln's directory of running instances: one directory a Kiln process, in it one directory an instance.

use std::path::{Path, PathBuf};

/// The directory of one instance. Only root can look inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceDir(PathBuf);

impl InstanceDir {
    /// Names it; makes nothing.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The writable disk: `upper` and `work` must be in one mount, so they share a parent.
    pub fn disk(&self) -> PathBuf {
        self.0.join("disk")
    }

    /// What the instance wrote.
    pub fn upper(&self) -> PathBuf {
        self.0.join("disk/upper")
    }

    /// The layer with the files that make this instance itself (host name, resolver, …); it lies below `upper` and is never part of an image.
    pub fn identity(&self) -> PathBuf {
        self.0.join("identity")
    }

    /// Read-only files for the agent: `agent.json`, `user-data`, `boot_id`.
    pub fn guest(&self) -> PathBuf {
        self.0.join("guest")
    }

    /// The one directory that the host and the instance both see, for the agent's socket.
    pub fn shared(&self) -> PathBuf {
        self.0.join("host")
    }

    /// The OCI bundle: `config.json`.
    pub fn bundle(&self) -> PathBuf {
        self.0.join("bundle")
    }

    /// libcontainer's own state.
    pub fn containers(&self) -> PathBuf {
        self.0.join("state")
    }

    /// The end of what the instance wrote to its console.
    pub fn console(&self) -> PathBuf {
        self.0.join("console.log")
    }

    /// The boot process's instructions.
    pub fn boot_spec(&self) -> PathBuf {
        self.0.join("boot.json")
    }

    /// Which boot process runs it, for the sweep.
    pub fn supervisor(&self) -> PathBuf {
        self.0.join("supervisor.json")
    }

    /// What slirp4netns had to say.
    pub fn slirp_log(&self) -> PathBuf {
        self.0.join("slirp.log")
    }

    /// What the boot process had to say besides its reports (a panic, for one).
    pub fn boot_log(&self) -> PathBuf {
        self.0.join("boot.log")
    }
}
