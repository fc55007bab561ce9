//! BGZF, the blocked gzip of genome tools (SAM specification, section 4.1): each block is a gzip member that says how long it is.

use std::io::{self, Write};

use flate2::{Compression, Crc, FlushCompress};

use super::blocks::Blocks;
use super::gzip::deflate;

/// Bytes of a block before it is compressed, as others have them: what cannot be compressed still fits 64 KiB with its header.
const BLOCK: usize = 0xff00;
/// Magic, deflate, extra fields, no time, system unknown, 6 bytes of extra fields: `BC`, 2 bytes.
const HEADER: [u8; 16] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 6, 0, b'B', b'C', 2, 0];
/// Bytes around the deflated ones: header, length, checksum, size.
const FRAME: usize = HEADER.len() + 2 + 8;

/// A writer of a BGZF file.
pub struct Bgzf<W>(Blocks<W>);

impl<W: Write> Bgzf<W> {
    /// Writes to `output`.
    pub fn new(output: W, level: Compression) -> Self {
        Self(Blocks::new(output, BLOCK, Box::new(move |block| member(block, level))))
    }

    /// Ends the file, with the empty block by which readers know that nothing was cut off.
    pub fn finish(self) -> io::Result<W> {
        let mut output = self.0.finish()?;
        output.write_all(&member(&[], Compression::default())?)?;
        Ok(output)
    }
}

impl<W: Write> Write for Bgzf<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn member(block: &[u8], level: Compression) -> io::Result<Vec<u8>> {
    let mut deflated = deflate(block, level, FlushCompress::Finish)?;
    if deflated.len() + FRAME > usize::from(u16::MAX) {
        deflated = deflate(block, Compression::none(), FlushCompress::Finish)?;
    }
    let length = u16::try_from(deflated.len() + FRAME - 1).map_err(io::Error::other)?;
    let mut crc = Crc::new();
    crc.update(block);
    let (sum, amount) = (crc.sum().to_le_bytes(), crc.amount().to_le_bytes());
    Ok([&HEADER[..], &length.to_le_bytes(), &deflated, &sum, &amount].concat())
}
