//! `kiln cleanup`: releases what killed or aborted runs left.

mod by_tags;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::engine::cancel::{Cancel, Cancelled, Urgency};
use crate::engine::journal::Lock;
use crate::engine::ledger::{Entry, Outcome};
use crate::engine::{chain, continuation};
use crate::event::{Events, Leftover};
use crate::hcl::duration::GoDuration;
use crate::report::{self, Reporter};
use crate::run::cleanup;
use crate::run::dead::{DeadRun, Record, Worlds};
use crate::sources::World;

use super::local_ec2::{self, Local};
use super::past_runs::{self, PastRun, State};
use super::settings::Settings;
use super::{exit, interrupt};

/// Removes what killed or aborted runs left behind
#[derive(clap::Args)]
pub struct Args {
    /// The run to clean up after, or the beginning of its id; all unfinished runs when none is given.
    run: Option<String>,
    /// Shows what would be removed and removes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Looks in this region for what runs of any machine left, by its tags, instead of in this machine's journals. May be repeated. What a run that
    /// lives still uses is left alone, and so is what carries no tag of Kiln's.
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
    /// With --region: only runs that began longer ago than this, `24h` for one.
    #[arg(long, value_name = "DURATION", requires = "region")]
    older_than: Option<GoDuration>,
}

impl Args {
    /// Everything of one run.
    pub fn of_run(run: &str) -> Self {
        Self { run: Some(run.to_owned()), dry_run: false, region: Vec::new(), older_than: None }
    }
}

/// Runs the verb.
pub async fn run(args: Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => Arc::new(reporter),
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let result = match args.region.is_empty() {
        true => clean(&args, settings, &reporter).await,
        false => by_tags::clean(&args, settings, &reporter).await,
    };
    let Cleaned { left, error } = result.unwrap_or_else(|text| Cleaned { left: Vec::new(), error: Some(text) });
    left.iter().for_each(|one| reporter.print_error(describe(one)));
    error.iter().for_each(|text| reporter.print_error(format!("Error: {text}")));
    let code = match (left.is_empty(), error) {
        (false, _) => ExitCode::from(exit::LEFTOVERS),
        (true, Some(_)) => ExitCode::from(exit::FAILURE),
        (true, None) => ExitCode::SUCCESS,
    };
    exit::ending(&reporter, code)
}

/// What a clean-up came to.
#[derive(Default)]
struct Cleaned {
    /// What is left, each with the reason.
    left: Vec<Leftover>,
    /// Why it did not come to its end, or cannot know that it did.
    error: Option<String>,
}

impl Cleaned {
    /// Of a clean-up that could be interrupted. Who interrupts one that is done has interrupted nothing.
    fn new(left: Vec<Leftover>, cancel: &Cancel) -> Self {
        let is_cut_short = cancel.urgency() > Urgency::None && !left.is_empty();
        Self { error: is_cut_short.then(|| interrupted(Cancelled)), left }
    }
}

fn interrupted(cancelled: Cancelled) -> String {
    format!("{cancelled}: run it again to go on")
}

fn describe(left: &Leftover) -> String {
    format!("{} is left: {} ({})", left.thing(), left.reason, left.remedy)
}

async fn clean(args: &Args, settings: &Settings, reporter: &Arc<Reporter>) -> Result<Cleaned, String> {
    let Found { unfinished, alive, damaged } = unfinished(args, &settings.state, reporter)?;
    if unfinished.is_empty() && alive + damaged == 0 {
        reporter.print("Nothing is left of any run.");
    }
    let mut cleaned = clean_all(args, settings, reporter, &unfinished).await?;
    if damaged > 0 && cleaned.error.is_none() {
        let text =
            format!("{damaged} journal(s) are damaged, so what they hold may not be all: see the warnings above");
        cleaned.error = Some(text);
    }
    Ok(cleaned)
}

async fn clean_all(
    args: &Args,
    settings: &Settings,
    reporter: &Arc<Reporter>,
    unfinished: &[PastRun],
) -> Result<Cleaned, String> {
    if unfinished.is_empty() {
        return Ok(Cleaned::default());
    }
    let cancel = interrupt::listen(reporter)?;
    let local = local(unfinished, settings, reporter).await?;
    let events = Events::new(reporter.sink());
    let of_local = |local: &Local| World::new(Some(local.endpoint())).telling(events.clone());
    let worlds = Worlds {
        aws: World::default().telling(events.clone()),
        local: local.iter().map(|local| (local.endpoint().directory, of_local(local))).collect(),
    };
    let cleaned = match args.dry_run {
        true => cancel.guard(show_all(unfinished, &worlds, reporter)).await.unwrap_or_else(|e| Err(interrupted(e))),
        false => sweep_all(unfinished, &worlds, settings, reporter, &cancel).await,
    };
    if let Some(local) = local {
        local.stop().await;
    }
    cleaned
}

