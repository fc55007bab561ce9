//! Archives on disk in whatever compression they came, read and unpacked on two threads.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::blocks::{BLOCK, BlockWriter};
use super::digest::HashingReader;
use super::error::{At, Error};
use super::seal::pipe;
use super::unpack::{Deletions, unpack};

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
const XZ: &[u8] = b"\xfd7zXZ\0";
const BZIP2: &[u8] = b"BZh";

/// The tar in an archive that may be compressed, told by its first bytes.
pub(super) fn decompressed<'a>(input: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut input = BufReader::with_capacity(BLOCK, input);
    let magic = input.fill_buf()?;
    Ok(if magic.starts_with(GZIP) {
        Box::new(flate2::bufread::MultiGzDecoder::new(input))
    } else if magic.starts_with(ZSTD) || is_skippable(magic) {
        Box::new(zstd::stream::read::Decoder::with_buffer(input)?)
    } else if magic.starts_with(XZ) {
        Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(input))
    } else if magic.starts_with(BZIP2) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "bzip2 is not read; recompress it with zstd or xz"));
    } else {
        Box::new(input)
    })
}

/// A zstd stream may start with a frame that holds somebody's notes (0x184D2A50 to 0x184D2A5F).
fn is_skippable(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Decompresses `file` into `out`, and checks it against its digest if one is known.
pub(super) fn copy_tar(path: &Path, file: File, digest: Option<&str>, mut out: BlockWriter) -> Result<(), Error> {
    let mut input = HashingReader::new(file);
    let mut tar = decompressed(&mut input).at("read", path)?;
    out.copy_from(&mut tar, u64::MAX).at("read", path)?;
    drop(tar);
    if let Some(expected) = digest {
        let found = input.finish().at("read", path)?;
        if found != expected {
            let what = path.display().to_string();
            return Err(Error::DigestMismatch { what, expected: expected.to_owned(), found });
        }
    }
    out.finish().at("read", path)
}

/// Unpacks the archive `file` into the directory `root`.
pub(super) fn unpack_file(
    path: &Path,
    file: File,
    digest: Option<&str>,
    root: &Path,
    deletions: Deletions,
) -> Result<(), Error> {
    let produce = |out| copy_tar(path, file, digest, out);
    pipe("unpacked an archive", produce, move |reader| unpack(reader, root, deletions)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_compression_is_told_by_its_first_bytes() {
        let data = b"some archive".repeat(1000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&data).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(&data).unwrap();
        let zstd = zstd::encode_all(data.as_slice(), 1).unwrap();
        for packed in [gzip.finish().unwrap(), xz.finish().unwrap(), zstd, data.clone()] {
            let mut unpacked = Vec::new();
            decompressed(packed.as_slice()).unwrap().read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == data);
        }
        assert!(decompressed(b"BZh91AY".as_slice()).is_err());
    }
}
