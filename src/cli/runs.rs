//! `kiln runs`: what runs there were, and what each still holds.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use crate::engine::ledger::Outcome;
use crate::report::{self, Reporter, durations};
use crate::run::cleanup::describe;

use super::exit;
use super::past_runs::{self, PastRun, State};
use super::settings::Settings;

/// Lists the runs of this machine: state, age, and what each still holds
#[derive(clap::Args)]
pub struct Args {
    /// Only runs that hold something, or may: those that were killed.
    #[arg(long)]
    holding: bool,
    /// Writes one JSON object a run.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: &Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => reporter,
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let (runs, unreadable) = past_runs::all(&settings.state);
    let now = jiff::Timestamp::now().as_second();
    let shown: Vec<&PastRun> = runs.iter().filter(|run| !args.holding || run.may_hold()).collect();
    match (args.json, shown.is_empty()) {
        (true, _) => shown.iter().for_each(|run| reporter.print_raw(format!("{}\n", object(run)))),
        (false, true) => reporter.print(format!("No runs in {}.", settings.state.display())),
        (false, false) => shown.iter().for_each(|run| show(run, now, &reporter)),
    }
    let damage = runs.iter().flat_map(|run| &run.damage).chain(&unreadable);
    damage.for_each(|line| reporter.print_error(format!("Warning: {line}")));
    exit::ending(&reporter, ExitCode::SUCCESS)
}

fn show(run: &PastRun, now: i64, reporter: &Reporter) {
    let age = run.started().and_then(|started| u64::try_from(now - started).ok()).unwrap_or_default();
    let age = durations::brief(Duration::from_secs(age));
    reporter.print(format!("{}  {:<11}  {age:>10} ago  {}", run.run, state(run), run.directory()));
    for claim in run.held() {
        reporter.print(format!(
            "    holds {} in {} ({})",
            describe(&claim),
            claim.intent.place.region,
            claim.intent.build
        ));
    }
    if run.may_hold() && run.state() != State::Running {
        reporter.print(format!("    go on: kiln resume {0}    remove: kiln cleanup {0}", run.run));
    }
}

fn object(run: &PastRun) -> serde_json::Value {
    let held: Vec<_> = run.held().iter().map(|claim| {
        let intent = &claim.intent;
        json!({"kind": intent.kind, "id": claim.resource_id(), "name": intent.name, "region": intent.place.region, "build": intent.build})
    }).collect();
    json!({"run": run.run, "state": state(run), "started": run.started(), "directory": run.directory(), "holds": held})
}

fn state(run: &PastRun) -> &'static str {
    match run.state() {
        State::Running => "running",
        State::Killed => "killed",
        State::Ended(Outcome::Success) => "succeeded",
        State::Ended(Outcome::Failure) => "failed",
        State::Ended(Outcome::Interrupted) => "interrupted",
        State::Ended(Outcome::Aborted) => "aborted",
    }
}
