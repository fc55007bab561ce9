//! SHA-256 digests as OCI writes them (`sha256:` and 64 hexadecimal digits), and streams that compute them on the way.

use std::fmt::Write as _;
use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use super::error::Error;

/// The hexadecimal part of a digest, after a check that it is one: it becomes a file name.
pub(super) fn hex(digest: &str) -> Result<&str, Error> {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if hex.len() == 64 && hex.bytes().all(lower) { Ok(hex) } else { Err(Error::BadDigest(digest.to_owned())) }
}

/// The digest of some bytes.
pub(super) fn of(bytes: &[u8]) -> String {
    finish(Sha256::new_with_prefix(bytes))
}

/// The digest that a hasher has arrived at.
pub(super) fn finish(hasher: Sha256) -> String {
    let mut text = String::from("sha256:");
    for byte in hasher.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Passes writes on, and counts and hashes them.
pub(super) struct HashingWriter<W> {
    inner: W,
    hasher: Sha256,
    written: u64,
}

impl<W: Write> HashingWriter<W> {
    /// Starts at nothing written.
    pub(super) fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), written: 0 }
    }

    /// The inner writer, the digest and the number of bytes of all that was written.
    pub(super) fn finish(self) -> (W, String, u64) {
        (self.inner, finish(self.hasher), self.written)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..taken]);
        self.written += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Passes reads on, and hashes them.
pub(super) struct HashingReader<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> HashingReader<R> {
    /// Starts at nothing read.
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    /// Reads what is left (a decompressor or a tar reader stops before the end) and gives the digest of everything.
    pub(super) fn finish(mut self) -> io::Result<String> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(finish(self.hasher))
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.hasher.update(&into[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn only_a_full_lower_case_sha256_is_a_digest() {
        assert_eq!(hex(EMPTY).unwrap(), &EMPTY[7..]);
        for bad in ["", "sha256:", "sha256:../../etc", &EMPTY[7..], &EMPTY.to_uppercase(), &EMPTY[..70]] {
            assert!(matches!(hex(bad), Err(Error::BadDigest(_))), "{bad}");
        }
    }

    #[test]
    fn streams_hash_what_passes() {
        assert_eq!(of(b""), EMPTY);
        let mut writer = HashingWriter::new(Vec::new());
        writer.write_all(b"layer").unwrap();
        let (bytes, digest, written) = writer.finish();
        assert_eq!((bytes.as_slice(), written), (b"layer".as_slice(), 5));
        let mut reader = HashingReader::new(b"layer".as_slice());
        reader.read_exact(&mut [0; 2]).unwrap();
        assert_eq!((reader.finish().unwrap(), digest), (of(b"layer"), of(b"layer")));
    }
}
