//! Work that would hold up the other builds (copying, hashing, compressing), on a thread of its own.
//!
//! Dropping the future ends the work at its next look, so that a signal does not wait for a large file.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    let waiting = Waiting(Watch::default());
    let watch = waiting.0.clone();
    let result = tokio::task::spawn_blocking(move || work(&watch)).await;
    result.unwrap_or_else(|panicked| Err(io::Error::other(panicked).into()))
}

/// Lives as long as the future does.
struct Waiting(Watch);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        assert_eq!(seen.recv_timeout(Duration::from_secs(60)).unwrap(), "interrupted");
    }

    #[tokio::test]
    async fn what_work_gives_comes_back() {
        assert_eq!(offload(|_| Ok::<_, io::Error>(42)).await.unwrap(), 42);
        let error = offload(|_| Err::<(), _>(io::Error::other("full"))).await.unwrap_err();
        assert_eq!(error.to_string(), "full");
    }
}
