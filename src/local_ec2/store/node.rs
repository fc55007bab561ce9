//! One file of a directory tree as a layer sees it. Everything goes through descriptors that follow no symbolic link:
//! the tree may belong to an instance that still runs.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::dir::Type;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use xattr::FileExt;

use super::attributes::{OverlayAttributes, is_carried};

/// Attributes of overlayfs whose meaning a layer would lose: a directory that was renamed by reference, a file whose
/// content still lies in the layer beneath. Mounts for instances turn both features off.
const BY_REFERENCE: [&[u8]; 2] = [b"redirect", b"metacopy"];

/// What kind of thing a node is.
#[derive(Debug)]
pub(super) enum Kind {
    /// Open for listing.
    Directory(File),
    /// Open for reading.
    File(File),
    /// Where the link points, as written.
    Symlink(Vec<u8>),
    CharDevice,
    BlockDevice,
    Fifo,
    Socket,
    /// overlayfs's mark that the name is deleted.
    Whiteout,
}

/// A file with everything that a layer keeps of it.
#[derive(Debug)]
pub(super) struct Node {
    pub kind: Kind,
    pub stat: FileStat,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// A directory that hides what lies under it.
    pub opaque: bool,
}

impl Node {
    /// The node `name` in `dir`, or `None` if it vanished or changed its kind since it was listed.
    pub(super) fn read(
        dir: impl AsFd,
        name: &OsStr,
        listed_as: Option<Type>,
        overlay: OverlayAttributes,
    ) -> io::Result<Option<Self>> {
        let result = match listed_as {
            Some(Type::Directory) => open(&dir, name, OFlag::O_DIRECTORY, overlay),
            Some(Type::File) => open(&dir, name, OFlag::O_NONBLOCK, overlay),
            _ => unopened(&dir, name, overlay),
        };
        match result {
            Err(error) if is_gone(&error) => Ok(None),
            other => other.map(Some),
        }
    }

    fn plain(kind: Kind, stat: FileStat) -> Self {
        Self { kind, stat, xattrs: Vec::new(), opaque: false }
    }
}

/// The file's kind, from its mode.
pub(super) fn format(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc) if [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP, Errno::ENXIO]
        .contains(&Errno::from_raw(libc)))
}

fn open(dir: &impl AsFd, name: &OsStr, extra: OFlag, overlay: OverlayAttributes) -> io::Result<Node> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | extra;
    let file = File::from(openat(dir, name, flags, Mode::empty())?);
    let stat = fstat(&file)?;
    let notes = attributes(&file, overlay)?;
    let kind = match format(&stat) {
        SFlag::S_IFDIR => Kind::Directory(file),
        SFlag::S_IFREG if notes.whiteout && stat.st_size == 0 => Kind::Whiteout,
        SFlag::S_IFREG => Kind::File(file),
        _ => return Err(io::Error::from(Errno::ENOENT)),
    };
    Ok(Node { kind, stat, xattrs: notes.carried, opaque: notes.opaque })
}

fn unopened(dir: &impl AsFd, name: &OsStr, overlay: OverlayAttributes) -> io::Result<Node> {
    let stat = fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let kind = match format(&stat) {
        SFlag::S_IFDIR => return open(dir, name, OFlag::O_DIRECTORY, overlay),
        SFlag::S_IFREG => return open(dir, name, OFlag::O_NONBLOCK, overlay),
        SFlag::S_IFLNK => Kind::Symlink(readlinkat(dir, name).map(OsString::into_vec)?),
        SFlag::S_IFCHR if stat.st_rdev == 0 => Kind::Whiteout,
        SFlag::S_IFCHR => Kind::CharDevice,
        SFlag::S_IFBLK => Kind::BlockDevice,
        SFlag::S_IFIFO => Kind::Fifo,
        _ => Kind::Socket,
    };
    Ok(Node::plain(kind, stat))
}

#[derive(Default)]
struct Notes {
    carried: Vec<(Vec<u8>, Vec<u8>)>,
    opaque: bool,
    whiteout: bool,
}

fn attributes(file: &File, overlay: OverlayAttributes) -> io::Result<Notes> {
    let mut notes = Notes::default();
    let names = match file.list_xattr() {
        Ok(names) => names,
        // Pseudo file systems have none.
        Err(error) if error.raw_os_error() == Some(Errno::EOPNOTSUPP as i32) => return Ok(notes),
        Err(error) => return Err(error),
    };
    for name in names {
        let note = overlay.note(&name);
        if note.is_some_and(|note| BY_REFERENCE.contains(&note)) {
            let what = format!("carries {}: its content lies outside of the layer", name.display());
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        match note {
            // `x` marks a directory that holds whiteouts kept as attributes; it hides nothing by itself.
            Some(b"opaque") => notes.opaque = file.get_xattr(&name)?.is_some_and(|value| value == b"y"),
            Some(b"whiteout") => notes.whiteout = true,
            _ if is_carried(name.as_bytes()) => {
                notes.carried.extend(file.get_xattr(&name)?.map(|value| (name.into_vec(), value)));
            }
            _ => {}
        }
    }
    // The order in which a file system lists them says nothing, and must not change the digest.
    notes.carried.sort();
    Ok(notes)
}
