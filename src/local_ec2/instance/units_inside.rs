//! The units that an instance with systemd gets for this boot. They lie in `/run`, so they are part of no image.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::container::AGENT;

/// Units that would wait for hardware that is not there: the interface is configured from outside before the first process runs.
const POINTLESS: [&str; 6] = [
    "NetworkManager-wait-online.service",
    "systemd-networkd-wait-online.service",
    "systemd-udev-settle.service",
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "ifup@eth0.service",
];

/// The agent logs to the console because that is where EC2 shows host keys. `KillMode=mixed` lets sessions end as on a machine that shuts down.
fn agent_unit() -> String {
    format!(
        "[Unit]\n\
         Description=Kiln's agent: SSH and SFTP for the host\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=notify\n\
         NotifyAccess=main\n\
         ExecStart={AGENT}\n\
         Restart=always\n\
         RestartSec=100ms\n\
         TimeoutStartSec=infinity\n\
         KillMode=mixed\n\
         TimeoutStopSec=5s\n\
         TasksMax=infinity\n\
         OOMPolicy=continue\n\
         StandardOutput=tty\n\
         StandardError=tty\n\
         TTYPath=/dev/console\n"
    )
}

/// Writes them below `run`, the instance's `/run` as the host sees it.
///
/// # Errors
/// When the file system refuses.
pub fn write(run: &Path, has_own_network: bool) -> io::Result<()> {
    let system = run.join("systemd/system");
    let wants = system.join("multi-user.target.wants");
    fs::create_dir_all(&wants)?;
    fs::write(system.join("kiln-agent.service"), agent_unit())?;
    symlink("../kiln-agent.service", wants.join("kiln-agent.service"))?;
    for name in POINTLESS {
        symlink("/dev/null", system.join(name))?;
    }
    if has_own_network {
        // ifupdown believes that the interface is its own when it is up already, and would ask for a lease.
        fs::create_dir(run.join("network"))?;
        fs::write(run.join("network/ifstate"), "lo=lo\neth0=eth0\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_is_wanted_and_the_waits_are_masked() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), true).unwrap();
        let unit =
            fs::read_to_string(dir.path().join("systemd/system/multi-user.target.wants/kiln-agent.service")).unwrap();
        assert!(unit.contains("ExecStart=/run/kiln/kiln agent --config /run/kiln/agent.json\n"));
        let masked = fs::read_link(dir.path().join("systemd/system/systemd-networkd-wait-online.service")).unwrap();
        assert_eq!(masked, Path::new("/dev/null"));
    }
}
