//! Runs builds side by side, and says what the whole run came to.

use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use crate::engine::cancel::Urgency;
use crate::engine::ledger::{Entry, Outcome, Verdict};
use crate::engine::mode::Pauses;
use crate::event::{EventKind, Summary};
use crate::hcl::diagnostics::Sources;

use super::Shared;
use super::build::{self, Finished};
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
    let summary = summary(finished, shared, start);
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

fn summary(finished: Vec<Finished>, shared: &Shared, start: Instant) -> Summary {
    let interrupted = shared.cancel.urgency() > Urgency::None;
    let aborted = finished.iter().any(|build| build.aborted);
    let mut summary = Summary { elapsed: start.elapsed(), interrupted, ..Summary::default() };
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
        summary.errors.push(("kiln".to_owned(), crate::engine::chain(&error)));
    }
    summary
}
