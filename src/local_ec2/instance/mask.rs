//! What an instance must not see of the host whose root is its base: other people's data, secrets, and services of the host.
//!
//! The mask is first a plan (which the store also needs, to export an image whose base is the host), then a directory that lies as an overlay layer
//! between the host's root and everything else. It costs nothing at launch and is part of no image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde::{Deserialize, Serialize};

use super::units;

/// The directories of a root that are the system's. Whatever else lies at the top of the host's root is somebody's.
const TOP: [&str; 21] = [
    "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt", "proc", "root",
    "run", "sbin", "srv", "sys", "tmp", "usr", "var",
];

/// Directories that start empty in every instance.
const EMPTY: [&str; 24] = [
    "boot",
    "home",
    "media",
    "mnt",
    "opt",
    "root",
    "srv",
    "tmp",
    "etc/NetworkManager/system-connections",
    "etc/containers",
    "etc/docker",
    "etc/kubernetes",
    "etc/letsencrypt",
    "etc/netplan",
    "etc/openvpn",
    "etc/rancher",
    "etc/ssl/private",
    "etc/wireguard",
    "var/backups",
    "var/crash",
    "var/local",
    "var/mail",
    "var/opt",
    "var/tmp",
];

/// Files that are not there. Those in `/etc` that the host's ordinary users can't read go too: see [`unreadable`].
const ABSENT: [&str; 18] = [
    ".dockerenv",
    "etc/.pwd.lock",
    "etc/aws",
    "etc/boto.cfg",
    "etc/environment.d",
    "etc/fstab",
    "etc/krb5.keytab",
    "etc/nologin",
    "etc/passwd-",
    "etc/group-",
    "etc/subgid-",
    "etc/subuid-",
    "usr/sbin/policy-rc.d",
    "var/cache/debconf/passwords.dat",
    "var/cache/debconf/passwords.dat-old",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/credential.secret",
    "var/lib/systemd/random-seed",
];

/// Where packages keep what makes a system work; every other directory in `/var/lib` is some service's data and starts empty.
const STATE: [&str; 26] = [
    "apt",
    "aspell",
    "ca-certificates-java",
    "dbus",
    "dictionaries-common",
    "dnf",
    "dpkg",
    "emacsen-common",
    "ghostscript",
    "initramfs-tools",
    "ispell",
    "locales",
    "misc",
    "os-prober",
    "pam",
    "polkit-1",
    "python",
    "rpm",
    "rpm-state",
    "sgml-base",
    "systemd",
    "ucf",
    "usbutils",
    "vim",
    "xml-core",
    "yum",
];

/// What an instance on the host's root sees otherwise than it is. Paths are relative to the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostMask {
    /// Directories that are there, and empty.
    pub empty: BTreeSet<PathBuf>,
    /// What is not there at all.
    pub absent: BTreeSet<PathBuf>,
    /// Files with another content.
    pub replaced: BTreeMap<PathBuf, Vec<u8>>,
}

impl HostMask {
    /// Looks at a root (the host's: `/`) and says what to hide of it; `also` are directories of Kiln's own.
    ///
    /// # Errors
    /// When the account files can't be read.
    pub fn of(root: &Path, also: &[PathBuf]) -> io::Result<Self> {
        let mut mask = Self::default();
        mask.absent.extend(top_level_strangers(root));
        mask.absent.extend(ABSENT.iter().map(PathBuf::from).filter(|p| exists(root, p)));
        mask.empty.extend(EMPTY.iter().map(PathBuf::from).filter(|p| is_directory(root, p)));
        mask.empty.extend(
            also.iter().filter_map(|p| Some(p.strip_prefix("/").ok()?.to_owned())).filter(|p| is_directory(root, p)),
        );
        mask.empty_var(root);
        mask.absent.extend(unreadable(root, Path::new("etc")));
        mask.absent.extend(units::foreign_links(root));
        mask.accounts(root)?;
        mask.trim();
        Ok(mask)
    }

    fn empty_var(&mut self, root: &Path) {
        for name in names(&root.join("var/lib")) {
            let path = Path::new("var/lib").join(&name);
            if is_directory(root, &path) && !STATE.contains(&name.as_str()) {
                self.empty.insert(path);
            }
        }
        for parent in ["var/spool", "var/spool/cron", "var/lib/systemd"] {
            let keep = |name: &str| {
                matches!(name, "cron" | "deb-systemd-helper-enabled" | "deb-systemd-user-helper-enabled" | "catalog")
            };
            let kept = names(&root.join(parent)).into_iter().filter(|name| !keep(name));
            self.empty.extend(kept.map(|name| Path::new(parent).join(name)).filter(|p| is_directory(root, p)));
        }
        // Services expect their directory in /var/log; what is in it is the host's.
        for name in names(&root.join("var/log")) {
            let path = Path::new("var/log").join(name);
            let set = if is_directory(root, &path) { &mut self.empty } else { &mut self.absent };
            set.insert(path);
        }
    }

