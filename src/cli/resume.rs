//! `kiln resume`: goes on with a run that was killed, interrupted or aborted, from where its journal says that it was.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::FromArgMatches as _;

use crate::clock;
use crate::engine::chain;
use crate::engine::continuation::{Continuation, Keeper};
use crate::engine::journal::Lock;
use crate::engine::mode::OnError;

use super::past_runs::{self, PastRun};
use super::records::{Begin, Records};
use super::settings::Settings;
use super::{Cli, Threads, Verb, args, build, exit, wait};

/// Goes on with a run that was killed, interrupted or aborted
///
/// It reads the run's template again, with the same variables. Machines, images and copies that exist already are taken over, provisioners that ended well
/// are not run again, and what was edited since is told.
#[derive(clap::Args)]
pub struct Args {
    /// The run, or the beginning of its id: `kiln runs` lists them.
    run: String,
    /// What to do when a step fails: cleanup, abort, ask or run-cleanup-provisioner. As the run was started when not given.
    #[arg(long, value_name = "MODE", value_parser = build::on_error)]
    on_error: Option<OnError>,
}

/// Runs the verb.
pub fn run(args: &Args, settings: &Settings) -> ExitCode {
    let resumed = match Resumed::open(args, settings) {
        Ok(resumed) => resumed,
        Err(text) => return exit::failed(settings, &text),
    };
    let Resumed { args, settings, records } = resumed;
    wait(Threads::Many, &settings, build::run(args, &settings, Begin::Again(records)))
}

/// A run that goes on.
struct Resumed {
    args: build::Args,
    settings: Settings,
    records: Records,
}

impl Resumed {
    fn open(args: &Args, settings: &Settings) -> Result<Self, String> {
        let run = past_runs::one(&settings.state, &args.run)?.run;
        let past = past_runs::take(&settings.state, &run, Lock::Alone)?;
        let past = past.ok_or_else(|| format!("another process works on run {run}"))?;
        check(&past)?;
        let PastRun { journal, .. } = past;
        let keeper = Keeper::open(&settings.state, &run).map_err(|error| {
            format!("{}: without it nobody can go on; `kiln cleanup {run}` removes what the run holds", chain(&error))
        })?;
        let Continuation { words, directory, started, variables, .. } = keeper.get();
        let (build, machine_readable) = parse(words)?;
        if build.template() == "-" {
            return Err(format!("run {run} read its template from standard input, which is gone: see `kiln cleanup`"));
        }
        go_back_to(directory.clone(), started)?;
        let settings = Settings { machine_readable, ..settings.elsewhere(directory, variables) };
        let build = match args.on_error {
            Some(on_error) => build.with_on_error(on_error),
            None => build,
        };
        Ok(Self { args: build, settings, records: Records { run, journal, keeper } })
    }
}

fn check(past: &PastRun) -> Result<(), String> {
    if !past.may_hold() {
        return Err(format!("run {} holds nothing to go on with: start a new one with `kiln build`", past.run));
    }
    Ok(())
}

/// The command line that the run was started with.
fn parse(words: Vec<String>) -> Result<(build::Args, bool), String> {
    let command = super::command();
    let words = std::iter::once("kiln".to_owned()).chain(words).collect();
    let (words, machine_readable) = args::normalized(words, &command);
    let matches = command.try_get_matches_from(words).map_err(|error| error.to_string())?;
    match Cli::from_arg_matches(&matches).map_err(|error| error.to_string())?.verb {
        Verb::Build(args) => Ok((args, machine_readable)),
        _ => Err("the run was not started by `kiln build`".to_owned()),
    }
}

/// Paths and the time are what they were.
fn go_back_to(directory: PathBuf, started: i64) -> Result<(), String> {
    std::env::set_current_dir(&directory).map_err(|error| format!("go to {}: {error}", directory.display()))?;
    clock::resume(jiff::Timestamp::from_millisecond(started).map_err(|error| error.to_string())?);
    Ok(())
}
