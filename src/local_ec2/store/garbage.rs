//! Removes what nothing refers to any more.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use oci_spec::image::{Descriptor, ImageManifest};

use super::error::{At, Error};
use super::lock::Lock;
use super::{Store, digest, pins, scratch};

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs and unpacked layers.
    pub items: usize,
    /// Bytes of the blobs. Unpacked layers are not counted: that would take a walk over each.
    pub bytes: u64,
}

impl Store {
    /// Removes the blobs and unpacked layers that no image refers to, except the layers in `keep` (of snapshots, and of
    /// instances that are stopped), those that an instance runs on, and those just made that no image names yet.
    pub fn garbage_collect(&self, keep: &[String]) -> Result<Collected, Error> {
        let _alone = self.index_lock()?;
        let mut live: HashSet<String> = pins::all(&self.dir().join("locks"))?;
        for digest in keep {
            live.insert(digest::hex(digest)?.to_owned());
        }
        for entry in self.all_manifests()? {
            live.extend(self.referred(&entry)?);
        }
        let mut collected = Collected::default();
        for hex in self.present()? {
            if !live.contains(&hex) {
                self.collect(&hex, &mut collected)?;
            }
        }
        Ok(collected)
    }

    /// Everything that there is a blob or an unpacked layer of.
    fn present(&self) -> Result<HashSet<String>, Error> {
        let mut present = HashSet::new();
        for dir in [self.dir().join("blobs/sha256"), self.dir().join("layers")] {
            for name in names(&dir)? {
                // Nothing else is ours to remove.
                if digest::hex(&format!("sha256:{name}")).is_ok() {
                    present.insert(name);
                }
            }
        }
        Ok(present)
    }

    fn referred(&self, entry: &Descriptor) -> Result<Vec<String>, Error> {
        let manifest: ImageManifest = self.document(entry)?;
        let blobs = manifest.layers().iter().chain([manifest.config(), entry]);
        blobs.map(|blob| digest::hex(blob.digest().as_ref()).map(str::to_owned)).collect()
    }

    fn collect(&self, hex: &str, collected: &mut Collected) -> Result<(), Error> {
        let lock = self.lock_path(hex);
        let Some(alone) = Lock::try_exclusive(&lock)? else { return Ok(()) };
        let blob = self.blob(hex);
        let bytes = fs::metadata(&blob).map_or(0, |meta| meta.len());
        let files = [self.unpacked_marker(hex), self.layer_dir(hex), blob, self.info(&format!("{hex}.json"))];
        for path in files.iter().chain([&self.lock_path(&format!("{hex}.unpack"))]) {
            scratch::remove_any(path).at("remove", path)?;
        }
        collected.items += 1;
        collected.bytes += bytes;
        alone.remove(&lock)
    }
}

fn names(dir: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).at("list", dir)? {
        names.extend(entry.at("list", dir)?.file_name().into_string());
    }
    Ok(names)
}
