//! Where the agent finds and leaves things: every file it touches is named here, below a root that tests can move.

use std::path::{Path, PathBuf};

/// The file system as the agent sees it. In an instance the root is `/`; tests give a temporary directory.
#[derive(Clone, Debug)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// Paths below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `path`, an absolute path of the instance, as this process must open it.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether the root is the real one, so that the image's own tools (`useradd`, `apt-get`) act on the same files.
    pub fn is_system(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The directory of Kiln's own things in the instance: a tmpfs, so nothing in it is ever baked.
    pub fn kiln(&self) -> PathBuf {
        self.at("/run/kiln")
    }

    /// Commands that Kiln lends to an image that lacks them; the last entry of a session's `PATH`.
    pub fn lent_commands(&self) -> PathBuf {
        self.kiln().join("bin")
    }

    /// What the cloud-init stand-in is at: `running`, `done` or `error`.
    pub fn cloud_status(&self) -> PathBuf {
        self.kiln().join("cloud-init.status")
    }

    /// The directory cloud-init keeps for one instance.
    pub fn cloud_instance(&self, instance_id: &str) -> PathBuf {
        self.at("/var/lib/cloud/instances").join(instance_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_move_below_the_root() {
        let paths = Paths::new("/tmp/root");
        assert_eq!(paths.at("/etc/passwd"), Path::new("/tmp/root/etc/passwd"));
        assert_eq!(paths.at("etc/passwd"), Path::new("/tmp/root/etc/passwd"));
        assert!(!paths.is_system());
        assert_eq!(Paths::new("/").at("/etc/passwd"), Path::new("/etc/passwd"));
        assert!(Paths::new("/").is_system());
    }
}
