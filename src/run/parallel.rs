//! Runs builds side by side, and says what the whole run came to.

use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use crate::engine::cancel::Urgency;
use crate::engine::ledger::{Claim, Entry, Outcome, Verdict};
use crate::engine::mode::Pauses;
use crate::event::{EventKind, Leftover, Summary};
use crate::hcl::diagnostics::Sources;

use super::Shared;
use super::build::{self, Finished};
use super::cleanup::leftover;
use super::prepare::PreparedBuild;

/// Runs all builds, at most `most` at once (0: all), and settles the journal.
pub async fn run(builds: &[PreparedBuild], shared: &Shared, sources: &Sources, most: usize) -> Summary {
    let start = Instant::now();
    let names = builds.iter().map(|build| build.plan.name.clone()).collect();
    shared.events.send(EventKind::RunStarted { run: shared.run.to_string(), builds: names });
    let most = match (shared.mode.pauses, most) {
        (Pauses::AfterSteps, _) => 1,
        (_, 0) => builds.len().max(1),
        (_, most) => most,
    };
    let places = Semaphore::new(most);
    // One place is taken in order, so builds start in the order of the template.
    let running: FuturesUnordered<_> = builds.iter().map(|build| placed(build, shared, sources, &places)).collect();
    let finished: Vec<Finished> = running.collect().await;
    let summary = summary(finished, builds, shared, start);
    shared.events.send(EventKind::RunFinished(summary.clone()));
    summary
}

async fn placed(build: &PreparedBuild, shared: &Shared, sources: &Sources, places: &Semaphore) -> Finished {
    // The semaphore is never closed, so a place always comes.
    let _place = places.acquire().await;
    if shared.cancel.urgency() > Urgency::None {
        let error = Some("interrupted before it started".to_owned());
        return Finished { name: build.plan.name.clone(), error, ..Finished::default() };
    }
    build::run(build, shared, sources).await
}

/// What builds hold that a resumed run has not any more.
fn of_other_builds(builds: &[PreparedBuild], shared: &Shared) -> Vec<Leftover> {
    let owed = shared.journal.ledger().owed(None, Verdict::Failure);
    let of_other = |claim: &&Claim| builds.iter().all(|build| build.key != claim.intent.build);
    let reason = |claim: &Claim| format!("{} is not built any more", claim.intent.build);
    owed.iter().filter(of_other).map(|claim| leftover(&shared.run, claim, reason(claim))).collect()
}

fn summary(finished: Vec<Finished>, builds: &[PreparedBuild], shared: &Shared, start: Instant) -> Summary {
    let interrupted = shared.cancel.urgency() > Urgency::None;
    let aborted = finished.iter().any(|build| build.aborted);
    let leftovers = of_other_builds(builds, shared);
    let mut summary = Summary { elapsed: start.elapsed(), interrupted, leftovers, ..Summary::default() };
    for build in finished {
        summary.leftovers.extend(build.leftovers);
        match build.error {
            Some(error) => summary.errors.push((build.name.clone(), error)),
            None => {
                let lines = build.artifacts.iter().map(crate::artifact::Artifact::line).collect();
                summary.artifacts.push((build.name, lines));
            }
        }
    }
    let outcome = match (aborted, interrupted, summary.errors.is_empty()) {
        (true, ..) => Outcome::Aborted,
        (_, true, _) => Outcome::Interrupted,
        (_, _, true) => Outcome::Success,
        _ => Outcome::Failure,
    };
    if shared.journal.ledger().owed(None, Verdict::Failure).is_empty() {
        shared.keeper.remove();
    }
    if let Err(error) = shared.journal.append(&Entry::End { outcome }) {
        // What there is to settle was settled; a run without an end counts as killed, and the next clean-up looks once more.
        shared.events.warn(crate::engine::chain(&error));
    }
    summary
}
