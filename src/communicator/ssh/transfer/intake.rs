//! Bytes on their way in: hashed and consumed on a thread that may block, while others receive and decrypt.

use std::io::{self, Read};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::feed::hex;
use super::{Progress, ended};
use crate::communicator::Error;
use crate::communicator::ssh::command::{Piece, Running};

/// Pieces (of some 32 KiB) received ahead of the consumer.
const AHEAD: usize = 64;

/// A consumer at work.
pub(super) struct Intake<T> {
    sender: Option<mpsc::Sender<Vec<u8>>>,
    consumer: JoinHandle<Result<(T, String), Error>>,
}

impl<T: Send + 'static> Intake<T> {
    /// Runs `consume` on a thread of its own. What it leaves unread is read and hashed after it.
    pub(super) fn start(consume: impl FnOnce(&mut Incoming) -> Result<T, Error> + Send + 'static) -> Self {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let consumer = tokio::task::spawn_blocking(move || {
            let mut incoming = Incoming { pieces, piece: Vec::new(), read: 0, digest: Sha256::new() };
            let result = consume(&mut incoming)?;
            // Reading from a channel cannot fail.
            let _ = io::copy(&mut incoming, &mut io::sink());
            Ok((result, hex(&incoming.digest.finalize())))
        });
        Self { sender: Some(sender), consumer }
    }

    /// Hands everything that the command writes to the consumer; returns what it wrote to standard error.
    pub(super) async fn pour(&mut self, running: &mut Running, progress: &mut Progress) -> Vec<u8> {
        let mut stderr = Vec::new();
        let Some(sender) = self.sender.take() else { return stderr };
        while let Some(piece) = running.next().await {
            match piece {
                Piece::Stderr(bytes) => stderr.extend(bytes),
                Piece::Stdout(bytes) => {
                    progress.add(bytes.len());
                    if sender.send(bytes).await.is_err() {
                        break; // The consumer failed; its error is waiting.
                    }
                }
            }
        }
        stderr
    }

    /// What the consumer made, and the SHA-256 of everything in hex.
    pub(super) async fn end(self) -> Result<(T, String), Error> {
        drop(self.sender);
        self.consumer.await.unwrap_or_else(|e| Err(ended(&e)))
    }
}

/// The received bytes as a reader.
pub(super) struct Incoming {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    read: usize,
    digest: Sha256,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            let Some(piece) = self.pieces.blocking_recv() else { return Ok(0) };
            self.digest.update(&piece);
            (self.piece, self.read) = (piece, 0);
        }
        let taken = buffer.len().min(self.piece.len() - self.read);
        buffer[..taken].copy_from_slice(&self.piece[self.read..self.read + taken]);
        self.read += taken;
        Ok(taken)
    }
}
