//! Writes what an image holds as one tar, for use without the store.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::blocks::BlockReader;
use super::error::{At, Error};
use super::resolve::{BaseKind, ResolvedRoot};
use super::seal::{encoder, pipe};
use super::stack::{Source, Stack, Whiteouts, relative};
use super::tar_write::TarWriter;
use super::{Store, mounts};

/// How much of an image is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportContents {
    /// What was baked: all layers above the base as one. Files that bakes deleted from the base are `.wh.` members, as
    /// in a layer.
    Layers,
    /// A whole root file system.
    WithBase,
}

/// What of a base no instance sees, and no export holds. Paths are as seen in the instance.
#[derive(Clone, Debug, Default)]
pub struct Masks {
    /// Directories that are empty, and files that are not there.
    pub hidden: Vec<PathBuf>,
    /// Files with another content. Those that the base does not have are not added.
    pub replaced: Vec<(PathBuf, Vec<u8>)>,
}

impl Store {
    /// Writes an image as a tar, compressed as the name of `out` says (`.tar.zst` or `.tzst`, `.tar.gz` or `.tgz`, else
    /// not). A file at `out` is replaced when all is written, not before. What is mounted on the base, and this store,
    /// are not part of it; [`HOST`](super::HOST) is refused without masks.
    pub fn export(&self, id: &str, out: &Path, contents: ExportContents, masks: &Masks) -> Result<(), Error> {
        let record = self.image(id)?.record;
        let root = self.resolve(&record.base, &record.layers)?;
        if contents == ExportContents::WithBase && root.base == BaseKind::Host && masks.hidden.is_empty() {
            return Err(Error::HostUnmasked);
        }
        let stack = self.export_stack(&root, contents, masks)?;
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::NamedTempFile::new_in(parent).at("create a file in", parent)?;
        let target = file.as_file().try_clone().at("create", out)?;
        let produce = |blocks| {
            let mut tar = TarWriter::new(blocks);
            stack.write(&mut tar)?;
            tar.finish().at("write", out)
        };
        pipe("wrote an export", produce, |reader| write(reader, target, out).at("write", out))?;
        file.persist(out).map_err(|error| error.error).at("create", out).map(drop)
    }

    fn export_stack<'a>(
        &self,
        root: &'a ResolvedRoot,
        contents: ExportContents,
        masks: &Masks,
    ) -> Result<Stack<'a>, Error> {
        let mut sources: Vec<_> = root.layer_dirs.iter().rev().map(|dir| Source::whole(dir)).collect();
        let whiteouts = match contents {
            ExportContents::Layers => Whiteouts::KeepOver(&root.base_dir),
            ExportContents::WithBase => {
                sources.push(self.masked_base(root, masks)?);
                Whiteouts::Drop
            }
        };
        Ok(Stack { sources, overlay: self.overlay_attributes(), whiteouts, exclude: Default::default() })
    }

    fn masked_base(&self, root: &ResolvedRoot, masks: &Masks) -> Result<Source, Error> {
        let mut closed = mounts::beneath(&root.base_dir)?;
        closed.extend(masks.hidden.iter().map(|path| relative(path)));
        if let Ok(own) = self.dir().strip_prefix(&root.base_dir) {
            closed.insert(own.to_owned());
        }
        let replaced: HashMap<_, _> =
            masks.replaced.iter().map(|(path, content)| (relative(path), content.clone())).collect();
        Ok(Source::masked(&root.base_dir, closed, replaced))
    }
}

fn write(reader: BlockReader, mut file: File, out: &Path) -> io::Result<()> {
    let name = out.file_name().unwrap_or(OsStr::new("")).to_string_lossy().to_lowercase();
    if name.ends_with(".zst") || name.ends_with(".tzst") {
        let mut encoder = encoder(file)?;
        reader.for_each(|block| encoder.write_all(block))?;
        file = encoder.finish()?;
    } else if name.ends_with(".gz") || name.ends_with(".tgz") {
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::default());
        reader.for_each(|block| encoder.write_all(block))?;
        file = encoder.finish()?;
    } else {
        reader.for_each(|block| file.write_all(block))?;
    }
    file.sync_all()
}
