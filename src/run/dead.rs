//! Releases what a dead run owes: what its journal names, and what carries its tag though the journal, which may have lost lines, does not name it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::try_join_all;

use crate::aws::access::Access;
use crate::aws::release::{self, Confirm};
use crate::aws::{Aws, identity, tagged};
use crate::engine::cancel::{Cancel, Cancelled};
use crate::engine::continuation::Reach;
use crate::engine::journal::Journal;
use crate::engine::ledger::{Claim, Intent, Keep, Ledger, Place, Verdict};
use crate::engine::{Cause, chain};
use crate::event::{Events, Leftover};
use crate::sources::World;

use super::cleanup::{announcement, describe, record, remedy};
use super::releases::{Owed, Releases};

/// Whether a journal names all that its run made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// It does: the run came to its end, and every line can be read.
    Whole,
    /// It may not.
    Doubtful,
}

/// A run whose process is gone.
pub struct DeadRun<'a> {
    /// Its id.
    pub run: &'a str,
    /// Its journal.
    pub journal: &'a Journal,
    /// Whether that names all.
    pub record: Record,
    /// How its builds reached what they made; nothing when that is lost.
    pub reaches: &'a BTreeMap<String, Reach>,
    /// Where that can be.
    pub worlds: &'a Worlds,
}

/// The worlds in which claims can live: AWS, and local EC2s by their state directory.
pub struct Worlds {
    /// AWS itself, or an endpoint.
    pub aws: World,
    /// Local EC2s: (state directory, world).
    pub local: Vec<(String, World)>,
}

/// The local EC2 in which a claim lives is not running.
#[derive(Debug, thiserror::Error)]
#[error("its local EC2 is not at {0} any more: put the directory back, or set KILN_DATA_DIR to where it is")]
struct NoLocal(String);

impl Worlds {
    fn of(&self, local: &str) -> Option<&World> {
        if local.is_empty() {
            return Some(&self.aws);
        }
        self.local.iter().find(|(directory, _)| directory == local).map(|(_, world)| world)
    }
}

impl DeadRun<'_> {
    /// Releases all that the run has and returns what could not be released, or not be looked for.
    pub async fn clean(&self, events: &Events, cancel: &Cancel) -> Vec<Leftover> {
        let looked = match cancel.guard(self.adopt()).await {
            Ok(looked) => looked.map_err(|error| chain(error.as_ref())),
            Err(Cancelled) if self.record == Record::Doubtful => Err("interrupted before it was looked for".to_owned()),
            Err(Cancelled) => Ok(()),
        };
        let mut left = self.sweep(events, cancel).await;
        if let Err(reason) = looked
            && left.iter().all(|one| one.reason != reason)
        {
            let (kind, id) = ("what may be there of run".to_owned(), self.run.to_owned());
            left.push(Leftover { kind, id, region: self.regions(), reason, remedy: remedy(self.run) });
        }
        left
    }

    async fn adopt(&self) -> Result<(), Cause> {
        for (intent, id) in self.unnamed().await? {
            self.journal.adopt(intent, id)?;
        }
        Ok(())
    }

    /// What the run has and its journal does not name: (what it would have named, id).
    pub async fn unnamed(&self) -> Result<Vec<(Intent, String)>, Cause> {
        if self.record == Record::Whole {
            return Ok(Vec::new());
        }
        let known = &self.journal.ledger();
        let found = try_join_all(self.places(known).into_iter().map(|(place, build)| async move {
            let aws = self.aws(&place, &build).await?;
            let uses_iam = self.reaches.get(&build).is_some_and(|reach| reach.uses_iam && reach.region == place.region);
            let found = tagged::unnamed(&aws, &place.region, uses_iam, self.run, known).await?;
            // All of it goes, a product as well: its build did not come to its end.
            Ok::<_, Cause>(found.into_iter().map(|one| (one.intent(&place, Keep::Never), one.id)).collect::<Vec<_>>())
        }));
        let mut found = found.await?.concat();
        // Builds that share a region see the same.
        found.sort_by(|(_, a), (_, b)| a.cmp(b));
        found.dedup_by(|(_, a), (_, b)| a == b);
        Ok(found)
    }

    /// Where the run may have something, each with a build that comes there.
    fn places(&self, known: &Ledger) -> Vec<(Place, String)> {
        let told = self.reaches.iter().flat_map(|(build, reach)| reach.places.iter().zip(std::iter::repeat(build)));
        let claimed = known.all().map(|claim| (&claim.intent.place, &claim.intent.build));
        let mut places: Vec<(Place, String)> = Vec::new();
        for (place, build) in told.chain(claimed) {
            if !places.iter().any(|(other, by)| other == place && self.access(by) == self.access(build)) {
                places.push((place.clone(), build.clone()));
            }
        }
        places
    }

    /// The regions in which the run may have something, as people read them.
    fn regions(&self) -> String {
        let places = self.places(&self.journal.ledger());
        let regions: BTreeSet<String> = places.into_iter().map(|(place, _)| place.region).collect();
        regions.into_iter().collect::<Vec<_>>().join(", ")
    }

    fn access(&self, build: &str) -> Option<&serde_json::Value> {
        self.reaches.get(build).map(|reach| &reach.access)
    }

    /// Releases all that the journal names and returns what could not be released, or is not known to be gone when somebody wants to go.
    async fn sweep(&self, events: &Events, cancel: &Cancel) -> Vec<Leftover> {
        let owed = self.journal.ledger().owed(None, Verdict::Failure);
        let releases = Releases::new(owed.iter().map(|claim| self.owed(claim)).collect());
        let release = async |owed: &Owed| self.release(owed.claim).await.map(|()| record(self.journal, owed.claim));
        // What is known by then is told all the same.
        let _ = cancel.guard(releases.ask(events, release)).await;
        releases.left()
    }

    fn owed<'a>(&'a self, claim: &'a Claim) -> Owed<'a> {
        let announcement = format!("{} ({})", announcement(claim), describe(claim));
        Owed { run: self.run, claim, announcement, remedy: remedy(self.run) }
    }

    async fn release(&self, claim: &Claim) -> Result<(), Cause> {
        let aws = self.aws(&claim.intent.place, &claim.intent.build).await?;
        Ok(release::release(&aws, claim, self.run, &self.journal.ledger(), Confirm::Gone).await?)
    }

    /// The connection with which a build came to a place, and to the same account.
    async fn aws(&self, place: &Place, build: &str) -> Result<Arc<Aws>, Cause> {
        let reach = self.reaches.get(build);
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let told = reach.map(|reach| serde_json::from_value(reach.access.clone())).transpose()?;
        let access = told.unwrap_or_else(|| Access {
            profile: given(&place.profile),
            ec2_endpoint: given(&place.endpoint),
            ..Access::default()
        });
        let world = self.worlds.of(&place.local).ok_or(NoLocal(place.local.clone()))?;
        let aws = world.aws(&Access { region: given(&place.region), ..access }).await?;
        if let Some(reach) = reach {
            identity::check_same(&aws, reach).await?;
        }
        Ok(aws)
    }
}
