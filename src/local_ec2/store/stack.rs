//! Walks directories that lie on each other as overlayfs would show them, and writes what it sees as a tar: one upper
//! directory (a layer is committed), the layers of an image (they are merged), or layers on a base (a whole root).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::dir::{Dir, Type};
use nix::sys::stat::{major, minor};
use tar::EntryType;

use super::attributes::OverlayAttributes;
use super::error::{At, Error};
use super::node::{Kind, Node};
use super::tar_write::{Member, TarWriter};
use super::whiteout;

/// Directories deeper than this are refused: every level holds one descriptor per source open, and no real tree comes
/// near it.
const MAX_DEPTH: usize = 160;

/// One directory of the stack.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    /// Directories shown empty, and files not shown, relative to `path`.
    closed: HashSet<PathBuf>,
    /// Files that have another content here.
    replaced: HashMap<PathBuf, Vec<u8>>,
}

impl Source {
    /// A directory shown as it is.
    pub(super) fn whole(path: &Path) -> Self {
        Self { path: path.to_owned(), closed: HashSet::new(), replaced: HashMap::new() }
    }

    /// A directory of which parts are not shown.
    pub(super) fn masked(path: &Path, closed: HashSet<PathBuf>, replaced: HashMap<PathBuf, Vec<u8>>) -> Self {
        Self { path: path.to_owned(), closed, replaced }
    }
}

/// What becomes of deletions that reach the bottom of the stack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whiteouts<'a> {
    /// They are part of the result.
    Keep,
    /// They are kept where they delete something of this base.
    KeepOver(&'a Path),
    /// The stack stands on its own: there is nothing left to delete.
    Drop,
}

/// A walk over a stack.
#[derive(Debug)]
pub(super) struct Stack<'a> {
    /// Top first.
    pub sources: Vec<Source>,
    pub overlay: OverlayAttributes,
    pub whiteouts: Whiteouts<'a>,
    /// Paths, relative to the root, that are left out with all they hold.
    pub exclude: HashSet<PathBuf>,
}

impl Stack<'_> {
    /// Writes everything below the root; the root itself belongs to whoever mounts it.
    pub(super) fn write(&self, out: &mut TarWriter) -> Result<(), Error> {
        let mut open = Vec::new();
        for (nth, source) in self.sources.iter().enumerate() {
            open.push((nth, File::open(&source.path).at("open", &source.path)?));
        }
        Walk { stack: self, out, links: HashMap::new() }.directory(Path::new(""), &open, Beneath::Shown, 0)
    }
}

/// Makes a path relative to a root, whether it was given so or as seen from inside.
pub(super) fn relative(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect()
}

/// Whether what lies under the stack can show through at some directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beneath {
    Shown,
    Hidden,
}

/// What the stack has under one name.
#[derive(Default)]
struct Found {
    /// The uppermost node, and the source that it is from.
    top: Option<(Node, usize)>,
    /// Where it is a directory: its parts, top first.
    parts: Vec<(usize, File)>,
    /// A whiteout ends the search.
    deleted: bool,
    /// Something in the stack hides what is under the stack.
    hides: bool,
}

struct Walk<'a> {
    stack: &'a Stack<'a>,
    out: &'a mut TarWriter,
    /// The first path of every file that has several.
    links: HashMap<(u64, u64), Vec<u8>>,
}

type Listing = BTreeMap<OsString, Vec<(usize, Option<Type>)>>;

