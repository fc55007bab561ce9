//! Bases: root file systems that were added once, for instances to run on.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::archive::unpack_file;
use super::commit::to_json;
use super::distribution::Distribution;
use super::error::{At, Error};
use super::layout::read_json;
use super::lock::Lock;
use super::oci_source::{LayerFile, layer_files};
use super::registry::{OnProgress, Progress, pull};
use super::scratch::{self, Scratch};
use super::seal::pipe;
use super::source::BaseSource;
use super::stack::{Source, Stack, Whiteouts};
use super::tar_write::TarWriter;
use super::unpack::{Deletions, unpack};
use super::{HOST, SCRATCH, Store, check_name, mounts};

/// A base in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its name.
    pub name: String,
    /// The directory that is its root.
    pub dir: PathBuf,
    /// What it is.
    pub distribution: Distribution,
    /// Where it came from, as it was given.
    pub source: String,
    /// When it was added, in RFC 3339; empty if that is not known.
    pub added: String,
}

/// What is noted of a base beside its root.
#[derive(Default, Serialize, Deserialize)]
struct Note {
    source: String,
    added: String,
}

impl Store {
    /// Adds a base. Everything is fetched and unpacked aside and moved to its place at the end, so that the base is
    /// either all there or not at all. Blocking work runs on tokio's blocking threads.
    pub async fn add_base(&self, name: &str, source: BaseSource, on_progress: OnProgress) -> Result<Base, Error> {
        check_name("base", name)?;
        if name == HOST || name == SCRATCH {
            return Err(Error::BaseExists(name.to_owned()));
        }
        let pulled = match &source {
            BaseSource::Registry(reference) => pull(reference, &self.tmp(), &on_progress).await?,
            _ => Vec::new(),
        };
        let (store, name) = (self.clone(), name.to_owned());
        let work = move || store.add_base_from_disk(&name, &source, pulled, &on_progress);
        tokio::task::spawn_blocking(work).await.map_err(|_| Error::Worker("added a base"))?
    }

    fn add_base_from_disk(
        &self,
        name: &str,
        source: &BaseSource,
        pulled: Vec<(Scratch, LayerFile)>,
        on_progress: &OnProgress,
    ) -> Result<Base, Error> {
        let _alone = Lock::exclusive(&self.base_lock(name))?;
        let place = self.base_dir(name)?;
        if place.exists() {
            return Err(Error::BaseExists(name.to_owned()));
        }
        let root = self.root_under_construction()?;
        match source {
            BaseSource::Directory(dir) => copy_tree(self, dir, root.path())?,
            BaseSource::Registry(_) => {
                let (files, layers) = pulled.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
                stack_up(layers, root.path(), on_progress)?;
                drop(files);
            }
            _ => {
                if let Some(files) = layer_files(source, &self.tmp())? {
                    stack_up(files.layers, root.path(), on_progress)?;
                }
            }
        }
        if !["usr", "bin"].iter().any(|dir| root.path().join(dir).is_dir()) {
            let reason = "is no root file system: it has neither /usr nor /bin".to_owned();
            return Err(Error::BadSource { source_text: describe(source), reason });
        }
        // There is nothing to make it again from, so it must be on the disk before it has its name.
        File::open(root.path()).and_then(|dir| Ok(nix::unistd::syncfs(dir)?)).at("sync", root.path())?;
        let note = Note { source: describe(source), added: jiff::Timestamp::now().to_string() };
        scratch::write_whole(&self.tmp(), &self.base_note(name), &to_json(&note, &place)?)?;
        root.keep_as(&place)?;
        self.base(name)
    }

    /// The bases that were added, by name. [`HOST`] and [`SCRATCH`] are always there and not among them.
    pub fn list_bases(&self) -> Result<Vec<Base>, Error> {
        let dir = self.dir().join("bases");
        let mut bases = Vec::new();
        for entry in fs::read_dir(&dir).at("list", &dir)? {
            let name = entry.at("list", &dir)?.file_name().into_string().unwrap_or_default();
            if check_name("base", &name).is_ok() {
                bases.push(self.base(&name)?);
            }
        }
        bases.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(bases)
    }

