//! A file that appears only when it is complete: nobody reads half of it, and a failure leaves the old one.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Bytes that are gathered for one write.
const BUFFER: usize = 256 << 10;

/// A file in the making.
pub enum Replacement {
    /// Written beside its place, and renamed.
    Beside(BufWriter<NamedTempFile>, PathBuf),
    /// Written through: the place is a device or a pipe, as its owner meant.
    Through(BufWriter<File>),
}

impl Replacement {
    /// Begins a file at `path`. A new one gets the permission bits of `mode` that the umask leaves, one that is replaced hands its own on. A link is
    /// followed.
    pub fn begin(path: &Path, mode: u32) -> io::Result<Self> {
        let (place, old) = match std::fs::metadata(path) {
            Ok(meta) if !meta.is_file() => {
                return Ok(Self::Through(BufWriter::new(OpenOptions::new().write(true).open(path)?)));
            }
            Ok(meta) => (std::fs::canonicalize(path)?, Some(meta.permissions())),
            Err(_) => (path.to_owned(), None),
        };
        let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        let file =
            builder.prefix(".kiln-").suffix(".tmp").permissions(Permissions::from_mode(mode)).tempfile_in(parent)?;
        if let Some(old) = old {
            file.as_file().set_permissions(old)?;
        }
        Ok(Self::Beside(BufWriter::with_capacity(BUFFER, file), place))
    }

    /// Puts it in its place.
    pub fn commit(self) -> io::Result<()> {
        match self {
            Self::Beside(file, place) => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.persist(place).map(drop).map_err(|error| error.error)
            }
            Self::Through(mut file) => file.flush(),
        }
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside(file, _) => file.write(bytes),
            Self::Through(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside(file, _) => file.flush(),
            Self::Through(file) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(path: &Path) -> io::Result<()> {
        let mut file = Replacement::begin(path, 0o666)?;
        file.write_all(b"new")?;
        file.commit()
    }

    #[test]
    fn the_old_file_stays_until_the_new_one_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let mut half = Replacement::begin(&path, 0o666).unwrap();
        half.write_all(b"half").unwrap();
        drop(half);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        written(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_are_followed_and_devices_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        std::fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        written(&link).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
        assert!(link.symlink_metadata().unwrap().is_symlink());
        written(Path::new("/dev/null")).unwrap();
    }
}