impl Walk<'_> {
    fn directory(&mut self, path: &Path, parts: &[(usize, File)], beneath: Beneath, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            let reason = format!("lies deeper than {MAX_DEPTH} directories");
            return Err(Error::Unrepresentable { path: path.to_owned(), reason });
        }
        for (name, places) in list(path, parts)? {
            let child = path.join(&name);
            if self.stack.exclude.contains(&child) {
                continue;
            }
            if whiteout::is_marker(name.as_bytes()) {
                let reason = "has a name that layers use for deletions".to_owned();
                return Err(Error::Unrepresentable { path: child, reason });
            }
            let found = self.look_up(&child, &name, parts, &places)?;
            self.emit(&child, found, beneath, depth)?;
        }
        Ok(())
    }

    /// Goes down through the sources that list the name, until one of them hides the rest.
    fn look_up(
        &self,
        path: &Path,
        name: &OsStr,
        parts: &[(usize, File)],
        places: &[(usize, Option<Type>)],
    ) -> Result<Found, Error> {
        let mut found = Found::default();
        for &(part, listed_as) in places {
            let (nth, dir) = &parts[part];
            let read = Node::read(dir, name, listed_as, self.stack.overlay);
            let Some(node) = read.at("read", self.stack.sources[*nth].path.join(path))? else { continue };
            let closed = self.stack.sources[*nth].closed.contains(path);
            let opaque = node.opaque;
            match &node.kind {
                Kind::Whiteout => {
                    found.deleted = true;
                    break;
                }
                Kind::Directory(_) if closed => {}
                Kind::Directory(file) => found.parts.push((*nth, file.try_clone().at("open", path)?)),
                // A file among the directories of other sources hides them, or is hidden by them.
                _ if closed || found.top.is_some() => {
                    found.hides = true;
                    break;
                }
                _ => {}
            }
            let is_directory = matches!(node.kind, Kind::Directory(_));
            found.top.get_or_insert((node, *nth));
            if opaque || !is_directory {
                found.hides = true;
                break;
            }
        }
        found.hides |= found.deleted;
        Ok(found)
    }

    fn emit(&mut self, path: &Path, found: Found, beneath: Beneath, depth: usize) -> Result<(), Error> {
        let Found { top, parts, deleted, hides } = found;
        let Some((node, nth)) = top else {
            return if deleted && beneath == Beneath::Shown { self.whiteout(path) } else { Ok(()) };
        };
        if !matches!(node.kind, Kind::Directory(_)) {
            return self.leaf(path, node, nth);
        }
        let name = [path.as_os_str().as_bytes(), b"/"].concat();
        self.out.member(&member(&name, &node, EntryType::Directory, b"", 0)).at("write the layer at", path)?;
        let below = if hides { Beneath::Hidden } else { beneath };
        if beneath == Beneath::Shown && below == Beneath::Hidden && self.deletes(path) {
            self.marker(&path.join(OsStr::from_bytes(whiteout::OPAQUE)))?;
        }
        // One descriptor a level is enough.
        drop(node);
        self.directory(path, &parts, below, depth + 1)
    }

    fn leaf(&mut self, path: &Path, node: Node, nth: usize) -> Result<(), Error> {
        let name = path.as_os_str().as_bytes();
        let (kind, link) = match &node.kind {
            Kind::File(file) => return self.file(path, &node, file, nth),
            Kind::Symlink(target) => (EntryType::Symlink, target.as_slice()),
            Kind::CharDevice => (EntryType::Char, b"".as_slice()),
            Kind::BlockDevice => (EntryType::Block, b"".as_slice()),
            Kind::Fifo => (EntryType::Fifo, b"".as_slice()),
            // A socket means nothing without the process that listens on it.
            Kind::Socket | Kind::Whiteout | Kind::Directory(_) => return Ok(()),
        };
        self.out.member(&member(name, &node, kind, link, 0)).at("write the layer at", path)
    }

    fn file(&mut self, path: &Path, node: &Node, mut file: &File, nth: usize) -> Result<(), Error> {
        let name = path.as_os_str().as_bytes();
        if let Some(content) = self.stack.sources[nth].replaced.get(path) {
            let size = content.len() as u64;
            self.out.member(&member(name, node, EntryType::Regular, b"", size)).at("write the layer at", path)?;
            return self.out.data(&mut content.as_slice(), size).at("write the layer at", path);
        }
        if node.stat.st_nlink > 1 {
            let key = (node.stat.st_dev, node.stat.st_ino);
            if let Some(first) = self.links.get(&key) {
                return self.out.member(&member(name, node, EntryType::Link, first, 0)).at("write the layer at", path);
            }
            self.links.insert(key, name.to_vec());
        }
        let size = u64::try_from(node.stat.st_size).unwrap_or(0);
        self.out.member(&member(name, node, EntryType::Regular, b"", size)).at("write the layer at", path)?;
        self.out.data(&mut file, size).at("copy", self.stack.sources[nth].path.join(path))
    }

    fn whiteout(&mut self, path: &Path) -> Result<(), Error> {
        match path.file_name() {
            Some(name) if self.deletes(path) => self.marker(&path.with_file_name(whiteout::marker(name))),
            _ => Ok(()),
        }
    }

    /// Whether a deletion at this path has anything to delete.
    fn deletes(&self, path: &Path) -> bool {
        match self.stack.whiteouts {
            Whiteouts::Keep => true,
            Whiteouts::KeepOver(base) => fs::symlink_metadata(base.join(path)).is_ok(),
            Whiteouts::Drop => false,
        }
    }

    fn marker(&mut self, path: &Path) -> Result<(), Error> {
        self.out.member(&Member::marker(path.as_os_str().as_bytes())).at("write the layer at", path)
    }
}

fn list(path: &Path, parts: &[(usize, File)]) -> Result<Listing, Error> {
    let mut names = Listing::new();
    for (part, (_, file)) in parts.iter().enumerate() {
        for entry in read_names(file).at("list", path)? {
            let (name, listed_as) = entry;
            names.entry(name).or_default().push((part, listed_as));
        }
    }
    Ok(names)
}

fn read_names(file: &File) -> io::Result<Vec<(OsString, Option<Type>)>> {
    let mut names = Vec::new();
    for entry in Dir::from_fd(file.try_clone()?.into())?.iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push((OsString::from_vec(name.to_vec()), entry.file_type()));
        }
    }
    Ok(names)
}

fn member<'a>(path: &'a [u8], node: &'a Node, kind: EntryType, link: &'a [u8], size: u64) -> Member<'a> {
    let stat = &node.stat;
    let device = match node.kind {
        Kind::CharDevice | Kind::BlockDevice => (major(stat.st_rdev) as u32, minor(stat.st_rdev) as u32),
        _ => (0, 0),
    };
    Member {
        path,
        kind,
        link,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid.into(),
        gid: stat.st_gid.into(),
        mtime: (stat.st_mtime, u32::try_from(stat.st_mtime_nsec).unwrap_or(0)),
        size,
        device,
        xattrs: if kind == EntryType::Link { &[] } else { &node.xattrs },
    }
}