    /// Removes a base that no instance runs on. Images that were baked on it need it again to run.
    pub fn remove_base(&self, name: &str) -> Result<(), Error> {
        let place = self.base_dir(name)?;
        if !place.is_dir() {
            return Err(Error::BaseMissing(name.to_owned()));
        }
        let lock = self.base_lock(name);
        let in_use = || Error::InUse { what: "base", name: name.to_owned() };
        let alone = Lock::try_exclusive(&lock)?.ok_or_else(in_use)?;
        // First out of sight, so that a crash leaves no half of a base.
        let doomed = Scratch::directory(&self.tmp())?;
        let aside = doomed.path().join("base");
        fs::rename(&place, &aside).at("move aside", &place)?;
        scratch::remove_any(doomed.path()).at("remove", doomed.path())?;
        scratch::remove_any(&self.base_note(name)).at("remove", &place)?;
        alone.remove(&lock)
    }

    fn base(&self, name: &str) -> Result<Base, Error> {
        let dir = self.base_dir(name)?;
        let note: Note = match self.base_note(name) {
            path if path.exists() => read_json(&path)?,
            _ => Note::default(),
        };
        let distribution = Distribution::of_roots([dir.as_path()]);
        Ok(Base { name: name.to_owned(), dir, distribution, source: note.source, added: note.added })
    }

    pub(super) fn base_dir(&self, name: &str) -> Result<PathBuf, Error> {
        check_name("base", name)?;
        Ok(self.dir().join("bases").join(name))
    }

    pub(super) fn base_lock(&self, name: &str) -> PathBuf {
        self.lock_path(&format!("base.{name}"))
    }

    fn base_note(&self, name: &str) -> PathBuf {
        self.info(&format!("base.{name}"))
    }
}

/// Unpacks layers onto each other.
fn stack_up(layers: Vec<LayerFile>, root: &Path, on_progress: &OnProgress) -> Result<(), Error> {
    let of = layers.len();
    // A tar that stands alone has nothing to delete from, and a file in it may have any name.
    let alone = of == 1 && layers.iter().all(|layer| layer.digest.is_none());
    let deletions = if alone { Deletions::None } else { Deletions::CarryOut };
    for (nth, LayerFile { path, file, digest }) in layers.into_iter().enumerate() {
        on_progress(Progress::Unpacking { layer: nth + 1, of });
        unpack_file(&path, file, digest.as_deref(), root, deletions)?;
    }
    Ok(())
}

/// Copies a directory with all that a layer would keep of it, but not what is mounted in it.
fn copy_tree(store: &Store, dir: &Path, root: &Path) -> Result<(), Error> {
    if dir.canonicalize().at("find", dir)? == Path::new("/") {
        let reason = "is this machine's own root, with its secrets: use the base `host`".to_owned();
        return Err(Error::BadSource { source_text: describe(&BaseSource::Directory(dir.to_owned())), reason });
    }
    let stack = Stack {
        sources: vec![Source::masked(dir, mounts::beneath(dir)?, HashMap::new())],
        overlay: store.overlay_attributes(),
        whiteouts: Whiteouts::Drop,
        exclude: Default::default(),
    };
    let produce = |out| {
        let mut tar = TarWriter::new(out);
        stack.write(&mut tar)?;
        tar.finish().at("copy", dir)
    };
    pipe("copied a directory", produce, |reader| unpack(reader, root, Deletions::None)).map(drop)
}

fn describe(source: &BaseSource) -> String {
    let named = |path: &Path, name: &Option<String>| match name {
        Some(name) => format!("{}:{name}", path.display()),
        None => path.display().to_string(),
    };
    match source {
        BaseSource::Directory(path) | BaseSource::RootTar(path) => path.display().to_string(),
        BaseSource::OciLayout(path, name) => format!("oci:{}", named(path, name)),
        BaseSource::OciArchive(path, name) => format!("oci-archive:{}", named(path, name)),
        BaseSource::DockerArchive(path, name) => format!("docker-archive:{}", named(path, name)),
        BaseSource::Registry(reference) => format!("docker://{reference}"),
    }
}

/// For callers that show nothing.
impl Store {
    /// A receiver of progress that drops it.
    pub fn no_progress() -> OnProgress {
        Arc::new(|_| {})
    }
}
