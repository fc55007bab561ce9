//! Makes calls, and makes them again as the table says (`retry.rs`). The SDK's own retries are off: one place decides.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::journal::Effect as _;
use crate::engine::wait::{Pace, Probe, WaitError, until};

use super::error::{Error, Kind};
use super::line::Line;
use super::retry::{Age, Call, Verdict, verdict};

/// Short pauses at first, since a lost reply needs none, and up to 10 s under throttling.
const PACE: Pace = Pace { first: Duration::from_millis(100), factor: 2.0, longest: Duration::from_secs(10) };

/// For what something else still uses: often at first, since most things have ended within seconds, and seldom when it takes the minutes that an instance
/// or a forgotten user may. Three calls a second for 20 minutes would take other programs' share of the account's calls.
const IN_USE: Pace = Pace { first: Duration::from_millis(100), factor: 1.3, longest: Duration::from_secs(5) };

/// After how long it is told that something is still in use: most instances have ended by then.
const TELL_USE_AFTER: Duration = Duration::from_secs(90);

/// Looks at something. `Young`: what is looked at may not show yet.
pub async fn look<T>(line: &impl AsRef<Line>, age: Age, call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let done = || Error::new("look", "", super::Kind::Invalid, "a look that failed has brought nothing about");
    Box::pin(again(line.as_ref(), PACE, || Call::Look, age, call)).await?.ok_or_else(done)
}

/// Changes something; made twice it does the same.
pub async fn change(line: &impl AsRef<Line>, age: Age, call: impl AsyncFn() -> Result<(), Error>) -> Result<(), Error> {
    Box::pin(again(line.as_ref(), PACE, || Call::Change, age, call)).await.map(drop)
}

/// Ends something; what is gone is no error. Waits as long as something else uses it.
pub async fn release(
    line: &impl AsRef<Line>,
    age: Age,
    call: impl AsyncFn() -> Result<(), Error>,
) -> Result<(), Error> {
    let lost = Cell::new(false);
    let attempt = async || noting(&lost, &call).await;
    let call = || if lost.get() { Call::ReleaseAgain } else { Call::Release };
    Box::pin(again(line.as_ref(), IN_USE, call, age, attempt)).await.map(drop)
}

/// Creates something. `call` makes it; `find` finds what an earlier try of this run made.
pub async fn create<T>(
    line: &impl AsRef<Line>,
    call: impl AsyncFn() -> Result<T, Error>,
    find: impl AsyncFn() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    create_at(PACE, line.as_ref(), call, find).await
}

async fn create_at<T>(
    pace: Pace,
    line: &Line,
    call: impl AsyncFn() -> Result<T, Error>,
    find: impl AsyncFn() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    line.makes();
    let lost = Cell::new(false);
    let attempt = async || {
        if lost.get()
            && let Some(made) = find().await?
        {
            return Ok(made);
        }
        noting(&lost, &call).await
    };
    let call = || if lost.get() { Call::MakeAgain } else { Call::Make };
    let done = || Error::new("create", "", super::Kind::Invalid, "a failed create call has made nothing");
    let made = Box::pin(again(line, pace, call, Age::Young, attempt)).await.and_then(|made| made.ok_or_else(done));
    // However the last try ended: an earlier one may have had its effect.
    made.map_err(|error| Error { uncertain: error.uncertain || lost.get(), ..error })
}

/// Makes one try, and notes whether it may have had its effect. One that is given up in the middle may have.
async fn noting<T>(lost: &Cell<bool>, call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let before = lost.replace(true);
    let result = call().await;
    lost.set(before || result.as_ref().err().is_some_and(|error| !error.certainly_none()));
    result
}

/// `None`: what was wanted is so although the call failed. Callers box it, since the compiler lays futures out only so many levels deep.
async fn again<T>(
    line: &Line,
    pace: Pace,
    call: impl Fn() -> Call,
    age: Age,
    work: impl AsyncFn() -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let (start, mut tries, mut is_told) = (Instant::now(), 0, false);
    let probe = async || {
        tries += 1;
        let limit = line.answer_within(call(), start.elapsed());
        let error = match line.call(limit, work()).await {
            Ok(value) => return Ok(Probe::Ready(Some(value))),
            Err(error) => error,
        };
        let elapsed = start.elapsed();
        let age = if age == Age::Young { Age::after(elapsed) } else { age };
        match verdict(call(), error.kind, age) {
            Verdict::Done => Ok(Probe::Ready(None)),
            Verdict::Fail => Err(error),
            Verdict::Again | Verdict::LookFirst if line.gives_up(&error, tries, elapsed) => {
                Err(gave_up(error, elapsed))
            }
            Verdict::Again | Verdict::LookFirst => {
                line.tell(&error, elapsed);
                if !is_told && error.kind == Kind::InUse && elapsed >= TELL_USE_AFTER {
                    is_told = true;
                    line.tell_use(&error);
                }
                Ok(Probe::NotYet(error.message, None))
            }
        }
    };
    match until(pace, None, probe, |_, _| ()).await {
        Ok(value) => Ok(value),
        Err(WaitError::Hopeless(error)) => Err(line.explained(error).await),
        // There is no limit but the probe's own.
        Err(WaitError::TimedOut { last, .. }) => Err(Error::new("wait", "", super::Kind::Unavailable, last)),
    }
}

