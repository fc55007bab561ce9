//! The instance's place in the host's control groups: `kiln/INSTANCE` in every hierarchy, v1, v2 or both at once.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";
const PARENT: &str = "kiln";

/// The host's hierarchies, and where this process was in them.
#[derive(Clone, Debug)]
pub struct Cgroups {
    hierarchies: Vec<Hierarchy>,
    instance: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    mount: PathBuf,
    home: PathBuf,
}

impl Cgroups {
    /// Looks at the host's hierarchies; makes nothing.
    pub fn of(instance: &str) -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let hierarchies = mounts(Path::new(ROOT))
            .into_iter()
            .map(|mount| {
                let home = mount.join(home_in(&mount, &own).trim_start_matches('/'));
                Hierarchy { mount, home }
            })
            .collect();
        Self { hierarchies, instance: instance.to_owned() }
    }

    fn places(&self) -> impl Iterator<Item = PathBuf> {
        self.hierarchies.iter().map(|h| h.mount.join(PARENT).join(&self.instance))
    }

    /// Makes the instance's groups and moves this process into them, so that what it forks is born there. A process can't be moved by the first
    /// process of the instance itself: its control-group namespace begins where that process is.
    pub fn enter(&self) -> io::Result<()> {
        for hierarchy in &self.hierarchies {
            let parent = hierarchy.mount.join(PARENT);
            let place = parent.join(&self.instance);
            share_controllers(&hierarchy.mount);
            fs::create_dir_all(&parent)?;
            inherit_cpuset(&hierarchy.mount, &parent);
            share_controllers(&parent);
            fs::create_dir_all(&place)?;
            inherit_cpuset(&parent, &place);
            fs::write(place.join("cgroup.procs"), "0")?;
        }
        Ok(())
    }

    /// Moves this process back to where it was.
    pub fn leave(&self) -> io::Result<()> {
        self.hierarchies.iter().try_for_each(|h| fs::write(h.home.join("cgroup.procs"), "0"))
    }

    /// Lets the instance's root make groups below its own. The limits in the files that it does not get still hold for all below.
    pub fn delegate(&self, owner: u32) -> io::Result<()> {
        for place in self.places() {
            chown(&place, Some(owner), Some(owner))?;
            for file in ["cgroup.procs", "tasks", "cgroup.threads", "cgroup.subtree_control"] {
                let file = place.join(file);
                if file.exists() {
                    chown(&file, Some(owner), Some(owner))?;
                }
            }
        }
        Ok(())
    }

    /// Removes the instance's groups, deepest first. Those that still hold a process stay and are reported as the error.
    pub fn remove(&self) -> io::Result<()> {
        let mut result = Ok(());
        for place in self.places() {
            result = remove_tree(&place).and(result);
        }
        for hierarchy in &self.hierarchies {
            // Stays, rightly, while another instance is in it.
            let _ = fs::remove_dir(hierarchy.mount.join(PARENT));
        }
        result
    }

    /// The processes in the instance's groups, as the host numbers them.
    pub fn processes(&self) -> Vec<i32> {
        let mut pids: Vec<i32> = self.places().flat_map(|place| pids_below(&place)).collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }
}

fn mounts(root: &Path) -> Vec<PathBuf> {
    if root.join("cgroup.controllers").exists() {
        return vec![root.to_owned()];
    }
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    // The symbolic links (`cpu -> cpu,cpuacct`) name a hierarchy that is there already.
    let mut found: Vec<PathBuf> = entries
        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
        .map(|e| e.path())
        .filter(|p| p.join("cgroup.procs").exists())
        .collect();
    found.sort();
    found
}

/// The path after the last colon of the line in `/proc/self/cgroup` that belongs to this mount.
fn home_in<'a>(mount: &Path, own: &'a str) -> &'a str {
    let name = mount.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let unified = name == "unified" || mount == Path::new(ROOT);
    own.lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            Some((parts.next()?, parts.next()?, parts.next()?))
        })
        .find(|(number, controllers, _)| match unified {
            true => *number == "0",
            false => {
                *controllers == name
                    || controllers.strip_prefix("name=") == Some(name)
                    || controllers.split(',').any(|c| c == name)
            }
        })
        .map_or("/", |(_, _, path)| path)
}

/// v2: children have only the controllers that their parent shares.
fn share_controllers(group: &Path) {
    let available = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    for controller in available.split_ascii_whitespace() {
        // Refused where a controller is bound elsewhere; the instance then lives without it.
        let _ = fs::write(group.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

/// v1: a new cpuset has no processors and takes no process until it is given some.
fn inherit_cpuset(parent: &Path, child: &Path) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let (from, to) = (parent.join(file), child.join(file));
        let is_empty = fs::read_to_string(&to).is_ok_and(|text| text.trim().is_empty());
        if is_empty && let Ok(value) = fs::read_to_string(from) {
            let _ = fs::write(to, value.trim());
        }
    }
}

fn children(group: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(group)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
        .map(|e| e.path())
}

fn remove_tree(group: &Path) -> io::Result<()> {
    let mut result = Ok(());
    for child in children(group) {
        result = remove_tree(&child).and(result);
    }
    match fs::remove_dir(group) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => result,
    }
}

fn pids_below(group: &Path) -> Vec<i32> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let own = text.lines().filter_map(|line| line.parse().ok());
    own.chain(children(group).flat_map(|child| pids_below(&child))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_finds_its_line() {
        let own = "5:cpu,cpuacct:/a\n2:name=systemd:/user/b\n0::/u\n";
        assert_eq!(home_in(Path::new("/sys/fs/cgroup/cpu,cpuacct"), own), "/a");
        assert_eq!(home_in(Path::new("/sys/fs/cgroup/systemd"), own), "/user/b");
        assert_eq!(home_in(Path::new("/sys/fs/cgroup/unified"), own), "/u");
        assert_eq!(home_in(Path::new("/sys/fs/cgroup"), own), "/u");
        assert_eq!(home_in(Path::new("/sys/fs/cgroup/pids"), own), "/");
    }

    #[test]
    fn trees_go_deepest_first_and_absence_is_success() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("x");
        fs::create_dir_all(place.join("a/b/c")).unwrap();
        remove_tree(&place).unwrap();
        assert!(!place.exists());
        remove_tree(&place).unwrap();
    }
}
