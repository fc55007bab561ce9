//! Finds the layers of an image in an OCI layout or an archive of `docker save`, which may come from anywhere: nothing
//! that they name is followed out of their directory.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use oci_spec::image::{Arch, Descriptor, ImageIndex, ImageManifest, MediaType, Os};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::archive::unpack_file;
use super::digest;
use super::error::{At, Error};
use super::layout::ref_name;
use super::scratch::Scratch;
use super::source::BaseSource;
use super::tree::Tree;
use super::unpack::Deletions;

/// A document of an image, a manifest or an index, is smaller.
const MAX_DOCUMENT: u64 = 16 << 20;
/// An index may name an index; real ones do so once.
const MAX_DEPTH: usize = 4;

/// A layer's archive on disk.
#[derive(Debug)]
pub(super) struct LayerFile {
    pub path: PathBuf,
    pub file: File,
    /// What its manifest says that it is.
    pub digest: Option<String>,
}

/// The layers of an image on disk, lowest first, and where they were unpacked, if they had to be.
#[derive(Debug)]
pub(super) struct LayerFiles {
    pub layers: Vec<LayerFile>,
    /// Removed with this.
    pub _unpacked: Option<Scratch>,
}

/// Opens the layers of a source that is on disk. A tar of a root is one layer. A directory or a reference has none.
pub(super) fn layer_files(source: &BaseSource, tmp: &Path) -> Result<Option<LayerFiles>, Error> {
    let unpacked = |file: &Path| {
        let dir = Scratch::directory(tmp)?;
        unpack_file(file, File::open(file).at("open", file)?, None, dir.path(), Deletions::None)?;
        Ok::<_, Error>(dir)
    };
    let (layers, scratch) = match source {
        BaseSource::Directory(_) | BaseSource::Registry(_) => return Ok(None),
        BaseSource::RootTar(path) => {
            (vec![LayerFile { path: path.clone(), file: File::open(path).at("open", path)?, digest: None }], None)
        }
        BaseSource::OciLayout(dir, name) => (Image::open(dir, dir)?.oci(name.as_deref())?, None),
        BaseSource::OciArchive(file, name) => {
            let dir = unpacked(file)?;
            (Image::open(file, dir.path())?.oci(name.as_deref())?, Some(dir))
        }
        BaseSource::DockerArchive(file, name) => {
            let dir = unpacked(file)?;
            (Image::open(file, dir.path())?.docker(name.as_deref())?, Some(dir))
        }
    };
    Ok(Some(LayerFiles { layers, _unpacked: scratch }))
}

/// A directory with images in it.
struct Image<'a> {
    /// What messages call it.
    source: &'a Path,
    dir: &'a Path,
    tree: Tree,
}

/// An entry of `manifest.json` in an archive of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<PathBuf>,
}

impl<'a> Image<'a> {
    fn open(source: &'a Path, dir: &'a Path) -> Result<Self, Error> {
        Ok(Self { source, dir, tree: Tree::open(dir).at("open", dir)? })
    }

    fn oci(&self, name: Option<&str>) -> Result<Vec<LayerFile>, Error> {
        let index: ImageIndex = self.json(Path::new("index.json"), None)?;
        let named: Vec<_> =
            index.manifests().iter().filter(|entry| name.is_none_or(|name| ref_name(entry) == Some(name))).collect();
        let mut entry = self.choose(&named, name)?.clone();
        for _ in 0..MAX_DEPTH {
            if !is_index(&entry) {
                let manifest: ImageManifest = self.blob_json(&entry)?;
                return manifest.layers().iter().map(|layer| self.layer(layer)).collect();
            }
            let inner: ImageIndex = self.blob_json(&entry)?;
            entry = self.choose(&inner.manifests().iter().collect::<Vec<_>>(), None)?.clone();
        }
        Err(self.bad("has indexes in indexes"))
    }

    /// The only manifest, or the one for this machine.
    fn choose<'m>(&self, entries: &[&'m Descriptor], name: Option<&str>) -> Result<&'m Descriptor, Error> {
        let fits = |entry: &&&Descriptor| {
            let platform = entry.platform().as_ref();
            platform.is_some_and(|platform| *platform.os() == Os::Linux && *platform.architecture() == Arch::default())
        };
        match entries {
            [] => {
                Err(self
                    .bad(&name.map_or("holds no image".to_owned(), |name| format!("holds no image named `{name}`"))))
            }
            [only] => Ok(only),
            _ => {
                let fitting: Vec<_> = entries.iter().filter(fits).collect();
                match fitting.as_slice() {
                    [only] => Ok(only),
                    [] => Err(self.bad("holds several images, and none of them says that it is for this machine")),
                    _ => Err(self.bad("holds several images; name one as `oci:PATH:NAME`")),
                }
            }
        }
    }

    fn docker(&self, name: Option<&str>) -> Result<Vec<LayerFile>, Error> {
        let images: Vec<DockerImage> = self.json(Path::new("manifest.json"), None)?;
        let has = |image: &&DockerImage| {
            name.is_none_or(|name| {
                image.repo_tags.iter().flatten().any(|tag| tag == name || tag.ends_with(&format!("/{name}")))
            })
        };
        let image = match images.iter().filter(has).collect::<Vec<_>>().as_slice() {
            [only] => *only,
            [] => return Err(self.bad("holds no such image")),
            _ => return Err(self.bad("holds several images; name one as `docker-archive:PATH:NAME`")),
        };
        image.layers.iter().map(|path| self.file(path.clone(), None)).collect()
    }

    fn layer(&self, entry: &Descriptor) -> Result<LayerFile, Error> {
        let digest = entry.digest().to_string();
        self.file(Path::new("blobs/sha256").join(digest::hex(&digest)?), Some(digest))
    }

    fn file(&self, path: PathBuf, digest: Option<String>) -> Result<LayerFile, Error> {
        let shown = self.dir.join(&path);
        let file = self.tree.beneath(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK).at("open", &shown)?;
        Ok(LayerFile { path: shown, file, digest })
    }

    fn blob_json<T: DeserializeOwned>(&self, entry: &Descriptor) -> Result<T, Error> {
        let digest = entry.digest().to_string();
        self.json(&Path::new("blobs/sha256").join(digest::hex(&digest)?), Some(&digest))
    }

    fn json<T: DeserializeOwned>(&self, path: &Path, expected: Option<&str>) -> Result<T, Error> {
        let shown = self.dir.join(path);
        let mut text = Vec::new();
        let file = self.file(path.to_owned(), None)?.file;
        file.take(MAX_DOCUMENT).read_to_end(&mut text).at("read", &shown)?;
        let found = digest::of(&text);
        match expected {
            Some(expected) if expected != found => {
                let (what, expected) = (shown.display().to_string(), expected.to_owned());
                Err(Error::DigestMismatch { what, expected, found })
            }
            _ => serde_json::from_slice(&text).map_err(|source| Error::Json { path: shown, source }),
        }
    }

    fn bad(&self, reason: &str) -> Error {
        Error::BadSource { source_text: self.source.display().to_string(), reason: reason.to_owned() }
    }
}

fn is_index(entry: &Descriptor) -> bool {
    match entry.media_type() {
        MediaType::ImageIndex => true,
        MediaType::Other(name) => name == "application/vnd.docker.distribution.manifest.list.v2+json",
        _ => false,
    }
}
