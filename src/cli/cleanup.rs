//! `kiln cleanup`: releases what killed or aborted runs left.

mod by_tags;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::engine::chain;
use crate::engine::journal::{Journal, Opened};
use crate::engine::ledger::{Entry, Outcome, Verdict};
use crate::event::{Events, Leftover};
use crate::hcl::duration::GoDuration;
use crate::report::{self, Reporter};
use crate::run::cleanup::{Worlds, sweep};
use crate::sources::World;

use super::local_ec2::{self, Local};
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

/// A run that still owes something.
struct Unfinished {
    run: String,
    journal: Journal,
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
    let code = match result {
        Ok(left) if left.is_empty() => ExitCode::SUCCESS,
        Ok(left) => {
            left.iter().for_each(|one| reporter.print_error(describe(one)));
            ExitCode::from(exit::LEFTOVERS)
        }
        Err(text) => {
            reporter.print_error(format!("Error: {text}"));
            ExitCode::from(exit::FAILURE)
        }
    };
    exit::ending(&reporter, code)
}

fn describe(left: &Leftover) -> String {
    format!("{} {} in {} is left: {} ({})", left.kind, left.id, left.region, left.reason, left.remedy)
}

async fn clean(args: &Args, settings: &Settings, reporter: &Arc<Reporter>) -> Result<Vec<Leftover>, String> {
    let Found { unfinished, alive, damaged } = unfinished(args, &settings.state, reporter)?;
    if unfinished.is_empty() && alive + damaged == 0 {
        reporter.print("Nothing is left of any run.");
    }
    let left = clean_all(args, settings, reporter, &unfinished).await?;
    match damaged {
        0 => Ok(left),
        n => Err(format!("{n} journal(s) are damaged, so what they hold may not be all: see the warnings above")),
    }
}

async fn clean_all(
    args: &Args,
    settings: &Settings,
    reporter: &Arc<Reporter>,
    unfinished: &[Unfinished],
) -> Result<Vec<Leftover>, String> {
    if unfinished.is_empty() {
        return Ok(Vec::new());
    }
    if args.dry_run {
        unfinished.iter().for_each(|one| show(one, reporter));
        return Ok(Vec::new());
    }
    let cancel = interrupt::listen(reporter)?;
    let local = local(unfinished, settings, reporter).await?;
    let worlds = Worlds {
        aws: World::default(),
        local: local.iter().map(|local| (local.endpoint().directory, World::new(Some(local.endpoint())))).collect(),
    };
    let left = cancel.guard(sweep_all(unfinished, &worlds, reporter)).await;
    if let Some(local) = local {
        local.stop().await;
    }
    left.map_err(|e| format!("{e}: run it again to go on"))?
}

async fn sweep_all(
    unfinished: &[Unfinished],
    worlds: &Worlds,
    reporter: &Arc<Reporter>,
) -> Result<Vec<Leftover>, String> {
    let events = Events::new(reporter.sink());
    let mut left = Vec::new();
    for Unfinished { run, journal } in unfinished {
        let of_run = sweep(journal, run, worlds, &events).await;
        if of_run.is_empty() {
            let end = Entry::End { outcome: journal.ledger().outcome().unwrap_or(Outcome::Interrupted) };
            journal.append(&end).map_err(|e| chain(&e))?;
            reporter.print(format!("Run {run}: nothing is left."));
        }
        left.extend(of_run);
    }
    Ok(left)
}

/// Local EC2 is started when a run rehearsed on it, and its state is where it was: an empty one would know of nothing and take that for gone.
async fn local(
    unfinished: &[Unfinished],
    settings: &Settings,
    reporter: &Arc<Reporter>,
) -> Result<Option<Local>, String> {
    let needed = |one: &Unfinished| {
        let here = settings.data.display().to_string();
        one.journal.ledger().owed(None, Verdict::Failure).iter().any(|claim| claim.intent.place.local == here)
    };
    if !local_ec2::state_directory(&settings.data).exists() {
        return Ok(None);
    }
    if unfinished.iter().any(needed) {
        return local_ec2::start(settings, local_ec2::Wishes::default(), reporter).await.map(Some);
    }
    Ok(None)
}

fn show(unfinished: &Unfinished, reporter: &Reporter) {
    reporter.print(format!("Run {}:", unfinished.run));
    for claim in unfinished.journal.ledger().owed(None, Verdict::Failure) {
        reporter.print(format!("  {} in {}", crate::run::cleanup::describe(&claim), claim.intent.place.region));
    }
}

/// What the journals hold.
#[derive(Default)]
struct Found {
    /// Runs that owe something and whose process is gone.
    unfinished: Vec<Unfinished>,
    /// How many runs are still going on.
    alive: usize,
    /// How many journals cannot be read as a whole.
    damaged: usize,
}

fn unfinished(args: &Args, directory: &Path, reporter: &Reporter) -> Result<Found, String> {
    let (mut found, mut matched) = (Found::default(), false);
    for path in journals(directory) {
        let run = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if args.run.as_ref().is_none_or(|wanted| run.starts_with(wanted.as_str())) {
            matched = true;
            look(&path, run, &mut found, reporter);
        }
    }
    match (&args.run, matched) {
        (Some(run), false) => Err(format!("no run `{run}` in {}", directory.display())),
        _ => Ok(found),
    }
}

fn look(path: &Path, run: String, found: &mut Found, reporter: &Reporter) {
    let Opened { journal, entries, damage } = match Journal::open(path) {
        Ok(opened) => opened,
        Err(error) => {
            reporter.print_error(format!("Warning: {}", chain(&error)));
            found.damaged += 1;
            return;
        }
    };
    damage.iter().for_each(|line| reporter.print_error(format!("Warning: {line}")));
    found.damaged += usize::from(!damage.is_empty());
    if journal.ledger().owed(None, Verdict::Failure).is_empty() {
        return;
    }
    if is_alive(&entries) {
        reporter.print(format!("Run {run} is still going on; it is left alone."));
        found.alive += 1;
        return;
    }
    found.unfinished.push(Unfinished { run, journal });
}

/// Runs of this machine that are still going on.
fn alive(directory: &Path) -> Vec<String> {
    let opened = journals(directory).into_iter().filter_map(|path| Some((Journal::open(&path).ok()?, path)));
    let alive = opened.filter(|(opened, _)| is_alive(&opened.entries));
    alive.filter_map(|(_, path)| Some(path.file_stem()?.to_string_lossy().into_owned())).collect()
}

fn journals(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "journal")).collect();
    paths.sort();
    paths
}

/// Whether the run's own process still works on it: it has not written its end, and a process of its number runs the same program.
fn is_alive(entries: &[Entry]) -> bool {
    if entries.iter().any(|entry| matches!(entry, Entry::End { .. })) {
        return false;
    }
    let Some(Entry::Run { pid, host, .. }) = entries.first() else { return false };
    let here = nix::unistd::gethostname().is_ok_and(|name| name.to_string_lossy() == host.as_str());
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    here && name.trim() == "kiln" && *pid != std::process::id()
}
