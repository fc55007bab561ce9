//! Puts an instance's root together, in a mount namespace that only the boot process and the instance are in: nothing is ever mounted in the host's,
//! and all of it goes when they end, however they end.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::error::{At, BootError};
use super::idmap;
use super::layout::InstanceDir;
use super::mask::HostMask;
use super::protocol::BootSpec;

/// Directories that every system has and that anybody may enter: the instance's root user, who is nobody on the host, must get to its root through one.
const PLACES: [&str; 5] = ["/mnt", "/media", "/srv", "/opt", "/tmp"];

/// The assembled root and the files that are bound into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The overlay.
    pub rootfs: PathBuf,
    /// Kiln's program: `kiln`, `sudo`, `lib/`.
    pub runtime: PathBuf,
    /// `agent.json`, `user-data`, `boot_id`.
    pub guest: PathBuf,
    /// The directory with the agent's socket.
    pub shared: PathBuf,
    /// The host id of the instance's root: 0 where ids can't be mapped.
    pub root_id: u32,
}

impl Stage {
    /// Leaves the host's mount namespace and builds.
    ///
    /// # Errors
    /// [`BootError::Refused`] when namespaces or overlays are refused here.
    pub fn build(spec: &BootSpec) -> Result<Self, BootError> {
        unshare(CloneFlags::CLONE_NEWNS)
            .map_err(|e| BootError::Refused { what: "a mount namespace", source: e.into() })?;
        // Private, not slave: an unmount on the host must not reach a running instance.
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .map_err(|e| BootError::Refused { what: "private mounts", source: e.into() })?;
        let directory = InstanceDir::new(&spec.directory);
        let place = place_for(&spec.directory)?;
        let users = idmap::user_namespace(spec.id_base)
            .map_err(|source| BootError::Refused { what: "a user namespace", source })?;
        match Parts::collect(spec, &directory, Some(&users)) {
            Ok(parts) => parts.assemble(spec, spec.id_base, place),
            // A file system without id-mapped mounts (an overlay, as in a container; NFS; Linux before 5.19).
            Err(_) => Parts::collect(spec, &directory, None)?.assemble(spec, 0, place),
        }
    }
}

/// All mounts, detached: taken before the stage hides what lies at its place.
struct Parts {
    lower: Vec<OwnedFd>,
    disk: OwnedFd,
    runtime: OwnedFd,
    guest: OwnedFd,
    shared: OwnedFd,
}

impl Parts {
    fn collect(spec: &BootSpec, directory: &InstanceDir, users: Option<&OwnedFd>) -> Result<Self, BootError> {
        let take = |path: &Path| idmap::detached(path, users).at("clone the mount of", path);
        Ok(Self {
            lower: spec.lower.iter().map(|path| take(path)).collect::<Result<_, _>>()?,
            disk: take(&directory.disk())?,
            runtime: take(&spec.runtime)?,
            guest: take(&directory.guest())?,
            shared: take(&directory.shared())?,
        })
    }

    fn assemble(self, spec: &BootSpec, root_id: u32, place: &Path) -> Result<Stage, BootError> {
        mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::MS_NODEV, Some("mode=755"))
            .at("mount the stage at", place)?;
        for (nth, layer) in self.lower.iter().enumerate() {
            attach(layer, place, &format!("l/{nth}"))?;
        }
        attach(&self.disk, place, "l/disk")?;
        let stage = Stage {
            rootfs: directory(place, "rootfs")?,
            runtime: attach(&self.runtime, place, "runtime")?,
            guest: attach(&self.guest, place, "guest")?,
            shared: attach(&self.shared, place, "shared")?,
            root_id,
        };
        let mut names: Vec<String> = (0..self.lower.len()).map(|nth| nth.to_string()).collect();
        if let (Some(mask), Some(base)) = (&spec.mask, spec.lower.last()) {
            hide(mask, base, place, &mut names, root_id)?;
        }
        let refused = |source| BootError::Refused { what: "an overlay file system", source };
        overlay(place, &stage.rootfs, &options(&names), root_id).map_err(refused)?;
        Ok(stage)
    }
}

