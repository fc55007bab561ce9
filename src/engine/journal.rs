//! The durable record of a run: what it was about to make, made, and released. One JSON line an entry, flushed before it counts.
//!
//! No resource exists that is not in here first, so whatever happens to this process, another one knows what to look for.

use std::fs::{File, OpenOptions, TryLockError};
use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::ledger::{ClaimId, Entry, Intent, Ledger};

/// Version of the journal's format.
pub const VERSION: u32 = 1;

/// What went wrong with the journal itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read or written (a full disk, most often).
    #[error("journal {path}")]
    Io { path: PathBuf, source: io::Error },
    /// The entries contradict each other.
    #[error("journal {path}")]
    Illegal { path: PathBuf, source: super::ledger::Illegal },
}

/// Says of an error whether the call that failed can have had an effect.
pub trait Effect {
    /// True when the call certainly changed nothing.
    fn certainly_none(&self) -> bool;
}

/// Why nothing was acquired.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError<E: std::error::Error + 'static> {
    /// The intent could not be recorded, so the call was not made.
    #[error("record what is about to be created")]
    Journal(#[from] Error),
    /// The call failed.
    #[error(transparent)]
    Create(E),
}

struct Inner {
    file: File,
    path: PathBuf,
    ledger: Ledger,
    /// Where the whole lines end.
    end: u64,
    /// Whether a torn line may follow them, until the next entry takes its place.
    is_torn: bool,
}

/// How a run is taken over, until its journal is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// By the one process that goes on with it.
    Alone,
    /// By any number that clean up after it.
    Shared,
}

/// A journal that was opened again.
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// Its entries.
    pub entries: Vec<Entry>,
    /// What could not be read or believed, with file and line.
    pub damage: Vec<String>,
}

/// A run's journal. Clones share it.
#[derive(Clone)]
pub struct Journal(Arc<Mutex<Inner>>);

impl Journal {
    /// Starts the journal of a new run in `directory` (made when missing) with its first entry.
    pub fn create(directory: &Path, run: &str, first: &Entry) -> Result<Self, Error> {
        let path = path_of(directory, run);
        let at = |source| Error::Io { path: path.clone(), source };
        std::fs::create_dir_all(directory).map_err(at)?;
        let file = OpenOptions::new().create_new(true).append(true).open(&path).map_err(at)?;
        // Nobody can have it before it is there. Where file systems have no locks the run does without.
        let _ = file.try_lock();
        File::open(directory).and_then(|handle| handle.sync_all()).map_err(at)?;
        let inner = Inner { file, path: path.clone(), ledger: Ledger::default(), end: 0, is_torn: false };
        let journal = Self(Arc::new(Mutex::new(inner)));
        journal.append(first)?;
        Ok(journal)
    }

    /// Opens the journal of an earlier run, to release what it owes. A torn last line (the writer was killed in the middle of it) does not count, and the
    /// next entry takes its place; any other line that cannot be read or believed is passed over and named, and what the rest says still counts.
    /// Opening changes nothing, since the writer may live and be in the middle of a line.
    pub fn open(path: &Path) -> Result<Opened, Error> {
        Self::read(path, append_to(path)?)
    }

    /// The same under a lock, so that nobody changes what was read. `None` when another process works on the run.
    pub fn open_locked(path: &Path, lock: Lock) -> Result<Option<Opened>, Error> {
        let file = append_to(path)?;
        let locked = match lock {
            Lock::Alone => file.try_lock(),
            Lock::Shared => file.try_lock_shared(),
        };
        // Where file systems have no locks the run does without.
        match locked {
            Err(TryLockError::WouldBlock) => Ok(None),
            _ => Self::read(path, file).map(Some),
        }
    }

