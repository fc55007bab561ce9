//! The step runner: the one place for a step's events, timing, `-debug` pauses, `-on-error=ask` and cancellation.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::event::{EventKind, Events};

use super::cancel::{Cancel, Cancelled, Urgency};
use super::continuation::Keeper;
use super::journal::Journal;
use super::ledger::Entry;
use super::mode::{Mode, OnError, Pauses};
use super::prompt::{Prompt, PromptError};
use super::{Cause, chain};

/// Why a step did not end well.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// It failed.
    #[error(transparent)]
    Failed(Cause),
    /// It failed and the person at the terminal chose to leave everything as it is.
    #[error(transparent)]
    Aborted(Cause),
    /// It failed, and the products that are complete are to be kept all the same.
    #[error(transparent)]
    ProductsKept(Cause),
    /// A product is still being made elsewhere and nobody waits for it any longer; it is left alone.
    #[error(transparent)]
    StillPending(Cause),
    /// What the build has made cannot be reached from here: nothing of it is touched.
    #[error(transparent)]
    OutOfReach(Cause),
    /// The run was asked to stop.
    #[error("interrupted")]
    Cancelled,
}

impl From<Cancelled> for StepError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// A failure of which the work itself has asked what becomes of it, because it had to know before its end.
#[derive(Debug)]
pub struct Decided {
    /// The failure.
    pub cause: Cause,
    /// What becomes of it.
    pub choice: Choice,
}

impl std::fmt::Display for Decided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.cause.fmt(f)
    }
}

impl std::error::Error for Decided {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

/// What a build hands to its steps. A step can only do what it offers.
pub struct Cx {
    /// Id of the run.
    pub run: Arc<str>,
    /// What the things of the build are recorded under: its display name, numbered where an earlier build has the same.
    pub build: Arc<str>,
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
    prompt: Arc<dyn Prompt>,
    timings: Mutex<Vec<(String, Duration)>>,
    /// The step that did not succeed, and the first one of them when several ran together.
    failed_step: Mutex<Option<String>>,
}

impl Cx {
    /// The context of one build.
    pub fn new(
        run: Arc<str>,
        build: &str,
        (events, journal, keeper, cancel): (Events, Journal, Keeper, Cancel),
        mode: Mode,
        prompt: Arc<dyn Prompt>,
    ) -> Self {
        let (timings, failed_step) = (Mutex::default(), Mutex::default());
        Self { run, build: build.into(), events, journal, keeper, cancel, mode, prompt, timings, failed_step }
    }

    /// Runs one step. `work` is called again when the user asks for a retry, so it must be repeatable; what an earlier try made stays in the
    /// journal and is released with the rest.
    pub async fn step<T>(&self, name: &str, mut work: impl AsyncFnMut() -> Result<T, Cause>) -> Result<T, StepError> {
        loop {
            // Boxed, since the compiler lays futures out only so many levels deep.
            match self.attempt(name, Box::pin(work())).await? {
                Ok(value) => {
                    self.journal_step(name)?;
                    lock(&self.failed_step).take_if(|failed| failed == name);
                    self.pause(&format!("Pausing after run of step '{name}'. Press enter to continue.")).await?;
                    return Ok(value);
                }
                Err(cause) => {
                    let Decided { cause, choice } = match cause.downcast::<Decided>() {
                        Ok(decided) => *decided,
                        Err(cause) => Decided { choice: self.choose(name, &cause).await, cause },
                    };
                    match choice {
                        Choice::CleanUp => return Err(StepError::Failed(cause)),
                        Choice::Abort => return Err(StepError::Aborted(cause)),
                        Choice::Retry => {}
                    }
                }
            }
        }
    }

    async fn attempt<T>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, Cause>>,
    ) -> Result<Result<T, Cause>, Cancelled> {
        self.events.send(EventKind::StepStarted { step: name.into() });
        let start = Instant::now();
        let result = self.cancel.guard(work).await;
        let elapsed = start.elapsed();
        lock(&self.timings).push((name.to_owned(), elapsed));
        let error = match &result {
            Ok(Ok(_)) => None,
            Ok(Err(cause)) => Some(chain(cause.as_ref())),
            Err(cancelled) => Some(cancelled.to_string()),
        };
        if error.is_some() {
            lock(&self.failed_step).get_or_insert_with(|| name.to_owned());
        }
        self.events.send(EventKind::StepFinished { step: name.into(), elapsed, error });
        result
    }

    fn journal_step(&self, name: &str) -> Result<(), StepError> {
        let entry = Entry::Step { build: self.build.to_string(), step: name.into() };
        self.journal.append(&entry).map_err(|e| StepError::Failed(e.into()))
    }

    /// With `-debug`, waits for the person at the terminal; without a terminal the pause is skipped, as Packer does.
    pub async fn pause(&self, question: &str) -> Result<(), Cancelled> {
        if self.mode.pauses == Pauses::None {
            return Ok(());
        }
        match self.ask(question).await {
            Err(PromptError::Interrupted) => Err(Cancelled),
            Ok(_) | Err(PromptError::NoTerminal) => Ok(()),
        }
    }

    /// Asks a question; a signal ends it.
    pub async fn ask(&self, question: &str) -> Result<String, PromptError> {
        self.cancel.guard(self.prompt.ask(question)).await.unwrap_or(Err(PromptError::Interrupted))
    }

    /// With `-on-error=ask`, what the person at the terminal wants to become of a failed step; without a terminal, and in any other mode, it is
    /// cleaned up.
    pub async fn choose(&self, name: &str, cause: &Cause) -> Choice {
        if self.mode.on_error != OnError::Ask || self.cancel.urgency() > Urgency::None {
            return Choice::CleanUp;
        }
        self.events.error(chain(cause.as_ref()));
        self.events.error(format!("Step \"{name}\" failed"));
        let question = "[c] Clean up and exit, [a] abort without cleanup, or [r] retry step (build may fail even if retry succeeds)?";
        loop {
            let Ok(answer) = self.ask(question).await else { return Choice::CleanUp };
            match answer.trim().to_ascii_lowercase().as_bytes().first() {
                None | Some(b'c') => return Choice::CleanUp,
                Some(b'a') => return Choice::Abort,
                Some(b'r') => return Choice::Retry,
                Some(_) => self.events.say(format!("Incorrect input: {:?}", answer.trim())),
            }
        }
    }

    /// Says what a step waits for.
    pub fn waiting(&self, step: &str, state: &str, percent: Option<u8>) {
        self.events.send(EventKind::Waiting { step: step.into(), state: state.into(), percent });
    }

    /// Where the time went so far, in the order in which the steps ended.
    pub fn timings(&self) -> Vec<(String, Duration)> {
        lock(&self.timings).clone()
    }

    /// The steps that ended until one failed, the latest first: the failed one, and those whose work stands.
    pub fn ended_steps(&self) -> Vec<String> {
        let failed = lock(&self.failed_step).clone();
        let ended = lock(&self.timings);
        let before = ended.iter().rev().map(|(name, _)| name.clone()).filter(|name| Some(name) != failed.as_ref());
        failed.iter().cloned().chain(before).collect()
    }
}

/// What becomes of a failed step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// What the build made is removed.
    CleanUp,
    /// All is left as it is.
    Abort,
    /// The step is run again.
    Retry,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
