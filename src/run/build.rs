//! One build, from its source to its post-processors, and what it leaves.

use std::time::{Duration, Instant};

use crate::artifact::{Artifact, Destroy};
use crate::engine::cancel::Urgency;
use crate::engine::ledger::{Claim, Entry, Verdict};
use crate::engine::mode::OnError;
use crate::engine::step::{Cx, StepError};
use crate::engine::{Cause, chain};
use crate::event::{EventKind, Leftover};
use crate::hcl::diagnostics::Sources;

use super::prepare::PreparedBuild;
use super::provisioning::Provisioning;
use super::{Shared, cleanup, lease, post_processing};

/// What a build came to.
#[derive(Default)]
pub struct Finished {
    /// Display name.
    pub name: String,
    /// Its artifacts.
    pub artifacts: Vec<Artifact>,
    /// Why it failed.
    pub error: Option<String>,
    /// True when everything was left as it is (`-on-error=abort`).
    pub aborted: bool,
    /// What could not be removed.
    pub leftovers: Vec<Leftover>,
}

/// Runs one build.
pub async fn run(build: &PreparedBuild, shared: &Shared, sources: &Sources) -> Finished {
    let start = Instant::now();
    let events = shared.events.for_build(&build.plan.name);
    let parts = (events, shared.journal.clone(), shared.keeper.clone(), shared.cancel.clone());
    let cx = Cx::new(shared.run.clone(), &build.key, parts, shared.mode, shared.prompt.clone());
    if shared.journal.ledger().is_built(&build.key) {
        cx.events.say("It ended well before the run was resumed: skipped");
        return Finished { name: build.plan.name.clone(), ..Finished::default() };
    }
    let provisioning = Provisioning::new(&cx, build, sources, &shared.secrets);
    let story = async {
        match build.source.build(&cx, &shared.world, &provisioning).await {
            Ok(artifact) => succeeded(build, shared, &cx, sources, artifact).await,
            Err(error) => {
                let place = match (&error, provisioning.culprit()) {
                    (StepError::Cancelled, _) => None,
                    (_, Some(provisioner)) => Some(provisioner),
                    (_, None) => Some(place(build, sources)),
                };
                failed(build, shared, &cx, error, place).await
            }
        }
    };
    let mut finished = lease::held(&cx, &shared.world, build.source.as_ref(), story).await;
    finished.name = build.plan.name.clone();
    let error = finished.error.clone();
    cx.events.send(EventKind::BuildFinished { elapsed: start.elapsed(), error });
    if build.timed {
        cx.events.send(EventKind::Timing(worth_telling(cx.timings())));
    }
    finished
}

/// Steps that took no time worth a line are left out of the table.
fn worth_telling(timings: Vec<(String, Duration)>) -> Vec<(String, Duration)> {
    timings.into_iter().filter(|(_, time)| *time >= Duration::from_millis(1)).collect()
}

/// The machine's part is over: temporaries go while post-processors run, products are handed over.
async fn succeeded(
    build: &PreparedBuild,
    shared: &Shared,
    cx: &Cx,
    sources: &Sources,
    artifact: Option<Artifact>,
) -> Finished {
    let processed = async {
        match &artifact {
            None => Ok(post_processing::Outcome::default()),
            Some(artifact) => cx.cancel.guard(post_processing::run(build, cx, sources, artifact)).await,
        }
    };
    let settle = cleanup::settle(cx, &shared.world, build.source.as_ref(), Verdict::Success);
    let end_lease = cleanup::end_lease(cx, &shared.world, build.source.as_ref());
    let (processed, leftovers, ended) = tokio::join!(processed, settle, end_lease);
    let mut finished = Finished { leftovers, ..Finished::default() };
    match processed {
        // The image is there and good; an interrupted script is no reason to lose it.
        Err(cancelled) => {
            finished.error = Some(cancelled.to_string());
            finished.artifacts.extend(artifact);
        }
        Ok(outcome) => {
            finished.artifacts = outcome.artifacts;
            finished.leftovers.extend(destroy(build, shared, cx, &outcome.unwanted).await);
            finished.error = numbered(&outcome.errors);
        }
    }
    if let Err(error) = ended {
        finished.error.get_or_insert(chain(error.as_ref()));
    } else {
        hand_over(build, shared, cx, &mut finished).await;
    }
    if finished.error.is_none()
        && let Err(error) = cx.journal.append(&Entry::Built { build: build.key.clone() })
    {
        // All is made and handed over: only who goes on with the run would miss it.
        cx.events.warn(chain(&error));
    }
    finished
}

async fn hand_over(build: &PreparedBuild, shared: &Shared, cx: &Cx, finished: &mut Finished) {
    match cleanup::hand_over(cx) {
        // The end of a run that was interrupted, or whose post-processors failed, names no artifacts.
        Ok(kept) if cx.cancel.urgency() > Urgency::None || finished.error.is_some() => tell_kept(cx, Ok(kept)),
        Ok(_) => {}
        // A product that nobody can record as one would be removed by the next clean-up: it goes now, before somebody uses it.
        Err(error) => {
            finished.error.get_or_insert(chain(error.as_ref()));
            finished.artifacts.clear();
            let settle = cleanup::settle(cx, &shared.world, build.source.as_ref(), Verdict::Failure);
            finished.leftovers.extend(settle.await);
        }
    }
}

