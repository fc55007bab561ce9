//! A directory that an archive is unpacked into. No name and no symbolic link in it leads out: the kernel resolves every
//! parent beneath the root, and the last component is never followed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, UtimensatFlags, fstatat, futimens, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags, linkat, unlinkat};

use super::node::format;

/// Splits an archive's name into parts, or says why it may not be unpacked.
pub(super) fn parts(name: &[u8]) -> Result<Vec<&OsStr>, &'static str> {
    if name.starts_with(b"/") {
        return Err("has an absolute name");
    }
    if name.contains(&0) {
        return Err("has a NUL in its name");
    }
    let parts: Vec<_> = name.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.contains(&b"..".as_slice()) {
        return Err("has `..` in its name");
    }
    Ok(parts.into_iter().map(OsStr::from_bytes).collect())
}

/// The root, and the directory used last: members of one directory follow each other.
pub(super) struct Tree {
    root: File,
    last: Option<(PathBuf, Rc<File>)>,
}

/// A name in an open directory of the tree.
pub(super) struct Spot {
    pub dir: Rc<File>,
    pub name: OsString,
}

impl Tree {
    /// Opens a directory as the root.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { root: File::open(root)?, last: None })
    }

    /// Opens something below the root. Links in between are followed as long as they stay below it.
    pub(super) fn beneath(&self, path: &Path, flags: OFlag) -> io::Result<File> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(File::from(openat2(&self.root, path, how)?))
    }

    /// The directory at `path`, made with its parents where it is missing.
    pub(super) fn directory(&mut self, path: &Path) -> io::Result<Rc<File>> {
        if let Some((last, dir)) = &self.last
            && last == path
        {
            return Ok(Rc::clone(dir));
        }
        let dir = match self.beneath(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(error) };
                mkdirat(self.directory(parent)?, name, Mode::from_bits_truncate(0o755))?;
                self.beneath(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?
            }
            other => other?,
        };
        let dir = Rc::new(dir);
        self.last = Some((path.to_owned(), Rc::clone(&dir)));
        Ok(dir)
    }

    /// The place of a member, its parents made. `None` is the root itself.
    pub(super) fn spot(&mut self, parts: &[&OsStr]) -> io::Result<Option<Spot>> {
        let Some((name, parents)) = parts.split_last() else { return Ok(None) };
        let dir = self.directory(&parents.iter().collect::<PathBuf>())?;
        Ok(Some(Spot { dir, name: (*name).to_owned() }))
    }

    /// Forgets the directory used last, because something may have been removed or replaced on the way to it.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}

impl Spot {
    /// What is there now, links not followed.
    pub(super) fn stat(&self) -> io::Result<Option<FileStat>> {
        match fstatat(&self.dir, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Removes what is there, with all it holds.
    pub(super) fn clear(&self) -> io::Result<()> {
        match unlinkat(&self.dir, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(Errno::EISDIR) => {
                let inside = self.open(OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
                clear_all(&Rc::new(inside))?;
                Ok(unlinkat(&self.dir, self.name.as_os_str(), UnlinkatFlags::RemoveDir)?)
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens what is there; a symbolic link is an error.
    pub(super) fn open(&self, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        // Nobody else can read it before its owner and mode are set.
        let mode = Mode::from_bits_truncate(0o600);
        Ok(File::from(nix::fcntl::openat(&self.dir, self.name.as_os_str(), flags, mode)?))
    }

    /// One more name for the file at another place.
    pub(super) fn link_to(&self, target: &Spot) -> io::Result<()> {
        let (from, to) = (target.name.as_os_str(), self.name.as_os_str());
        Ok(linkat(&target.dir, from, &self.dir, to, AtFlags::empty())?)
    }

    /// Gives what is there, link or device, its owner.
    pub(super) fn own(&self, uid: u32, gid: u32) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        let name = self.name.as_os_str();
        Ok(nix::unistd::fchownat(&self.dir, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)?)
    }

    /// Sets its time of modification, links not followed.
    pub(super) fn touch(&self, mtime: (i64, u32)) -> io::Result<()> {
        let time = time(mtime);
        Ok(utimensat(&self.dir, self.name.as_os_str(), &time, &time, UtimensatFlags::NoFollowSymlink)?)
    }
}

/// Removes everything in an open directory.
fn clear_all(dir: &Rc<File>) -> io::Result<()> {
    for (name, _) in children(dir)? {
        Spot { dir: Rc::clone(dir), name }.clear()?;
    }
    Ok(())
}

/// The names in an open directory, and whether each is a directory itself.
pub(super) fn children(dir: &Rc<File>) -> io::Result<Vec<(OsString, bool)>> {
    // A descriptor of its own, because a duplicate would share the position in the listing.
    let again = nix::fcntl::openat(dir, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut children = Vec::new();
    for entry in Dir::from_fd(OwnedFd::from(File::from(again)))?.iter() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
        if name != "." && name != ".." {
            let spot = Spot { dir: Rc::clone(dir), name };
            let is_dir = spot.stat()?.is_some_and(|stat| format(&stat) == SFlag::S_IFDIR);
            children.push((spot.name, is_dir));
        }
    }
    Ok(children)
}

/// Sets the time of modification of an open file or directory.
pub(super) fn touch(file: &File, mtime: (i64, u32)) -> io::Result<()> {
    let time = time(mtime);
    Ok(futimens(file, &time, &time)?)
}

fn time((seconds, nanoseconds): (i64, u32)) -> TimeSpec {
    TimeSpec::new(seconds, nanoseconds.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in ["/etc/passwd", "../x", "a/../../x", "a/..", "a\0b"] {
            assert!(parts(bad.as_bytes()).is_err(), "{bad}");
        }
        let cases = [("./a//b/", vec!["a", "b"]), ("./", vec![]), ("..a", vec!["..a"])];
        for (name, expected) in cases {
            assert_eq!(parts(name.as_bytes()).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn clearing_a_directory_does_not_follow_links() {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("kept");
        std::fs::create_dir_all(&kept).unwrap();
        std::fs::write(kept.join("file"), "x").unwrap();
        std::fs::create_dir_all(dir.path().join("root/gone/deep")).unwrap();
        std::os::unix::fs::symlink(&kept, dir.path().join("root/gone/link")).unwrap();
        let mut tree = Tree::open(&dir.path().join("root")).unwrap();
        tree.spot(&[OsStr::new("gone")]).unwrap().unwrap().clear().unwrap();
        assert!(!dir.path().join("root/gone").exists() && kept.join("file").exists());
    }
}
