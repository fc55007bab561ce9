//! Releases what a build owes: after success, failure or a signal.

use std::time::Duration;

use futures_util::future::try_join_all;

use crate::aws::release::{self, Confirm};
use crate::engine::Cause;
use crate::engine::cancel::{Cancelled, Urgency};
use crate::engine::journal::Journal;
use crate::engine::ledger::{Claim, ClaimState, Entry, Keep, Verdict};
use crate::engine::step::Cx;
use crate::event::{Leftover, named};
use crate::sources::{Source, World};

use super::releases::{Owed, Releases, Unconfirmed};

/// How long a release may take once nobody wants to wait any more.
const HURRY: Duration = Duration::from_secs(5);

/// Releases what a build owes and returns what could not be released.
pub async fn settle(cx: &Cx, world: &World, source: &dyn Source, verdict: Verdict) -> Vec<Leftover> {
    let owed = cx.journal.ledger().owed(Some(&cx.build), verdict);
    // Whether somebody must see the instance gone: a group in use cannot be deleted before that, and after a failure people want certainty.
    let confirm = if verdict == Verdict::Success && owed.len() == 1 { Confirm::Accepted } else { Confirm::Gone };
    for claim in &owed {
        // Each release is announced; with `-debug` the user may look at the thing once more before it goes.
        let question = format!("Pausing before cleanup of {}. Press enter to continue.", describe(claim));
        let _ = cx.pause(&question).await;
    }
    let one = |claim| Owed { run: &cx.run, claim, announcement: announcement(claim), remedy: remedy(&cx.run) };
    let releases = Releases::new(owed.iter().map(one).collect());
    let release = async |owed: &Owed| release(cx, world, source, owed.claim, confirm).await;
    tokio::select! {
        biased;
        () = releases.ask(&cx.events, release) => {}
        () = tell_wait(cx, &releases) => {}
    }
    releases.left()
}

/// Answers a first signal that finds a build releasing already: there is nothing that it would stop.
async fn tell_wait(cx: &Cx, releases: &Releases<'_>) {
    if cx.cancel.urgency() == Urgency::None {
        cx.cancel.reached(Urgency::Unwind).await;
        let awaited = releases.awaited();
        if !awaited.is_empty() {
            cx.events.warn(format!("waiting for: {awaited}; a second Ctrl-C leaves without waiting"));
        }
    }
    std::future::pending().await
}

async fn release(cx: &Cx, world: &World, source: &dyn Source, claim: &Claim, confirm: Confirm) -> Result<(), Cause> {
    let release = || source.release(cx, world, claim, confirm);
    // A call that hangs is not sat out when somebody wants to go. Asked anew, it is answered most of the time.
    let patient = async {
        match cx.cancel.guard(release()).await {
            Ok(result) => result,
            Err(Cancelled) => release().await,
        }
    };
    let result = tokio::select! {
        biased;
        result = patient => result,
        () = cx.cancel.reached(Urgency::Hurry) => hurried(cx, world, source, claim).await,
    };
    result.map(|()| record(&cx.journal, claim))
}

async fn hurried(cx: &Cx, world: &World, source: &dyn Source, claim: &Claim) -> Result<(), Cause> {
    match tokio::time::timeout(HURRY, source.release(cx, world, claim, Confirm::Accepted)).await {
        Ok(Ok(())) if claim.intent.kind != release::INSTANCE => Ok(()),
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Err(Unconfirmed.into()),
    }
}

/// Records a release.
pub(super) fn record(journal: &Journal, claim: &Claim) {
    // What is gone is gone. A journal on a full disk says that it is owed, and the next clean-up finds nothing of it.
    let _ = journal.append(&Entry::Released { claim: claim.id });
}

/// A claim that could not be released.
pub fn leftover(run: &str, claim: &Claim, reason: String) -> Leftover {
    Leftover {
        kind: claim.intent.kind.clone(),
        id: claim.resource_id().unwrap_or(&claim.intent.name).to_owned(),
        region: claim.intent.place.region.clone(),
        reason,
        remedy: remedy(run),
    }
}

