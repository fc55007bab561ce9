//! The OCI description of an instance's container.

use std::fs;

use serde_json::{Value, json};

use super::idmap::ID_COUNT;
use super::protocol::{BootSpec, NetworkMode};
use super::runtime::LIBRARIES;
use super::stage::Stage;

/// What a system manager needs to run a machine. All of it counts only inside the instance's user namespace. Left out are those that the kernel would
/// refuse there anyway and whose absence a system understands: without `CAP_SYS_TIME` systemd does not try to set the clock, without `CAP_SYS_MODULE`
/// nothing loads modules.
const CAPABILITIES: [&str; 27] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_NICE",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TTY_CONFIG",
];

/// Their numbers in the kernel's bit sets, in the same order.
const NUMBERS: [u8; 27] =
    [29, 0, 1, 2, 3, 4, 14, 15, 5, 28, 9, 27, 12, 10, 11, 13, 31, 6, 8, 7, 21, 22, 18, 23, 19, 24, 26];

/// Those capabilities that the caller may pass on; asking for one more fails with EPERM.
pub fn capabilities() -> Vec<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    within(bounding_set(&status))
}

fn bounding_set(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}

fn within(bounding: u64) -> Vec<&'static str> {
    CAPABILITIES
        .into_iter()
        .zip(NUMBERS)
        .filter(|(_, number)| bounding >> number & 1 == 1)
        .map(|(name, _)| name)
        .collect()
}

/// The container's `config.json`; `init` is its first process.
pub fn config(spec: &BootSpec, stage: &Stage, init: &[String]) -> Value {
    let caps = capabilities();
    let map = json!([{ "containerID": 0, "hostID": stage.root_id, "size": ID_COUNT }]);
    let (readonly, masked) = hidden_paths(stage);
    json!({
        "ociVersion": "1.0.2",
        "hostname": spec.hostname,
        "root": { "path": stage.rootfs, "readonly": false },
        "process": {
            "terminal": true,
            "user": { "uid": 0, "gid": 0 },
            "args": init,
            "env": ["container=oci", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=vt220", "LANG=C.UTF-8"],
            "cwd": "/",
            "capabilities": { "bounding": caps, "effective": caps, "permitted": caps, "inheritable": [], "ambient": [] },
            "noNewPrivileges": false,
        },
        "mounts": mounts(spec, stage),
        "linux": {
            "uidMappings": map,
            "gidMappings": map,
            "namespaces": namespaces(&spec.network),
            "cgroupsPath": format!("/kiln/{}", spec.instance_id),
            "rootfsPropagation": "private",
            "readonlyPaths": readonly,
            "maskedPaths": masked,
        },
    })
}

fn namespaces(network: &NetworkMode) -> Vec<Value> {
    let own: &[&str] = match network {
        NetworkMode::Own { .. } => &["network"],
        NetworkMode::Host => &[],
    };
    ["user", "mount", "pid", "uts", "ipc", "cgroup"].iter().chain(own).map(|kind| json!({ "type": kind })).collect()
}

/// `/proc/sys` is read-only, as systemd expects of a container. Where root inside has the user id of the host's root, what is writable by that id is put
/// out of reach as far as mounts can.
fn hidden_paths(stage: &Stage) -> (Vec<&'static str>, Vec<&'static str>) {
    let mut readonly = vec!["/proc/sys"];
    if stage.root_id != 0 {
        return (readonly, Vec::new());
    }
    readonly.extend(["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"]);
    (readonly, vec!["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/scsi", "/proc/timer_list", "/sys/firmware"])
}

fn mounts(spec: &BootSpec, stage: &Stage) -> Vec<Value> {
    let file_system = |target: &str, kind: &str, options: &[&str]| json!({ "destination": target, "type": kind, "source": kind, "options": options });
    let bind = |source: &std::path::Path, target: &str, options: &[&str]| json!({ "destination": target, "type": "bind", "source": source, "options": options });
    let sys = match spec.network {
        NetworkMode::Own { .. } => file_system("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        // Only the owner of the network namespace may mount a new one.
        NetworkMode::Host => {
            bind(std::path::Path::new("/sys"), "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro", "rro"])
        }
    };
    vec![
        file_system("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        file_system("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755"]),
        file_system("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        file_system("/dev/shm", "tmpfs", &["nosuid", "nodev", "mode=1777"]),
        sys,
        file_system("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev"]),
        file_system("/run", "tmpfs", &["nosuid", "nodev", "mode=755"]),
        file_system("/tmp", "tmpfs", &["nosuid", "nodev", "mode=1777"]),
        bind(&stage.runtime.join("kiln"), "/run/kiln/kiln", &["bind", "ro", "nodev"]),
        bind(&stage.runtime.join("sudo"), "/run/kiln/bin/sudo", &["bind", "ro", "nodev"]),
        bind(&stage.runtime.join("lib"), LIBRARIES, &["bind", "ro", "nosuid", "nodev"]),
        bind(&stage.shared, "/run/kiln/host", &["bind", "nosuid", "nodev", "noexec"]),
        bind(&stage.guest.join("agent.json"), "/run/kiln/agent.json", &["bind", "ro", "nosuid", "nodev"]),
        bind(&stage.guest.join("user-data"), "/run/kiln/user-data", &["bind", "ro", "nosuid", "nodev"]),
        bind(&stage.guest.join("boot_id"), "/proc/sys/kernel/random/boot_id", &["bind", "ro", "nosuid", "nodev"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        // From linux/capability.h.
        for (name, number) in [
            ("CAP_CHOWN", 0),
            ("CAP_SYS_ADMIN", 21),
            ("CAP_SETFCAP", 31),
            ("CAP_SYS_RESOURCE", 24),
            ("CAP_SETPCAP", 8),
            ("CAP_SETUID", 7),
        ] {
            assert_eq!(within(1 << number), [name]);
        }
        assert_eq!(within(u64::MAX).len(), CAPABILITIES.len());
    }

    #[test]
    fn the_callers_bounds_are_read() {
        assert_eq!(bounding_set("Name:\tx\nCapBnd:\t000001fffeffffff\n"), 0x1ff_feff_ffff);
        assert!(!within(0x1ff_feff_ffff).contains(&"CAP_SYS_RESOURCE"));
    }
}
