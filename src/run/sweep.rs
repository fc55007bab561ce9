//! Clean-up by tags: releases what dead runs left in a region, for machines that do not have their journals.

use std::time::{Duration, SystemTime};

use futures_util::future::try_join_all;

use crate::aws::access::Access;
use crate::aws::iam;
use crate::aws::release::{self, Confirm};
use crate::aws::tagged::{self, Tagged};
use crate::engine::Cause;
use crate::engine::cancel::Cancel;
use crate::engine::ledger::{Claim, ClaimState, Keep, Ledger, Place};
use crate::event::{Events, Leftover};
use crate::sources::World;

use super::cleanup::describe;
use super::releases::{Owed, Releases};

/// Whose things may go.
pub struct Wanted {
    /// Only runs that began longer ago than this.
    pub older_than: Duration,
    /// Runs that are known to live here, whatever their lease says.
    pub alive: Vec<String>,
}

/// Something that a dead run left.
pub struct Left {
    /// The run.
    pub run: String,
    /// The thing, as if from the run's journal.
    pub claim: Claim,
}

/// What may go in these regions, and in the account, which has no region.
pub async fn find(world: &World, regions: &[String], wanted: &Wanted, now: SystemTime) -> Result<Vec<Left>, Cause> {
    let in_regions = try_join_all(regions.iter().map(|region| async {
        let ec2 = world.aws(&access(region)).await?.ec2_in(region);
        Ok::<_, Cause>((tagged::find(&ec2).await?, ec2.place.clone()))
    }));
    let in_account = async {
        let Some(region) = regions.first() else { return Ok((Vec::new(), Place::default())) };
        let aws = world.aws(&access(region)).await?;
        Ok((iam::tagged(&aws).await?, aws.ec2_in(region).place.clone()))
    };
    let (mut found, of_account) = tokio::try_join!(in_regions, in_account)?;
    found.push(of_account);
    let all = found.into_iter().flat_map(|(tagged, place)| tagged.into_iter().zip(std::iter::repeat(place)));
    let may_go = all.filter(|(tagged, _)| may_go(tagged, wanted, now));
    Ok(may_go.map(|(tagged, place)| Left { run: tagged.run.clone(), claim: claim(tagged, &place) }).collect())
}

fn access(region: &str) -> Access {
    Access { region: Some(region.to_owned()), ..Access::default() }
}

/// A lease that has ended, of a run that is old enough. What has an unreadable lease was touched by somebody: it is left alone.
fn may_go(tagged: &Tagged, wanted: &Wanted, now: SystemTime) -> bool {
    let ended = tagged.expires.is_some_and(|end| end < now);
    let old = began(&tagged.run).is_none_or(|began| began + wanted.older_than <= now);
    ended && old && !wanted.alive.contains(&tagged.run)
}

/// When a run began: the first 48 bits of its id are the milliseconds since 1970.
pub fn began(run: &str) -> Option<SystemTime> {
    let hex: String = run.chars().filter(|c| *c != '-').take(12).collect();
    Some(SystemTime::UNIX_EPOCH + Duration::from_millis(u64::from_str_radix(&hex, 16).ok()?))
}

fn claim(tagged: Tagged, place: &Place) -> Claim {
    let intent = tagged.intent(place, Keep::Never);
    Claim { id: 0, intent, state: ClaimState::Held(tagged.id), ready: false, precious: false }
}

/// Releases all of it and returns what could not be released, or is not known to be gone when somebody wants to go.
pub async fn release(world: &World, left: &[Left], events: &Events, cancel: &Cancel) -> Vec<Leftover> {
    let releases = Releases::new(left.iter().map(owed).collect());
    let release = async |owed: &Owed| release_one(world, owed.claim, owed.run).await;
    // What is known by then is told all the same.
    let _ = cancel.guard(releases.ask(events, release)).await;
    releases.left()
}

fn owed(Left { run, claim }: &Left) -> Owed<'_> {
    let announcement = format!("Releasing {} of run {run}...", describe(claim));
    Owed { run, claim, announcement, remedy: format!("kiln cleanup --region {} {run}", claim.intent.place.region) }
}

async fn release_one(world: &World, claim: &Claim, run: &str) -> Result<(), Cause> {
    let aws = world.aws(&access(&claim.intent.place.region)).await?;
    Ok(release::release(&aws, claim, run, &Ledger::default(), Confirm::Gone).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "019a0000-0000-7000-8000-000000000000";

    fn tagged(expires: Option<SystemTime>) -> Tagged {
        let text = String::new;
        Tagged { kind: release::INSTANCE, id: text(), name: text(), run: RUN.into(), build: text(), expires }
    }

    #[test]
    fn only_what_is_dead_and_old_enough_may_go() {
        let began = began(RUN).unwrap();
        let hour = Duration::from_secs(3600);
        let now = began + 10 * hour;
        let (ended, lives) = (Some(began + hour), Some(began + 11 * hour));
        let wanted = |hours: u32, alive: &[&str]| Wanted {
            older_than: hour * hours,
            alive: alive.iter().map(|run| (*run).to_owned()).collect(),
        };
        for (expires, wanted, expected) in [
            (ended, wanted(0, &[]), true),
            (ended, wanted(9, &[]), true),
            (lives, wanted(0, &[]), false),
            (None, wanted(0, &[]), false),
            (ended, wanted(11, &[]), false),
            (ended, wanted(0, &[RUN]), false),
        ] {
            assert_eq!(may_go(&tagged(expires), &wanted, now), expected);
        }
    }
}