/// The command that removes what a run left.
pub fn remedy(run: &str) -> String {
    format!("kiln cleanup {run}")
}

/// What a claim stands for, as people can find it.
pub fn describe(claim: &Claim) -> String {
    named(&claim.intent.kind, claim.resource_id().unwrap_or(&claim.intent.name))
}

/// Packer's words where it has them, since people know them.
pub(super) fn announcement(claim: &Claim) -> String {
    if claim.state == ClaimState::Intended {
        return format!("Looking for the {}, to remove it...", describe(claim));
    }
    match claim.intent.kind.as_str() {
        release::KEY_PAIR => "Deleting temporary keypair...".to_owned(),
        release::SECURITY_GROUP => "Deleting temporary security group...".to_owned(),
        release::INSTANCE => "Terminating the source AWS instance...".to_owned(),
        release::IMAGE if claim.intent.keep == Keep::Meanwhile => {
            "Deregistering the AMI and deleting unencrypted temporary AMIs and snapshots".to_owned()
        }
        release::IMAGE => {
            let text = "Deregistering the AMI and deleting associated snapshots because of cancellation, or error...";
            text.to_owned()
        }
        _ => format!("Releasing {}...", describe(claim)),
    }
}

/// What is left of a run without being owed: everything that a build keeps, for this reason.
pub fn kept(cx: &Cx, reason: &str) -> Vec<Leftover> {
    let owed = cx.journal.ledger().owed(Some(&cx.build), Verdict::Failure);
    let kept = |claim: &Claim| Leftover { remedy: choice(&cx.run), ..leftover(&cx.run, claim, reason.to_owned()) };
    owed.iter().map(kept).collect()
}

/// Complete products could not be handed over in time.
#[derive(Debug, thiserror::Error)]
#[error(
    "{products} of run {run} is complete, but EC2 has not confirmed in time that it is kept: kiln cleanup {run} removes it"
)]
struct NotHandedOver {
    products: String,
    run: String,
}

/// Takes the lease off a build's complete products.
pub async fn end_lease(cx: &Cx, world: &World, source: &dyn Source) -> Result<(), Cause> {
    let products = cx.journal.ledger().products(&cx.build);
    let keep = || try_join_all(products.iter().map(|claim| source.keep(cx, world, claim)));
    let kept: Result<Vec<()>, Cause> = match cx.cancel.guard(keep()).await {
        Ok(kept) => kept,
        // A call that hangs is not sat out when somebody wants to go. Asked anew, it is answered most of the time.
        Err(Cancelled) => tokio::time::timeout(HURRY, keep()).await.unwrap_or_else(|_| {
            let (run, names) = (cx.run.to_string(), products.iter().map(describe).collect::<Vec<_>>());
            Err(NotHandedOver { products: names.join(", "), run }.into())
        }),
    };
    kept.map(drop)
}

/// Hands a build's complete products over, whose lease has ended: from here on nothing of Kiln's removes them. Returns them.
pub fn hand_over(cx: &Cx) -> Result<Vec<Claim>, Cause> {
    let products = cx.journal.ledger().products(&cx.build);
    // All or nothing: whoever is killed before this line has handed nothing over.
    for claim in &products {
        cx.journal.append(&Entry::Kept { claim: claim.id })?;
    }
    Ok(products)
}

/// The two things that people can do with what is kept.
fn choice(run: &str) -> String {
    format!("kiln cleanup {run} (or go on with it: kiln resume {run})")
}

/// Products that are still being made and are left alone.
pub fn pending(cx: &Cx) -> Vec<Leftover> {
    let owed = cx.journal.ledger().owed(Some(&cx.build), Verdict::Failure);
    let pending =
        |claim: &Claim| Leftover { remedy: choice(&cx.run), ..leftover(&cx.run, claim, "still pending".into()) };
    owed.iter().filter(|claim| claim.intent.keep != Keep::Never).map(pending).collect()
}
