//! A local directory as a list: every entry below it, parents first, links followed.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::local_error;
use crate::communicator::Error;

/// A local directory and everything below it.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// The directory itself.
    pub root: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// What is below, parents before children, in the order of names.
    pub entries: Vec<Entry>,
}

/// One file or directory of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path from the root.
    pub name: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dir,
    File { size: u64 },
}

impl Tree {
    /// Bytes in all files.
    pub fn size(&self) -> u64 {
        self.entries.iter().map(|entry| if let Kind::File { size } = entry.kind { size } else { 0 }).sum()
    }

    /// The directories below the root.
    pub fn dirs(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.kind == Kind::Dir)
    }
}

/// Lists a directory. Links count as what they lead to; one that leads nowhere or round in a circle is an error, and so is
/// anything that is neither file nor directory.
pub(super) fn walk(root: &Path) -> Result<Tree, Error> {
    let metadata = fs::metadata(root).map_err(|e| local_error(root, &e))?;
    if !metadata.is_dir() {
        return Err(complain(root, "is not a directory"));
    }
    let mut entries = Vec::new();
    descend(root, Path::new(""), &mut vec![identity(&metadata)], &mut entries)?;
    Ok(Tree { root: root.to_owned(), mode: bits(&metadata), entries })
}

fn descend(root: &Path, dir: &Path, above: &mut Vec<(u64, u64)>, entries: &mut Vec<Entry>) -> Result<(), Error> {
    let here = root.join(dir);
    let listed: Result<Vec<_>, _> = fs::read_dir(&here).and_then(Iterator::collect);
    let mut names: Vec<_> = listed.map_err(|e| local_error(&here, &e))?.iter().map(fs::DirEntry::file_name).collect();
    names.sort();
    for name in names {
        let name = dir.join(name);
        let path = root.join(&name);
        let metadata = fs::metadata(&path).map_err(|e| local_error(&path, &e))?;
        if metadata.is_file() {
            entries.push(Entry { name, mode: bits(&metadata), kind: Kind::File { size: metadata.len() } });
        } else if metadata.is_dir() {
            if above.contains(&identity(&metadata)) {
                return Err(complain(&path, "is a link to a directory that it is in"));
            }
            above.push(identity(&metadata));
            entries.push(Entry { name: name.clone(), mode: bits(&metadata), kind: Kind::Dir });
            descend(root, &name, above, entries)?;
            above.pop();
        } else {
            return Err(complain(&path, "is neither a file nor a directory"));
        }
    }
    Ok(())
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn bits(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}

fn complain(path: &Path, reason: &str) -> Error {
    Error::Local { path: path.display().to_string(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_order_is_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("b/empty")).unwrap();
        fs::write(at("b/f"), "12345").unwrap();
        fs::set_permissions(at("b/f"), fs::Permissions::from_mode(0o750)).unwrap();
        symlink("b", at("a")).unwrap();
        symlink("b/f", at("c")).unwrap();
        let tree = walk(dir.path()).unwrap();
        let names: Vec<_> = tree.entries.iter().map(|e| e.name.to_str().unwrap()).collect();
        assert_eq!(names, ["a", "a/empty", "a/f", "b", "b/empty", "b/f", "c"]);
        assert_eq!(tree.entries[6], Entry { name: "c".into(), mode: 0o750, kind: Kind::File { size: 5 } });
        assert_eq!((tree.size(), tree.dirs().count()), (15, 4));
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        for (target, why) in [("nowhere", "No such file"), (".", "a link to a directory that it is in")] {
            let dir = tempfile::tempdir().unwrap();
            symlink(target, dir.path().join("link")).unwrap();
            let text = walk(dir.path()).unwrap_err().to_string();
            assert!(text.contains("/link: ") && text.contains(why), "{text}");
        }
        assert_eq!(walk(Path::new("/dev/null")).unwrap_err().to_string(), "/dev/null: is not a directory");
    }
}
