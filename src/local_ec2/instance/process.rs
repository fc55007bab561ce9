//! Tells one process from another that later got the same pid.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A process by its pid and the moment it started, which together are unique until the next boot of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The pid in the host's pid namespace.
    pub pid: u32,
    /// Clock ticks from the host's boot to the process's start: field 22 of `/proc/PID/stat`.
    pub started: u64,
}

impl ProcessId {
    /// This process.
    pub fn own() -> io::Result<Self> {
        Self::of(std::process::id())
    }

    /// The process that has this pid now.
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let started =
            start_time(&stat).ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has no start time")))?;
        Ok(Self { pid, started })
    }

    /// True while that very process exists (a zombie does not count: it holds nothing any more).
    pub fn is_alive(self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        start_time(&stat) == Some(self.started) && !state_is_zombie(&stat)
    }

    /// Reads what [`Self::save`] wrote; `None` when there is no such file or it is torn.
    pub fn load(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Writes it as a small JSON file.
    pub fn save(self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_vec(&self)?)
    }
}

/// The fields after the command, which may itself contain blanks and parentheses.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace()
}

fn start_time(stat: &str) -> Option<u64> {
    // Field 22, and the first one after the command is field 3.
    fields(stat).nth(19)?.parse().ok()
}

fn state_is_zombie(stat: &str) -> bool {
    matches!(fields(stat).next(), Some("Z" | "X"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself_and_not_its_successor() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        assert!(!ProcessId { started: own.started + 1, ..own }.is_alive());
    }

    #[test]
    fn a_command_with_a_parenthesis_does_not_confuse() {
        let stat = "7 (a) b) Z 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 0 0";
        assert_eq!(start_time(stat), Some(4711));
        assert!(state_is_zombie(stat));
    }
}