    fn read(path: &Path, file: File) -> Result<Opened, Error> {
        let text = std::fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let (lines, whole) = read_lines(&text);
        let (mut ledger, mut entries, mut damage) = (Ledger::default(), Vec::new(), Vec::new());
        for (number, line) in lines {
            match line
                .map_err(|e| e.to_string())
                .and_then(|entry: Entry| ledger.apply(&entry).map(|()| entry).map_err(|illegal| illegal.to_string()))
            {
                Ok(entry) => entries.push(entry),
                Err(reason) => damage.push(format!("{}:{number}: {reason}", path.display())),
            }
        }
        let inner = Inner { file, path: path.to_owned(), ledger, end: whole as u64, is_torn: whole < text.len() };
        Ok(Opened { journal: Self(Arc::new(Mutex::new(inner))), entries, damage })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Whether a process works on the run, on whichever machine: it has the file locked, and no longer than it lives.
    pub fn is_in_use(&self) -> bool {
        let inner = self.lock();
        let in_use = matches!(inner.file.try_lock_shared(), Err(TryLockError::WouldBlock));
        // What was locked only to look is let go again; what cannot be, goes with the file.
        let _ = inner.file.unlock();
        in_use
    }

    /// Writes an entry; it is on disk when this returns.
    pub fn append(&self, entry: &Entry) -> Result<(), Error> {
        self.lock().append(entry)
    }

    /// A copy of the ledger as it is now.
    pub fn ledger(&self) -> Ledger {
        self.lock().ledger.clone()
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.lock().path.clone()
    }

    /// Records the intent, makes the call, records the id. The only way to create anything.
    ///
    /// When `create` fails without a possible effect the claim is settled; after any other failure, or when this future is dropped, it stays
    /// open under its name and token, and releasing it starts with a search.
    pub async fn acquire<T, E, F>(&self, intent: Intent, create: F) -> Result<(ClaimId, T), AcquireError<E>>
    where
        E: Effect + std::error::Error + 'static,
        F: Future<Output = Result<(String, T), E>>,
    {
        let claim = self.intend(intent)?;
        match create.await {
            Ok((id, value)) => {
                self.append(&Entry::Made { claim, id })?;
                Ok((claim, value))
            }
            Err(error) => {
                if error.certainly_none() {
                    self.append(&Entry::Refused { claim })?;
                }
                Err(AcquireError::Create(error))
            }
        }
    }

    /// Records something that exists and that the journal does not name (any more).
    pub fn adopt(&self, intent: Intent, id: String) -> Result<ClaimId, Error> {
        let claim = self.intend(intent)?;
        self.append(&Entry::Made { claim, id })?;
        Ok(claim)
    }

    fn intend(&self, intent: Intent) -> Result<ClaimId, Error> {
        let mut inner = self.lock();
        let claim = inner.ledger.next_claim();
        inner.append(&Entry::Intent { claim, intent })?;
        Ok(claim)
    }
}

impl Inner {
    fn append(&mut self, entry: &Entry) -> Result<(), Error> {
        let mut ledger = self.ledger.clone();
        ledger.apply(entry).map_err(|source| Error::Illegal { path: self.path.clone(), source })?;
        let mut line = serde_json::to_vec(entry).map_err(|e| self.io(e.into()))?;
        line.push(b'\n');
        self.mend().map_err(|e| self.io(e))?;
        // One write and one flush an entry: a reader sees whole lines, or one torn last line.
        if let Err(error) = self.file.write_all(&line).and_then(|()| self.file.sync_data()) {
            // A full disk takes half a line, which must not become the beginning of the next one.
            self.is_torn = true;
            let _ = self.mend();
            return Err(self.io(error));
        }
        self.end += line.len() as u64;
        self.ledger = ledger;
        Ok(())
    }

    /// Takes a torn last line off.
    fn mend(&mut self) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.end)?;
            self.is_torn = false;
        }
        Ok(())
    }

    fn io(&self, source: io::Error) -> Error {
        Error::Io { path: self.path.clone(), source }
    }
}

fn append_to(path: &Path) -> Result<File, Error> {
    OpenOptions::new().append(true).open(path).map_err(|source| Error::Io { path: path.to_owned(), source })
}

/// The journal file of a run.
pub fn path_of(directory: &Path, run: &str) -> PathBuf {
    directory.join(format!("{run}.journal"))
}

/// A line's number, from 1, and the entry in it.
type Line = (usize, serde_json::Result<Entry>);

/// All lines that end, and the number of bytes they take.
fn read_lines(text: &[u8]) -> (Vec<Line>, usize) {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let lines = text[..whole].split_inclusive(|byte| *byte == b'\n');
    (lines.enumerate().map(|(at, line)| (at + 1, serde_json::from_slice(line))).collect(), whole)
}