fn numbered(errors: &[String]) -> Option<String> {
    if errors.is_empty() {
        return None;
    }
    let items: String = errors.iter().map(|error| format!("\n* {error}")).collect();
    Some(format!("{} error(s) occurred:\n{items}", errors.len()))
}

/// Removes artifacts that no post-processor keeps.
async fn destroy(build: &PreparedBuild, shared: &Shared, cx: &Cx, unwanted: &[Artifact]) -> Vec<Leftover> {
    let mut leftovers = Vec::new();
    for artifact in unwanted {
        match &artifact.destroy {
            Destroy::Nothing => {}
            Destroy::Files => {
                for file in &artifact.files {
                    // One that is gone already is what was wanted.
                    let _ = std::fs::remove_file(file);
                }
            }
            Destroy::Images(_) => {
                let settle = cleanup::settle(cx, &shared.world, build.source.as_ref(), Verdict::Failure);
                leftovers.extend(settle.await);
            }
        }
    }
    leftovers
}

/// The source block of a build, as an error names it.
fn place(build: &PreparedBuild, sources: &Sources) -> String {
    let plan = &build.plan;
    let (line, _) = sources.position(&plan.span);
    format!("source \"{}\" \"{}\" at {}:{line}", plan.source_type, plan.source_name, sources.name(plan.span.file))
}

async fn failed(build: &PreparedBuild, shared: &Shared, cx: &Cx, error: StepError, place: Option<String>) -> Finished {
    let cause = chain(&error);
    let text = place.map_or_else(|| cause.clone(), |place| format!("{cause} ({place})"));
    if matches!(error, StepError::OutOfReach(_)) {
        let leftovers = cleanup::kept(cx, "out of reach from here");
        return Finished { error: Some(text), aborted: true, leftovers, ..Finished::default() };
    }
    let keep = matches!(cx.mode.on_error, OnError::Abort | OnError::RunCleanupProvisioner)
        || matches!(error, StepError::Aborted(_));
    if keep {
        tell_of_abort(cx, &error, &cause);
        if shared.world.local().is_some() {
            cx.events.warn("a local instance ends with Kiln: to look at it, use -on-error=ask or a breakpoint");
        }
        let leftovers = cleanup::kept(cx, "kept because of -on-error");
        return Finished { error: Some(text), aborted: true, leftovers, ..Finished::default() };
    }
    if let (StepError::Cancelled, OnError::Ask, Some(step)) = (&error, cx.mode.on_error, cx.ended_steps().first()) {
        // Nobody who has pressed Ctrl-C wants to be asked.
        cx.events.error(format!("Step \"{step}\" failed"));
    }
    let verdict = match error {
        StepError::Cancelled | StepError::ProductsKept(_) => Verdict::CutShort,
        StepError::StillPending(_) => Verdict::Waiting,
        StepError::Failed(_) | StepError::Aborted(_) | StepError::OutOfReach(_) => Verdict::Failure,
    };
    let mut leftovers = cleanup::settle(cx, &shared.world, build.source.as_ref(), verdict).await;
    match verdict {
        Verdict::CutShort => {
            let ended = cleanup::end_lease(cx, &shared.world, build.source.as_ref()).await;
            tell_kept(cx, ended.and_then(|()| cleanup::hand_over(cx)));
        }
        Verdict::Waiting => leftovers.extend(cleanup::pending(cx)),
        Verdict::Success | Verdict::Failure => {}
    }
    Finished { error: Some(text), leftovers, ..Finished::default() }
}

/// Says which products outlive a build that was cut short: people waited for them, and they are complete.
fn tell_kept(cx: &Cx, kept: Result<Vec<Claim>, Cause>) {
    match kept {
        Ok(kept) => kept.iter().for_each(|claim| {
            let (what, name, region) = (cleanup::describe(claim), &claim.intent.name, &claim.intent.place.region);
            cx.events.say(format!("The {what} ({name}) in {region} is complete: it is kept."));
        }),
        Err(error) => cx.events.error(chain(error.as_ref())),
    }
}

/// Says which step the build ended with, and which ones are not undone. After `-on-error=run-cleanup-provisioner` has done its part, provisioning counts
/// as undone, and the step before it is the first that is left.
fn tell_of_abort(cx: &Cx, error: &StepError, text: &str) {
    let mut steps = cx.ended_steps();
    let cancelled = matches!(error, StepError::Cancelled);
    let undone = cx.mode.on_error == OnError::RunCleanupProvisioner;
    if undone && steps.len() > 1 && steps[0] == "StepProvision" {
        steps.remove(0);
    }
    if !cancelled {
        cx.events.error(text);
    }
    let mut steps = steps.into_iter();
    match steps.next() {
        _ if cancelled && !undone => cx.events.error("Interrupted, aborting..."),
        Some(step) => cx.events.error(format!("Step \"{step}\" failed, aborting...")),
        None => {}
    }
    for step in steps {
        cx.events.error(format!("aborted: skipping cleanup of step \"{step}\""));
    }
}
