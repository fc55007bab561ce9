//! A stream cut into blocks that all cores work on, put together again in order.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use super::format::cores;

/// Makes packed bytes of a block.
pub type Pack = Box<dyn Fn(&[u8]) -> io::Result<Vec<u8>> + Send + Sync>;

/// A writer that hands blocks to threads and writes what they make of them.
pub struct Blocks<W> {
    output: W,
    size: usize,
    block: Vec<u8>,
    jobs: mpsc::Sender<Job>,
    pending: VecDeque<mpsc::Receiver<io::Result<Vec<u8>>>>,
    /// So many blocks are on their way at most: two a core, so that none waits for work, and memory has a bound.
    most: usize,
}

struct Job {
    block: Vec<u8>,
    result: mpsc::Sender<io::Result<Vec<u8>>>,
}

impl<W: Write> Blocks<W> {
    /// A writer of blocks of `size` bytes; the last one may be shorter, and is missing when it would be empty.
    pub fn new(output: W, size: usize, pack: Pack) -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (queue, pack) = (Arc::new(Mutex::new(queue)), Arc::new(pack));
        for _ in 0..cores() {
            let (queue, pack) = (queue.clone(), pack.clone());
            // The threads end when the sender is gone.
            std::thread::spawn(move || work(&queue, &pack));
        }
        Self { output, size, block: Vec::with_capacity(size), jobs, pending: VecDeque::new(), most: 2 * cores() }
    }

    /// Writes what is left, and gives back where it was written to.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.submit()?;
        }
        while !self.pending.is_empty() {
            self.write_oldest()?;
        }
        Ok(self.output)
    }

    fn submit(&mut self) -> io::Result<()> {
        if self.pending.len() >= self.most {
            self.write_oldest()?;
        }
        let (result, packed) = mpsc::channel();
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(self.size));
        self.jobs.send(Job { block, result }).map_err(|_| died())?;
        self.pending.push_back(packed);
        Ok(())
    }

    fn write_oldest(&mut self) -> io::Result<()> {
        match self.pending.pop_front() {
            None => Ok(()),
            Some(packed) => self.output.write_all(&packed.recv().map_err(|_| died())??),
        }
    }
}

fn died() -> io::Error {
    io::Error::other("a compressing thread died")
}

fn work(queue: &Mutex<mpsc::Receiver<Job>>, pack: &Pack) {
    loop {
        // The lock is held while waiting: exactly one idle thread waits, the others wait for the lock.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { block, result }) = next else { return };
        // When nobody wants the result any more, the next look at the queue ends the thread.
        let _ = result.send(pack(&block));
    }
}

impl<W: Write> Write for Blocks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.size - self.block.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.block.extend_from_slice(taken);
        if self.block.len() == self.size {
            self.submit()?;
        }
        Ok(taken.len())
    }

    /// Blocks are of one size, so nothing is written before one is full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_out_in_order() {
        let pack: Pack = Box::new(|block| Ok([block, b"|"].concat()));
        let mut blocks = Blocks::new(Vec::new(), 3, pack);
        blocks.write_all(b"abcdefgh").unwrap();
        assert_eq!(blocks.finish().unwrap(), b"abc|def|gh|");
        let pack: Pack = Box::new(|block| Ok(block.to_vec()));
        let mut blocks = Blocks::new(Vec::new(), 7, pack);
        let long: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        blocks.write_all(&long).unwrap();
        assert_eq!(blocks.finish().unwrap(), long);
    }

    #[test]
    fn a_block_that_fails_fails_the_whole() {
        let mut blocks = Blocks::new(Vec::new(), 1, Box::new(|_| Err(io::Error::other("no"))));
        let _ = blocks.write_all(b"ab");
        assert_eq!(blocks.finish().unwrap_err().to_string(), "no");
    }
}
