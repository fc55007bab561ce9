//! Bytes on their way out: produced, hashed and cut into chunks on a thread that may block, while others encrypt and send.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Progress, blocking, ended, local_error};
use crate::communicator::Error;
use crate::communicator::ssh::command::{Running, Taken};

/// Large enough that the hand-over between threads costs nothing, small enough to keep the pipeline full.
const CHUNK: usize = 256 << 10;
/// Chunks produced ahead: 2 MiB, which is what an OpenSSH server lets us have under way.
const AHEAD: usize = 8;

/// What a file upload sends.
#[derive(Clone)]
pub enum Content {
    /// A local file's content.
    File(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// Content that is ready to be sent.
pub(super) struct Ready {
    pub size: u64,
    source: Source,
}

enum Source {
    File(File, PathBuf),
    Bytes(Vec<u8>),
}

impl Content {
    /// Opens a file before anything is asked of the machine.
    pub(super) async fn open(self) -> Result<Ready, Error> {
        match self {
            Self::Bytes(bytes) => Ok(Ready { size: bytes.len() as u64, source: Source::Bytes(bytes) }),
            Self::File(path) => blocking(move || open(path)).await,
        }
    }
}

fn open(path: PathBuf) -> Result<Ready, Error> {
    let opened = File::open(&path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    let (file, metadata) = opened.map_err(|e| local_error(&path, &e))?;
    if metadata.is_dir() {
        return Err(Error::Local { path: path.display().to_string(), reason: "is a directory".into() });
    }
    Ok(Ready { size: metadata.len(), source: Source::File(file, path) })
}

impl Ready {
    /// Starts to produce.
    pub(super) fn start(self) -> Feed {
        Feed::start(move |out| match self.source {
            Source::Bytes(bytes) => out.write_all(&bytes).map_err(Stop::from),
            Source::File(file, path) => copy_exactly(file, self.size, out).map_err(|e| Stop::at(&path, e)),
        })
    }
}

/// Copies exactly `size` bytes: the machine was told how many there are.
pub(super) fn copy_exactly(file: impl Read, size: u64, out: &mut impl Write) -> io::Result<()> {
    let copied = io::copy(&mut file.take(size), out)?;
    if copied == size { Ok(()) } else { Err(io::Error::other("became shorter while it was read")) }
}

/// Why a producer stopped early.
#[derive(Debug)]
pub(super) enum Stop {
    /// Nobody takes the bytes any more; whoever did knows why.
    NotWanted,
    /// A local error.
    Failed(Error),
}

impl Stop {
    /// An I/O error about a path, unless it means that nobody takes the bytes.
    pub(super) fn at(path: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::NotWanted
        } else {
            Self::Failed(local_error(path, &error))
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::at(Path::new("(bytes)"), error)
    }
}

/// A producer at work.
pub(super) struct Feed {
    chunks: mpsc::Receiver<Vec<u8>>,
    producer: JoinHandle<Result<Option<String>, Error>>,
}

impl Feed {
    /// Runs `produce` on a thread of its own.
    pub(super) fn start(produce: impl FnOnce(&mut Chunks) -> Result<(), Stop> + Send + 'static) -> Self {
        let (sender, chunks) = mpsc::channel(AHEAD);
        let producer = tokio::task::spawn_blocking(move || {
            let mut out = Chunks { buffer: Vec::with_capacity(CHUNK), sender, digest: Sha256::new() };
            match produce(&mut out).and_then(|()| out.flush().map_err(Stop::from)) {
                Ok(()) => Ok(Some(hex(&out.digest.finalize()))),
                Err(Stop::NotWanted) => Ok(None),
                Err(Stop::Failed(error)) => Err(error),
            }
        });
        Self { chunks, producer }
    }

    /// The next chunk.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        self.chunks.recv().await
    }

    /// Sends everything to the command's input and ends that.
    pub(super) async fn pour(&mut self, running: &mut Running, progress: &mut Progress) {
        while let Some(chunk) = self.next().await {
            let length = chunk.len();
            if running.write(chunk).await == Taken::Ended {
                break;
            }
            progress.add(length);
        }
        running.end_input().await;
    }

    /// The SHA-256 of everything, in hex; `None` when not everything was wanted.
    pub(super) async fn end(self) -> Result<Option<String>, Error> {
        drop(self.chunks);
        self.producer.await.unwrap_or_else(|e| Err(ended(&e)))
    }
}

/// Cuts what is written into chunks, and hashes it.
pub(super) struct Chunks {
    buffer: Vec<u8>,
    sender: mpsc::Sender<Vec<u8>>,
    digest: Sha256,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == CHUNK {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        self.digest.update(&chunk);
        self.sender.blocking_send(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn collect(mut feed: Feed) -> (usize, Option<String>) {
        let mut length = 0;
        while let Some(chunk) = feed.next().await {
            assert!(chunk.len() <= CHUNK);
            length += chunk.len();
        }
        (length, feed.end().await.unwrap())
    }

    #[tokio::test]
    async fn bytes_arrive_whole_with_their_digest() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let ready = Content::Bytes(Vec::new()).open().await.unwrap();
        assert_eq!(collect(ready.start()).await, (0, Some(empty.into())));
        let ready = Content::Bytes(vec![7; 3 * CHUNK + 1]).open().await.unwrap();
        assert_eq!(collect(ready.start()).await.0, 3 * CHUNK + 1);
    }

    #[tokio::test]
    async fn a_producer_that_nobody_listens_to_ends_without_an_error() {
        let ready = Content::Bytes(vec![7; 64 * CHUNK]).open().await.unwrap();
        assert_eq!(ready.start().end().await.unwrap(), None);
    }

    #[tokio::test]
    async fn missing_files_and_directories_are_named() {
        let missing = Content::File("/does/not/exist".into()).open().await.err().unwrap().to_string();
        assert!(missing.starts_with("/does/not/exist: No such file"), "{missing}");
        assert_eq!(Content::File("/tmp".into()).open().await.err().unwrap().to_string(), "/tmp: is a directory");
    }
}
