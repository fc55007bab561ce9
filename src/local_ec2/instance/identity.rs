//! The layer that makes an instance itself: its name, resolver, machine id. It lies below what the instance writes and above its image, so an image
//! carries none of it unless a script inside changes one of these files.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::beneath;

/// Commands that Kiln lends, and where a root without systemd misses them. They are Kiln's own program under another name.
const LENT: [&str; 4] = ["usr/sbin/poweroff", "usr/sbin/reboot", "usr/sbin/halt", "usr/sbin/shutdown"];

/// An image's own cloud-init looks for EC2's marks in the firmware tables, which an instance does not have. The network is configured already.
const CLOUD_INIT: &str =
    "datasource_list: [ Ec2 ]\ndatasource: { Ec2: { strict_id: false } }\nnetwork: { config: disabled }\n";

/// Where the instance finds the setuid copy of Kiln's program.
const SUDO: &str = "/run/kiln/bin/sudo";

/// What the layer is made of.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The host name, without a domain.
    pub hostname: &'a str,
    /// The resolver in the instance's network; `None` leaves the host's own file.
    pub resolver: Option<&'a str>,
    /// 32 hexadecimal digits, `/etc/machine-id`: a ready one spares the boot the work of a first boot, which would enable every unit that has a preset.
    pub machine_id: &'a str,
}

impl Identity<'_> {
    /// Writes the layer into `layer` for a root made of `lower` (topmost first).
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, lower: &[PathBuf], layer: &Path) -> io::Result<()> {
        let root = Lower(lower);
        fs::create_dir_all(layer)?;
        root.directory(layer, "etc")?;
        fs::write(layer.join("etc/hostname"), format!("{}\n", self.hostname))?;
        fs::write(layer.join("etc/hosts"), hosts(&root.text("etc/hosts"), root.is_base("etc/hosts"), self.hostname))?;
        fs::write(layer.join("etc/machine-id"), format!("{}\n", self.machine_id))?;
        let resolver = match self.resolver {
            Some(address) => format!("nameserver {address}\n"),
            None => fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
        };
        fs::write(layer.join("etc/resolv.conf"), resolver)?;
        if root.find("usr/bin/sudo").is_none() {
            root.directory(layer, "usr")?;
            root.directory(layer, "usr/bin")?;
            symlink(SUDO, layer.join("usr/bin/sudo"))?;
        }
        if root.find("usr/bin/cloud-init").is_some() {
            for directory in ["etc/cloud", "etc/cloud/cloud.cfg.d"] {
                root.directory(layer, directory)?;
            }
            fs::write(layer.join("etc/cloud/cloud.cfg.d/99-kiln.cfg"), CLOUD_INIT)?;
        }
        self.allow_services(&root, layer)?;
        lend(&root, layer)
    }

    /// Roots made for containers forbid packages to start services, which no machine image does.
    fn allow_services(&self, root: &Lower<'_>, layer: &Path) -> io::Result<()> {
        let denial = "usr/sbin/policy-rc.d";
        let base = root.0.last().map(|base| base.join(denial));
        // Only the base's own: an image may have brought one on purpose.
        let of_base = base.is_some_and(|p| fs::symlink_metadata(p).is_ok());
        let of_image = root.0.iter().rev().skip(1).any(|dir| dir.join(denial).is_file());
        if of_base && !of_image && root.find(denial).is_some() {
            root.directory(layer, "usr")?;
            root.directory(layer, "usr/sbin")?;
            mknod(&layer.join(denial), SFlag::S_IFCHR, Mode::empty(), makedev(0, 0))?;
        }
        Ok(())
    }
}

/// A root without systemd has no `poweroff` that would reach Kiln's small init.
fn lend(root: &Lower<'_>, layer: &Path) -> io::Result<()> {
    for path in LENT {
        let name = path.rsplit('/').next().unwrap_or(path);
        let present =
            ["usr/sbin", "sbin", "usr/bin", "bin"].iter().any(|d| root.find(&format!("{d}/{name}")).is_some());
        if !present {
            root.directory(layer, "usr")?;
            root.directory(layer, "usr/sbin")?;
            symlink("/run/kiln/kiln", layer.join(path))?;
        }
    }
    Ok(())
}

