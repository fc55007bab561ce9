//! Tests of the store as a whole. Owners, devices and overlay mounts need root: without it, those tests say so and pass.

mod bases;
mod exports;
mod hostile;
mod layers;
mod overlay;
mod registry;
mod sharing;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{ImageRecord, SCRATCH, Store};

/// A store over a small root that plays the host.
pub(super) struct Fixture {
    pub dir: TempDir,
    pub store: Store,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path().join("host");
        write(&host.join("etc/os-release"), "ID=debian\nVERSION_ID=12\n");
        write(&host.join("etc/shadow"), "root:secret-hash\n");
        write(&host.join("root/.ssh/id"), "secret-key\n");
        write(&host.join("usr/bin/tool"), "tool\n");
        write(&host.join("usr/share/doc/readme"), "readme\n");
        let store = Store::open_over(&dir.path().join("store"), &host).unwrap();
        Self { dir, store }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn host(&self) -> PathBuf {
        self.path("host")
    }

    /// A layer with these files.
    pub(super) fn layer(&self, name: &str, files: &[(&str, &str)]) -> String {
        let upper = self.path(name);
        fs::create_dir_all(&upper).unwrap();
        for (path, content) in files {
            write(&upper.join(path), content);
        }
        self.store.commit_layer(&upper, &[]).unwrap().digest
    }
}

pub(super) fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(super) fn record(base: &str, layers: &[String]) -> ImageRecord {
    ImageRecord {
        name: "web 1".to_owned(),
        base: base.to_owned(),
        layers: layers.to_vec(),
        created: "2026-11-21T12:00:00.000Z".to_owned(),
        description: "a test".to_owned(),
        architecture: "x86_64".to_owned(),
        config: serde_json::json!({ "User": "admin" }),
    }
}

pub(super) fn scratch_record(layers: &[String]) -> ImageRecord {
    record(SCRATCH, layers)
}

pub(super) fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// Every path beneath a directory, with what a layer should keep of it.
pub(super) fn listing(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    list_into(root, root, &mut found);
    found
}

fn list_into(root: &Path, dir: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() {
            super::digest::of(&fs::read(&path).unwrap())
        } else if meta.is_symlink() {
            fs::read_link(&path).unwrap().display().to_string()
        } else {
            String::new()
        };
        let attributes: BTreeMap<_, _> = xattr::list(&path)
            .unwrap()
            .filter(|name| super::attributes::is_carried(name.as_encoded_bytes()))
            .map(|name| (name.clone(), xattr::get(&path, &name).unwrap()))
            .collect();
        let links = if meta.is_dir() { 0 } else { meta.nlink() };
        let text = format!(
            "{:o} {}:{} {}.{:09} {:x} {links} {content} {attributes:?}",
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.rdev()
        );
        // A whiteout has no attributes of its own: only its name counts.
        let whiteout = meta.mode() & 0o170_000 == 0o020_000 && meta.rdev() == 0;
        let text = if whiteout { "whiteout".to_owned() } else { text };
        found.insert(path.strip_prefix(root).unwrap().to_owned(), text);
        if meta.is_dir() {
            list_into(root, &path, found);
        }
    }
}

/// The member names of a tar, with their data.
pub(super) fn members(path: &Path) -> BTreeMap<String, String> {
    let file = fs::File::open(path).unwrap();
    let mut tar = super::tar_read::TarReader::new(super::archive::decompressed(file).unwrap());
    let mut members = BTreeMap::new();
    while let Some(entry) = tar.next().unwrap() {
        let mut data = String::new();
        std::io::Read::read_to_string(&mut tar, &mut data).unwrap();
        members.insert(String::from_utf8(entry.path).unwrap(), data);
    }
    members
}
