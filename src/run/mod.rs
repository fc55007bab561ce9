//! Runs a plan: the only place that knows all kinds of components.

pub mod build;
pub mod changes;
pub mod cleanup;
pub mod data;
pub mod dead;
pub mod engine_facts;
pub mod inputs;
pub mod kinds;
pub mod lease;
pub mod parallel;
pub mod post_processing;
pub mod prepare;
pub mod provisioning;
pub mod releases;
pub mod standing;
pub mod sweep;

use std::sync::Arc;

use crate::engine::cancel::Cancel;
use crate::engine::continuation::Keeper;
use crate::engine::journal::Journal;
use crate::engine::mode::Mode;
use crate::engine::prompt::Prompt;
use crate::event::Events;
use crate::secret::Secrets;
use crate::sources::World;

/// What all builds of a run share.
pub struct Shared {
    /// Id of the run.
    pub run: Arc<str>,
    /// Where the story goes.
    pub events: Events,
    /// Where claims go.
    pub journal: Journal,
    /// What another process needs to go on.
    pub keeper: Keeper,
    /// How urgently to stop.
    pub cancel: Cancel,
    /// How the user wants steps to behave.
    pub mode: Mode,
    /// Who answers questions.
    pub prompt: Arc<dyn Prompt>,
    /// Connections to AWS.
    pub world: World,
    /// Texts to mask.
    pub secrets: Secrets,
}
