//! Files into an archive.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rawzip::{CompressionMethod, ZipArchiveWriter};

use crate::engine::offload::{Watch, Watched};

use super::Failure;
use super::encoder::{Encoder, Level};
use super::gzip::Deflate;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// A file that goes into an archive.
struct Input {
    file: BufReader<Watched<File>>,
    meta: Metadata,
}

impl Input {
    fn open(path: &Path, watch: &Watch) -> Result<Self, Failure> {
        let open = || {
            let (file, meta) = (File::open(path)?, std::fs::metadata(path)?);
            match meta.is_dir() {
                true => Err(io::ErrorKind::IsADirectory.into()),
                false => Ok(Self { file: BufReader::with_capacity(CHUNK, watch.over(file)), meta }),
            }
        };
        open().map_err(|source| Failure::Read { path: path.to_owned(), source })
    }
}

/// A tar archive with the files by their own names, without their directories. Times are zero, so that the same files give the same archive.
pub fn tar<W: Write>(files: &[PathBuf], output: Encoder<W>, watch: &Watch) -> Result<W, Failure> {
    let mut archive = tar::Builder::new(output);
    for path in files {
        let Input { file, meta } = Input::open(path, watch)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(meta.len());
        header.set_mode(meta.mode() & 0o7777);
        header.set_uid(u64::from(meta.uid()));
        header.set_gid(u64::from(meta.gid()));
        header.set_mtime(0);
        let name = path.file_name().unwrap_or_default();
        archive.append_data(&mut header, name, Exactly { file, left: meta.len() })?;
    }
    Ok(archive.into_inner()?.finish()?)
}

/// As many bytes as the header says: a file that changes while it is packed must not break the archive.
struct Exactly<R> {
    file: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read(&mut buffer[..most])?;
        if count == 0 && most > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was packed"));
        }
        self.left -= u64::try_from(count).unwrap_or_default();
        Ok(count)
    }
}

/// One file, compressed.
pub fn single<W: Write>(path: &Path, mut output: Encoder<W>, watch: &Watch) -> Result<W, Failure> {
    let mut input = Input::open(path, watch)?;
    io::copy(&mut input.file, &mut output)?;
    Ok(output.finish()?)
}

/// A zip archive with the files by their paths, without times.
pub fn zip<W: Write>(files: &[PathBuf], level: Level, output: W, watch: &Watch) -> Result<W, Failure> {
    let mut archive = ZipArchiveWriter::new(output);
    for path in files {
        let mut input = Input::open(path, watch)?;
        let name = path.to_string_lossy();
        let entry = archive.new_file(name.as_ref()).compression_method(CompressionMethod::DEFLATE);
        let (mut entry, config) = entry.unix_permissions(input.meta.mode()).start().map_err(io::Error::other)?;
        let mut data = config.wrap(Deflate::new(&mut entry, level.deflate()));
        io::copy(&mut input.file, &mut data)?;
        let (deflate, end) = data.finish().map_err(io::Error::other)?;
        deflate.finish()?;
        entry.finish(end).map_err(io::Error::other)?;
    }
    Ok(archive.finish().map_err(io::Error::other)?)
}