/// A base that is a host or a container names itself and its neighbours: of a base's file only what is true everywhere is kept.
fn hosts(old: &str, of_base: bool, hostname: &str) -> String {
    let everywhere = |line: &str| {
        line.starts_with('#') || line.starts_with("127.0.0.1") || line.starts_with("ff") || line.starts_with("::1")
    };
    let mut text = String::new();
    if !old.lines().any(|line| line.starts_with("127.0.0.1")) {
        text.push_str("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    }
    for line in old.lines().filter(|line| everywhere(line) || !of_base && !line.starts_with("127.0.1.1")) {
        text.push_str(line);
        text.push('\n');
    }
    if !text.lines().any(|line| line.split_whitespace().skip(1).any(|name| name == hostname)) {
        text.push_str(&format!("127.0.1.1 {hostname}\n"));
    }
    text
}

/// The directories of a root, topmost first, asked without mounting them.
struct Lower<'a>(&'a [PathBuf]);

impl Lower<'_> {
    /// Where the root has this path, or nothing.
    fn find(&self, path: &str) -> Option<PathBuf> {
        for directory in self.0 {
            match fs::symlink_metadata(directory.join(path)) {
                Ok(meta) if meta.file_type().is_char_device() && meta.rdev() == 0 => return None,
                Ok(_) => return Some(directory.join(path)),
                Err(_) if hides(directory, path) => return None,
                Err(_) => {}
            }
        }
        None
    }

    fn is_base(&self, path: &str) -> bool {
        self.0.last().is_some_and(|base| self.find(path) == Some(base.join(path)))
    }

    /// The file's text; empty when it is not there, or reached through links, which an image may have laid to files of the host.
    fn text(&self, path: &str) -> String {
        let holder = self.0.iter().find(|directory| self.find(path) == Some(directory.join(path)));
        let bytes = holder.and_then(|directory| beneath::read(directory, path).ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Makes a directory of the layer look like the root's.
    fn directory(&self, layer: &Path, path: &str) -> io::Result<()> {
        let place = layer.join(path);
        if place.is_dir() {
            return Ok(());
        }
        fs::create_dir(&place)?;
        if let Some(model) = self.find(path).and_then(|p| fs::metadata(p).ok()).filter(fs::Metadata::is_dir) {
            fs::set_permissions(&place, model.permissions())?;
        }
        Ok(())
    }
}

/// True when a parent of `path` in this layer is a whiteout, a file, or opaque: what lies below does not show.
fn hides(layer: &Path, path: &str) -> bool {
    let ancestors = Path::new(path).ancestors().skip(1).filter(|a| !a.as_os_str().is_empty());
    ancestors
        .map(|a| layer.join(a))
        .any(|place| fs::symlink_metadata(&place).is_ok_and(|m| !m.is_dir() && !m.is_symlink()) || is_opaque(&place))
}

fn is_opaque(directory: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(directory.as_os_str().as_bytes()) else { return false };
    let mut value = [0_u8; 1];
    // SAFETY: the buffer has the length that is given, the strings are NUL-terminated.
    let length = unsafe {
        nix::libc::lgetxattr(path.as_ptr(), c"trusted.overlay.opaque".as_ptr(), value.as_mut_ptr().cast(), value.len())
    };
    length == 1 && value == *b"y"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_names_the_instance_and_nobody_else() {
        let own = "127.0.0.1 localhost\n10.0.0.9 db\n";
        assert_eq!(hosts(own, false, "a"), format!("{own}127.0.1.1 a\n"));
        let old = "127.0.0.1\tlocalhost\n127.0.1.1 builder\n10.0.0.9 db.internal\nff02::1 ip6-allnodes\n";
        assert_eq!(
            hosts(old, true, "ip-10-0-0-5"),
            "127.0.0.1\tlocalhost\nff02::1 ip6-allnodes\n127.0.1.1 ip-10-0-0-5\n"
        );
        assert!(hosts("", true, "a").starts_with("127.0.0.1 localhost\n"));
    }

    #[test]
    fn a_layer_is_written_for_a_root_without_sudo() {
        let dir = tempfile::tempdir().unwrap();
        let (base, layer) = (dir.path().join("base"), dir.path().join("layer"));
        fs::create_dir_all(base.join("usr/sbin")).unwrap();
        fs::write(base.join("usr/sbin/reboot"), "").unwrap();
        let identity = Identity { hostname: "ip-10-0-0-5", resolver: Some("10.0.2.3"), machine_id: "00" };
        identity.write(&[base], &layer).unwrap();
        assert_eq!(fs::read_to_string(layer.join("etc/resolv.conf")).unwrap(), "nameserver 10.0.2.3\n");
        assert_eq!(fs::read_link(layer.join("usr/bin/sudo")).unwrap(), Path::new(SUDO));
        assert!(fs::symlink_metadata(layer.join("usr/sbin/reboot")).is_err());
        assert!(fs::symlink_metadata(layer.join("usr/sbin/poweroff")).is_ok());
    }
}
