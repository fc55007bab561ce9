//! What the instance wrote to its console: the last part of it, in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// As much as GetConsoleOutput gives.
pub const KEPT: u64 = 64 * 1024;

/// A file that never grows beyond twice of [`KEPT`].
#[derive(Debug)]
pub struct ConsoleLog {
    path: PathBuf,
    file: File,
    size: u64,
}

impl ConsoleLog {
    /// Opens it to be continued.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size })
    }

    /// Adds what was written.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        if self.size > 2 * KEPT {
            let end = tail(&self.path);
            let aside = self.path.with_extension("new");
            fs::write(&aside, &end)?;
            fs::rename(&aside, &self.path)?;
            *self = Self::open(&self.path)?;
        }
        Ok(())
    }
}

/// The last [`KEPT`] bytes; empty when there is no such file.
pub fn tail(path: &Path) -> Vec<u8> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(KEPT)))?;
        let mut bytes = Vec::new();
        file.take(KEPT).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let mut log = ConsoleLog::open(&path).unwrap();
        for byte in 0..200_u8 {
            log.append(&[byte; 1024]).unwrap();
        }
        let end = tail(&path);
        assert_eq!(end.len() as u64, KEPT);
        assert_eq!((end[0], end[end.len() - 1]), (136, 199));
        assert!(fs::metadata(&path).unwrap().len() <= 2 * KEPT);
        assert!(tail(Path::new("/nonexistent")).is_empty());
    }
}
