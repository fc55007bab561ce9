//! Paces and limits of the waits on EC2, and the retry of what only time can mend.

use std::time::Duration;

use crate::engine::wait::{Pace, Probe, WaitError, until};

use super::error::{Error, Kind};
use super::repeat::repeat;

/// For states that change within seconds (an instance). EC2 allows 100 describes at once and 20 a second (ec2-api.md 4.2), shared by all builds.
pub const SECONDS: Pace = Pace::millis(100, 1500);
/// For states that change within minutes (an image, a copy).
pub const MINUTES: Pace = Pace::millis(100, 3000);

/// How long EC2 may answer NotFound for what it has just made: 5 s is common, 56 s the longest reported (ec2-api.md 2.0).
pub const YOUNG: Duration = Duration::from_secs(60);

/// How long an instance may take to run, stop or terminate: bare metal takes up to 20 minutes (ec2-api.md 4.2).
pub const INSTANCE_LIMIT: Duration = Duration::from_secs(30 * 60);

/// How long a delete goes on being refused because something still uses the resource.
const IN_USE_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Retries a release while EC2 says that the resource is in use. `what` is for the error when it never ends.
pub async fn retry_in_use(what: &'static str, call: impl AsyncFn() -> Result<(), Error>) -> Result<(), Error> {
    let probe = async || match repeat(&call).await {
        Ok(()) => Ok(Probe::Ready(())),
        Err(error) if error.kind == Kind::InUse => Ok(Probe::NotYet(error.message, None)),
        Err(error) => Err(error),
    };
    match until(SECONDS, Some(IN_USE_LIMIT), probe, |_, _| ()).await {
        Ok(()) => Ok(()),
        Err(WaitError::Hopeless(error)) => Err(error),
        Err(WaitError::TimedOut { last, .. }) => Err(Error::new(what, "", Kind::InUse, last)),
    }
}
