//! The runs that this machine has journals of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::engine::continuation::Reach;
use crate::engine::journal::{self, Journal, Lock, Opened};
use crate::engine::ledger::{Claim, Entry, Outcome, Verdict};
use crate::engine::{chain, continuation};
use crate::run::sweep::began;

/// A run, as its journal tells it.
pub struct PastRun {
    /// Its id.
    pub run: String,
    /// Its journal.
    pub journal: Journal,
    /// What the journal holds.
    pub entries: Vec<Entry>,
    /// Lines of it that cannot be read or believed.
    pub damage: Vec<String>,
    /// How its builds reached what they made; nothing when it has nothing any more, or the file is lost.
    pub reaches: BTreeMap<String, Reach>,
    /// Whether a process works on it.
    in_use: bool,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its process works on it.
    Running,
    /// Its process was killed.
    Killed,
    /// It came to its end.
    Ended(Outcome),
}

/// All runs, oldest first, and what could not be opened.
pub fn all(directory: &Path) -> (Vec<PastRun>, Vec<String>) {
    let (mut runs, mut unreadable) = (Vec::new(), Vec::new());
    for path in journals(directory) {
        match open(directory, &path) {
            Ok(run) => runs.push(run),
            Err(error) => unreadable.push(error),
        }
    }
    (runs, unreadable)
}

/// The one run whose id begins so.
///
/// # Errors
/// A text that says that there is none, or which ones there are.
pub fn one(directory: &Path, beginning: &str) -> Result<PastRun, String> {
    let paths = journals(directory);
    let ids: Vec<String> = paths.iter().map(|path| id(path)).collect();
    match chosen(&ids, beginning)? {
        Some(at) => open(directory, &paths[at]),
        None => Err(format!("no run `{beginning}` in {}: `kiln runs` lists them", directory.display())),
    }
}

/// Which of these runs is meant by the beginning of its id; `None` when no id begins so. A whole id is never ambiguous.
///
/// # Errors
/// A text that says which ones there are, or that a beginning is wanted.
pub fn chosen(ids: &[String], beginning: &str) -> Result<Option<usize>, String> {
    if beginning.is_empty() {
        return Err("an empty run id could be any run: `kiln runs` lists them".to_owned());
    }
    let found: Vec<usize> = (0..ids.len()).filter(|at| ids[*at].starts_with(beginning)).collect();
    let whole = found.iter().find(|at| ids[**at] == beginning);
    match (whole, &found[..]) {
        (Some(at), _) | (None, [at]) => Ok(Some(*at)),
        (None, []) => Ok(None),
        (None, many) => {
            let ids: Vec<&str> = many.iter().map(|at| ids[*at].as_str()).collect();
            Err(format!("{} runs begin with `{beginning}`: {}", many.len(), ids.join(", ")))
        }
    }
}

fn open(directory: &Path, path: &Path) -> Result<PastRun, String> {
    let opened = Journal::open(path).map_err(|error| chain(&error))?;
    let in_use = opened.journal.is_in_use();
    Ok(PastRun::new(directory, path, opened, in_use))
}

/// The run of that id as it is now, taken over. `None` when another process works on it.
pub fn take(directory: &Path, run: &str, lock: Lock) -> Result<Option<PastRun>, String> {
    let path = journal::path_of(directory, run);
    let opened = Journal::open_locked(&path, lock).map_err(|error| chain(&error))?;
    Ok(opened.map(|opened| PastRun::new(directory, &path, opened, false)))
}

fn id(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn journals(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "journal")).collect();
    paths.sort();
    paths
}

impl PastRun {
    fn new(directory: &Path, path: &Path, opened: Opened, in_use: bool) -> Self {
        let Opened { journal, entries, damage } = opened;
        let run = id(path);
        let reaches = continuation::reaches(directory, &run);
        Self { run, journal, entries, damage, reaches, in_use }
    }

    /// How it stands.
    pub fn state(&self) -> State {
        match self.journal.ledger().outcome() {
            Some(outcome) => State::Ended(outcome),
            None if self.in_use => State::Running,
            None => State::Killed,
        }
    }

    /// What it still holds, newest first.
    pub fn held(&self) -> Vec<Claim> {
        self.journal.ledger().owed(None, Verdict::Failure)
    }

    /// Whether it holds something, or may.
    pub fn may_hold(&self) -> bool {
        !self.held().is_empty() || (self.is_doubtful() && !self.reaches.is_empty())
    }

    /// Whether its journal may not name all: who was killed did not come to its end, and lines that cannot be read may have named something.
    pub fn is_doubtful(&self) -> bool {
        self.state() == State::Killed || !self.damage.is_empty()
    }

    /// When it began, in seconds since 1970.
    pub fn started(&self) -> Option<i64> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Run { started, .. } => Some(*started),
            _ => None,
        })
    }

    /// The directory that it was started in; empty when the journal does not say.
    pub fn directory(&self) -> &str {
        let told = self.entries.iter().find_map(|entry| match entry {
            Entry::Run { directory, .. } => Some(directory.as_str()),
            _ => None,
        });
        told.unwrap_or_default()
    }
}

/// How long the journal of a run that holds nothing is kept, for `kiln runs`: a month.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Removes the journals of runs that ended long ago and hold nothing.
pub fn forget_old(directory: &Path, now: SystemTime) {
    let old = |path: &PathBuf| began(&id(path)).is_some_and(|began| began + REMEMBERED < now);
    let settled = |run: &PastRun| run.damage.is_empty() && !run.may_hold() && run.state() != State::Running;
    for path in journals(directory).into_iter().filter(old) {
        if open(directory, &path).as_ref().is_ok_and(settled) {
            // One that stays is forgotten the next time.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_means_one_run_or_none() {
        let ids = ["01a", "01a2", "02b"].map(str::to_owned);
        assert_eq!(chosen(&ids, "02"), Ok(Some(2)));
        assert_eq!(chosen(&ids, "01a"), Ok(Some(0)), "a whole id");
        assert_eq!(chosen(&ids, "03"), Ok(None));
        assert_eq!(chosen(&ids, "01"), Err("2 runs begin with `01`: 01a, 01a2".to_owned()));
        chosen(&ids[..1], "").unwrap_err();
    }
}
