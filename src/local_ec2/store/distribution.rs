//! What a root file system is, as its `os-release` says, and how near one distribution comes to another.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use nix::fcntl::OFlag;

use super::tree::Tree;

/// No `os-release` is longer; a layer that has a larger one only wants memory.
const MAX_LENGTH: u64 = 64 * 1024;

/// A distribution in a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// `ID`, such as `debian`.
    pub id: String,
    /// `VERSION_ID`, such as `12`; empty where a distribution has none.
    pub version_id: String,
    /// `PRETTY_NAME`, for people.
    pub pretty_name: String,
    /// `ID_LIKE`: what it was made from.
    pub id_like: Vec<String>,
}

/// Distributions whose packages, paths and tools are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Debian,
    RedHat,
    Suse,
    Arch,
    Alpine,
}

impl Distribution {
    /// What is known where nothing is said.
    pub(super) fn unknown() -> Self {
        let text = |text: &str| text.to_owned();
        Self { id: text("linux"), version_id: String::new(), pretty_name: text("Linux"), id_like: Vec::new() }
    }

    /// What the topmost of some directories says of itself. Links out of a directory are not followed: it may be a layer
    /// from anywhere.
    pub(super) fn of_roots<'a>(top_first: impl IntoIterator<Item = &'a Path>) -> Self {
        top_first.into_iter().find_map(of_root).unwrap_or_else(Self::unknown)
    }

    /// `id version`, for messages.
    pub(super) fn short(&self) -> String {
        [self.id.as_str(), &self.version_id].join(" ").trim_end().to_owned()
    }

    pub(super) fn family(&self) -> Option<Family> {
        std::iter::once(&self.id).chain(&self.id_like).find_map(|id| family(id))
    }

    /// The user whom this distribution's images on EC2 have, who may become root.
    pub(super) fn login_user(&self) -> &'static str {
        match self.id.as_str() {
            "debian" => "admin",
            "ubuntu" => "ubuntu",
            "rocky" => "rocky",
            "fedora" => "fedora",
            "arch" => "arch",
            "alpine" => "alpine",
            "centos" if self.version_id.starts_with(['6', '7', '8']) => "centos",
            _ => "ec2-user",
        }
    }
}

fn of_root(root: &Path) -> Option<Distribution> {
    let tree = Tree::open(root).ok()?;
    // /etc/os-release is a link to the other, as a rule; where it is a file, the administrator has the last word.
    let file = ["etc/os-release", "usr/lib/os-release"]
        .into_iter()
        .find_map(|path| tree.beneath(Path::new(path), OFlag::O_RDONLY | OFlag::O_NONBLOCK).ok().filter(is_file))?;
    let mut text = String::new();
    file.take(MAX_LENGTH).read_to_string(&mut text).ok()?;
    Some(parse(&text))
}

fn is_file(file: &File) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file())
}

fn parse(text: &str) -> Distribution {
    let mut distribution = Distribution::unknown();
    for (key, value) in text.lines().filter_map(|line| line.trim().split_once('=')) {
        let value = value.trim_matches(['"', '\'']).to_owned();
        match key {
            "ID" => distribution.id = value.to_lowercase(),
            "ID_LIKE" => distribution.id_like = value.split_whitespace().map(str::to_lowercase).collect(),
            "PRETTY_NAME" => distribution.pretty_name = value,
            "VERSION_ID" => distribution.version_id = value,
            _ => {}
        }
    }
    distribution
}

/// The family of an `ID`.
pub(super) fn family(id: &str) -> Option<Family> {
    Some(match id {
        "debian" | "ubuntu" | "kali" | "linuxmint" | "raspbian" | "pop" => Family::Debian,
        "rhel" | "fedora" | "centos" | "rocky" | "almalinux" | "amzn" | "ol" => Family::RedHat,
        "suse" | "sles" | "opensuse" | "opensuse-leap" | "opensuse-tumbleweed" => Family::Suse,
        "arch" | "manjaro" => Family::Arch,
        "alpine" => Family::Alpine,
        _ => return None,
    })
}

/// How far two versions are apart, as something to compare: by their first numbers, then by their second. A version that
/// nobody asked for is near.
pub(super) fn distance(wanted: &str, has: &str) -> (u64, u64) {
    if wanted.is_empty() {
        return (0, 0);
    }
    let numbers = |version: &str| {
        let mut parts = version.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    };
    let (wanted, has) = (numbers(wanted), numbers(has));
    (wanted.0.abs_diff(has.0), wanted.1.abs_diff(has.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_read_with_or_without_quotes() {
        let text = "# x\nID=ol\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\nPRETTY_NAME='Oracle Linux 9'\n";
        let distribution = parse(text);
        assert_eq!((distribution.short().as_str(), distribution.family()), ("ol 9.4", Some(Family::RedHat)));
        assert_eq!(distribution.pretty_name, "Oracle Linux 9");
        assert_eq!(parse("").short(), "linux");
    }

    #[test]
    fn an_os_release_that_leads_out_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "ID=secret\n").unwrap();
        std::fs::create_dir_all(dir.path().join("layer/etc")).unwrap();
        std::os::unix::fs::symlink("../../secret", dir.path().join("layer/etc/os-release")).unwrap();
        assert_eq!(Distribution::of_roots([dir.path().join("layer").as_path()]), Distribution::unknown());
    }

    #[test]
    fn versions_have_distances() {
        assert!(distance("22.04", "22.10") < distance("22.04", "24.04"));
        assert!(distance("12", "11") < distance("12", "9"));
        assert_eq!(distance("", "24.04"), (0, 0));
    }
}
