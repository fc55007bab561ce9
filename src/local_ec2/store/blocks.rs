//! A stream of bytes between two threads, in blocks of 1 MiB that go round: what one thread reads from the disk,
//! another hashes and compresses, and neither allocates while it runs.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// The size of one block: large enough that hand-overs cost nothing, small enough to stay in the second-level cache.
pub(super) const BLOCK: usize = 1 << 20;
/// Blocks that may wait: what the reader gets ahead while the compressor is busy.
const DEPTH: usize = 8;

struct Block {
    bytes: Box<[u8]>,
    filled: usize,
}

/// The end that is written to.
pub(super) struct BlockWriter {
    block: Block,
    full: SyncSender<Block>,
    spare: Receiver<Block>,
}

/// The end that is read from, as a stream or block by block.
pub(super) struct BlockReader {
    full: Receiver<Block>,
    spare: Sender<Block>,
    current: Option<Block>,
    taken: usize,
}

/// A new stream.
pub(super) fn blocks() -> (BlockWriter, BlockReader) {
    let (full, full_out) = sync_channel(DEPTH);
    let (spare, spare_out) = channel();
    let block = Block { bytes: vec![0; BLOCK].into(), filled: 0 };
    let writer = BlockWriter { block, full, spare: spare_out };
    (writer, BlockReader { full: full_out, spare, current: None, taken: 0 })
}

impl BlockWriter {
    /// Copies up to `length` bytes from `input` straight into the blocks, and says how many there were.
    pub(super) fn copy_from(&mut self, input: &mut impl Read, length: u64) -> io::Result<u64> {
        let mut left = length;
        while left > 0 {
            let room = &mut self.block.bytes[self.block.filled..];
            let want = room.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = match input.read(&mut room[..want]) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.advance(count)?;
            left -= count as u64;
        }
        Ok(length - left)
    }

    /// Hands over what is left. Without this, the reader sees a truncated stream.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.block.filled > 0 { self.hand_over() } else { Ok(()) }
    }

    fn advance(&mut self, count: usize) -> io::Result<()> {
        self.block.filled += count;
        if self.block.filled == self.block.bytes.len() { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let mut next = match self.spare.try_recv() {
            Ok(spare) => spare,
            Err(_) => Block { bytes: vec![0; BLOCK].into(), filled: 0 },
        };
        next.filled = 0;
        let full = std::mem::replace(&mut self.block, next);
        // The reader is gone only when it failed, and then its error is the one that counts.
        self.full.send(full).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

impl Write for BlockWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = &mut self.block.bytes[self.block.filled..];
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.advance(count)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlockReader {
    /// Gives every block to `each`, until the end of the stream.
    pub(super) fn for_each(self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        for block in &self.full {
            each(&block.bytes[..block.filled])?;
            // A writer that has finished needs no spare blocks.
            let _ = self.spare.send(block);
        }
        Ok(())
    }
}

impl Read for BlockReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match &self.current {
                Some(block) if self.taken < block.filled => {
                    let ready = &block.bytes[self.taken..block.filled];
                    let count = ready.len().min(into.len());
                    into[..count].copy_from_slice(&ready[..count]);
                    self.taken += count;
                    return Ok(count);
                }
                _ => {}
            }
            if let Some(done) = self.current.take() {
                let _ = self.spare.send(done);
            }
            match self.full.recv() {
                Ok(block) => (self.current, self.taken) = (Some(block), 0),
                Err(_) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let data: Vec<u8> = (0..3 * BLOCK + 17).map(|n| (n % 251) as u8).collect();
        let (mut writer, mut reader) = blocks();
        let got = std::thread::scope(|scope| {
            let got = scope.spawn(move || {
                let mut got = Vec::new();
                reader.read_to_end(&mut got).map(|_| got)
            });
            writer.write_all(&data[..100]).unwrap();
            writer.copy_from(&mut &data[100..], (data.len() - 100) as u64).unwrap();
            writer.finish().unwrap();
            got.join().unwrap().unwrap()
        });
        assert!(got == data);
    }

    #[test]
    fn a_short_input_is_counted_and_a_dead_reader_is_an_error() {
        let (mut writer, reader) = blocks();
        assert_eq!(writer.copy_from(&mut b"ab".as_slice(), 3).unwrap(), 2);
        drop(reader);
        assert_eq!(writer.finish().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
