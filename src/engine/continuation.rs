//! What another process needs to go on with a run, besides the journal: how it was started, and the keys of its machines.
//!
//! A file of its own beside the journal, readable by its owner alone: the command line can hold passwords, and the keys open machines. It goes when
//! nothing of the run is left to go on with.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use super::ledger::Place;

/// The file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}")]
pub struct Error {
    path: PathBuf,
    source: io::Error,
}

/// How a run was started, and its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuation {
    /// The command line, without the program.
    pub words: Vec<String>,
    /// The directory that it was started in.
    pub directory: PathBuf,
    /// When, in milliseconds since 1970: `timestamp()` says the same again.
    pub started: i64,
    /// The variables of its environment that the template reads.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Digests of the options of each build's source, by build and option: what was edited since is told.
    #[serde(default)]
    pub options: BTreeMap<String, BTreeMap<String, String>>,
    /// Private keys by build, in OpenSSH's format.
    pub keys: BTreeMap<String, String>,
    /// How builds reach what they make, by build.
    #[serde(default)]
    pub reaches: BTreeMap<String, Reach>,
}

/// How a build reaches what it makes. Whoever goes on or cleans up must come to the same account, and may have to look for what the journal does not name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The account; empty when the template keeps it from being asked for.
    pub account: String,
    /// The endpoint of the API, where it is not the service's own: an empty one.
    #[serde(default)]
    pub endpoint: String,
    /// The region of the build itself.
    #[serde(default)]
    pub region: String,
    /// The name of its image, as it was when the run began.
    #[serde(default)]
    pub image_name: String,
    /// Where it may make something.
    pub places: Vec<Place>,
    /// Whether it may make something that belongs to the account and to no region.
    pub uses_iam: bool,
    /// The template's access options, as only its source understands them, secrets included.
    pub access: serde_json::Value,
}

/// The file of one run. Clones share it.
#[derive(Clone)]
pub struct Keeper(Arc<Mutex<(PathBuf, Continuation)>>);

impl Keeper {
    /// Writes the file of a new run.
    pub fn create(directory: &Path, run: &str, continuation: Continuation) -> Result<Self, Error> {
        let path = path_of(directory, run);
        save(&path, &continuation)?;
        Ok(Self(Arc::new(Mutex::new((path, continuation)))))
    }

    /// Reads the file of an earlier run.
    pub fn open(directory: &Path, run: &str) -> Result<Self, Error> {
        let path = path_of(directory, run);
        let continuation = read(&path)?;
        Ok(Self(Arc::new(Mutex::new((path, continuation)))))
    }

    fn lock(&self) -> MutexGuard<'_, (PathBuf, Continuation)> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// What it holds.
    pub fn get(&self) -> Continuation {
        self.lock().1.clone()
    }

    /// Adds the private key of a build's machine; it is on disk when this returns.
    pub fn keep_key(&self, build: &str, key: &str) -> Result<(), Error> {
        self.change(|continuation| {
            continuation.keys.insert(build.to_owned(), key.to_owned());
        })
    }

    /// Adds how a build reaches what it makes; it is on disk when this returns.
    pub fn keep_reach(&self, build: &str, reach: Reach) -> Result<(), Error> {
        self.change(|continuation| {
            continuation.reaches.insert(build.to_owned(), reach);
        })
    }

    fn change(&self, change: impl FnOnce(&mut Continuation)) -> Result<(), Error> {
        let mut inner = self.lock();
        change(&mut inner.1);
        let (path, continuation) = &*inner;
        save(path, continuation)
    }

    /// How a build reaches what it makes, when it has come so far.
    pub fn reach(&self, build: &str) -> Option<Reach> {
        self.lock().1.reaches.get(build).cloned()
    }

    /// The private key of a build's machine.
    pub fn key(&self, build: &str) -> Option<String> {
        self.lock().1.keys.get(build).cloned()
    }

    /// Removes the file.
    pub fn remove(&self) {
        remove(&self.lock().0);
    }
}

/// How the builds of a run reach what they make; nothing when the file is gone or torn.
pub fn reaches(directory: &Path, run: &str) -> BTreeMap<String, Reach> {
    read(&path_of(directory, run)).map(|continuation| continuation.reaches).unwrap_or_default()
}

fn read(path: &Path) -> Result<Continuation, Error> {
    let at = |source| Error { path: path.to_owned(), source };
    let text = std::fs::read(path).map_err(at)?;
    serde_json::from_slice(&text).map_err(|e| at(e.into()))
}

/// Removes the file of a run that nobody will go on with.
pub fn forget(directory: &Path, run: &str) {
    remove(&path_of(directory, run));
}

fn remove(path: &Path) {
    // One that is gone already is what was wanted. A crash can leave the new one beside it, and it holds keys, too.
    let _ = std::fs::remove_file(path);
    let _ = std::fs::remove_file(beside(path));
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension("continuation.new")
}

/// The continuation file of a run.
pub fn path_of(directory: &Path, run: &str) -> PathBuf {
    directory.join(format!("{run}.continuation"))
}

/// Written beside and renamed, so that a crash leaves the old or the new one.
fn save(path: &Path, continuation: &Continuation) -> Result<(), Error> {
    let at = |source| Error { path: path.to_owned(), source };
    let beside = beside(path);
    let text = serde_json::to_vec(continuation).map_err(|e| at(e.into()))?;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(at)?;
    file.write_all(&text).and_then(|()| file.sync_data()).map_err(at)?;
    std::fs::rename(&beside, path).map_err(at)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_there_for_its_owner_alone_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let continuation = Continuation { words: vec!["build".into()], started: 7, ..Continuation::default() };
        let keeper = Keeper::create(directory.path(), "r", continuation).unwrap();
        keeper.keep_key("b", "secret").unwrap();
        let mode = std::fs::metadata(path_of(directory.path(), "r")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Keeper::open(directory.path(), "r").unwrap();
        assert_eq!((again.get(), again.key("b").as_deref()), (keeper.get(), Some("secret")));
        keeper.remove();
        assert!(Keeper::open(directory.path(), "r").is_err());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
