//! Replaces a file's content at once: who reads it meanwhile sees the old text or the new one, and a full disk or a
//! crash loses neither.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::Path;

/// Replaces the content of a file. Its permissions, its owner and links to it stay.
///
/// # Errors
/// When it cannot be written; it then has its old content, but for a file whose directory takes no other file.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    // The file behind a link is replaced, not the link.
    let path = fs::canonicalize(path)?;
    // A new file could take the place even of one that we may not write.
    OpenOptions::new().write(true).open(&path)?;
    let meta = fs::metadata(&path)?;
    // Another name of the file would keep the old content.
    if meta.nlink() > 1 {
        return fs::write(&path, content);
    }
    match by_new_file(&path, &meta, content) {
        Err(error) if needs_the_place(&error) => fs::write(&path, content),
        result => result,
    }
}

fn by_new_file(path: &Path, meta: &Metadata, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".kiln-fmt").tempfile_in(directory)?;
    file.write_all(content)?;
    let own = file.as_file().metadata()?;
    if (own.uid(), own.gid()) != (meta.uid(), meta.gid()) {
        fchown(file.as_file(), Some(meta.uid()), Some(meta.gid()))?;
    }
    // After the owner: a change of owner takes bits away.
    file.as_file().set_permissions(meta.permissions())?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Directories that are not ours, and files that are mounted by themselves, take no new file in the old one's place.
fn needs_the_place(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::ResourceBusy
            | ErrorKind::CrossesDevices
    )
}
