//! Paces and limits of the waits on EC2.

use std::time::Duration;

use crate::engine::wait::Pace;

/// For states that change within seconds (an instance). EC2 allows an account 100 describes at once and 20 a second (ec2-api.md 4.2). All builds of a
/// process share their looks, so this is four to five a second of them; one that EC2 throttles is repeated at its own, slower pace.
pub const SECONDS: Pace = Pace::millis(100, 250);
/// For states that change within minutes (an image, a copy).
pub const MINUTES: Pace = Pace::millis(100, 350);

/// How long an instance may take to run, stop or terminate: bare metal takes up to 20 minutes (ec2-api.md 4.2).
pub const INSTANCE_LIMIT: Duration = Duration::from_secs(30 * 60);
