//! Images: what an AMI is made of, kept as a manifest of the OCI layout.

use std::collections::HashMap;

use oci_spec::image::{ANNOTATION_REF_NAME, Descriptor, ImageManifest, MediaType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::commit::Layer;
use super::error::Error;
use super::layout::descriptor;
use super::{Store, check_name, digest};

/// The annotation of a manifest that holds the whole record, because OCI has no place for a base or a description.
const RECORD: &str = "dev.kiln.image";

/// What is kept of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The AMI's name.
    pub name: String,
    /// What lies under the layers: [`HOST`](super::HOST), [`SCRATCH`](super::SCRATCH), a base's name, or a wish.
    pub base: String,
    /// Digests, lowest first.
    pub layers: Vec<String>,
    /// RFC 3339.
    pub created: String,
    /// The AMI's description, which may be empty.
    #[serde(default)]
    pub description: String,
    /// As EC2 says it: `x86_64` or `arm64`.
    pub architecture: String,
    /// Whatever else the caller wants back with the image. If it is an object, it is also the `config` of the OCI image
    /// (`Env`, `User`, `Cmd`, `Labels`), so other tools see these keys.
    #[serde(default)]
    pub config: Value,
}

/// An image in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The AMI's id.
    pub id: String,
    /// What it was stored with.
    pub record: ImageRecord,
    /// Its layers with their sizes, lowest first.
    pub layers: Vec<Layer>,
}

impl Store {
    /// Stores an image under its id, in the place of an earlier one. Its layers must be in the store.
    pub fn put_image(&self, id: &str, record: &ImageRecord) -> Result<(), Error> {
        check_name("image", id)?;
        let _alone = self.index_lock()?;
        let layers = self.layers(&record.layers)?;
        for layer in &layers {
            if !self.blob(digest::hex(&layer.digest)?).exists() {
                return Err(Error::LayerMissing(layer.digest.clone()));
            }
        }
        let config = self.put_document(MediaType::ImageConfig, &configuration(record, &layers))?;
        let manifest = self.put_document(MediaType::ImageManifest, &manifest(record, &layers, config)?)?;
        self.set_manifest(id, Some(named(manifest, id)))?;
        for layer in &layers {
            self.pins().remove(digest::hex(&layer.digest)?)?;
        }
        Ok(())
    }

    /// All images, by id. Manifests that other tools have put into the layout are none of them.
    pub fn images(&self) -> Result<Vec<Image>, Error> {
        let mut images = Vec::new();
        for (id, entry) in self.manifests()? {
            if let Some(record) = self.record(&entry)? {
                let layers = self.layers(&record.layers)?;
                images.push(Image { id, record, layers });
            }
        }
        images.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(images)
    }

    /// The image of an id.
    pub fn image(&self, id: &str) -> Result<Image, Error> {
        let missing = || Error::ImageMissing(id.to_owned());
        let (id, entry) = self.manifests()?.into_iter().find(|(name, _)| name == id).ok_or_else(missing)?;
        let record = self.record(&entry)?.ok_or_else(missing)?;
        let layers = self.layers(&record.layers)?;
        Ok(Image { id, record, layers })
    }

    /// Forgets an image. Its layers stay until [`Store::garbage_collect`].
    pub fn remove_image(&self, id: &str) -> Result<(), Error> {
        let _alone = self.index_lock()?;
        self.image(id)?;
        self.set_manifest(id, None)
    }

    fn record(&self, entry: &Descriptor) -> Result<Option<ImageRecord>, Error> {
        let manifest: ImageManifest = self.document(entry)?;
        let Some(text) = manifest.annotations().as_ref().and_then(|all| all.get(RECORD)) else { return Ok(None) };
        serde_json::from_str(text)
            .map(Some)
            .map_err(|source| Error::Json { path: self.dir().join("index.json"), source })
    }

    fn layers(&self, digests: &[String]) -> Result<Vec<Layer>, Error> {
        digests.iter().map(|digest| self.layer(digest)).collect()
    }
}

fn configuration(record: &ImageRecord, layers: &[Layer]) -> Value {
    let diff_ids: Vec<_> = layers.iter().map(|layer| &layer.diff_id).collect();
    let history: Vec<_> =
        layers.iter().map(|_| json!({ "created": record.created, "created_by": "kiln build --local" })).collect();
    let config = if record.config.is_object() { record.config.clone() } else { json!({}) };
    json!({
        "created": record.created,
        "architecture": goarch(&record.architecture),
        "os": "linux",
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": history,
    })
}

fn manifest(record: &ImageRecord, layers: &[Layer], config: Descriptor) -> Result<Value, Error> {
    let text = serde_json::to_string(record);
    let text = text.map_err(|source| Error::Json { path: record.name.clone().into(), source })?;
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| descriptor(MediaType::ImageLayerZstd, layer.size, &layer.digest))
        .collect::<Result<_, _>>()?;
    Ok(json!({
        "schemaVersion": 2,
        "mediaType": MediaType::ImageManifest,
        "config": config,
        "layers": layers,
        "annotations": { RECORD: text },
    }))
}

fn named(mut entry: Descriptor, id: &str) -> Descriptor {
    entry.set_annotations(Some(HashMap::from([(ANNOTATION_REF_NAME.to_owned(), id.to_owned())])));
    entry
}

/// OCI names architectures as Go does.
fn goarch(architecture: &str) -> &str {
    match architecture {
        "x86_64" | "x86_64_mac" => "amd64",
        "arm64_mac" | "aarch64" => "arm64",
        "i386" => "386",
        other => other,
    }
}
