//! Which enabled services are part of a stock image, and which are the host's own and must not start in every instance.

use std::fs;
use std::path::{Path, PathBuf};

/// Beginnings of the names of units that distributions enable themselves.
const STOCK: [&str; 43] = [
    "acpid",
    "amazon-ssm-agent",
    "apparmor",
    "apport",
    "apt-daily",
    "auditd",
    "blk-availability",
    "chrony",
    "cloud-",
    "console-setup",
    "cron",
    "dbus",
    "dmesg",
    "dnf-",
    "dpkg-db-backup",
    "e2scrub",
    "fstrim",
    "getty",
    "grub",
    "hibinit",
    "irqbalance",
    "keyboard-setup",
    "kmod",
    "logrotate",
    "lvm2",
    "man-db",
    "motd-news",
    "networkd-dispatcher",
    "networking",
    "nis-domainname",
    "ondemand",
    "pollinate",
    "procps",
    "remote-",
    "rsyslog",
    "selinux-autorelabel",
    "setvtrgb",
    "sysstat",
    "systemd-",
    "ua-",
    "ubuntu-",
    "udev",
    "update-notifier",
];

/// True for a unit (or init script) that belongs to the image rather than to whoever runs the host.
fn is_stock(name: &str) -> bool {
    let known = |name: &str| STOCK.iter().any(|stock| name.starts_with(stock));
    known(name)
        || matches!(
            name,
            "unattended-upgrades.service" | "unattended-upgrades" | "hwclock.sh" | "sssd.service" | "polkit.service"
        )
}

/// The links that enable services of the host's own, relative to the root. Without them those services are disabled in an instance, not gone:
/// `systemctl enable --now` works there as anywhere.
pub fn foreign_links(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let system = Path::new("etc/systemd/system");
    for name in links(&root.join(system)) {
        // An alias such as sshd.service -> ssh.service, or a unit that the host's owner wrote.
        if !is_stock(&name) && !name.starts_with("dbus-org.freedesktop") && !name.ends_with(".target") {
            found.push(system.join(name));
        }
    }
    for directory in
        directories(&root.join(system)).into_iter().filter(|d| d.ends_with(".wants") || d.ends_with(".requires"))
    {
        let place = system.join(directory);
        found.extend(
            links(&root.join(&place))
                .into_iter()
                .filter(|n| !is_stock(n) && !n.ends_with(".target"))
                .map(|n| place.join(n)),
        );
    }
    for level in ["etc/rc2.d", "etc/rc3.d", "etc/rc4.d", "etc/rc5.d", "etc/rcS.d"] {
        let script =
            |n: &String| n.strip_prefix('S').map(|n| n.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned());
        let foreign = links(&root.join(level)).into_iter().filter(|n| script(n).is_some_and(|n| !is_stock(&n)));
        found.extend(foreign.map(|n| Path::new(level).join(n)));
    }
    found
}

fn entries(directory: &Path, wanted: fn(&fs::FileType) -> bool) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|e| e.file_type().is_ok_and(|t| wanted(&t)))
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn links(directory: &Path) -> Vec<String> {
    entries(directory, |t| !t.is_dir())
}

fn directories(directory: &Path) -> Vec<String> {
    entries(directory, fs::FileType::is_dir)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_hosts_services_are_told_from_the_images() {
        let dir = tempfile::tempdir().unwrap();
        let wants = dir.path().join("etc/systemd/system/multi-user.target.wants");
        let rc = dir.path().join("etc/rc2.d");
        fs::create_dir_all(&wants).unwrap();
        fs::create_dir_all(&rc).unwrap();
        for unit in ["postgresql.service", "ssh.service", "cron.service", "remote-fs.target", "docker.service"] {
            symlink("/lib/systemd/system/x", wants.join(unit)).unwrap();
        }
        symlink("/lib/systemd/system/ssh.service", dir.path().join("etc/systemd/system/sshd.service")).unwrap();
        symlink("../init.d/redis", rc.join("S01redis")).unwrap();
        symlink("../init.d/cron", rc.join("S01cron")).unwrap();
        let found: Vec<_> =
            foreign_links(dir.path()).iter().map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        assert_eq!(found, ["sshd.service", "docker.service", "postgresql.service", "ssh.service", "S01redis"]);
    }
}
