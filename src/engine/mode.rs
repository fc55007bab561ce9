//! How the user wants a run to behave when steps end and when they fail.

use std::time::Duration;

/// What to do when a step fails (`-on-error`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Release everything.
    #[default]
    Cleanup,
    /// Leave everything as it is; the journal keeps it for `kiln cleanup`.
    Abort,
    /// Ask on the terminal: clean up, abort, or retry the step.
    Ask,
    /// As abort, but run the template's error-cleanup-provisioner.
    RunCleanupProvisioner,
}

/// Whether steps pause (`-debug`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pauses {
    /// Never.
    #[default]
    None,
    /// After each step, before each release and before each provisioner; debug files such as the key are written.
    AfterSteps,
}

/// Whether products may replace older ones of the same name (`-force`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Force {
    /// No.
    #[default]
    No,
    /// Yes.
    Yes,
}

/// How long, after a run's last sign of life, clean-ups of other machines leave alone what it made. Long enough for a laptop that sleeps over lunch.
pub const LEASE: Duration = Duration::from_secs(3600);

/// The modes of a run.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// On failure.
    pub on_error: OnError,
    /// After steps.
    pub pauses: Pauses,
    /// Replacing older products.
    pub force: Force,
    /// How long what the run makes is known to be in use after each sign of life.
    pub lease: Duration,
}

impl Default for Mode {
    fn default() -> Self {
        let (on_error, pauses, force) = (OnError::default(), Pauses::default(), Force::default());
        Self { on_error, pauses, force, lease: LEASE }
    }
}
