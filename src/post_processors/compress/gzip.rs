//! gzip (RFC 1952) by all cores: one member whose blocks were deflated apart.
//!
//! Each block ends with a sync flush, which ends it at a full byte, so that blocks can be put one after the other. Between blocks
//! nothing is shared: with blocks of 1 MiB that costs less than half a percent of size.

use std::io::{self, Write};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::blocks::Blocks;

const BLOCK: usize = 1 << 20;
/// Magic, deflate, no flags, no time, no hint of the level, system unknown.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// A deflate block that is empty and the last.
const LAST: [u8; 2] = [3, 0];

/// Deflate in blocks, without header and trailer.
pub struct Deflate<W>(Blocks<W>);

impl<W: Write> Deflate<W> {
    /// Writes to `output`.
    pub fn new(output: W, level: Compression) -> Self {
        Self(Blocks::new(output, BLOCK, Box::new(move |block| deflate(block, level, FlushCompress::Sync))))
    }

    /// Ends the stream.
    pub fn finish(self) -> io::Result<W> {
        let mut output = self.0.finish()?;
        output.write_all(&LAST)?;
        Ok(output)
    }
}

impl<W: Write> Write for Deflate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// One block, deflated.
pub fn deflate(block: &[u8], level: Compression, flush: FlushCompress) -> io::Result<Vec<u8>> {
    let mut compress = Compress::new(level, false);
    let mut packed = Vec::with_capacity(block.len() / 2 + 64);
    loop {
        let taken = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        let status = compress.compress_vec(&block[taken..], &mut packed, flush).map_err(io::Error::other)?;
        // Room that is left over means that there was nothing more to write.
        let has_room = packed.len() < packed.capacity();
        if status == Status::StreamEnd || (flush != FlushCompress::Finish && has_room) {
            return Ok(packed);
        }
        packed.reserve(block.len() / 4 + 64);
    }
}

/// A writer of a gzip file.
pub struct Gzip<W> {
    deflate: Deflate<W>,
    crc: Crc,
}

impl<W: Write> Gzip<W> {
    /// Writes to `output`, beginning with the header.
    pub fn new(mut output: W, level: Compression) -> io::Result<Self> {
        output.write_all(&HEADER)?;
        Ok(Self { deflate: Deflate::new(output, level), crc: Crc::new() })
    }

    /// Ends the file.
    pub fn finish(self) -> io::Result<W> {
        let mut output = self.deflate.finish()?;
        output.write_all(&self.crc.sum().to_le_bytes())?;
        output.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(output)
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.deflate.write(bytes)?;
        self.crc.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.deflate.flush()
    }
}
