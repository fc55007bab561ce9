//! `kiln cleanup --region`: by tags, for what the runs of other machines left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::engine::chain;
use crate::event::Events;
use crate::report::Reporter;
use crate::run::cleanup::describe;
use crate::run::sweep::{self, Left, Wanted};
use crate::sources::World;

use super::super::settings::Settings;
use super::super::{interrupt, past_runs};
use super::{Args, Cleaned, alive, interrupted};

/// Looks in all regions, then releases.
pub async fn clean(args: &Args, settings: &Settings, reporter: &Arc<Reporter>) -> Result<Cleaned, String> {
    let cancel = interrupt::listen(reporter)?;
    let events = Events::new(reporter.sink());
    let world = World::default().telling(events.clone());
    let found = cancel.guard(find(args, settings, &world)).await.unwrap_or_else(|e| Err(interrupted(e)))?;
    if found.is_empty() {
        reporter.print(format!("Nothing of a dead run is in {}.", args.region.join(", ")));
        return Ok(Cleaned::default());
    }
    if args.dry_run {
        found.iter().for_each(|left| reporter.print(line(left)));
        return Ok(Cleaned::default());
    }
    let left = sweep::release(&world, &found, &events, &cancel).await;
    reporter.print(format!("Removed {} of {}.", found.len() - left.len(), found.len()));
    Ok(Cleaned::new(left, &cancel))
}

/// What may go, of one run when one is named.
async fn find(args: &Args, settings: &Settings, world: &World) -> Result<Vec<Left>, String> {
    let older_than = args.older_than.map(Duration::from).unwrap_or_default();
    let wanted = Wanted { older_than, alive: alive(&settings.state) };
    let found = sweep::find(world, &args.region, &wanted, SystemTime::now()).await;
    let mut found = found.map_err(|e| chain(e.as_ref()))?;
    if let Some(beginning) = &args.run {
        let runs: BTreeSet<String> = found.iter().map(|left| left.run.clone()).collect();
        let runs: Vec<String> = runs.into_iter().collect();
        let chosen = past_runs::chosen(&runs, beginning)?.map(|at| &runs[at]);
        found.retain(|left| Some(&left.run) == chosen);
    }
    Ok(found)
}

fn line(left: &Left) -> String {
    format!("Run {}: {} in {}", left.run, describe(&left.claim), left.claim.intent.place.region)
}