/// Each run after the other; those that an interruption finds waiting are told with what they hold.
async fn sweep_all(
    unfinished: &[PastRun],
    worlds: &Worlds,
    settings: &Settings,
    reporter: &Arc<Reporter>,
    cancel: &Cancel,
) -> Result<Cleaned, String> {
    let events = Events::new(reporter.sink());
    let (mut left, mut failure) = (Vec::new(), None);
    for past in unfinished {
        let of_run = dead(past, worlds).clean(&events, cancel).await;
        match of_run.is_empty().then(|| finish(past, settings)) {
            Some(Ok(())) => reporter.print(format!("Run {}: nothing is left.", past.run)),
            Some(Err(error)) => failure = Some(error),
            None => {}
        }
        left.extend(of_run);
    }
    let cleaned = Cleaned::new(left, cancel);
    Ok(Cleaned { error: cleaned.error.or(failure), ..cleaned })
}

fn finish(past: &PastRun, settings: &Settings) -> Result<(), String> {
    let end = Entry::End { outcome: past.journal.ledger().outcome().unwrap_or(Outcome::Interrupted) };
    past.journal.append(&end).map_err(|e| chain(&e))?;
    continuation::forget(&settings.state, &past.run);
    Ok(())
}

fn dead<'a>(past: &'a PastRun, worlds: &'a Worlds) -> DeadRun<'a> {
    let record = if past.is_doubtful() { Record::Doubtful } else { Record::Whole };
    DeadRun { run: &past.run, journal: &past.journal, record, reaches: &past.reaches, worlds }
}

/// Local EC2 is started when a run rehearsed on it, and its state is where it was: an empty one would know of nothing and take that for gone.
async fn local(unfinished: &[PastRun], settings: &Settings, reporter: &Arc<Reporter>) -> Result<Option<Local>, String> {
    let here = settings.data.display().to_string();
    let needed = |one: &PastRun| {
        one.held().iter().any(|claim| claim.intent.place.local == here)
            || one.reaches.values().flat_map(|reach| &reach.places).any(|place| place.local == here)
    };
    if !local_ec2::state_directory(&settings.data).exists() {
        return Ok(None);
    }
    if unfinished.iter().any(needed) {
        return local_ec2::start(settings, local_ec2::Wishes::default(), reporter).await.map(Some);
    }
    Ok(None)
}

async fn show_all(unfinished: &[PastRun], worlds: &Worlds, reporter: &Arc<Reporter>) -> Result<Cleaned, String> {
    for past in unfinished {
        reporter.print(format!("Run {}:", past.run));
        for claim in past.held() {
            reporter.print(format!("  {} in {}", cleanup::describe(&claim), claim.intent.place.region));
        }
        for (intent, id) in dead(past, worlds).unnamed().await.map_err(|e| chain(e.as_ref()))? {
            reporter.print(format!("  {} {id} in {}, by its tag", intent.kind, intent.place.region));
        }
    }
    Ok(Cleaned::default())
}

/// What the journals hold.
#[derive(Default)]
struct Found {
    /// Runs that owe something, or may, and whose process is gone.
    unfinished: Vec<PastRun>,
    /// How many runs are still going on.
    alive: usize,
    /// How many journals cannot be read as a whole.
    damaged: usize,
}

fn unfinished(args: &Args, directory: &Path, reporter: &Reporter) -> Result<Found, String> {
    let (runs, unreadable) = match &args.run {
        Some(beginning) => (vec![past_runs::one(directory, beginning)?], Vec::new()),
        None => past_runs::all(directory),
    };
    let mut found = Found { damaged: unreadable.len(), ..Found::default() };
    unreadable.iter().for_each(|error| reporter.print_error(format!("Warning: {error}")));
    for run in runs {
        look(run, &mut found, directory, reporter)?;
    }
    Ok(found)
}

fn look(run: PastRun, found: &mut Found, directory: &Path, reporter: &Reporter) -> Result<(), String> {
    run.damage.iter().for_each(|line| reporter.print_error(format!("Warning: {line}")));
    // With these at hand what the lines named is found by its tag.
    found.damaged += usize::from(!run.damage.is_empty() && run.reaches.is_empty() && run.state() == State::Killed);
    if !run.may_hold() {
        return Ok(());
    }
    match past_runs::take(directory, &run.run, Lock::Shared)? {
        // It may have come to its end since.
        Some(taken) => found.unfinished.extend(Some(taken).filter(PastRun::may_hold)),
        None => {
            reporter.print(format!("Run {} is still going on; it is left alone.", run.run));
            found.alive += 1;
        }
    }
    Ok(())
}

/// Runs of this machine that are still going on.
fn alive(directory: &Path) -> Vec<String> {
    let (runs, _) = past_runs::all(directory);
    runs.into_iter().filter(|run| run.state() == State::Running).map(|run| run.run).collect()
}
