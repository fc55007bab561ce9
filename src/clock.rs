//! When the run began: `{{timestamp}}` gives that time wherever it stands, and a resumed run gives what it gave before.

use std::sync::OnceLock;

use jiff::Timestamp;

/// When the run began, and whether that was in another process.
static STARTED: OnceLock<(Timestamp, bool)> = OnceLock::new();

/// When the run began; the first call says so, unless [`resume`] came before it.
pub fn started() -> Timestamp {
    STARTED.get_or_init(|| (Timestamp::now(), false)).0
}

/// The run began then, in another process. Counts before the first look at the clock.
pub fn resume(then: Timestamp) {
    // Set once: a process has one run.
    let _ = STARTED.set((then, true));
}

/// What `timestamp()` gives: the time, which stands still at the run's beginning in a resumed run, so that names that are made of it are the same again.
pub fn now() -> Timestamp {
    match STARTED.get() {
        Some((then, true)) => *then,
        _ => Timestamp::now(),
    }
}
