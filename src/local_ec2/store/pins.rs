//! The layers that this store has made and no image names yet: nobody may collect them.
//!
//! Their names are in one file of the store's own, which is locked as long as the store is open: an endpoint that lives for months makes thousands of
//! layers, and must not need a descriptor for each. The file changes, and is read, only under the lock of the index.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::{At, Error};
use super::lock::Lock;

/// How the files begin.
const PREFIX: &str = "pins.";

/// The pins of one open store.
#[derive(Debug, Default)]
pub(super) struct Pins {
    names: HashSet<String>,
    file: Option<(PathBuf, Lock)>,
}

impl Pins {
    /// Adds a layer. `directory` is the one of the locks.
    pub(super) fn add(&mut self, directory: &Path, hex: &str) -> Result<(), Error> {
        if self.file.is_none() {
            let path = directory.join(format!("{PREFIX}{:016x}", rand::random::<u64>()));
            let lock = Lock::exclusive(&path)?;
            self.file = Some((path, lock));
        }
        self.names.insert(hex.to_owned());
        self.save()
    }

    /// Takes a layer off, which an image names now.
    pub(super) fn remove(&mut self, hex: &str) -> Result<(), Error> {
        if self.names.remove(hex) { self.save() } else { Ok(()) }
    }

    fn save(&self) -> Result<(), Error> {
        let Some((path, _)) = &self.file else { return Ok(()) };
        let text: String = self.names.iter().flat_map(|name| [name.as_str(), "\n"]).collect();
        // In place, since the lock is on this very file.
        fs::write(path, text).at("write", path)
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        if let Some((path, lock)) = self.file.take() {
            // One that stays is removed by the next collection.
            let _ = lock.remove(&path);
        }
    }
}

/// The pins of all stores that are open in any process; files of those that were killed are removed.
pub(super) fn all(directory: &Path) -> Result<HashSet<String>, Error> {
    let mut pinned = HashSet::new();
    for entry in fs::read_dir(directory).at("list", directory)? {
        let path = entry.at("list", directory)?.path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)) {
            continue;
        }
        match Lock::try_exclusive(&path)? {
            Some(dead) => dead.remove(&path)?,
            None => pinned.extend(fs::read_to_string(&path).at("read", &path)?.lines().map(str::to_owned)),
        }
    }
    Ok(pinned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_of_open_stores_count_and_need_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let (mut one, mut two) = (Pins::default(), Pins::default());
        for n in 0..50 {
            one.add(dir.path(), &format!("a{n}")).unwrap();
        }
        two.add(dir.path(), "b").unwrap();
        one.remove("a0").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        let pinned = all(dir.path()).unwrap();
        assert_eq!((pinned.len(), pinned.contains("a0"), pinned.contains("b")), (50, false, true));
        drop(one);
        fs::write(dir.path().join("pins.of-one-that-was-killed"), "c\n").unwrap();
        assert_eq!(all(dir.path()).unwrap(), HashSet::from(["b".to_owned()]));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