#[cfg(test)]
mod tests {
    use super::super::ledger::{ClaimState, Keep, Place, Verdict};
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed")]
    struct Failed {
        harmless: bool,
    }

    impl Effect for Failed {
        fn certainly_none(&self) -> bool {
            self.harmless
        }
    }

    fn first() -> Entry {
        let (run, host, directory) = ("r1".to_owned(), "h".to_owned(), "/".to_owned());
        Entry::Run { version: VERSION, run, started: 0, pid: 1, host, command: vec![], directory }
    }

    fn intent() -> Intent {
        let (place, name) = (Place::default(), "n".to_owned());
        Intent { build: "b".into(), kind: "key-pair".into(), keep: Keep::Never, place, name, at: 0, token: "t".into() }
    }

    async fn run(journal: &Journal, result: Result<(String, ()), Failed>) {
        let _ = journal.acquire(intent(), async { result }).await;
    }

    #[tokio::test]
    async fn the_intent_is_on_disk_before_the_call() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::create(dir.path(), "r1", &first()).unwrap();
        let path = journal.path();
        let seen = journal.acquire(intent(), async {
            let text = std::fs::read_to_string(&path).unwrap();
            Ok::<_, Failed>(("id-1".to_owned(), text.contains(r#""entry":"intent""#)))
        });
        assert!(seen.await.unwrap().1);
        assert_eq!(journal.ledger().claim(1).unwrap().resource_id(), Some("id-1"));
    }

    #[tokio::test]
    async fn only_failures_without_effect_settle_a_claim() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::create(dir.path(), "r1", &first()).unwrap();
        run(&journal, Err(Failed { harmless: true })).await;
        run(&journal, Err(Failed { harmless: false })).await;
        drop(tokio::time::timeout(std::time::Duration::ZERO, async {
            journal.acquire(intent(), std::future::pending::<Result<(String, ()), Failed>>()).await
        }));
        let owed = journal.ledger().owed(None, Verdict::Success);
        assert_eq!(owed.len(), 1);
        assert_eq!((owed[0].id, &owed[0].state), (2, &ClaimState::Intended));
    }

    #[tokio::test]
    async fn a_journal_torn_at_any_byte_still_opens() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::create(dir.path(), "r1", &first()).unwrap();
        run(&journal, Ok(("id-1".into(), ()))).await;
        let whole = std::fs::read(journal.path()).unwrap();
        for cut in 0..=whole.len() {
            let path = dir.path().join("torn.journal");
            std::fs::write(&path, &whole[..cut]).unwrap();
            let Opened { journal, entries, .. } = Journal::open(&path).unwrap();
            assert_eq!(entries.len(), whole[..cut].iter().filter(|byte| **byte == b'\n').count());
            journal.append(&Entry::Step { build: "b".into(), step: "s".into() }).unwrap();
            assert_eq!(Journal::open(&path).unwrap().entries.len(), entries.len() + 1);
        }
    }

    #[tokio::test]
    async fn a_damaged_line_is_named_and_the_others_count() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::create(dir.path(), "r1", &first()).unwrap();
        for id in ["id-1", "id-2"] {
            run(&journal, Ok((id.into(), ()))).await;
        }
        let text = std::fs::read_to_string(journal.path()).unwrap();
        let damaged: Vec<&str> =
            text.lines().enumerate().map(|(n, line)| if n == 1 { "{garb" } else { line }).collect();
        std::fs::write(journal.path(), damaged.join("\n") + "\n").unwrap();
        let opened = Journal::open(&journal.path()).unwrap();
        // Line 3 says that the claim of the damaged line 2 was made, which cannot be believed without it.
        assert_eq!(opened.damage.len(), 2, "{:?}", opened.damage);
        assert!(opened.damage[0].contains(".journal:2: "), "{:?}", opened.damage);
        assert_eq!(opened.journal.ledger().owed(None, Verdict::Failure).len(), 1);
        assert_eq!(std::fs::read_to_string(journal.path()).unwrap().lines().count(), 5, "nothing is cut off");
    }
}
