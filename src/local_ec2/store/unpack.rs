//! Unpacks a tar stream into a directory: as one layer, with deletions as overlayfs marks them, or onto what is there,
//! with deletions carried out.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, SFlag, fchmod, makedev, mkdirat, mknodat};
use nix::unistd::{Gid, Uid, fchown, symlinkat};
use tar::EntryType;
use xattr::FileExt as _;

use super::attributes::{OverlayAttributes, is_carried};
use super::blocks::BLOCK;
use super::error::{At, Error};
use super::node::format;
use super::tar_read::{Entry, TarReader};
use super::tree::{self, Spot, Tree};
use super::whiteout::{Meaning, meaning};

/// Runs of zeros of this length, at multiples of it, become holes: the archive does not say where the holes were.
const HOLE: usize = 64 * 1024;

/// What deletions in an archive become.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deletions {
    /// Marks for overlayfs.
    Mark(OverlayAttributes),
    /// They are carried out on what lower layers put there.
    CarryOut,
    /// The archive is no layer: `.wh.` is part of a name like any other.
    None,
}

/// Unpacks a whole archive into the directory `root`. Owners and devices are kept as root; anyone else owns all.
pub(super) fn unpack(input: impl Read, root: &Path, deletions: Deletions) -> Result<(), Error> {
    let tree = Tree::open(root).at("open", root)?;
    let as_root = Uid::effective().is_root();
    let mut unpacker =
        Unpacker { root, tree, deletions, as_root, made: HashSet::new(), times: Vec::new(), buffer: vec![0; BLOCK] };
    let mut tar = TarReader::new(input);
    while let Some(entry) = tar.next().at("read the archive for", root)? {
        unpacker.entry(&entry, &mut tar)?;
    }
    unpacker.set_directory_times()?;
    // What a compressor or a peer still has to say, such as a checksum, comes after the end mark.
    io::copy(&mut tar.into_inner(), &mut io::sink()).at("read the archive for", root)?;
    Ok(())
}

struct Unpacker<'a> {
    root: &'a Path,
    tree: Tree,
    deletions: Deletions,
    as_root: bool,
    /// What this archive put there, which its own deletions do not concern.
    made: HashSet<PathBuf>,
    /// Directories get their times last: filling them changes these.
    times: Vec<(PathBuf, (i64, u32))>,
    buffer: Vec<u8>,
}

