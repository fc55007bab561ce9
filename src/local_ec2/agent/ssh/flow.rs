//! Flow control between a connection and the processes behind it.
//!
//! russh grants a client new window as soon as data has arrived, not when it was used, and handles one message at a time:
//! waiting for a process to read its input would stop its output too, and a mere `cat` would hang for ever. So input is
//! queued without a bound, and a connection whose queue grows is slowed down instead: each further packet waits for the
//! queue to shrink, but only for a moment that grows with the queue, after which output moves again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// Queued bytes from which a client is slowed down. Much lower, and an echo (`cat`) crawls: the packets that open the
/// client's window for its output stand behind those that are being slowed down.
const HIGH_WATER: usize = 16 << 20;
/// The longest pause for one packet. With packets of 32 KiB a process that never reads costs 128 KiB/s of memory by then.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Makes a queue for the input of one channel.
pub fn input() -> (InputSender, InputReceiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let backlog = Arc::new(Backlog::default());
    (InputSender { sender, backlog: backlog.clone() }, InputReceiver { receiver, backlog })
}

#[derive(Default)]
struct Backlog {
    bytes: AtomicUsize,
    shrunk: Notify,
}

/// The connection's end. Dropping it is the end of the input.
pub struct InputSender {
    sender: mpsc::UnboundedSender<Vec<u8>>,
    backlog: Arc<Backlog>,
}

impl InputSender {
    /// Queues data; waits a moment when there is much of it already. Data for a reader that is gone is dropped, as sshd
    /// does when a command ends without having read its input.
    pub async fn push(&self, data: &[u8]) {
        self.backlog.bytes.fetch_add(data.len(), Ordering::Relaxed);
        if self.sender.send(data.to_vec()).is_ok() {
            self.backlog.pause().await;
        }
    }

    /// Whether nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Backlog {
    async fn pause(&self) {
        let deadline = Instant::now() + pause_for(self.bytes.load(Ordering::Relaxed));
        while self.bytes.load(Ordering::Relaxed) > HIGH_WATER {
            if tokio::time::timeout_at(deadline, self.shrunk.notified()).await.is_err() {
                return;
            }
        }
    }
}

/// A millisecond at the mark, four times as much at twice the mark: some 110 MiB are queued after a minute of a client at
/// full speed and a process that does not read, 240 MiB after ten.
fn pause_for(backlog: usize) -> Duration {
    let mebibytes = (backlog >> 20) as u64;
    Duration::from_millis(mebibytes * mebibytes / 256).min(LONGEST_PAUSE)
}

/// The process's end.
pub struct InputReceiver {
    receiver: mpsc::UnboundedReceiver<Vec<u8>>,
    backlog: Arc<Backlog>,
}

impl InputReceiver {
    /// The next piece of input; `None` at its end.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        let data = self.receiver.recv().await?;
        self.backlog.bytes.fetch_sub(data.len(), Ordering::Relaxed);
        self.backlog.shrunk.notify_one();
        Some(data)
    }
}

impl Drop for InputReceiver {
    /// A sender in its pause must not wait for a reader that is gone.
    fn drop(&mut self) {
        self.backlog.bytes.store(0, Ordering::Relaxed);
        self.backlog.shrunk.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_queue_up_to_a_limit() {
        for (mebibytes, milliseconds) in [(0, 0), (16, 1), (32, 4), (128, 64), (1024, 250)] {
            assert_eq!(pause_for(mebibytes << 20), Duration::from_millis(milliseconds), "{mebibytes}");
        }
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_slows_the_sender_but_never_stops_it() {
        let (sender, mut receiver) = input();
        for _ in 0..17 {
            sender.push(&[0; 1 << 20]).await;
        }
        drop(sender);
        let mut bytes = 0;
        while let Some(data) = receiver.next().await {
            bytes += data.len();
        }
        assert_eq!(bytes, 17 << 20);
    }

    #[tokio::test]
    async fn data_for_a_reader_that_is_gone_is_dropped() {
        let (sender, receiver) = input();
        drop(receiver);
        sender.push(&[0; 8 << 20]).await;
        assert!(sender.is_closed());
    }
}
