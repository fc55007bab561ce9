//! What local EC2 keeps on disk: the layers that bakes made, the images that name them, and the bases beneath them.
//!
//! The directory is an OCI image layout, so that skopeo, podman and umoci read every image in it:
//!
//! ```text
//! oci-layout index.json   one manifest per image, annotated with the image's id
//! blobs/sha256/HEX        layers (tar+zstd), configurations, manifests
//! layers/HEX/             layers unpacked, as lower directories of overlay mounts
//! bases/NAME/             root file systems that were added
//! info/  locks/  tmp/     what is known of layers and bases; who uses them; what is under construction
//! ```
//!
//! Several processes may work on one store at the same time. Whatever is killed leaves at most a file in `tmp/`, and the
//! next [`Store::open`] removes it.

mod archive;
mod attributes;
mod bases;
mod blocks;
mod commit;
mod digest;
mod distribution;
mod error;
mod export;
mod garbage;
mod images;
mod import;
mod layer_cache;
mod layout;
mod lock;
mod mounts;
mod node;
mod oci_source;
mod pins;
mod registry;
mod resolve;
mod scratch;
mod seal;
mod source;
mod stack;
mod tar_read;
mod tar_write;
#[cfg(test)]
mod tests;
mod tree;
mod unpack;
mod whiteout;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

pub use self::attributes::OverlayAttributes;
pub use self::bases::Base;
pub use self::commit::Layer;
pub use self::distribution::Distribution;
pub use self::error::Error;
pub use self::export::{ExportContents, Masks};
pub use self::garbage::Collected;
pub use self::images::{Image, ImageRecord};
pub use self::import::{Imported, ImportedRoot};
pub use self::registry::{OnProgress, Progress};
pub use self::resolve::{BaseKind, InUse, ResolvedRoot};
pub use self::source::BaseSource;

use self::error::At;
use self::lock::Lock;
use self::pins::Pins;

/// The base that needs no download: the host's own root.
pub const HOST: &str = "host";
/// The base with nothing in it, for images that hold a whole root themselves.
pub const SCRATCH: &str = "scratch";

/// A store. Clones share it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    host_root: PathBuf,
    overlay: OverlayAttributes,
    pins: Mutex<Pins>,
}

impl Store {
    /// Opens the store in `dir`, makes it if there is none, and removes what dead processes left under construction.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        Self::open_over(dir, Path::new("/"))
    }

    /// Like [`Store::open`], with another directory as the root that the base [`HOST`] stands for.
    pub fn open_over(dir: &Path, host_root: &Path) -> Result<Self, Error> {
        // Images hold password hashes, and setuid programs of any age: neither is for other users of the machine.
        DirBuilder::new().recursive(true).mode(0o700).create(dir).at("create", dir)?;
        let dir = dir.canonicalize().at("find", dir)?;
        for part in ["blobs/sha256", "layers", "bases", "info", "locks", "tmp"] {
            fs::create_dir_all(dir.join(part)).at("create", dir.join(part))?;
        }
        make_empty_root(&dir.join("bases").join(SCRATCH_DIR))?;
        let overlay = OverlayAttributes::probe(&dir.join("tmp"));
        let inner = Inner { dir, host_root: host_root.to_owned(), overlay, pins: Mutex::default() };
        let store = Self(Arc::new(inner));
        scratch::sweep(&store.tmp())?;
        store.make_layout()?;
        Ok(store)
    }

    /// Where it is, with links resolved.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// How overlayfs notes are written in unpacked layers: [`OverlayAttributes::User`] needs the mount option
    /// `userxattr`.
    pub fn overlay_attributes(&self) -> OverlayAttributes {
        self.0.overlay
    }

    fn tmp(&self) -> PathBuf {
        self.0.dir.join("tmp")
    }

    fn blob(&self, hex: &str) -> PathBuf {
        self.0.dir.join("blobs/sha256").join(hex)
    }

    fn info(&self, name: &str) -> PathBuf {
        self.0.dir.join("info").join(name)
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        self.0.dir.join("locks").join(name)
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        self.0.pins.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Keeps a blob from being collected until an image names it or this store is closed.
    fn pin(&self, hex: &str) -> Result<(), Error> {
        // A collector that is at work has not seen this pin: what it finds missing is made anew after it.
        let _alone = self.index_lock()?;
        self.pins().add(&self.0.dir.join("locks"), hex)
    }

    /// The lock of everybody who changes or collects what `index.json` says.
    fn index_lock(&self) -> Result<Lock, Error> {
        Lock::exclusive(&self.lock_path("index"))
    }
}

/// Where the empty base is: no base that is added can have this name.
const SCRATCH_DIR: &str = ".scratch";

fn make_empty_root(path: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.at("create", path),
    }
}

/// Whether a name is safe as a file name, and in an overlay's mount options, where `:` and `,` separate.
fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if first && name.len() <= 128 && name.bytes().all(fine) {
        Ok(())
    } else {
        Err(Error::BadName { what, name: name.to_owned() })
    }
}
