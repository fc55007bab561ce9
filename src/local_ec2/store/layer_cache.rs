//! Layers unpacked for overlay mounts: a cache that can be made again from the blobs at any time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::archive::unpack_file;
use super::error::{At, Error};
use super::lock::Lock;
use super::scratch::{self, Scratch};
use super::unpack::Deletions;
use super::{Store, digest};

impl Store {
    /// The directory of a layer, ready to be a lower directory of an overlay. The first call unpacks the layer, in
    /// whichever process it comes; the others wait for it. Nothing is claimed: whoever mounts the directory asks
    /// [`Store::resolve`], which does.
    pub fn unpack(&self, digest: &str) -> Result<PathBuf, Error> {
        let hex = digest::hex(digest)?;
        let place = self.layer_dir(hex);
        let _alone = Lock::exclusive(&self.lock_path(&format!("{hex}.unpack")))?;
        let (marker, boot) = (self.unpacked_marker(hex), boot_id()?);
        if place.is_dir() && fs::read(&marker).is_ok_and(|marked| marked == boot) {
            return Ok(place);
        }
        let blob = self.blob(hex);
        let file = match File::open(&blob) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::LayerMissing(digest.to_owned()));
            }
            other => other.at("open", &blob)?,
        };
        let root = self.root_under_construction()?;
        unpack_file(&blob, file, Some(digest), root.path(), Deletions::Mark(self.overlay_attributes()))?;
        scratch::remove_any(&place).at("remove", &place)?;
        root.keep_as(&place)?;
        scratch::write_whole(&self.tmp(), &marker, &boot)?;
        Ok(place)
    }

    pub(super) fn layer_dir(&self, hex: &str) -> PathBuf {
        self.dir().join("layers").join(hex)
    }

    /// Says in which boot a layer was unpacked. The files are not synced, because an instance waits for them; so after
    /// a power failure they may be empty, and what an earlier boot unpacked is unpacked again.
    pub(super) fn unpacked_marker(&self, hex: &str) -> PathBuf {
        self.info(&format!("{hex}.unpacked"))
    }

    /// An empty directory that can become a root: others than its owner may enter it.
    pub(super) fn root_under_construction(&self) -> Result<Scratch, Error> {
        let root = Scratch::directory(&self.tmp())?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(root.path(), mode).at("set the mode of", root.path())?;
        Ok(root)
    }
}

fn boot_id() -> Result<Vec<u8>, Error> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    fs::read(path).at("read", path)
}
