//! Takes layers into the store that were made elsewhere: by an export, by podman or docker, or from any root file system.

use std::path::Path;

use super::Store;
use super::archive::copy_tar;
use super::commit::Layer;
use super::error::Error;
use super::oci_source::{LayerFile, layer_files};
use super::seal::seal;
use super::source::BaseSource;

/// What an import brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The layers, lowest first, safe from [`Store::garbage_collect`] as those of [`Store::commit_layer`] are.
    pub layers: Vec<Layer>,
    /// What they make up.
    pub root: ImportedRoot,
}

/// What imported layers make up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportedRoot {
    /// A whole root file system: its base is [`SCRATCH`](super::SCRATCH).
    Whole,
    /// Changes to some base, which the caller must know.
    Changes,
}

impl Store {
    /// Imports the layers of an archive or a layout, recompressed as this store keeps them. Each is unpacked at once, so
    /// that an archive with members that cannot be is refused now, and not when an instance starts.
    pub fn import(&self, source: &BaseSource) -> Result<Imported, Error> {
        let Some(files) = layer_files(source, &self.tmp())? else {
            let reason = "has no layers: import takes a tar, or an image on disk".to_owned();
            return Err(Error::BadSource { source_text: format!("{source:?}"), reason });
        };
        let mut layers = Vec::new();
        let mut root = ImportedRoot::Changes;
        for LayerFile { path, file, digest } in files.layers {
            let sealed = seal(&self.tmp(), |out| copy_tar(&path, file, digest.as_deref(), out))?;
            let layer = self.place(sealed)?;
            if is_whole(&self.unpack(&layer.digest)?) {
                root = ImportedRoot::Whole;
            }
            layers.push(layer);
        }
        Ok(Imported { layers, root })
    }
}

/// A root has its system's libraries and a shell; a bake that changes both is beyond belief.
fn is_whole(dir: &Path) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| dir.join(name).symlink_metadata().is_ok());
    has(&["usr/lib", "lib"]) && has(&["bin/sh", "usr/bin/sh"]) && has(&["etc/passwd"])
}
