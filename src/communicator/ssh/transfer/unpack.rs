//! A tar stream from the machine, unpacked into a local directory without trusting a name in it.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tar::EntryType;

use super::{local_error, safe_name};
use crate::communicator::Error;

/// How a zstd stream begins.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Unpacks a plain or zstd-compressed tar stream into `target`. Modes are kept without set-id bits; owners and times are not;
/// links and devices are never made.
pub(super) fn unpack(stream: &mut impl Read, target: &Path) -> Result<(), Error> {
    let mut start = Vec::new();
    stream.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut start).map_err(|e| broken(&e))?;
    let compressed = start == ZSTD_MAGIC;
    let whole = io::Cursor::new(start).chain(stream);
    if compressed {
        let decoder = zstd::Decoder::new(whole).map_err(|e| broken(&e))?;
        unpack_tar(BufReader::new(decoder), target)
    } else {
        unpack_tar(whole, target)
    }
}

fn unpack_tar(stream: impl Read, target: &Path) -> Result<(), Error> {
    let mut dirs = Vec::new();
    for entry in tar::Archive::new(stream).entries().map_err(|e| broken(&e))? {
        let mut entry = entry.map_err(|e| broken(&e))?;
        let name = entry.path().map_err(|e| broken(&e))?.into_owned();
        let place = target.join(safe_name(&name)?);
        let mode = entry.header().mode().map_err(|e| broken(&e))? & 0o777;
        match entry.header().entry_type() {
            EntryType::Directory => {
                make_dir(&place)?;
                if place != *target {
                    dirs.push((place, mode));
                }
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => write_file(&mut entry, &place, mode)?,
            EntryType::Link => {
                let original = entry.link_name().map_err(|e| broken(&e))?.unwrap_or_default().into_owned();
                copy_file(&target.join(safe_name(&original)?), &place)?;
            }
            kind => {
                let reason = format!("`{}` is neither a file nor a directory ({kind:?})", name.display());
                return Err(Error::Transfer { what: "download".into(), reason });
            }
        }
    }
    // Last and innermost first: nothing can be made in a directory that its mode closes.
    for (dir, mode) in dirs.iter().rev() {
        fs::set_permissions(dir, Permissions::from_mode(*mode)).map_err(|e| local_error(dir, &e))?;
    }
    Ok(())
}

fn write_file(from: &mut impl Read, place: &PathBuf, mode: u32) -> Result<(), Error> {
    if let Some(parent) = place.parent() {
        make_dir(parent)?;
    }
    let failed = |e: io::Error| local_error(place, &e);
    let mut file = File::create(place).map_err(failed)?;
    io::copy(from, &mut file).map_err(failed)?;
    file.set_permissions(Permissions::from_mode(mode)).map_err(failed)
}

fn copy_file(original: &Path, place: &Path) -> Result<(), Error> {
    fs::copy(original, place).map(drop).map_err(|e| local_error(place, &e))
}

fn make_dir(place: &Path) -> Result<(), Error> {
    fs::create_dir_all(place).map_err(|e| local_error(place, &e))
}

fn broken(error: &io::Error) -> Error {
    Error::Transfer { what: "download".into(), reason: format!("the tar stream is broken: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tar stream of (name, kind, link or content). Names are written raw: the crate refuses bad ones.
    fn tar_of(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o640);
            let content = if kind.is_file() { text.as_bytes() } else { b"" };
            header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn files_links_and_compression() {
        let plain = tar_of(&[("./a", EntryType::Regular, "text"), ("./d/b", EntryType::Link, "./a")]);
        let compressed = zstd::encode_all(&plain[..], 1).unwrap();
        for stream in [plain, compressed] {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("d")).unwrap();
            unpack(&mut &stream[..], dir.path()).unwrap();
            assert_eq!(fs::read(dir.path().join("d/b")).unwrap(), b"text");
            assert_eq!(fs::metadata(dir.path().join("a")).unwrap().permissions().mode() & 0o7777, 0o640);
        }
    }

    #[test]
    fn nothing_leaves_the_directory() {
        for entry in [
            ("../out", EntryType::Regular, "x"),
            ("/tmp/kiln-out", EntryType::Regular, "x"),
            ("in", EntryType::Symlink, "/etc"),
            ("in", EntryType::Link, "../../etc/passwd"),
            ("dev", EntryType::Char, ""),
        ] {
            let dir = tempfile::tempdir().unwrap();
            assert!(unpack(&mut &tar_of(&[entry])[..], dir.path()).is_err(), "{entry:?}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{entry:?}");
        }
    }
}