    /// Keeps the system's accounts, without passwords; people's accounts stay at home.
    fn accounts(&mut self, root: &Path) -> io::Result<()> {
        let passwd = fs::read_to_string(root.join("etc/passwd"))?;
        let people: BTreeSet<&str> =
            passwd.lines().filter(|line| is_person(line)).filter_map(|line| line.split(':').next()).collect();
        let group = fs::read_to_string(root.join("etc/group")).unwrap_or_default();
        let circles: BTreeSet<&str> =
            group.lines().filter(|line| is_person(line)).filter_map(|line| line.split(':').next()).collect();
        self.replace("etc/passwd", without(&passwd, &people));
        self.replace("etc/group", without_members(&without(&group, &circles), &people));
        for (file, hidden) in [("etc/shadow", &people), ("etc/gshadow", &circles)] {
            if let Ok(text) = fs::read_to_string(root.join(file)) {
                self.replace(file, locked(&without(&text, hidden)));
            }
        }
        for file in ["etc/subuid", "etc/subgid"] {
            if let Ok(text) = fs::read_to_string(root.join(file)) {
                self.replace(file, without(&text, &people));
            }
        }
        if exists(root, Path::new("etc/machine-id")) {
            self.replace("etc/machine-id", "uninitialized\n".to_owned());
        }
        Ok(())
    }

    fn replace(&mut self, path: &str, content: String) {
        self.replaced.insert(PathBuf::from(path), content.into_bytes());
        self.absent.remove(Path::new(path));
    }

    /// Drops what lies below something that is hidden anyway: a layer can't have both.
    fn trim(&mut self) {
        let hidden: Vec<PathBuf> = self.empty.iter().chain(&self.absent).cloned().collect();
        let covered = |p: &PathBuf| hidden.iter().any(|h| p != h && p.starts_with(h));
        self.empty.retain(|p| !covered(p));
        self.absent.retain(|p| !covered(p));
        self.replaced.retain(|p, _| !covered(p));
        let absent = self.absent.clone();
        self.empty.retain(|p| !absent.contains(p));
    }

    /// Writes the mask as an overlay layer into the directory `layer`, every owner moved up by `shift`: the layer lies on a file system of the
    /// instance's own, whose ids are not mapped. Needs root.
    ///
    /// # Errors
    /// When the file system refuses, for one because it has no `trusted` attributes.
    pub fn write(&self, root: &Path, layer: &Path, shift: u32) -> io::Result<()> {
        Writer { root, layer, shift }.write(self)
    }
}

/// Makes a layer that has the same owners and modes as the root it will lie on: a merged directory shows the upper one's.
struct Writer<'a> {
    root: &'a Path,
    layer: &'a Path,
    shift: u32,
}

impl Writer<'_> {
    fn write(&self, mask: &HostMask) -> io::Result<()> {
        self.copy_attributes(Path::new(""))?;
        for path in &mask.empty {
            self.directories(path)?;
            set_opaque(&self.layer.join(path))?;
        }
        for path in &mask.absent {
            self.directories(path.parent().unwrap_or(Path::new("")))?;
            // A character device 0:0 is how an overlay says "deleted".
            mknod(&self.layer.join(path), SFlag::S_IFCHR, Mode::empty(), makedev(0, 0))?;
        }
        for (path, content) in &mask.replaced {
            self.directories(path.parent().unwrap_or(Path::new("")))?;
            fs::write(self.layer.join(path), content)?;
            self.copy_attributes(path)?;
        }
        if mask.empty.contains(Path::new("root")) {
            self.furnish()?;
        }
        Ok(())
    }

    /// root's home is not quite empty in a stock image.
    fn furnish(&self) -> io::Result<()> {
        for (from, to) in
            [("usr/share/base-files/dot.bashrc", "root/.bashrc"), ("usr/share/base-files/dot.profile", "root/.profile")]
        {
            if self.root.join(from).is_file() {
                fs::copy(self.root.join(from), self.layer.join(to))?;
                chown(self.layer.join(to), Some(self.shift), Some(self.shift))?;
            }
        }
        Ok(())
    }

    fn directories(&self, path: &Path) -> io::Result<()> {
        let mut place = PathBuf::new();
        for part in path.components() {
            place.push(part);
            if !exists(self.layer, &place) {
                fs::create_dir(self.layer.join(&place))?;
                self.copy_attributes(&place)?;
            }
        }
        Ok(())
    }

    fn copy_attributes(&self, path: &Path) -> io::Result<()> {
        let (from, to) = (self.root.join(path), self.layer.join(path));
        let meta = fs::metadata(from)?;
        chown(&to, Some(meta.uid() + self.shift), Some(meta.gid() + self.shift))?;
        fs::set_permissions(&to, meta.permissions())
    }
}

fn exists(root: &Path, path: &Path) -> bool {
    fs::symlink_metadata(root.join(path)).is_ok()
}

