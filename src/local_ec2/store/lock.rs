//! Advisory locks between processes: one file a lock, released by the kernel when its holder ends in whatever way.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::{At, Error};

/// A held lock. Dropping it releases it.
#[derive(Debug)]
pub(super) struct Lock(Flock<File>);

impl Lock {
    /// Waits for a lock that others may share.
    pub(super) fn shared(path: &Path) -> Result<Self, Error> {
        acquire(path, FlockArg::LockShared).map_err(Into::<io::Error>::into).at("lock", path)
    }

    /// Waits for a lock that nobody shares.
    pub(super) fn exclusive(path: &Path) -> Result<Self, Error> {
        acquire(path, FlockArg::LockExclusive).map_err(Into::<io::Error>::into).at("lock", path)
    }

    /// The lock alone, or `None` while anybody has it.
    pub(super) fn try_exclusive(path: &Path) -> Result<Option<Self>, Error> {
        match acquire(path, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(lock)),
            Err(Errno::EWOULDBLOCK) => Ok(None),
            Err(errno) => Err(errno).at("lock", path),
        }
    }

    /// Removes the file of a lock that is held alone.
    pub(super) fn remove(self, path: &Path) -> Result<(), Error> {
        fs::remove_file(path).at("remove", path)?;
        drop(self.0);
        Ok(())
    }
}

/// Locks the file that is at `path` *now*: between opening and locking, a holder may have removed it, and a lock on a
/// removed file excludes nobody.
fn acquire(path: &Path, how: FlockArg) -> Result<Lock, Errno> {
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(errno)?;
        let ours = file.metadata().map_err(errno)?.ino();
        let lock = Flock::lock(file, how).map_err(|(_, errno)| errno)?;
        match fs::metadata(path) {
            Ok(there) if there.ino() == ours => return Ok(Lock(lock)),
            _ => continue,
        }
    }
}

fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_locks_keep_the_exclusive_one_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let one = Lock::shared(&path).unwrap();
        let two = Lock::shared(&path).unwrap();
        assert!(Lock::try_exclusive(&path).unwrap().is_none());
        drop((one, two));
        let alone = Lock::try_exclusive(&path).unwrap().unwrap();
        assert!(Lock::try_exclusive(&path).unwrap().is_none());
        alone.remove(&path).unwrap();
        assert!(!path.exists());
        drop(Lock::exclusive(&path).unwrap());
    }
}