/// One that does not hide the instance's own directory, which is still needed.
fn place_for(directory: &Path) -> Result<&'static Path, BootError> {
    let fits = |place: &&Path| fs::symlink_metadata(place).is_ok_and(|m| m.is_dir()) && !directory.starts_with(place);
    let found = PLACES.iter().map(Path::new).find(fits);
    found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)).at("find a place for the stage besides", directory)
}

/// Makes a directory of the stage.
fn directory(place: &Path, name: &str) -> Result<PathBuf, BootError> {
    let target = place.join(name);
    fs::DirBuilder::new().recursive(true).mode(0o755).create(&target).at("create", &target)?;
    Ok(target)
}

fn attach(tree: &OwnedFd, place: &Path, name: &str) -> Result<PathBuf, BootError> {
    let target = directory(place, name)?;
    idmap::attach(tree, &target).at("attach a mount at", &target)?;
    Ok(target)
}

/// Mounts the masked base over the base. An overlay of its own, because the kernel refuses lower directories of which one lies within the other, and
/// all that Kiln has lies within the host's root; and the mask on the stage, which doesn't.
///
/// Where the host's root is an overlay itself, as in a container, the kernel refuses a third one on top (it allows two); but then what Kiln has lies on
/// another file system, for an overlay can't hold an upper directory, and the mask can be a layer as any other.
fn hide(mask: &HostMask, base: &Path, place: &Path, names: &mut Vec<String>, root_id: u32) -> Result<(), BootError> {
    let layer = directory(place, "l/mask")?;
    mask.write(base, &layer, root_id).at("write the mask to", &layer)?;
    let Some(base) = names.pop() else { return Ok(()) };
    let root = nix::sys::statfs::statfs(&place.join("l").join(&base)).at("look at", &layer)?;
    if root.filesystem_type() == nix::sys::statfs::OVERLAYFS_SUPER_MAGIC {
        names.extend(["mask".to_owned(), base]);
        return Ok(());
    }
    let target = place.join("l").join(&base);
    let refused = |source| BootError::Refused { what: "an overlay of the host's root", source };
    overlay(place, &target, &format!("lowerdir=mask:{base}"), root_id).map_err(refused)?;
    names.push(base);
    Ok(())
}

fn overlay(place: &Path, target: &Path, options: &str, root_id: u32) -> io::Result<()> {
    // Relative names: the kernel takes no more than a page of options, and an image may have many layers.
    std::env::set_current_dir(place.join("l"))?;
    let mounted = idmap::mount_overlay_as(root_id, target, options);
    std::env::set_current_dir("/")?;
    mounted
}

/// `redirect_dir`, `metacopy` and `index` would leave attributes in the upper directory that no layer archive can express. `volatile` spares the disk
/// all the flushing that package tools ask for: an instance's disk need not outlive the host.
fn options(lower: &[String]) -> String {
    format!(
        "lowerdir={},upperdir=disk/upper,workdir=disk/work,redirect_dir=off,metacopy=off,index=off,volatile",
        lower.join(":")
    )
}

/// Empties the overlay's work directory, which after a volatile mount refuses to be mounted again.
///
/// # Errors
/// When the file system refuses.
pub fn renew_work(directory: &InstanceDir) -> io::Result<()> {
    let work = directory.disk().join("work");
    match fs::remove_dir_all(&work) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(work)?;
    fs::create_dir_all(directory.upper())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_layers_fit_a_page() {
        let names: Vec<String> = (0..500).map(|nth| nth.to_string()).collect();
        assert!(options(&names[..2]).starts_with("lowerdir=0:1,upperdir=disk/upper,"));
        assert!(options(&names).len() < 4096);
    }
}