/// The cause is the last failure; how long it went on says that it is no hiccup.
fn gave_up(error: Error, elapsed: Duration) -> Error {
    match elapsed.as_secs() {
        0 => error,
        n => Error { message: format!("{} (given up after {n} s)", error.message), ..error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Pace = Pace::millis(1, 2);

    fn error(kind: Kind) -> Error {
        Error::new("RunInstances", "", kind, "boom")
    }

    /// A call that fails with these kinds, one after the other, and then succeeds.
    fn failing<'a>(kinds: &'a [Kind], calls: &'a Cell<usize>) -> impl AsyncFn() -> Result<&'static str, Error> + 'a {
        async || {
            calls.set(calls.get() + 1);
            kinds.get(calls.get() - 1).map_or(Ok("i-1"), |kind| Err(error(*kind)))
        }
    }

    #[tokio::test]
    async fn a_lost_reply_is_looked_for_before_it_is_asked_again() {
        let calls = Cell::new(0);
        let call = failing(&[Kind::NoReply], &calls);
        let made = create_at(QUICK, &Line::default(), call, async || Ok(Some("i-lost"))).await;
        assert_eq!((made.unwrap(), calls.get()), ("i-lost", 1));
    }

    #[tokio::test]
    async fn nothing_is_made_again_before_a_look_has_succeeded() {
        let (calls, looks) = (Cell::new(0), Cell::new(0));
        let find = async || {
            looks.set(looks.get() + 1);
            if looks.get() < 4 { Err(error(Kind::Throttled)) } else { Ok(Some("i-lost")) }
        };
        let made = create_at(QUICK, &Line::default(), failing(&[Kind::NoReply], &calls), find).await;
        assert_eq!((made.unwrap(), calls.get(), looks.get()), ("i-lost", 1, 4));
    }

    #[tokio::test]
    async fn a_refusal_after_a_lost_reply_does_not_say_that_nothing_was_made() {
        let calls = Cell::new(0);
        let call = failing(&[Kind::NoReply, Kind::Invalid], &calls);
        let failed = create_at(QUICK, &Line::default(), call, async || Ok(None)).await.unwrap_err();
        assert_eq!((failed.kind, failed.certainly_none()), (Kind::Invalid, false));
        let calls = Cell::new(0);
        let call = failing(&[Kind::Invalid], &calls);
        let failed = create_at(QUICK, &Line::default(), call, async || Ok(Some("i-2"))).await.unwrap_err();
        assert!(failed.certainly_none());
    }

    #[tokio::test]
    async fn throttling_never_fails_and_what_is_young_is_waited_for() {
        let kinds = [Kind::Throttled, Kind::NotFound, Kind::Unavailable, Kind::Throttled, Kind::InUse];
        let calls = Cell::new(0);
        let made = create_at(QUICK, &Line::default(), failing(&kinds, &calls), async || Ok(None)).await;
        assert_eq!((made.unwrap(), calls.get()), ("i-1", kinds.len() + 1));
    }

    #[test]
    fn what_is_in_use_is_asked_for_often_at_first_and_seldom_later() {
        let (mut at, mut early, mut all) = (0.0, 0, 0);
        while at < 20.0 * 60.0 {
            at += (IN_USE.first.as_secs_f64() * IN_USE.factor.powi(all)).min(IN_USE.longest.as_secs_f64());
            early += i32::from(at < 5.0);
            all += 1;
        }
        assert!(early >= 10 && all <= 300, "{early} tries in the first 5 s, {all} in 20 min");
    }

    #[tokio::test]
    async fn what_is_not_there_is_gone_and_what_is_there_is_made() {
        let none = async || Err::<(), _>(error(Kind::NotFound));
        let gone = again(&Line::default(), QUICK, || Call::Release, Age::Old, none).await;
        assert_eq!(gone.unwrap(), None);
        let twice = async || Err::<(), _>(error(Kind::Duplicate));
        assert_eq!(again(&Line::default(), QUICK, || Call::Change, Age::Old, twice).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_users_number_of_attempts_counts_until_something_is_made() {
        let line = Line::new(Some(2), None, None);
        let kinds = [Kind::Throttled; 4];
        let calls = Cell::new(0);
        let failed = again(&line, QUICK, || Call::Look, Age::Old, failing(&kinds, &calls)).await.unwrap_err();
        assert_eq!((failed.kind, calls.get()), (Kind::Throttled, 2));
        line.makes();
        again(&line, QUICK, || Call::Look, Age::Old, failing(&kinds, &calls)).await.unwrap();
    }
}
