//! How far a run has been asked to stop. Signals escalate; a [`Cancel`] is handed down as a value and never goes back.

use std::future::Future;

use tokio::sync::watch;

/// How urgently the run must end. Ordered: a graver request wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Nobody has asked.
    #[default]
    None,
    /// First signal: stop the story, release everything, confirm that it is gone.
    Unwind,
    /// Second signal: ask for the release of everything, do not wait for confirmations, say what is left.
    Hurry,
    /// Third signal: leave at once.
    Leave,
}

impl Urgency {
    /// The next graver urgency.
    pub fn next(self) -> Self {
        match self {
            Self::None => Self::Unwind,
            Self::Unwind => Self::Hurry,
            Self::Hurry | Self::Leave => Self::Leave,
        }
    }
}

/// A piece of work was given up because the run was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Cancelled;

/// The side that escalates; one per run, fed by the signal handler (or by a test).
pub struct Canceller(watch::Sender<Urgency>);

impl Canceller {
    /// Makes the pair; nobody has asked for anything yet.
    pub fn new() -> (Self, Cancel) {
        let (sender, receiver) = watch::channel(Urgency::None);
        (Self(sender), Cancel(receiver))
    }

    /// The level that the next call of [`Canceller::escalate`] reaches.
    pub fn next(&self) -> Urgency {
        self.0.borrow().next()
    }

    /// Goes one level up and returns it.
    pub fn escalate(&self) -> Urgency {
        let level = self.next();
        self.0.send_replace(level);
        level
    }
}

/// The side that obeys. Cheap to clone.
#[derive(Clone)]
pub struct Cancel(watch::Receiver<Urgency>);

impl Cancel {
    /// The urgency now.
    pub fn urgency(&self) -> Urgency {
        *self.0.borrow()
    }

    /// Returns when the urgency is at least `level`; never returns when that never happens.
    pub async fn reached(&self, level: Urgency) {
        let mut receiver = self.0.clone();
        let ended = receiver.wait_for(|now| *now >= level).await.is_err();
        if ended {
            // The canceller is gone: nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }

    /// Runs `work` until it ends or the run is asked to stop, in which case `work` is dropped.
    pub async fn guard<T>(&self, work: impl Future<Output = T>) -> Result<T, Cancelled> {
        tokio::select! {
            biased;
            () = self.reached(Urgency::Unwind) => Err(Cancelled),
            value = work => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn signals_escalate_and_stop_at_leave() {
        let (canceller, cancel) = Canceller::new();
        assert_eq!(cancel.guard(async { 1 }).await, Ok(1));
        let levels: Vec<_> = (0..4).map(|_| canceller.escalate()).collect();
        assert_eq!(levels, [Urgency::Unwind, Urgency::Hurry, Urgency::Leave, Urgency::Leave]);
        assert_eq!(cancel.guard(async { 1 }).await, Err(Cancelled));
    }

    #[tokio::test]
    async fn work_in_flight_is_dropped_by_the_first_signal() {
        let (canceller, cancel) = Canceller::new();
        let waiting = cancel.guard(std::future::pending::<()>());
        let (result, _) = tokio::join!(waiting, async { canceller.escalate() });
        assert_eq!(result, Err(Cancelled));
    }
}
