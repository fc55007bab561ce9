//! Turns a tar stream into a layer blob: one thread makes the tar, another hashes and compresses it, in blocks, into a
//! file that gets its name when its digest is known.

use std::fs::File;
use std::io::{self, Write};
use std::thread;

use sha2::{Digest as _, Sha256};
use zstd::stream::write::Encoder;

use super::blocks::{BlockReader, BlockWriter, blocks};
use super::digest::{self, HashingWriter};
use super::error::{At, Error};
use super::scratch::Scratch;

/// zstd's default, and the best trade for layers that are read again in seconds.
const LEVEL: i32 = 3;
/// More compressor threads than this outrun one thread that reads and one that hashes.
const MAX_WORKERS: usize = 6;

/// A compressed archive that has no place in the store yet.
#[derive(Debug)]
pub(super) struct Sealed {
    pub file: Scratch,
    /// Of the compressed blob.
    pub digest: String,
    /// Of the tar in it.
    pub diff_id: String,
    /// Bytes of the blob.
    pub size: u64,
    /// Bytes of the tar.
    pub unpacked_size: u64,
}

/// Runs `produce` on this thread and `consume` on another, joined by a stream of blocks. An error of the consumer goes
/// before the broken pipe that it causes.
pub(super) fn pipe<P, C: Send>(
    doing: &'static str,
    produce: impl FnOnce(BlockWriter) -> Result<P, Error>,
    consume: impl FnOnce(BlockReader) -> Result<C, Error> + Send,
) -> Result<(P, C), Error> {
    let (writer, reader) = blocks();
    thread::scope(|scope| {
        let consumer = scope.spawn(move || consume(reader));
        let produced = produce(writer);
        let consumed = consumer.join().map_err(|_| Error::Worker(doing))?;
        // A producer that failed leaves a truncated stream, and what the consumer says of that is beside the point,
        // unless the producer only failed because nobody listened.
        match (produced, consumed) {
            (Ok(produced), Ok(consumed)) => Ok((produced, consumed)),
            (Err(error), Ok(_)) => Err(error),
            (Err(error), Err(_)) if !is_broken_pipe(&error) => Err(error),
            (_, Err(error)) => Err(error),
        }
    })
}

/// Compresses and hashes what `produce` writes, into a file under `tmp`.
pub(super) fn seal(
    tmp: &std::path::Path,
    produce: impl FnOnce(BlockWriter) -> Result<(), Error>,
) -> Result<Sealed, Error> {
    let (file, out) = Scratch::file(tmp)?;
    let path = file.path().to_owned();
    let consume = move |reader| compress(reader, out).at("write", path);
    let ((), ends) = pipe("compressed a layer", produce, consume)?;
    let Ends { digest, diff_id, size, unpacked_size } = ends;
    Ok(Sealed { file, digest, diff_id, size, unpacked_size })
}

struct Ends {
    digest: String,
    diff_id: String,
    size: u64,
    unpacked_size: u64,
}

fn compress(reader: BlockReader, out: File) -> io::Result<Ends> {
    let mut encoder = encoder(HashingWriter::new(out))?;
    let (mut hasher, mut unpacked_size) = (Sha256::new(), 0);
    reader.for_each(|block| {
        // The compressor only queues the block for its own threads, which then work while this one hashes.
        encoder.write_all(block)?;
        hasher.update(block);
        unpacked_size += block.len() as u64;
        Ok(())
    })?;
    let (file, digest, size) = encoder.finish()?.finish();
    file.sync_all()?;
    Ok(Ends { digest, diff_id: digest::finish(hasher), size, unpacked_size })
}

/// A zstd encoder on all cores. Its output depends on the input alone: with one worker or more, zstd cuts its input
/// in the same places. (Without workers it does not, so there is always one.)
pub(super) fn encoder<W: Write>(out: W) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(out, LEVEL)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    encoder.multithread(cores.min(MAX_WORKERS) as u32)?;
    Ok(encoder)
}

fn is_broken_pipe(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_does_not_change_the_blob() {
        let data: Vec<u8> = (0..24_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        let compressed = |workers| {
            let mut encoder = Encoder::new(Vec::new(), LEVEL).unwrap();
            encoder.multithread(workers).unwrap();
            data.chunks(super::super::blocks::BLOCK).for_each(|block| encoder.write_all(block).unwrap());
            encoder.finish().unwrap()
        };
        let one = compressed(1);
        assert!([2, 3, 6].into_iter().all(|workers| compressed(workers) == one));
    }

    #[test]
    fn a_sealed_file_has_both_digests_and_an_error_leaves_nothing() {
        let tmp = tempfile::tempdir().unwrap();
        let sealed =
            seal(tmp.path(), |mut out| out.write_all(b"tar").and_then(|()| out.finish()).at("write", "x")).unwrap();
        let blob = std::fs::read(sealed.file.path()).unwrap();
        assert_eq!((digest::of(&blob), digest::of(b"tar")), (sealed.digest, sealed.diff_id));
        assert_eq!((blob.len() as u64, 3), (sealed.size, sealed.unpacked_size));
        drop(sealed.file);
        seal(tmp.path(), |_| Err(Error::HostUnmasked)).unwrap_err();
        assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
    }
}