impl Unpacker<'_> {
    fn entry(&mut self, entry: &Entry, data: &mut impl Read) -> Result<(), Error> {
        let parts = tree::parts(&entry.path).map_err(|reason| refused(&entry.path, reason))?;
        let path: PathBuf = parts.iter().collect();
        let spot = match self.tree.spot(&parts) {
            Ok(Some(spot)) => spot,
            Ok(None) => return self.root_entry(entry),
            Err(error) if leads_out(&error) => {
                return Err(refused(&entry.path, "lies behind a file, or a link that leads out of the root"));
            }
            Err(error) => return Err(error).at("make the parents of", self.root.join(&path)),
        };
        let meaning = match self.deletions {
            Deletions::None => Meaning::File,
            _ => meaning(spot.name.as_bytes()),
        };
        match meaning {
            Meaning::File => self.file(entry, data, &path, &spot)?,
            Meaning::Ignored => return Ok(()),
            Meaning::Deleted(name) if [b"".as_slice(), b".", b".."].contains(&name.as_bytes()) => {
                return Err(refused(&entry.path, "deletes nothing that could exist"));
            }
            Meaning::Deleted(name) => {
                let target = Spot { dir: spot.dir.clone(), name: name.to_owned() };
                self.delete(&path.with_file_name(name), &target)?;
            }
            Meaning::Opaque => self.hide_beneath(path.parent().unwrap_or(Path::new("")), &spot)?,
        }
        Ok(())
    }

    /// The root itself: its attributes count, nothing else does.
    fn root_entry(&mut self, entry: &Entry) -> Result<(), Error> {
        if entry.kind != EntryType::Directory {
            return Err(refused(&entry.path, "names the root, and is no directory"));
        }
        let dir = self.tree.directory(Path::new("")).at("open", self.root)?;
        self.dress(&dir, entry).at("set the attributes of", self.root)?;
        self.times.push((PathBuf::new(), entry.mtime));
        Ok(())
    }

    fn file(&mut self, entry: &Entry, data: &mut impl Read, path: &Path, spot: &Spot) -> Result<(), Error> {
        let there = spot.stat().at("look at", self.root.join(path))?;
        let is_dir = there.is_some_and(|stat| format(&stat) == SFlag::S_IFDIR);
        let was_deleted = there.is_some_and(|stat| format(&stat) == SFlag::S_IFCHR && stat.st_rdev == 0);
        if there.is_some() && !(is_dir && entry.kind == EntryType::Directory) {
            spot.clear().at("replace", self.root.join(path))?;
            self.tree.forget();
        }
        let made = match entry.kind {
            EntryType::Regular => self.regular(entry, data, spot),
            EntryType::Directory => self.directory(entry, path, spot, is_dir),
            EntryType::Symlink => self.symlink(entry, spot),
            EntryType::Link => return self.hard_link(entry, path, spot),
            EntryType::Char | EntryType::Block | EntryType::Fifo => self.special(entry, spot),
            kind => return Err(refused(&entry.path, &format!("is of the unknown kind {:?}", kind.as_byte() as char))),
        };
        made.at("unpack", self.root.join(path))?;
        self.remember(path);
        match self.deletions {
            Deletions::Mark(overlay) if was_deleted && entry.kind == EntryType::Directory => {
                make_opaque(spot, overlay).at("mark as opaque", self.root.join(path))
            }
            _ => Ok(()),
        }
    }

    fn regular(&mut self, entry: &Entry, data: &mut impl Read, spot: &Spot) -> io::Result<()> {
        let file = spot.open(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)?;
        let whole = [(0, entry.size)];
        let mut end = 0;
        for &(offset, length) in entry.pieces.as_deref().unwrap_or(&whole) {
            if offset < end || offset.checked_add(length).is_none_or(|end| end > entry.size) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its sparse map is out of order"));
            }
            self.copy(&file, data, offset, length)?;
            end = offset + length;
        }
        // Also makes the hole at the end, if there is one.
        file.set_len(entry.size)?;
        self.dress(&file, entry)?;
        tree::touch(&file, entry.mtime)
    }

    fn copy(&mut self, file: &File, data: &mut impl Read, mut offset: u64, length: u64) -> io::Result<()> {
        let end = offset + length;
        while offset < end {
            let want = self.buffer.len().min(usize::try_from(end - offset).unwrap_or(usize::MAX));
            data.read_exact(&mut self.buffer[..want])?;
            for piece in self.buffer[..want].chunks(HOLE) {
                if piece.len() < HOLE || piece.iter().any(|&byte| byte != 0) {
                    file.write_all_at(piece, offset)?;
                }
                offset += piece.len() as u64;
            }
        }
        Ok(())
    }

    fn directory(&mut self, entry: &Entry, path: &Path, spot: &Spot, there: bool) -> io::Result<()> {
        if !there {
            mkdirat(&spot.dir, spot.name.as_os_str(), Mode::from_bits_truncate(0o700))?;
        }
        self.dress(&spot.open(OFlag::O_RDONLY | OFlag::O_DIRECTORY)?, entry)?;
        self.times.push((path.to_owned(), entry.mtime));
        Ok(())
    }

    fn symlink(&mut self, entry: &Entry, spot: &Spot) -> io::Result<()> {
        symlinkat(OsStr::from_bytes(&entry.link), &spot.dir, spot.name.as_os_str())?;
        self.own(entry, spot)?;
        spot.touch(entry.mtime)
    }

    fn hard_link(&mut self, entry: &Entry, path: &Path, spot: &Spot) -> Result<(), Error> {
        let parts =
            tree::parts(&entry.link).map_err(|reason| refused(&entry.path, &format!("links to what {reason}")))?;
        let missing = || refused(&entry.path, "is a hard link to what the archive does not hold");
        let target = match self.tree.spot(&parts) {
            Ok(target) => target.ok_or_else(missing)?,
            Err(error) if leads_out(&error) => return Err(missing()),
            Err(error) => return Err(error).at("find what is linked as", self.root.join(path)),
        };
        match spot.link_to(&target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
            other => other.at("link", self.root.join(path)),
        }?;
        self.remember(path);
        Ok(())
    }

    fn special(&mut self, entry: &Entry, spot: &Spot) -> io::Result<()> {
        let (major, minor) = entry.device;
        let kind = match entry.kind {
            EntryType::Fifo => SFlag::S_IFIFO,
            EntryType::Block => SFlag::S_IFBLK,
            // To overlayfs this device is a deletion, and an archive has `.wh.` for these.
            _ if (major, minor) == (0, 0) => return Err(io::Error::new(io::ErrorKind::InvalidData, "device 0/0")),
            _ => SFlag::S_IFCHR,
        };
        let device = if kind == SFlag::S_IFIFO { 0 } else { makedev(major.into(), minor.into()) };
        let mode = Mode::from_bits_truncate(entry.mode & 0o7777);
        match mknodat(&spot.dir, spot.name.as_os_str(), kind, mode, device) {
            // In a user namespace nobody makes devices. The instance gets its own /dev anyway.
            Err(Errno::EPERM) if kind != SFlag::S_IFIFO => return Ok(()),
            other => other?,
        }
        self.own(entry, spot)?;
        // The process's umask has had its say.
        nix::sys::stat::fchmodat(&spot.dir, spot.name.as_os_str(), mode, nix::sys::stat::FchmodatFlags::FollowSymlink)?;
        spot.touch(entry.mtime)
    }

    fn own(&self, entry: &Entry, spot: &Spot) -> io::Result<()> {
        if self.as_root { spot.own(entry.uid, entry.gid) } else { Ok(()) }
    }

    /// Owner, then mode (a change of owner clears setuid), then attributes (it clears capabilities too).
    fn dress(&self, file: &File, entry: &Entry) -> io::Result<()> {
        if self.as_root {
            fchown(file, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))?;
        }
        fchmod(file, Mode::from_bits_truncate(entry.mode & 0o7777))?;
        for (name, value) in entry.xattrs.iter().filter(|(name, _)| is_carried(name)) {
            match file.set_xattr(OsStr::from_bytes(name), value) {
                Err(error) if !self.as_root && error.raw_os_error() == Some(Errno::EPERM as i32) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Notes what this archive makes, with the directories on the way, which it need not name.
    fn remember(&mut self, path: &Path) {
        if matches!(self.deletions, Deletions::CarryOut) {
            for made in path.ancestors() {
                if !self.made.insert(made.to_owned()) {
                    break;
                }
            }
        }
    }

    /// Deletes what lower layers have at a path. A layer that deletes and makes the same name means what it makes, and,
    /// if that is a directory, only this.
    fn delete(&mut self, path: &Path, target: &Spot) -> Result<(), Error> {
        let shown = self.root.join(path);
        let there = target.stat().at("look at", &shown)?;
        let is_dir = there.is_some_and(|stat| format(&stat) == SFlag::S_IFDIR);
        let made = matches!(self.deletions, Deletions::Mark(_)) || self.made.contains(path);
        match there {
            Some(_) if made && is_dir => {
                let dir = target.open(OFlag::O_RDONLY | OFlag::O_DIRECTORY).at("open", &shown)?;
                self.hide_beneath(path, &Spot { dir: dir.into(), name: OsString::new() })
            }
            Some(_) if made => Ok(()),
            Some(_) => {
                self.tree.forget();
                target.clear().at("delete", &shown)
            }
            None if matches!(self.deletions, Deletions::Mark(_)) => {
                let (dir, name) = (&target.dir, target.name.as_os_str());
                mknodat(dir, name, SFlag::S_IFCHR, Mode::empty(), 0).at("mark as deleted", &shown)
            }
            None => Ok(()),
        }
    }

    fn hide_beneath(&mut self, path: &Path, spot: &Spot) -> Result<(), Error> {
        match self.deletions {
            Deletions::Mark(overlay) => {
                spot.dir.set_xattr(overlay.opaque(), b"y").at("mark as opaque", self.root.join(path))
            }
            _ => {
                self.tree.forget();
                self.clear_beneath(path, spot)
            }
        }
    }

    /// Removes what lower layers left in a directory of this one.
    fn clear_beneath(&self, path: &Path, spot: &Spot) -> Result<(), Error> {
        for (name, is_dir) in tree::children(&spot.dir).at("list", self.root.join(path))? {
            let child = path.join(&name);
            let spot = Spot { dir: spot.dir.clone(), name };
            if !self.made.contains(&child) {
                spot.clear().at("delete", self.root.join(&child))?;
            } else if is_dir {
                let dir = spot.open(OFlag::O_RDONLY | OFlag::O_DIRECTORY).at("open", self.root.join(&child))?;
                self.clear_beneath(&child, &Spot { dir: dir.into(), name: "".into() })?;
            }
        }
        Ok(())
    }

    fn set_directory_times(&mut self) -> Result<(), Error> {
        for (path, mtime) in std::mem::take(&mut self.times).into_iter().rev() {
            match self.tree.beneath(&path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW) {
                Ok(dir) => tree::touch(&dir, mtime).at("set the time of", self.root.join(&path))?,
                // A later member has replaced it.
                Err(error) if error.kind() == io::ErrorKind::NotFound || leads_out(&error) => {}
                Err(error) => return Err(error).at("open", self.root.join(&path)),
            }
        }
        Ok(())
    }
}

/// Makes a directory of a layer hide what is under it.
fn make_opaque(spot: &Spot, overlay: OverlayAttributes) -> io::Result<()> {
    spot.open(OFlag::O_RDONLY | OFlag::O_DIRECTORY)?.set_xattr(overlay.opaque(), b"y")
}

/// The kernel's words for a path that does not stay beneath the root, or that goes through a file.
fn leads_out(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    errno.is_some_and(|errno| [Errno::EXDEV, Errno::ELOOP, Errno::ENOTDIR, Errno::EEXIST].contains(&errno))
}

fn refused(member: &[u8], reason: &str) -> Error {
    Error::Refused { member: String::from_utf8_lossy(member).into_owned(), reason: reason.to_owned() }
}
