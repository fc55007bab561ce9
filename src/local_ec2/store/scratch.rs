//! Files and directories under construction. Each is named after the process that makes it, so that what a killed
//! process left is recognised and swept by the next one that opens the store.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{At, Error};

/// Distinguishes what one process has under construction at the same time.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A path under `tmp/` that is removed on drop, unless it was [kept](Scratch::keep_as).
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    kept: bool,
}

impl Scratch {
    /// A new path in `tmp`, with nothing there yet.
    fn new(tmp: &Path) -> Result<Self, Error> {
        let me = std::process::id();
        let start = start_time(me).unwrap_or_default();
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Self { path: tmp.join(format!("{me}.{start}.{nth}")), kept: false })
    }

    /// An empty file, open for reading and writing.
    pub(super) fn file(tmp: &Path) -> Result<(Self, File), Error> {
        let scratch = Self::new(tmp)?;
        let options = File::options().read(true).write(true).create_new(true).to_owned();
        let file = options.open(&scratch.path).at("create", &scratch.path)?;
        Ok((scratch, file))
    }

    /// An empty directory.
    pub(super) fn directory(tmp: &Path) -> Result<Self, Error> {
        let scratch = Self::new(tmp)?;
        fs::create_dir(&scratch.path).at("create", &scratch.path)?;
        Ok(scratch)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves it to its final place, where nothing may be except a file to replace.
    pub(super) fn keep_as(mut self, place: &Path) -> Result<(), Error> {
        fs::rename(&self.path, place).at("move a finished file to", place)?;
        self.kept = true;
        sync_parent(place)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept {
            // Whatever stays is swept by the next `Store::open`: there is nobody to tell here.
            let _ = remove_any(&self.path);
        }
    }
}

/// Makes the renaming of `place` durable.
fn sync_parent(place: &Path) -> Result<(), Error> {
    let parent = place.parent().unwrap_or(Path::new("."));
    File::open(parent).and_then(|dir| dir.sync_all()).at("sync", parent)
}

/// Removes a file or a whole directory. A path with nothing there is fine.
pub(super) fn remove_any(path: &Path) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => gone(fs::remove_dir_all(path)),
        Ok(_) => gone(fs::remove_file(path)),
        Err(error) => gone(Err(error)),
    }
}

/// Removes from `tmp` what processes left that no longer run.
pub(super) fn sweep(tmp: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(tmp).at("read", tmp)? {
        let path = entry.at("read", tmp)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !owner_lives(name) {
            remove_any(&path).at("remove", &path)?;
        }
    }
    Ok(())
}

/// Whether the process that named a scratch path still runs. A process id alone would not do: ids are used again.
fn owner_lives(name: &str) -> bool {
    let mut parts = name.split('.').map(str::parse::<u64>);
    let (Some(Ok(process)), Some(Ok(start))) = (parts.next(), parts.next()) else { return false };
    u32::try_from(process).ok().and_then(start_time) == Some(start)
}

/// When a process started, in clock ticks since boot: field 22 of `/proc/PID/stat`, counted after the parenthesised
/// command name because that may hold blanks.
fn start_time(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Writes a small file so that it is either the old one or the whole new one, whenever the power goes.
pub(super) fn write_whole(tmp: &Path, place: &Path, bytes: &[u8]) -> Result<(), Error> {
    let (scratch, mut file) = Scratch::file(tmp)?;
    io::Write::write_all(&mut file, bytes).and_then(|()| file.sync_all()).at("write", scratch.path())?;
    scratch.keep_as(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_what_the_dead_left_and_nothing_else() {
        let tmp = tempfile::tempdir().unwrap();
        let (mine, _file) = Scratch::file(tmp.path()).unwrap();
        let me = std::process::id();
        for dead in ["4194303.1.0".to_owned(), format!("{me}.1.0"), "stray".to_owned()] {
            fs::create_dir_all(tmp.path().join(dead).join("sub")).unwrap();
        }
        sweep(tmp.path()).unwrap();
        let left: Vec<_> = fs::read_dir(tmp.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [mine.path()]);
    }

    #[test]
    fn an_abandoned_scratch_goes_and_a_kept_one_stays() {
        let tmp = tempfile::tempdir().unwrap();
        drop(Scratch::directory(tmp.path()).unwrap());
        assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 0);
        let place = tmp.path().join("place");
        write_whole(tmp.path(), &place, b"old").unwrap();
        write_whole(tmp.path(), &place, b"new").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"new");
        assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 1);
    }
}
