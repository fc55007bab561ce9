//! The OCI image layout itself: `oci-layout`, `index.json`, and blobs that are JSON documents.

use std::fs;
use std::path::{Path, PathBuf};

use oci_spec::image::{ANNOTATION_REF_NAME, Descriptor, Digest, ImageIndex, MediaType};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::commit::to_json;
use super::error::{At, Error};
use super::{Store, digest, scratch};

/// The content of `oci-layout`, fixed by the specification.
const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

impl Store {
    /// Makes what an empty layout has.
    pub(super) fn make_layout(&self) -> Result<(), Error> {
        let _alone = self.index_lock()?;
        let marker = self.dir().join("oci-layout");
        if !marker.exists() {
            scratch::write_whole(&self.tmp(), &marker, OCI_LAYOUT)?;
        }
        if !self.index_path().exists() {
            self.write_index(&ImageIndexDocument { schema_version: 2, media_type: INDEX_TYPE, manifests: Vec::new() })?;
        }
        Ok(())
    }

    fn index_path(&self) -> PathBuf {
        self.dir().join("index.json")
    }

    /// The manifests that have a name, with it.
    pub(super) fn manifests(&self) -> Result<Vec<(String, Descriptor)>, Error> {
        let named = |entry: Descriptor| Some((ref_name(&entry)?.to_owned(), entry));
        Ok(self.all_manifests()?.into_iter().filter_map(named).collect())
    }

    /// All manifests of the layout, also those that other tools have put there.
    pub(super) fn all_manifests(&self) -> Result<Vec<Descriptor>, Error> {
        let index: ImageIndex = read_json(&self.index_path())?;
        Ok(index.manifests().clone())
    }

    /// Replaces the entry of `name`, or removes it. To be called with the index locked.
    pub(super) fn set_manifest(&self, name: &str, entry: Option<Descriptor>) -> Result<(), Error> {
        let index: ImageIndex = read_json(&self.index_path())?;
        // What other tools have added to the layout stays.
        let mut manifests: Vec<_> =
            index.manifests().iter().filter(|other| ref_name(other) != Some(name)).cloned().collect();
        manifests.extend(entry);
        self.write_index(&ImageIndexDocument { schema_version: 2, media_type: INDEX_TYPE, manifests })
    }

    fn write_index(&self, index: &ImageIndexDocument) -> Result<(), Error> {
        let path = self.index_path();
        scratch::write_whole(&self.tmp(), &path, &to_json(index, &path)?)
    }

    /// Stores a document as a blob. To be called with the index locked, so that it is not collected at once.
    pub(super) fn put_document(&self, media_type: MediaType, document: &impl Serialize) -> Result<Descriptor, Error> {
        let bytes = to_json(document, self.dir())?;
        let digest = digest::of(&bytes);
        let blob = self.blob(digest::hex(&digest)?);
        if !blob.exists() {
            scratch::write_whole(&self.tmp(), &blob, &bytes)?;
        }
        descriptor(media_type, bytes.len() as u64, &digest)
    }

    /// Reads a document that a descriptor names.
    pub(super) fn document<T: DeserializeOwned>(&self, entry: &Descriptor) -> Result<T, Error> {
        read_json(&self.blob(digest::hex(entry.digest().as_ref())?))
    }
}

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// Written by hand of the specification, because the builder of `ImageIndex` can fail.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageIndexDocument {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

/// A descriptor of a blob.
pub(super) fn descriptor(media_type: MediaType, size: u64, digest: &str) -> Result<Descriptor, Error> {
    let parsed: Digest = digest.parse().map_err(|_| Error::BadDigest(digest.to_owned()))?;
    Ok(Descriptor::new(media_type, size, parsed))
}

/// The name that a layout's index gives to a manifest.
pub(super) fn ref_name(entry: &Descriptor) -> Option<&str> {
    entry.annotations().as_ref()?.get(ANNOTATION_REF_NAME).map(String::as_str)
}

/// Reads a JSON document.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read(path).at("read", path)?;
    serde_json::from_slice(&text).map_err(|source| Error::Json { path: path.to_owned(), source })
}
