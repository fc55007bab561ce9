//! Opens files of a root that may have been made with malice: no link in it leads out to the host's files.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;

/// Opens `path` as a process whose root directory is `root` would.
///
/// # Errors
/// As open(2).
pub fn open(root: &Path, path: &str, flags: OFlag) -> io::Result<File> {
    resolve(root, path, flags, ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS)
}

/// Reads a file to which no link leads.
///
/// # Errors
/// As open(2) and read(2); a pipe or a device is refused too.
pub fn read(root: &Path, path: &str) -> io::Result<Vec<u8>> {
    let resolve_flags = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    let mut file = resolve(root, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, resolve_flags)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(bytes)
}

/// A path by which this process reaches an open directory.
pub fn path_of(directory: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

fn resolve(root: &Path, path: &str, flags: OFlag, resolve: ResolveFlag) -> io::Result<File> {
    let root = File::open(root)?;
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).mode(Mode::empty()).resolve(resolve);
    Ok(openat2(root.as_fd(), path.trim_start_matches('/'), how)?.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_do_not_lead_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(dir.path().join("secret"), "of the host").unwrap();
        fs::write(root.join("etc/hosts"), "own").unwrap();
        symlink(dir.path(), root.join("out")).unwrap();
        assert_eq!(read(&root, "etc/hosts").unwrap(), b"own");
        assert!(read(&root, "out/secret").is_err());
        assert!(read(&root, "../secret").is_err());
        assert!(read(&root, "etc").is_err());
        assert!(open(&root, "out/secret", OFlag::O_RDONLY).is_err());
        nix::unistd::mkfifo(&root.join("pipe"), Mode::S_IRWXU).unwrap();
        assert!(read(&root, "pipe").is_err());
    }
}
