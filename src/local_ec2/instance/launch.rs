//! Makes an instance's directory: from what it is launched with to all that its boot process needs.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::beneath;
use super::identity::Identity;
use super::keeper::{Kept, Phase};
use super::layout::InstanceDir;
use super::metadata::Service;
use super::protocol::{BootSpec, Ending, NetworkMode};
use super::{Ground, Machine, error, slirp};
use crate::local_ec2::machine::{LaunchSpec, MachineError};
use crate::local_ec2::store::{BaseKind, ResolvedRoot};

/// Where the ranges of host ids for instances begin: above what subordinate-id tools and systemd-nspawn use.
const FIRST_ID: u32 = 0x7000_0000;

/// How many ranges there are before the end of the positive 32-bit numbers.
const RANGES: u32 = 4096;

/// Files of the identity layer that a running system may copy up without changing them.
const OWN_FILES: [&str; 4] = ["etc/hostname", "etc/hosts", "etc/machine-id", "etc/resolv.conf"];

impl Ground {
    /// Finds the root in the store and writes the directory.
    pub(super) async fn prepare(&self, spec: LaunchSpec) -> Result<Machine, MachineError> {
        let id = spec.instance_id.clone();
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(MachineError::Failed {
                operation: "launch",
                id,
                reason: "the id would not be safe as a file name".to_owned(),
            });
        }
        let (store, image) = (self.store.clone(), spec.image.clone());
        let resolved = tokio::task::spawn_blocking(move || store.resolve(&image.base, &image.layers)).await;
        let refused = |reason: String| MachineError::Image { id: id.clone(), reason };
        let root = resolved.map_err(|e| refused(e.to_string()))?.map_err(|e| refused(error::chain(&e)))?;
        if let Some(note) = &root.note {
            self.notices.say(note.clone());
        }
        let directory = InstanceDir::new(self.run.join(&id));
        let network = match &self.slirp {
            Some(slirp) => NetworkMode::Own { mac: spec.mac.clone(), slirp: slirp.clone() },
            None => NetworkMode::Host,
        };
        self.write(&spec, &root, &directory, &network).map_err(|e| MachineError::Failed {
            operation: "launch",
            id,
            reason: e.to_string(),
        })?;
        let mut image = spec.image.clone();
        image.base.clone_from(&root.base_name);
        let service = Service::new(&spec.metadata, spec.user_data.as_deref());
        let kept = Arc::new(Kept { spec, directory, network, service, notices: Arc::clone(&self.notices) });
        let phase = watch::Sender::new(Phase::Down(Ending::PowerOff, String::new()));
        Ok(Machine { kept, image, _root: root, phase, commands: Default::default(), asked: Default::default() })
    }

    fn write(
        &self,
        spec: &LaunchSpec,
        root: &ResolvedRoot,
        directory: &InstanceDir,
        network: &NetworkMode,
    ) -> io::Result<()> {
        // What a dropped launch of the same instance left.
        let _ = fs::remove_dir_all(directory.path());
        for path in [directory.path(), &directory.disk(), &directory.guest(), &directory.shared()] {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(path)?;
        }
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700))?;
        let upper = directory.upper();
        fs::DirBuilder::new().mode(0o755).create(&upper)?;
        let mut lower: Vec<PathBuf> = root.layer_dirs.iter().rev().cloned().collect();
        lower.push(root.base_dir.clone());
        let digest: String = Sha256::digest(spec.instance_id.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        let resolver = matches!(network, NetworkMode::Own { .. }).then_some(slirp::RESOLVER);
        Identity { hostname: &spec.hostname, resolver, machine_id: &digest[..32] }
            .write(&lower, &directory.identity())?;
        lower.insert(0, directory.identity());
        write_guest(spec, network, &directory.guest())?;
        let boot = BootSpec {
            instance_id: spec.instance_id.clone(),
            hostname: spec.hostname.clone(),
            directory: directory.path().to_owned(),
            lower,
            mask: (root.base == BaseKind::Host).then(|| self.mask.clone()),
            runtime: self.runtime.directory().to_owned(),
            id_base: id_base(&digest),
            network: network.clone(),
        };
        fs::write(directory.boot_spec(), serde_json::to_vec(&boot)?)
    }
}

/// The files for the agent. The user data may hold secrets; the rest any program in the instance may read.
fn write_guest(spec: &LaunchSpec, network: &NetworkMode, guest: &Path) -> io::Result<()> {
    let user_data = guest.join("user-data");
    fs::write(&user_data, spec.user_data.as_deref().unwrap_or_default())?;
    fs::set_permissions(&user_data, fs::Permissions::from_mode(0o600))?;
    fs::write(guest.join("boot_id"), "")?;
    let config = json!({
        "user": spec.login_user,
        "key_name": spec.key.as_ref().map(|key| &key.name),
        "public_key": spec.key.as_ref().map(|key| &key.public_line),
        "user_data_path": spec.user_data.as_ref().map(|_| "/run/kiln/user-data"),
        "hostname": spec.hostname,
        "instance_id": spec.instance_id,
        "socket": "/run/kiln/host/agent.sock",
        // In the host's network that port is the host's.
        "tcp": matches!(network, NetworkMode::Own { .. }).then_some("0.0.0.0:22"),
    });
    fs::write(guest.join("agent.json"), config.to_string())
}

/// Two instances may, once in a while, get the same range: they then are as far from the host as ever, only not from each other by their ids.
fn id_base(digest: &str) -> u32 {
    let number = u32::from_str_radix(&digest[..8], 16).unwrap_or(0);
    FIRST_ID + number % RANGES * super::idmap::ID_COUNT
}

/// What an instance's disk holds that is Kiln's and not its image's: files that it copied up and did not change.
pub(super) fn not_of_the_image(directory: &InstanceDir) -> Vec<PathBuf> {
    let same = |path: &&&str| {
        let read = |parent: PathBuf| beneath::read(&parent, path).ok();
        read(directory.upper()).is_some_and(|own| Some(own) == read(directory.identity()))
    };
    OWN_FILES.iter().filter(same).map(|path| Path::new("/").join(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stay_below_the_signs_bit() {
        assert_eq!(id_base("00000000ff"), FIRST_ID);
        assert!(id_base("ffffffff").checked_add(65_535).is_some_and(|last| last <= i32::MAX.cast_unsigned()));
    }

    #[test]
    fn only_unchanged_files_of_kilns_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let directory = InstanceDir::new(dir.path());
        for parent in [directory.upper(), directory.identity()] {
            fs::create_dir_all(parent.join("etc")).unwrap();
            fs::write(parent.join("etc/hostname"), "a\n").unwrap();
        }
        fs::write(directory.identity().join("etc/hosts"), "x").unwrap();
        fs::write(directory.upper().join("etc/hosts"), "changed").unwrap();
        assert_eq!(not_of_the_image(&directory), [PathBuf::from("/etc/hostname")]);
    }
}
