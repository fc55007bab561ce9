//! What is known of the way to an endpoint: whether it has ever answered, whether something was made through it, and who hears of waiting.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::event::Events;

use super::clients::CONNECT_TIMEOUT;
use super::denial;
use super::error::{Error, Kind};
use super::retry::{Call, Phase, answer_within, patience};

/// After how long a wait for an endpoint is told. A lost packet is nobody's business.
const TELL_AFTER: Duration = Duration::from_secs(2);

/// The shortest time for which an answer is waited: a little over what a connection may take, so that what comes to nothing after it was taken by the
/// endpoint, and what never got there says so itself.
const SHORTEST: Duration = Duration::from_secs(CONNECT_TIMEOUT.as_secs() + 1);

/// The way to one account's endpoints. All regions share it.
#[derive(Default)]
pub struct Line {
    has_answered: AtomicBool,
    has_made: AtomicBool,
    is_told: AtomicBool,
    attempts: Option<u32>,
    events: Option<Events>,
    reader: Option<aws_sdk_sts::Client>,
}

impl Line {
    /// `attempts` is what the user said (`max_retries`, `AWS_MAX_ATTEMPTS`); `reader` decodes refusals.
    pub fn new(attempts: Option<u32>, events: Option<Events>, reader: Option<aws_sdk_sts::Client>) -> Self {
        Self { attempts, events, reader, ..Self::default() }
    }

    /// An error that nothing mends, as people get to see it.
    pub async fn explained(&self, error: Error) -> Error {
        match &self.reader {
            Some(reader) => denial::decoded(reader, error).await,
            None => error,
        }
    }

    /// Something is about to be made.
    pub fn makes(&self) {
        self.has_made.store(true, Ordering::Relaxed);
    }

    fn phase(&self) -> Phase {
        if self.has_made.load(Ordering::Relaxed) { Phase::Made } else { Phase::Nothing }
    }

    /// How long an answer is waited for, `elapsed` after the first try. An endpoint that has never answered is given up when it would be too long for
    /// people to wait.
    pub fn answer_within(&self, call: Call, elapsed: Duration) -> Option<Duration> {
        match self.has_answered.load(Ordering::Relaxed) || self.phase() == Phase::Made {
            true => answer_within(call),
            // A first answer that is lost must not cost all the patience there is.
            false if elapsed < SHORTEST => Some(SHORTEST),
            false => Some(self.patience(Kind::NoReply).saturating_sub(elapsed).max(SHORTEST)),
        }
    }

    /// Makes a call, and waits so long for its answer.
    pub async fn call<T>(
        &self,
        limit: Option<Duration>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let result = match limit {
            None => work.await,
            Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(silence(limit))),
        };
        let is_answer = |error: &Error| !matches!(error.kind, Kind::Unreachable | Kind::NoReply);
        if result.as_ref().err().is_none_or(is_answer) {
            self.has_answered.store(true, Ordering::Relaxed);
            self.is_told.store(false, Ordering::Relaxed);
        }
        result
    }

    /// How long failures of this kind may go on.
    pub fn patience(&self, kind: Kind) -> Duration {
        patience(kind, self.phase())
    }

    /// Whether try number `tries` was the last one, `elapsed` after the first.
    pub fn gives_up(&self, error: &Error, tries: u32, elapsed: Duration) -> bool {
        // Giving up early what has begun costs more than any wait, so the user's number is for what comes before.
        let too_often = self.phase() == Phase::Nothing && self.attempts.is_some_and(|most| tries >= most);
        too_often || elapsed >= self.patience(error.kind)
    }

    /// Tells people why nothing happens, once until the endpoint answers again.
    pub fn tell(&self, error: &Error, elapsed: Duration) {
        let is_silent = matches!(error.kind, Kind::Unreachable | Kind::NoReply | Kind::Unavailable);
        if !is_silent || elapsed < TELL_AFTER || self.is_told.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(events) = &self.events {
            let limit = self.patience(error.kind).as_secs();
            events.warn(format!("no answer from AWS yet, trying again for at most {limit} s: {error}"));
        }
    }

    /// Tells people that something is not given free.
    pub fn tell_use(&self, error: &Error) {
        if let Some(events) = &self.events {
            let limit = self.patience(error.kind).as_secs() / 60;
            events.warn(format!("still not possible, trying again for at most {limit} min: {error}"));
        }
    }
}

fn silence(limit: Duration) -> Error {
    let text = format!("the endpoint took the call and has not answered it for {} s", limit.as_secs());
    Error::new("call AWS", "", Kind::NoReply, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_is_not_there_is_given_up_soon_and_one_that_goes_away_later_is_not() {
        let line = Line::default();
        let error = Error::new("DescribeImages", "", Kind::Unreachable, "connection refused");
        let gives_up = |line: &Line, seconds| line.gives_up(&error, 1, Duration::from_secs(seconds));
        assert_eq!([gives_up(&line, 19), gives_up(&line, 20)], [false, true]);
        line.makes();
        assert_eq!([gives_up(&line, 299), gives_up(&line, 300)], [false, true]);
    }

    #[test]
    fn no_try_takes_all_the_time_and_the_last_one_has_enough_to_find_out_whether_anybody_is_there() {
        let limit = |seconds| Line::default().answer_within(Call::Look, Duration::from_secs(seconds)).unwrap();
        assert_eq!([0, 7, 19, 29].map(limit), [6, 13, 6, 6].map(Duration::from_secs));
        assert!(limit(29) > CONNECT_TIMEOUT);
    }

    #[tokio::test]
    async fn an_endpoint_that_never_answers_is_given_up_in_the_middle_of_a_call() {
        let line = Line::default();
        let silent = line.call(Some(Duration::from_millis(10)), std::future::pending::<Result<(), Error>>()).await;
        assert_eq!(silent.unwrap_err().kind, Kind::NoReply);
    }
}
