//! Freezes what an instance wrote, the upper directory of its overlay, as a layer.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{At, Error};
use super::seal::{Sealed, seal};
use super::stack::{Source, Stack, Whiteouts, relative};
use super::tar_write::TarWriter;
use super::{Store, digest, scratch};

/// A layer in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// `sha256:HEX` of the compressed blob: its name.
    pub digest: String,
    /// `sha256:HEX` of the tar in it.
    pub diff_id: String,
    /// Bytes of the compressed blob.
    pub size: u64,
    /// Bytes of the tar.
    pub unpacked_size: u64,
}

impl Store {
    /// Writes an overlay's upper directory as a layer. Deleted files become `.wh.` members; owners, modes, times to the
    /// nanosecond, hard links, devices and the attributes that belong to the files are kept, sockets are not. The same
    /// content gives the same digest.
    ///
    /// `exclude` names paths, as seen in the instance, that are left out with all they hold: what was put there only
    /// for the instance to run. The instance may still run: files are read as they are at that moment.
    ///
    /// The layer is safe from [`Store::garbage_collect`] until [`Store::put_image`] names it, or the store is dropped.
    pub fn commit_layer(&self, upper: &Path, exclude: &[PathBuf]) -> Result<Layer, Error> {
        let stack = Stack {
            sources: vec![Source::whole(upper)],
            overlay: self.overlay_attributes(),
            whiteouts: Whiteouts::Keep,
            exclude: exclude.iter().map(|path| relative(path)).collect(),
        };
        let sealed = seal(&self.tmp(), |out| {
            let mut tar = TarWriter::new(out);
            stack.write(&mut tar)?;
            tar.finish().at("write the layer of", upper).map(drop)
        })?;
        self.place(sealed)
    }

    /// The layer of a digest.
    pub fn layer(&self, digest: &str) -> Result<Layer, Error> {
        let path = self.info(&format!("{}.json", digest::hex(digest)?));
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::LayerMissing(digest.to_owned()));
            }
            other => other.at("read", &path)?,
        };
        serde_json::from_slice(&text).map_err(|source| Error::Json { path, source })
    }

    /// Gives a sealed blob its place.
    pub(super) fn place(&self, sealed: Sealed) -> Result<Layer, Error> {
        let Sealed { file, digest, diff_id, size, unpacked_size } = sealed;
        let layer = Layer { digest, diff_id, size, unpacked_size };
        let hex = digest::hex(&layer.digest)?;
        // Before it has its place: afterwards, a collector could find it and nobody's claim on it.
        self.pin(hex)?;
        let info = self.info(&format!("{hex}.json"));
        scratch::write_whole(&self.tmp(), &info, &to_json(&layer, &info)?)?;
        let blob = self.blob(hex);
        if !blob.exists() {
            file.keep_as(&blob)?;
        }
        Ok(layer)
    }
}

/// A document as JSON.
pub(super) fn to_json(document: &impl Serialize, path: &Path) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(document).map_err(|source| Error::Json { path: path.to_owned(), source })
}
