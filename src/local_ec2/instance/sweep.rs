//! Removes what killed Kilns left: the directories, control groups and processes of their instances.
//!
//! Nothing else can be left. All mounts are in a namespace of the instance's own, its network devices in another, and both go with its processes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cgroup::Cgroups;
use super::layout::InstanceDir;
use super::process::ProcessId;

/// The file in a run's directory that says whose it is.
const OWNER: &str = "owner.json";

/// Makes the directory of this process's run below `state`.
///
/// # Errors
/// When the file system refuses.
pub fn claim(state: &Path) -> io::Result<PathBuf> {
    let own = ProcessId::own()?;
    // Several runs in one process, as in tests, each have their own.
    let name = format!("run-{}-", own.pid);
    let directory = tempfile::Builder::new().prefix(&name).tempdir_in(state)?.keep();
    own.save(&directory.join(OWNER))?;
    Ok(directory)
}

/// Looks through all runs below `state` and removes those whose process is gone. Says what it removed, by instance id.
///
/// # Errors
/// When `state` can't be read. What can't be removed is left for the next time.
pub fn sweep(state: &Path) -> io::Result<Vec<String>> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(state)? {
        let path = entry?.path();
        let is_run = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("run-"));
        // A run that has no owner yet is being made, by a process whose pid is in its name.
        let owner = ProcessId::load(&path.join(OWNER));
        if is_run && owner.map_or_else(|| is_stale(&path), |owner| !owner.is_alive()) {
            removed.extend(remove_run(&path));
        }
    }
    Ok(removed)
}

fn is_stale(run: &Path) -> bool {
    let name = run.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let pid = name.split('-').nth(1).and_then(|pid| pid.parse().ok());
    pid.is_none_or(|pid| ProcessId::of(pid).is_err())
}

fn remove_run(run: &Path) -> Vec<String> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(run).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().is_ok_and(|t| t.is_dir())
            && remove_instance(&InstanceDir::new(entry.path()), &name).is_ok()
        {
            removed.push(name);
        }
    }
    // Left when an instance could not be removed.
    let _ = fs::remove_file(run.join(OWNER)).and_then(|()| fs::remove_dir(run));
    removed
}

/// Ends what still runs of an instance and removes all that it had.
///
/// # Errors
/// When its control groups or its directory can't be removed.
pub fn remove_instance(directory: &InstanceDir, id: &str) -> io::Result<()> {
    end_processes(directory, id)?;
    match fs::remove_dir_all(directory.path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Ends the boot process, if it is still the one that was noted, and whatever is in the instance's control groups; then removes the groups.
///
/// # Errors
/// When a group stays occupied.
pub fn end_processes(directory: &InstanceDir, id: &str) -> io::Result<()> {
    if let Some(boot) = ProcessId::load(&directory.supervisor()).filter(|boot| boot.is_alive()) {
        end(boot.pid.cast_signed());
    }
    let cgroups = Cgroups::of(id);
    let mut result = Ok(());
    for _ in 0..100 {
        for pid in cgroups.processes() {
            end(pid);
        }
        result = cgroups.remove();
        if result.is_ok() {
            break;
        }
        // The kernel empties a group a little after its processes are gone, and v1 has nothing that could be waited for.
        let _ = nix::poll::poll(&mut [], nix::poll::PollTimeout::from(10_u8));
    }
    result
}

fn end(pid: i32) {
    // A pid of 0 is a process that this namespace can't see; and 0 would be all of our own group.
    if pid > 1 {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dead_runs_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let alive = claim(dir.path()).unwrap();
        let dead = dir.path().join("run-1-dead");
        fs::create_dir_all(dead.join("i-sweep-test-unit/disk/upper")).unwrap();
        ProcessId { pid: 1, started: u64::MAX }.save(&dead.join(OWNER)).unwrap();
        fs::create_dir(dir.path().join("runtime")).unwrap();
        assert_eq!(sweep(dir.path()).unwrap(), ["i-sweep-test-unit"]);
        assert!(alive.exists() && !dead.exists() && dir.path().join("runtime").exists());
    }
}
