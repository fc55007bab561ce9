//! When the run began: `timestamp()` and `{{timestamp}}` give that time wherever they stand, and a resumed run gives what it gave before.

use std::sync::OnceLock;

use jiff::Timestamp;

static STARTED: OnceLock<Timestamp> = OnceLock::new();

/// When the run began; the first call says so, unless [`resume`] came before it.
pub fn started() -> Timestamp {
    *STARTED.get_or_init(Timestamp::now)
}

/// The run began then, in another process. Counts before the first look at the clock.
pub fn resume(then: Timestamp) {
    // Set once: a process has one run.
    let _ = STARTED.set(then);
}
