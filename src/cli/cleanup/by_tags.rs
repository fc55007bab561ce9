//! `kiln cleanup --region`: by tags, for what the runs of other machines left.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::engine::chain;
use crate::event::{Events, Leftover};
use crate::report::Reporter;
use crate::run::cleanup::describe;
use crate::run::sweep::{self, Left, Wanted};
use crate::sources::World;

use super::super::interrupt;
use super::super::settings::Settings;
use super::{Args, alive};

/// Looks in all regions, then releases.
pub async fn clean(args: &Args, settings: &Settings, reporter: &Arc<Reporter>) -> Result<Vec<Leftover>, String> {
    let cancel = interrupt::listen(reporter)?;
    let swept = cancel.guard(sweep(args, settings, reporter)).await;
    swept.map_err(|e| format!("{e}: run it again to go on"))?
}

async fn sweep(args: &Args, settings: &Settings, reporter: &Arc<Reporter>) -> Result<Vec<Leftover>, String> {
    let world = World::default().telling(Events::new(reporter.sink()));
    let now = SystemTime::now();
    let wanted = Wanted {
        run: args.run.clone().unwrap_or_default(),
        older_than: args.older_than.map(Duration::from).unwrap_or_default(),
        alive: alive(&settings.state),
    };
    let found = sweep::find(&world, &args.region, &wanted, now).await.map_err(|e| chain(e.as_ref()))?;
    if found.is_empty() {
        reporter.print(format!("Nothing of a dead run is in {}.", args.region.join(", ")));
        return Ok(Vec::new());
    }
    if args.dry_run {
        found.iter().for_each(|left| reporter.print(line(left)));
        return Ok(Vec::new());
    }
    let left = sweep::release(&world, &found, &Events::new(reporter.sink())).await;
    reporter.print(format!("Removed {} of {}.", found.len() - left.len(), found.len()));
    Ok(left)
}

fn line(left: &Left) -> String {
    format!("Run {}: {} in {}", left.run, describe(&left.claim), left.claim.intent.place.region)
}
