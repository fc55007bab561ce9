//! The one waiter: asks again at a pace until something is so. Nothing else in Kiln sleeps in a loop.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// How often to look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Time from the first look to the second.
    pub first: Duration,
    /// What each time is multiplied by to give the next.
    pub factor: f64,
    /// Longest time from look to look.
    pub longest: Duration,
}

impl Pace {
    /// A pace in milliseconds that grows by half each time.
    pub const fn millis(first: u64, longest: u64) -> Self {
        Self { first: Duration::from_millis(first), factor: 1.5, longest: Duration::from_millis(longest) }
    }

    /// A constant pace.
    pub const fn every(pause: Duration) -> Self {
        Self { first: pause, factor: 1.0, longest: pause }
    }

    /// The pause after look number `n` (from 0). Up to a fifth is taken off at random, so that many builds do not look at the same moment.
    fn pause(&self, n: u32) -> Duration {
        let grown = self.first.as_secs_f64() * self.factor.powi(n.min(64) as i32);
        let capped = grown.min(self.longest.as_secs_f64());
        Duration::from_secs_f64(capped * (0.8 + 0.2 * unit_random()))
    }
}

/// A number in 0..1 that differs between calls; it only spreads load, so the hasher's random keys are random enough.
fn unit_random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(0u8) >> 11;
    bits as f64 / (1u64 << 53) as f64
}

/// What one look found.
#[derive(Debug)]
pub enum Probe<T> {
    /// It is so.
    Ready(T),
    /// Not yet: the state as people call it, and how far it is in percent, when known.
    NotYet(String, Option<u8>),
}

/// Why waiting ended without success.
#[derive(Debug, thiserror::Error)]
pub enum WaitError<E: std::error::Error + 'static> {
    /// A look found that it can never become so.
    #[error(transparent)]
    Hopeless(E),
    /// Time ran out; the last state seen is named.
    #[error("timed out after {} s, still {last}", limit.as_secs())]
    TimedOut { limit: Duration, last: String },
}

tokio::task_local! {
    /// Where the waits of a piece of work leave what they saw.
    static LAST_SEEN: LastSeen;
}

/// What the waits of a piece of work saw last: what to say when it is given up from outside.
#[derive(Debug, Default)]
pub struct LastSeen(Arc<Mutex<String>>);

impl LastSeen {
    /// Runs `work` and remembers each state that its waits find and that is not yet the one awaited.
    pub async fn of<T>(&self, work: impl Future<Output = T>) -> T {
        LAST_SEEN.scope(Self(self.0.clone()), work).await
    }

    /// The state that was seen last; empty when no look has found one.
    pub fn state(&self) -> String {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    fn see(&self, state: &str) {
        state.clone_into(&mut self.0.lock().unwrap_or_else(|e| e.into_inner()));
    }
}

/// Looks until `probe` says ready, fails, or `limit` has passed (`None`: no limit). `tell` hears each state that is not yet the one awaited.
pub async fn until<T, E: std::error::Error + 'static>(
    pace: Pace,
    limit: Option<Duration>,
    mut probe: impl AsyncFnMut() -> Result<Probe<T>, E>,
    mut tell: impl FnMut(&str, Option<u8>),
) -> Result<T, WaitError<E>> {
    let start = Instant::now();
    for n in 0.. {
        let looked = Instant::now();
        let last = match probe().await.map_err(WaitError::Hopeless)? {
            Probe::Ready(value) => return Ok(value),
            Probe::NotYet(state, percent) => {
                tell(&state, percent);
                // Most waits are nobody's who would be told so.
                let _ = LAST_SEEN.try_with(|seen| seen.see(&state));
                state
            }
        };
        // From look to look: a call that takes its time is part of the pause, though never all of it.
        let pause = pace.pause(n);
        let pause = pause.saturating_sub(looked.elapsed()).max(pause / 4);
        if let Some(limit) = limit
            && start.elapsed() + pause > limit
        {
            return Err(WaitError::TimedOut { limit, last });
        }
        tokio::time::sleep(pause).await;
    }
    unreachable!("the loop only ends by returning")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn looks_until_ready_and_tells_each_state() {
        let (mut looks, mut told) = (0, Vec::new());
        let probe = async || {
            looks += 1;
            let probe = if looks == 3 { Probe::Ready(looks) } else { Probe::NotYet(format!("s{looks}"), None) };
            Ok::<_, std::io::Error>(probe)
        };
        let value = until(Pace::millis(1, 2), None, probe, |state, _| told.push(state.to_owned())).await;
        assert_eq!((value.unwrap(), told), (3, vec!["s1".to_owned(), "s2".to_owned()]));
    }

    #[tokio::test]
    async fn time_out_names_the_last_state() {
        let probe = async || Ok::<_, std::io::Error>(Probe::<()>::NotYet("pending".into(), None));
        let limit = Some(Duration::from_millis(10));
        let error = until(Pace::millis(1, 3), limit, probe, |_, _| ()).await.unwrap_err();
        assert_eq!(error.to_string(), "timed out after 0 s, still pending");
    }

    #[tokio::test]
    async fn what_was_seen_last_outlives_work_that_is_given_up() {
        let probe = async || Ok::<_, std::io::Error>(Probe::<()>::NotYet("in use".into(), None));
        let (here, elsewhere) = (LastSeen::default(), LastSeen::default());
        let endless = here.of(until(Pace::millis(1, 1), None, probe, |_, _| ()));
        assert!(tokio::time::timeout(Duration::from_millis(10), endless).await.is_err());
        assert_eq!((here.state(), elsewhere.state()), ("in use".to_owned(), String::new()));
    }

    #[test]
    fn pauses_grow_to_the_longest() {
        let pace = Pace::millis(100, 1000);
        assert!(pace.pause(0) <= Duration::from_millis(100));
        assert!(pace.pause(1000) <= Duration::from_secs(1) && pace.pause(1000) >= Duration::from_millis(800));
    }
}