/// Symbolic links (`/bin`, `/var/mail` perhaps) are not followed: what they lead to is judged where it lies.
fn is_directory(root: &Path, path: &Path) -> bool {
    fs::symlink_metadata(root.join(path)).is_ok_and(|m| m.is_dir())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn top_level_strangers(root: &Path) -> Vec<PathBuf> {
    let known = |name: &str| TOP.contains(&name) || name.ends_with(".usr-is-merged");
    names(root).into_iter().filter(|name| !known(name)).map(PathBuf::from).collect()
}

/// Files that the host hides from its own ordinary users are nobody's business in an instance either: keys, passwords, tokens.
fn unreadable(root: &Path, directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in names(&root.join(directory)) {
        let path = directory.join(name);
        let Ok(meta) = fs::symlink_metadata(root.join(&path)) else { continue };
        let harmless =
            path.starts_with("etc/sudoers") || path.starts_with("etc/polkit-1") || path == Path::new("etc/at.deny");
        if meta.is_dir() {
            found.extend(unreadable(root, &path));
        } else if meta.is_file() && meta.permissions().mode() & 0o004 == 0 && !harmless {
            found.push(path);
        }
    }
    found
}

/// In `passwd` and `group` alike the third field is the id; distributions give people those from 1000 on.
fn is_person(line: &str) -> bool {
    line.split(':').nth(2).and_then(|id| id.parse::<u32>().ok()).is_some_and(|id| (1000..65_000).contains(&id))
}

fn without(text: &str, hidden: &BTreeSet<&str>) -> String {
    let kept = text.lines().filter(|line| !line.split(':').next().is_some_and(|name| hidden.contains(name)));
    kept.map(|line| format!("{line}\n")).collect()
}

/// Takes people out of the last field of `group`.
fn without_members(text: &str, hidden: &BTreeSet<&str>) -> String {
    let line = |line: &str| {
        let (head, members) = line.rsplit_once(':').unwrap_or((line, ""));
        let kept: Vec<&str> = members.split(',').filter(|m| !hidden.contains(m)).collect();
        format!("{head}:{}\n", kept.join(","))
    };
    text.lines().map(line).collect()
}

/// Puts `*` for every password, which lets no password in.
fn locked(text: &str) -> String {
    let line = |line: &str| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if let Some(password) = fields.get_mut(1) {
            *password = "*";
        }
        format!("{}\n", fields.join(":"))
    };
    text.lines().map(line).collect()
}

/// Marks a directory of a layer: nothing of what lies below it shows.
fn set_opaque(directory: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(directory.as_os_str().as_bytes()).map_err(io::Error::other)?;
    // SAFETY: all three pointers are to NUL-terminated or length-given buffers that outlive the call.
    let done =
        unsafe { nix::libc::setxattr(path.as_ptr(), c"trusted.overlay.opaque".as_ptr(), b"y".as_ptr().cast(), 1, 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p);
        for d in [
            "etc/ssh",
            "etc/ssl/private",
            "root",
            "home/ann",
            "work",
            "var/lib/postgresql",
            "var/lib/dpkg",
            "var/log/nginx",
            "var/lib/docker",
        ] {
            fs::create_dir_all(at(d)).unwrap();
        }
        fs::write(
            at("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
        )
        .unwrap();
        fs::write(at("etc/group"), "root:x:0:\nsudo:x:27:ann,bob\nann:x:1000:\n").unwrap();
        fs::write(at("etc/shadow"), "root:$6$hash:1::::::\nann:$6$hash:1::::::\n").unwrap();
        fs::write(at("etc/machine-id"), "0123\n").unwrap();
        fs::write(at("etc/ssh/ssh_host_rsa_key"), "secret").unwrap();
        fs::write(at("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
        fs::write(at("var/log/syslog"), "hush").unwrap();
        for secret in ["etc/shadow", "etc/ssh/ssh_host_rsa_key"] {
            fs::set_permissions(at(secret), fs::Permissions::from_mode(0o600)).unwrap();
        }
        dir
    }

    #[test]
    fn secrets_people_and_data_are_hidden() {
        let host = host();
        let mask = HostMask::of(host.path(), &[]).unwrap();
        let absent: Vec<_> = mask.absent.iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(absent, ["etc/ssh/ssh_host_rsa_key", "var/log/syslog", "work"]);
        let empty: Vec<_> = mask.empty.iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(empty, ["etc/ssl/private", "home", "root", "var/lib/docker", "var/lib/postgresql", "var/log/nginx"]);
        let text = |p: &str| String::from_utf8(mask.replaced[Path::new(p)].clone()).unwrap();
        assert_eq!(text("etc/shadow"), "root:*:1::::::\n");
        assert_eq!(text("etc/passwd"), "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n");
        assert_eq!(text("etc/group"), "root:x:0:\nsudo:x:27:bob\n");
        assert_eq!(text("etc/machine-id"), "uninitialized\n");
    }

    #[test]
    fn nothing_lies_below_what_is_hidden() {
        let host = host();
        fs::create_dir_all(host.path().join("home/ann/store")).unwrap();
        let mask = HostMask::of(host.path(), &[PathBuf::from("/home/ann/store")]).unwrap();
        assert!(!mask.empty.contains(Path::new("home/ann/store")));
    }
}
