//! The lease on what a build made: renewed while the build lives, so that `kiln cleanup` of another machine leaves it alone.

use std::convert::Infallible;

use futures_util::future::join_all;

use crate::engine::ledger::Verdict;
use crate::engine::step::Cx;
use crate::engine::wait::{Pace, Probe, until};
use crate::sources::{Source, World};

/// Runs `work` and renews the lease meanwhile, three times in its length, so that two renewals may fail.
pub async fn held<T>(cx: &Cx, world: &World, source: &dyn Source, work: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        value = work => value,
        value = renewing(cx, world, source) => value,
    }
}

async fn renewing<T>(cx: &Cx, world: &World, source: &dyn Source) -> T {
    let mut first = true;
    let probe = async || {
        // What is made in the first period has the whole lease from its create call.
        if !std::mem::take(&mut first) {
            renew(cx, world, source).await;
        }
        Ok::<_, Infallible>(Probe::<T>::NotYet("in use".to_owned(), None))
    };
    // Nothing makes it ready or fails, and there is no limit: it ends by being dropped.
    let _ = until(Pace::every(cx.mode.lease / 3), None, probe, |_, _| ()).await;
    std::future::pending().await
}

async fn renew(cx: &Cx, world: &World, source: &dyn Source) {
    let held = cx.journal.ledger().owed(Some(&cx.build), Verdict::Failure);
    let renewals = join_all(held.iter().map(|claim| source.renew(cx, world, claim)));
    for error in renewals.await.into_iter().filter_map(Result::err) {
        // The next renewal comes in time; what was just released can't be renewed.
        cx.events.say(format!("Renewing the lease failed: {}", crate::engine::chain(error.as_ref())));
    }
}
