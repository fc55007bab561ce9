//! What to do when a changing call fails in a way that another try may mend: look first, ask again second.
//!
//! The SDK's own retries are off for these calls: not every endpoint honours client tokens (moto does not), so a blind retry can make a second
//! instance. Here every retry is preceded by a look for what the lost call may have made.

use std::time::Duration;

use crate::engine::wait::{Pace, Probe, WaitError, until};

use super::error::{Error, Kind};

/// How tries are spaced, and how long they go on.
#[derive(Clone, Copy)]
struct Patience {
    pace: Pace,
    limit: Duration,
}

/// Short pauses at first, since a lost reply needs none, and up to 10 s under throttling. EC2's own outages are longer than the limit, or much shorter.
const PATIENCE: Patience = Patience {
    pace: Pace { first: Duration::from_millis(200), factor: 2.0, longest: Duration::from_secs(10) },
    limit: Duration::from_secs(300),
};

/// For look-ups that a person waits for before anything has begun.
const BRIEF: Patience = Patience { limit: Duration::from_secs(30), ..PATIENCE };

/// Creates something. `call` makes it; `look` finds what an earlier try of this run made.
pub async fn create<T>(
    call: impl AsyncFn() -> Result<T, Error>,
    look: impl AsyncFn() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    create_with(PATIENCE, call, look).await
}

async fn create_with<T>(
    patience: Patience,
    call: impl AsyncFn() -> Result<T, Error>,
    look: impl AsyncFn() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    repeat_with(patience, async || {
        let error = match call().await {
            Ok(made) => return Ok(made),
            Err(error) => error,
        };
        if matches!(error.kind, Kind::NoReply | Kind::Unavailable | Kind::Duplicate)
            && let Some(made) = look().await?
        {
            return Ok(made);
        }
        Err(error)
    })
    .await
}

/// Repeats a call that changes nothing when it is made twice.
pub async fn repeat<T>(call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    repeat_with(PATIENCE, call).await
}

/// Repeats a look-up, for a short time.
pub async fn read<T>(call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    repeat_with(BRIEF, call).await
}

async fn repeat_with<T>(patience: Patience, call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let last = std::cell::RefCell::new(None);
    let probe = async || match call().await {
        Ok(value) => Ok(Probe::Ready(value)),
        Err(error) if error.is_transient() => {
            let state = error.message.clone();
            *last.borrow_mut() = Some(error);
            Ok(Probe::NotYet(state, None))
        }
        Err(error) => Err(error),
    };
    match until(patience.pace, Some(patience.limit), probe, |_, _| ()).await {
        Ok(value) => Ok(value),
        Err(WaitError::Hopeless(error)) => Err(error),
        // The cause is the last failure, not our patience.
        Err(WaitError::TimedOut { .. }) => {
            Err(last.take().unwrap_or_else(|| Error::new("repeat", "", Kind::Unavailable, "no try was made in time")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const QUICK: Patience = Patience { pace: Pace::millis(1, 2), limit: Duration::from_millis(200) };

    fn error(kind: Kind) -> Error {
        Error::new("RunInstances", "", kind, "boom")
    }

    #[tokio::test]
    async fn a_lost_reply_is_looked_for_before_it_is_asked_again() {
        let calls = Cell::new(0);
        let call = async || {
            calls.set(calls.get() + 1);
            Err::<&str, _>(error(Kind::NoReply))
        };
        assert_eq!(create_with(QUICK, call, async || Ok(Some("i-1"))).await.unwrap(), "i-1");
        assert_eq!(calls.get(), 1);
    }

    #[tokio::test]
    async fn throttling_never_fails_and_invalid_fails_at_once() {
        let calls = Cell::new(0);
        let call = async || {
            calls.set(calls.get() + 1);
            if calls.get() < 6 { Err(error(Kind::Throttled)) } else { Ok("i-1") }
        };
        assert_eq!(create_with(QUICK, call, async || Ok(None)).await.unwrap(), "i-1");
        let failed = create_with(QUICK, async || Err::<&str, _>(error(Kind::Invalid)), async || Ok(Some("i-2"))).await;
        assert_eq!(failed.unwrap_err().kind, Kind::Invalid);
    }

    #[tokio::test]
    async fn patience_ends_with_the_cause() {
        let failed = repeat_with(QUICK, async || Err::<(), _>(error(Kind::Unreachable))).await.unwrap_err();
        assert_eq!((failed.kind, failed.message.as_str()), (Kind::Unreachable, "boom"));
    }
}
