//! The state on disk: one JSON document per region and account, shared by all processes that use the directory.
//!
//! A change is applied to a fresh copy under a file lock and put in place with a rename, so a reader never sees half of one and a killed writer leaves
//! the old one. Readers take no lock; they compare the generation at the head of the file with what they have read before.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Moment, Region, Scope};

/// The documents below one directory.
pub struct Store {
    dir: PathBuf,
    read: Mutex<HashMap<Scope, Arc<Region>>>,
}

impl Store {
    /// Opens (and makes) the directory. It may hold secrets, so only its owner may enter.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(Self { dir: dir.to_owned(), read: Mutex::default() })
    }

    /// The region as it is at `now`.
    pub fn read(&self, scope: &Scope, now: Moment) -> io::Result<Region> {
        let mut region = Region::clone(&*self.load(scope)?);
        region.settle(now);
        Ok(region)
    }

    /// Looks at a region as it was last written: what time has changed since is not in it, and nothing is copied.
    pub fn look<R>(&self, scope: &Scope, look: impl FnOnce(&Region) -> R) -> io::Result<R> {
        Ok(look(&*self.load(scope)?))
    }

    /// Changes a region. When `change` fails, nothing is changed.
    pub fn update<R, E: From<io::Error>>(
        &self,
        scope: &Scope,
        now: Moment,
        change: impl FnOnce(&mut Region) -> Result<R, E>,
    ) -> Result<R, E> {
        let _lock = self.lock()?;
        let old = self.load(scope)?;
        let mut new = Region::clone(&old);
        new.settle(now);
        let result = change(&mut new)?;
        if new != *old {
            new.generation = old.generation + 1;
            self.write(new)?;
        }
        Ok(result)
    }

    /// The documents of all accounts in a region.
    pub fn scopes_in(&self, region: &str) -> io::Result<Vec<Scope>> {
        let entries = match fs::read_dir(self.dir.join(region)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut scopes = Vec::new();
        for entry in entries {
            if let Some(account) = entry?.file_name().to_str().and_then(|name| name.strip_suffix(".json")) {
                scopes.push(Scope { region: region.to_owned(), account: account.to_owned() });
            }
        }
        Ok(scopes)
    }

    /// The documents of all accounts in all regions.
    pub fn scopes(&self) -> io::Result<Vec<Scope>> {
        let mut scopes = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if let Some(region) = entry.file_name().to_str().filter(|_| entry.path().is_dir()) {
                scopes.extend(self.scopes_in(region)?);
            }
        }
        Ok(scopes)
    }

    /// The generation on disk; 0 for a document that was never written.
    pub fn generation(&self, scope: &Scope) -> io::Result<u64> {
        let mut head = String::new();
        match File::open(self.path(scope)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            file => file?.take(40).read_to_string(&mut head)?,
        };
        let digits: String =
            head.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        digits.parse().map_err(|_| self.damaged(scope, "no generation at its head"))
    }

    fn load(&self, scope: &Scope) -> io::Result<Arc<Region>> {
        let generation = self.generation(scope)?;
        let mut read = self.read.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(known) = read.get(scope).filter(|known| known.generation == generation) {
            return Ok(Arc::clone(known));
        }
        let region = if generation == 0 {
            Region::new(scope.clone())
        } else {
            let bytes = fs::read(self.path(scope))?;
            serde_json::from_slice(&bytes).map_err(|error| self.damaged(scope, &error.to_string()))?
        };
        let region = Arc::new(region);
        read.insert(scope.clone(), Arc::clone(&region));
        Ok(region)
    }

    fn write(&self, region: Region) -> io::Result<()> {
        let path = self.path(&region.scope);
        if let Some(parent) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        // One writer at a time (the lock), so one name for the new version will do.
        let new = path.with_extension("new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(&region)?)?;
        drop(file);
        fs::rename(new, &path)?;
        self.read.lock().unwrap_or_else(|e| e.into_inner()).insert(region.scope.clone(), Arc::new(region));
        Ok(())
    }

    /// One lock for all documents: changes are rare and take microseconds. Held until the file is dropped, also by a killed process.
    fn lock(&self) -> io::Result<File> {
        let path = self.dir.join("lock");
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        file.lock()?;
        Ok(file)
    }

    fn path(&self, scope: &Scope) -> PathBuf {
        self.dir.join(&scope.region).join(format!("{}.json", scope.account))
    }

    fn damaged(&self, scope: &Scope, reason: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {reason}", self.path(scope).display()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{KeyPair, Tags};
    use super::*;

    fn scope() -> Scope {
        Scope { region: "eu-west-1".into(), account: "000000000000".into() }
    }

    fn key(name: &str) -> KeyPair {
        KeyPair {
            id: super::super::id::fresh("key"),
            name: name.into(),
            kind: "rsa".into(),
            fingerprint: String::new(),
            public_line: String::new(),
            created: Moment(0),
            tags: Tags::new(),
        }
    }

    fn add(store: &Store, name: &str) {
        let key = key(name);
        store
            .update::<_, io::Error>(&scope(), Moment::now(), |region| {
                region.key_pairs.insert(name.into(), key);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn two_processes_see_each_others_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (Store::open(dir.path()).unwrap(), Store::open(dir.path()).unwrap());
        assert_eq!(one.read(&scope(), Moment::now()).unwrap().vpcs.len(), 1);
        add(&one, "a");
        add(&two, "b");
        add(&one, "c");
        let names: Vec<String> = two.read(&scope(), Moment::now()).unwrap().key_pairs.into_keys().collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(two.generation(&scope()).unwrap(), 3);
    }

    #[test]
    fn a_failed_change_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let result: Result<(), io::Error> = store.update(&scope(), Moment::now(), |region| {
            region.key_pairs.insert("a".into(), key("a"));
            Err(io::Error::other("no"))
        });
        assert!(result.is_err());
        assert!(store.read(&scope(), Moment::now()).unwrap().key_pairs.is_empty());
    }
}
