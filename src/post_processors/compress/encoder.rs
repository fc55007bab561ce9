//! The compressing writers behind one face.

use std::io::{self, Write};

use bzip2::write::BzEncoder;
use flate2::Compression;
use liblzma::write::XzEncoder;
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};

use super::bgzf::Bgzf;
use super::format::Algorithm;
use super::gzip::Gzip;

/// How hard to try: 1 to 9, or what the algorithm's makers recommend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Option<u32>);

impl Level {
    /// The level that a template gives: what is below 1 is the default, what is above 9 is 9.
    pub fn new(given: Option<i64>) -> Self {
        Self(given.filter(|level| *level >= 1).map(|level| u32::try_from(level).unwrap_or(9).min(9)))
    }

    /// For deflate.
    pub fn deflate(self) -> Compression {
        self.0.map(Compression::new).unwrap_or_default()
    }
}

/// xz's own default.
const XZ_DEFAULT: u32 = 6;

/// A compressing writer.
pub enum Encoder<W: Write> {
    Plain(W),
    Gzip(Gzip<W>),
    Lz4(Box<FrameEncoder<W>>),
    Bgzf(Bgzf<W>),
    Xz(XzEncoder<W>),
    Bzip2(BzEncoder<W>),
}

impl<W: Write> Encoder<W> {
    /// Begins a stream to `output`.
    pub fn start(algorithm: Option<Algorithm>, level: Level, output: W) -> io::Result<Self> {
        Ok(match algorithm {
            None => Self::Plain(output),
            Some(Algorithm::Gzip) => Self::Gzip(Gzip::new(output, level.deflate())?),
            Some(Algorithm::Bgzf) => Self::Bgzf(Bgzf::new(output, level.deflate())),
            Some(Algorithm::Xz) => Self::Xz(XzEncoder::new(output, level.0.unwrap_or(XZ_DEFAULT))),
            Some(Algorithm::Bzip2) => {
                let level = level.0.map_or(bzip2::Compression::best(), bzip2::Compression::new);
                Self::Bzip2(BzEncoder::new(output, level))
            }
            Some(Algorithm::Lz4) => {
                let frame = FrameInfo::new().block_size(BlockSize::Max4MB).content_checksum(true);
                Self::Lz4(Box::new(FrameEncoder::with_frame_info(frame, output)))
            }
        })
    }

    /// Ends the stream and gives back where it was written to.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(output) => Ok(output),
            Self::Gzip(gzip) => gzip.finish(),
            Self::Bgzf(bgzf) => bgzf.finish(),
            Self::Xz(xz) => xz.finish(),
            Self::Bzip2(bzip2) => bzip2.finish(),
            Self::Lz4(lz4) => lz4.finish().map_err(io::Error::other),
        }
    }

    fn inner(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(output) => output,
            Self::Gzip(gzip) => gzip,
            Self::Lz4(lz4) => lz4,
            Self::Bgzf(bgzf) => bgzf,
            Self::Xz(xz) => xz,
            Self::Bzip2(bzip2) => bzip2,
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}
