//! File attributes between the file system and SFTP.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, fchown, lchown};
use std::path::Path;

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, futimens, utimensat};
use nix::sys::time::TimeSpec;
use russh_sftp::protocol::FileAttributes;

/// Size, owner, mode and times. The mode carries the file's type, by which clients tell directories and links.
pub fn of(metadata: &Metadata) -> FileAttributes {
    FileAttributes {
        size: Some(metadata.size()),
        uid: Some(metadata.uid()),
        gid: Some(metadata.gid()),
        permissions: Some(metadata.mode()),
        atime: Some(seconds(metadata.atime())),
        mtime: Some(seconds(metadata.mtime())),
        user: None,
        group: None,
    }
}

/// Version 3 of the protocol counts unsigned 32-bit seconds.
fn seconds(time: i64) -> u32 {
    u32::try_from(time.max(0)).unwrap_or(u32::MAX)
}

/// What attributes are set on.
pub enum Target<'a> {
    /// The file that a path leads to.
    Path(&'a Path),
    /// The symbolic link itself.
    Link(&'a Path),
    /// An open file.
    Open(&'a File),
}

/// Sets what is given, in the order in which OpenSSH does. The owner is last: it may take the right to set the others.
///
/// # Errors
/// The first step that the kernel refuses.
pub fn set(target: &Target<'_>, wanted: &FileAttributes) -> io::Result<()> {
    if let Some(size) = wanted.size {
        set_size(target, size)?;
    }
    if let Some(mode) = wanted.permissions {
        set_mode(target, mode & 0o7777)?;
    }
    if let (Some(accessed), Some(modified)) = (wanted.atime, wanted.mtime) {
        set_times(target, accessed, modified)?;
    }
    if let (Some(uid), Some(gid)) = (wanted.uid, wanted.gid) {
        set_owner(target, uid, gid)?;
    }
    Ok(())
}

fn set_size(target: &Target<'_>, size: u64) -> io::Result<()> {
    match target {
        Target::Path(path) => File::options().write(true).open(path)?.set_len(size),
        Target::Open(file) => file.set_len(size),
        Target::Link(_) => Ok(()),
    }
}

/// Linux has no modes on links: asking for one is no error, as in OpenSSH.
fn set_mode(target: &Target<'_>, mode: u32) -> io::Result<()> {
    let permissions = std::fs::Permissions::from_mode(mode);
    match target {
        Target::Path(path) => std::fs::set_permissions(path, permissions),
        Target::Open(file) => file.set_permissions(permissions),
        Target::Link(_) => Ok(()),
    }
}

fn set_times(target: &Target<'_>, accessed: u32, modified: u32) -> io::Result<()> {
    let (accessed, modified) = (TimeSpec::new(accessed.into(), 0), TimeSpec::new(modified.into(), 0));
    match target {
        Target::Path(path) => utimensat(AT_FDCWD, *path, &accessed, &modified, UtimensatFlags::FollowSymlink)?,
        Target::Link(path) => utimensat(AT_FDCWD, *path, &accessed, &modified, UtimensatFlags::NoFollowSymlink)?,
        Target::Open(file) => futimens(file, &accessed, &modified)?,
    }
    Ok(())
}

fn set_owner(target: &Target<'_>, uid: u32, gid: u32) -> io::Result<()> {
    match target {
        Target::Path(path) => chown(path, Some(uid), Some(gid)),
        Target::Link(path) => lchown(path, Some(uid), Some(gid)),
        Target::Open(file) => fchown(file, Some(uid), Some(gid)),
    }
}
