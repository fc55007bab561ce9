//! Work that would hold up the other builds (copying, hashing, compressing), on a thread of its own.
//!
//! Dropping the future ends the work at its next look, so that a signal does not wait for a large file, and waits for that end, so that
//! the work can remove what it had begun before the process is gone.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Tells work whether anybody still waits for it.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<AtomicBool>);

impl Watch {
    /// An error once nobody waits any more.
    pub fn look(&self) -> io::Result<()> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(io::Error::other("interrupted")),
            false => Ok(()),
        }
    }

    /// A reader that looks before each read.
    pub fn over<R: Read>(&self, inner: R) -> Watched<R> {
        Watched { inner, watch: self.clone() }
    }
}

/// A reader that fails once nobody waits for the work any more.
pub struct Watched<R> {
    inner: R,
    watch: Watch,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watch.look()?;
        self.inner.read(buffer)
    }
}

/// Runs `work` on a thread for blocking work.
pub async fn offload<T, E>(work: impl FnOnce(&Watch) -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    let (watch, (working, ended)) = (Watch::default(), mpsc::channel::<()>());
    let waiting = Waiting { watch: watch.clone(), ended };
    let result = tokio::task::spawn_blocking(move || {
        let result = work(&watch);
        drop(working);
        result
    })
    .await;
    drop(waiting);
    result.unwrap_or_else(|panicked| Err(io::Error::other(panicked).into()))
}

/// Longer than any work takes from one look to the next, but for a disk that hangs: that one is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lives as long as the future does.
struct Waiting {
    watch: Watch,
    /// Nothing comes through it; it closes when the work is over.
    ended: mpsc::Receiver<()>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.watch.0.store(true, Ordering::Relaxed);
        // Closed or late, there is nothing more to do here.
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends() {
        let (ended, seen) = std::sync::mpsc::channel();
        let work = offload(move |watch| -> io::Result<()> {
            let error = io::copy(&mut watch.over(io::repeat(0)), &mut io::sink()).unwrap_err();
            ended.send(error.to_string()).unwrap();
            Err(error)
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
        assert_eq!(seen.try_recv().unwrap(), "interrupted");
    }

    #[tokio::test]
    async fn what_work_gives_comes_back() {
        assert_eq!(offload(|_| Ok::<_, io::Error>(42)).await.unwrap(), 42);
        let error = offload(|_| Err::<(), _>(io::Error::other("full"))).await.unwrap_err();
        assert_eq!(error.to_string(), "full");
    }
}
