//! How the user wants a run to behave when steps end and when they fail.

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

/// The modes of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mode {
    /// On failure.
    pub on_error: OnError,
    /// After steps.
    pub pauses: Pauses,
    /// Replacing older products.
    pub force: Force,
}
