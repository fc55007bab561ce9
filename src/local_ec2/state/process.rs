//! Who runs an instance: a process, told from a later one with the same pid by its start time.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

/// One server in a process of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Clock ticks from boot to its start: field 22 of `/proc/PID/stat`.
    pub started: u64,
    /// Which of its servers: a test may run several.
    pub server: u32,
}

impl Process {
    /// No process: the runner of what waits for a new one.
    pub const NOBODY: Self = Self { pid: 0, started: 0, server: 0 };

    /// A new server of this process.
    pub fn new_server() -> Self {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let pid = std::process::id();
        Self { pid, started: start_time(pid).unwrap_or(0), server: SERVERS.fetch_add(1, Ordering::Relaxed) }
    }

    /// True while the process runs. Where there is no `/proc`, only this process is known to.
    pub fn is_alive(self) -> bool {
        let found =
            if self.pid == std::process::id() { Some(start_time(self.pid).unwrap_or(0)) } else { start_time(self.pid) };
        found == Some(self.started)
    }
}

fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses, which may itself hold spaces and parentheses: count after its end.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // A zombie runs nothing any more: its machines are gone.
    (fields.first() != Some(&"Z")).then(|| fields.get(19)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_are_told_from_the_dead() {
        let me = Process::new_server();
        assert!(me.is_alive());
        assert!(!Process { started: me.started + 1, ..me }.is_alive(), "a later process with the same pid");
        assert!(!Process::NOBODY.is_alive());
        assert!(!Process { pid: 0x7fff_fff0, started: 1, server: 0 }.is_alive());
    }
}
