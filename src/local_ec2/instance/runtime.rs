//! Kiln's own program as an instance gets it: the program, a setuid copy that serves as `sudo`, and the loader and libraries it was linked with, so
//! that it starts in a root whose C library is older or another one.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::elf;

/// Where the instance has the libraries, and the loader among them. Short, because they must fit where the program had its loader's path.
pub const LIBRARIES: &str = "/run/kiln/l";
const LOADER: &str = "/run/kiln/l/i";

/// The copies, in a directory that only root can enter: one of them is setuid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    directory: PathBuf,
}

impl Runtime {
    /// Copies this process's program and libraries into `parent`, unless the same build's copies are there.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn prepare(parent: &Path) -> io::Result<Self> {
        let meta = fs::metadata("/proc/self/exe")?;
        let key = format!("{:x}-{:x}-{:x}-{:x}", meta.dev(), meta.ino(), meta.size(), meta.mtime_nsec() ^ meta.mtime());
        let directory = parent.join(key);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        fs::set_permissions(parent, fs::Permissions::from_mode(0o700))?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(parent.join("lock"))?;
        lock.lock()?;
        if !directory.exists() {
            fill(&directory, &loaded_libraries(&fs::read_to_string("/proc/self/maps")?))?;
        }
        Ok(Self { directory })
    }

    /// The directory with `kiln`, `sudo` and `lib/`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Everything is copied aside first, so that a copy is complete or absent.
fn fill(directory: &Path, libraries: &BTreeSet<PathBuf>) -> io::Result<()> {
    let aside = directory.with_extension("new");
    let _ = fs::remove_dir_all(&aside);
    fs::create_dir_all(aside.join("lib"))?;
    // The magic link still leads to the program when its file has been replaced by a newer build.
    let mut program = fs::read("/proc/self/exe")?;
    // A program without a loader is static, and starts anywhere as it is.
    if libraries.iter().any(|p| is_loader(p)) && elf::redirect(&mut program, LOADER, LIBRARIES).is_none() {
        return Err(io::Error::other(
            "this build of kiln is linked in a way that its copy for instances can't be: link it statically",
        ));
    }
    for (name, mode) in [("kiln", 0o755), ("sudo", 0o4755)] {
        fs::write(aside.join(name), &program)?;
        fs::set_permissions(aside.join(name), fs::Permissions::from_mode(mode))?;
    }
    for library in libraries {
        let name = library.file_name().ok_or_else(|| io::Error::other("a library without a name"))?;
        let copy = aside.join("lib").join(name);
        io::copy(&mut File::open(library)?, &mut File::create(&copy)?)?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
        if is_loader(library) {
            symlink(name, aside.join("lib/i"))?;
        }
    }
    fs::rename(aside, directory)
}

/// The shared objects in a `/proc/PID/maps`.
fn loaded_libraries(maps: &str) -> BTreeSet<PathBuf> {
    let path = |line: &str| line.split_once('/').map(|(_, rest)| PathBuf::from(format!("/{rest}")));
    let is_library =
        |p: &PathBuf| p.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.ends_with(".so") || n.contains(".so."));
    maps.lines().filter_map(path).filter(is_library).collect()
}

fn is_loader(path: &Path) -> bool {
    path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("ld-linux") || n.starts_with("ld-musl"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_name_the_libraries_once() {
        let maps = "55d0-55d1 r--p 0 fe:00 1 /usr/bin/kiln\n7f00-7f01 r--p 0 fe:00 2   /usr/lib/x86_64-linux-gnu/libc.so.6\n\
                    7f02-7f03 r-xp 0 fe:00 2   /usr/lib/x86_64-linux-gnu/libc.so.6\n7f04-7f05 r--p 0 fe:00 3 /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2\n\
                    7ffc-7ffd rw-p 0 00:00 0 [stack]\n";
        let libraries = loaded_libraries(maps);
        assert_eq!(libraries.len(), 2);
        assert!(libraries.iter().any(|p| is_loader(p)));
    }

    #[test]
    fn copies_are_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = Runtime::prepare(&dir.path().join("runtime")).unwrap();
        let inode = fs::metadata(first.directory().join("sudo")).unwrap().ino();
        assert_eq!(Runtime::prepare(&dir.path().join("runtime")).unwrap(), first);
        assert_eq!(fs::metadata(first.directory().join("sudo")).unwrap().ino(), inode);
        assert_eq!(fs::metadata(first.directory().join("sudo")).unwrap().permissions().mode() & 0o7777, 0o4755);
    }
}
