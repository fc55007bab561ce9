//! Where other file systems are mounted: an overlay shows none of them, so a walk over its base must not either.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::error::{At, Error};

/// The mount points beneath `root`, relative to it.
pub(super) fn beneath(root: &Path) -> Result<HashSet<PathBuf>, Error> {
    let path = Path::new("/proc/self/mountinfo");
    let text = fs::read(path).at("read", path)?;
    let root = root.canonicalize().at("find", root)?;
    Ok(mount_points(&text)
        .filter_map(|point| point.strip_prefix(&root).map(Path::to_owned).ok())
        .filter(|point| !point.as_os_str().is_empty())
        .collect())
}

/// The fifth field of every line (proc_pid_mountinfo(5)).
fn mount_points(text: &[u8]) -> impl Iterator<Item = PathBuf> {
    let lines = text.split(|&byte| byte == b'\n');
    lines.filter_map(|line| line.split(|&byte| byte == b' ').nth(4)).map(unescape)
}

/// Blank, tab, newline and backslash are written as `\` and three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..3).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 8).ok());
        let (byte, left) = match (first, code) {
            (b'\\', Some(code)) => (code, &after[3..]),
            _ => (first, after),
        };
        bytes.push(byte);
        rest = left;
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_the_fifth_field_unescaped() {
        let text = b"22 1 0:20 / / rw - ext4 /dev/vda rw\n23 22 0:21 / /mnt/a\\040b\\134 rw - tmpfs tmpfs rw\n";
        let points: Vec<_> = mount_points(text).collect();
        assert_eq!(points, [PathBuf::from("/"), PathBuf::from("/mnt/a b\\")]);
    }

    #[test]
    fn proc_is_mounted_on_this_root() {
        assert!(beneath(Path::new("/")).unwrap().contains(Path::new("proc")));
    }
}
