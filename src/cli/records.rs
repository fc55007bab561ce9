//! What a run writes about itself before it makes anything: its journal, and what another process needs to go on with it.

use std::time::SystemTime;

use crate::engine::chain;
use crate::engine::continuation::{Continuation, Keeper};
use crate::engine::journal::{self, Journal};
use crate::engine::ledger::Entry;
use crate::report::Reporter;
use crate::run::changes::{changed, digests};
use crate::run::prepare::PreparedBuild;

use super::past_runs;
use super::settings::Settings;

/// The records of a run.
pub struct Records {
    /// Its id.
    pub run: String,
    /// What it makes.
    pub journal: Journal,
    /// What another process needs.
    pub keeper: Keeper,
}

/// Which run a build belongs to.
pub enum Begin {
    /// A new one.
    Anew,
    /// One that another process began.
    Again(Records),
}

impl Begin {
    /// The records, ready to be written to.
    ///
    /// # Errors
    /// A text that says what could not be written; nothing has been made then.
    pub fn records(
        self,
        settings: &Settings,
        builds: &[PreparedBuild],
        reporter: &Reporter,
    ) -> Result<Records, String> {
        match self {
            Self::Anew => create(settings, builds),
            Self::Again(records) => {
                tell_changes(&records, builds, reporter);
                let resumed = Entry::Resumed { at: now(), pid: std::process::id(), host: host() };
                records.journal.append(&resumed).map_err(|e| chain(&e))?;
                Ok(records)
            }
        }
    }
}

fn create(settings: &Settings, builds: &[PreparedBuild]) -> Result<Records, String> {
    let run = new_run_id();
    let failed = |text| format!("{text}: nothing was created");
    past_runs::forget_old(&settings.state, SystemTime::now());
    let journal =
        Journal::create(&settings.state, &run, &first_entry(&run, settings)).map_err(|e| failed(chain(&e)))?;
    let keeper =
        Keeper::create(&settings.state, &run, continuation(settings, builds)).map_err(|e| failed(chain(&e)))?;
    Ok(Records { run, journal, keeper })
}

/// The template may have been edited. What exists was made as it was then.
fn tell_changes(records: &Records, builds: &[PreparedBuild], reporter: &Reporter) {
    let then = records.keeper.get().options;
    for build in builds {
        let name = &build.key;
        let Some(options) = then.get(name) else {
            reporter.print(format!("{name} is new in the template: it is built as well"));
            continue;
        };
        let changed = changed(options, &digests(build));
        if !changed.is_empty() {
            let names = changed.join(", ");
            reporter.print(format!("{name}: changed in the template since: {names}. What exists stays as it was made"));
        }
    }
    for name in then.keys().filter(|name| builds.iter().all(|build| build.key != **name)) {
        let run = &records.run;
        reporter.print(format!("{name} is not built any more: `kiln cleanup {run}` removes what it holds"));
    }
}

/// A UUID whose first part is the time, so that runs sort by age.
fn new_run_id() -> String {
    let millis = jiff::Timestamp::now().as_millisecond().unsigned_abs() & 0xffff_ffff_ffff;
    let random: u128 = rand::random();
    let bits = (u128::from(millis) << 80) | (random & ((1 << 80) - 1));
    let bits = (bits & !(0xf << 76) | (0x7 << 76)) & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn continuation(settings: &Settings, builds: &[PreparedBuild]) -> Continuation {
    Continuation {
        words: std::env::args().skip(1).collect(),
        directory: settings.cwd.clone(),
        started: crate::clock::started().as_millisecond(),
        variables: settings.environment_of_templates(),
        options: builds.iter().map(|build| (build.key.clone(), digests(build))).collect(),
        ..Continuation::default()
    }
}

fn first_entry(run: &str, settings: &Settings) -> Entry {
    Entry::Run {
        version: journal::VERSION,
        run: run.to_owned(),
        started: now(),
        pid: std::process::id(),
        host: host(),
        // Values of variables may be secret, and the journal is read by others.
        command: std::env::args().filter(|word| !word.contains('=')).collect(),
        directory: settings.cwd.display().to_string(),
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn host() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_uuids_that_sort_by_time() {
        let id = new_run_id();
        assert_eq!(id.len(), 36);
        assert_eq!((&id[14..15], "89ab".contains(&id[19..20])), ("7", true));
        let older = id;
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(older < new_run_id());
    }
}
