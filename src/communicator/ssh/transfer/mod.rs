//! Files and directories: what every method has in common, and the choice between them.

mod feed;
mod intake;
mod scp;
mod sftp;
mod stream;
mod tree;
mod unpack;
mod walk;

use std::path::{Component, Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::task::JoinError;

use super::command::{Finished, ask_machine};
use super::link::Link;
use super::options::Method;
use super::script::{self, sh};
use crate::communicator::{Error, Exit};
use crate::event::{EventKind, Events};

pub(super) use self::feed::Content;

/// Uploads to exactly `remote`.
pub(super) async fn upload(link: &Link, content: Content, remote: &str, mode: u32) -> Result<(), Error> {
    let mode = mode & 0o7777;
    match link.options.transfer {
        Method::Stream => {
            let by_sftp = sftp::upload(link, content.clone(), remote, mode);
            streamed(link, stream::upload(link, content, remote, mode), by_sftp).await
        }
        Method::Scp => scp::upload(link, content, remote, mode).await,
        Method::Sftp => sftp::upload(link, content, remote, mode).await,
    }
}

/// Uploads what is in the directory `local` into `remote`.
pub(super) async fn upload_dir(link: &Link, local: &Path, remote: &str) -> Result<(), Error> {
    let tree = {
        let local = local.to_owned();
        blocking(move || walk::walk(&local)).await?
    };
    match link.options.transfer {
        Method::Stream => {
            let by_sftp = sftp::upload_dir(link, tree.clone(), remote);
            streamed(link, tree::upload(link, tree, remote), by_sftp).await
        }
        Method::Scp => scp::upload_dir(link, tree, remote).await,
        Method::Sftp => sftp::upload_dir(link, tree, remote).await,
    }
}

/// Downloads one file.
pub(super) async fn download(link: &Link, remote: &str, local: &Path) -> Result<(), Error> {
    match link.options.transfer {
        Method::Stream => {
            streamed(link, stream::download(link, remote, local), sftp::download(link, remote, local)).await
        }
        Method::Scp => scp::download(link, remote, local).await,
        Method::Sftp => sftp::download(link, remote, local).await,
    }
}

/// Downloads what is in the directory `remote` into `local`.
pub(super) async fn download_dir(link: &Link, remote: &str, local: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(local).map_err(|e| local_error(local, &e))?;
    match link.options.transfer {
        Method::Stream => {
            streamed(link, tree::download(link, remote, local), sftp::download_dir(link, remote, local)).await
        }
        Method::Scp => scp::download_dir(link, remote, local).await,
        Method::Sftp => sftp::download_dir(link, remote, local).await,
    }
}

/// Whether `remote` is a directory.
pub(super) async fn is_dir(link: &Link, remote: &str) -> Result<bool, Error> {
    if link.options.transfer == Method::Sftp || link.shell_less.load(Ordering::Relaxed) {
        return sftp::is_dir(link, remote).await;
    }
    let what = format!("look at {remote}");
    let finished = ask_machine(link, &sh("[ -d \"$1\" ]", &[&script::path(remote)]), Vec::new()).await?;
    // The test itself says nothing; a shell that knows no such command does.
    let doubtful = link.options.transfer == Method::Stream && !finished.stderr.is_empty();
    if doubtful && lacks_shell(link).await {
        return sftp::is_dir(link, remote).await;
    }
    match finished.exit {
        Exit::Status(status @ (0 | 1)) => Ok(status == 0),
        _ => Err(failure(&what, &finished)),
    }
}

/// Transfers by Kiln's own streams, which are scripts for a POSIX shell; by SFTP where the machine turns out to have none.
async fn streamed(
    link: &Link,
    by_stream: impl Future<Output = Result<(), Error>>,
    by_sftp: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    if link.shell_less.load(Ordering::Relaxed) {
        return by_sftp.await;
    }
    match by_stream.await {
        Err(Error::Transfer { .. }) if lacks_shell(link).await => by_sftp.await,
        result => result,
    }
}

/// Whether the machine cannot run the simplest script. Asked only after one has failed, so that others pay nothing.
async fn lacks_shell(link: &Link) -> bool {
    let lacks = match ask_machine(link, &sh("exit 0", &[]), Vec::new()).await {
        Ok(finished) => matches!(finished.exit, Exit::Status(status) if status != 0),
        Err(_) => false,
    };
    link.shell_less.fetch_or(lacks, Ordering::Relaxed);
    lacks
}

/// Refuses a script that did not end with status 0.
fn check(what: &str, finished: &Finished) -> Result<(), Error> {
    if finished.exit == Exit::Status(0) { Ok(()) } else { Err(failure(what, finished)) }
}

/// The error of a script that failed: what it wrote to standard error, or else its status.
fn failure(what: &str, finished: &Finished) -> Error {
    let Exit::Status(status) = finished.exit else { return Error::Lost { what: what.to_owned() } };
    let text = String::from_utf8_lossy(&finished.stderr);
    // The end of the text has the cause; a tar that fails a thousand times says so a thousand times.
    const LINES: usize = 5;
    let lines: Vec<&str> = text.lines().map(without_position).filter(|line| !line.is_empty()).collect();
    let shown = &lines[lines.len().saturating_sub(LINES)..];
    let reason = if shown.is_empty() { format!("exit status {status}") } else { shown.join("; ") };
    Error::Transfer { what: what.to_owned(), reason }
}

/// `kiln: 3: cannot create x` and `kiln: line 3: x: ...`, as shells say it, without the place in a script nobody can see.
fn without_position(line: &str) -> &str {
    let line = line.trim();
    let Some(rest) = line.strip_prefix("kiln: ") else { return line };
    let rest = rest.strip_prefix("line ").unwrap_or(rest);
    match rest.split_once(": ") {
        Some((number, text)) if number.bytes().all(|b| b.is_ascii_digit()) => text,
        _ => rest,
    }
}

/// An error about a local path.
fn local_error(path: &Path, error: &std::io::Error) -> Error {
    Error::Local { path: path.display().to_string(), reason: error.to_string() }
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(ended(&e)))
}

fn ended(error: &JoinError) -> Error {
    Error::Transfer { what: "transfer".into(), reason: format!("its worker ended: {error}") }
}

/// The relative path that a name from the machine stands for: never absolute, never above the directory it is for. A name
/// that only means the directory itself gives an empty path.
fn safe_name(name: &Path) -> Result<PathBuf, Error> {
    let mut safe = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => safe.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                let reason =
                    format!("the machine sent the name `{}`, which leads out of the directory", name.display());
                return Err(Error::Transfer { what: "download".into(), reason });
            }
        }
    }
    Ok(safe)
}

/// Reports how far a transfer is, at most ten times a second.
struct Progress {
    events: Events,
    what: String,
    done: u64,
    total: Option<u64>,
    reported: Option<Instant>,
}

impl Progress {
    fn new(link: &Link, what: &str, total: Option<u64>) -> Self {
        Self { events: link.events.clone(), what: what.to_owned(), done: 0, total, reported: None }
    }

    fn add(&mut self, bytes: usize) {
        const PACE: Duration = Duration::from_millis(100);
        self.done += bytes as u64;
        if self.reported.is_none_or(|at| at.elapsed() >= PACE) {
            self.reported = Some(Instant::now());
            let (what, done, total) = (self.what.clone(), self.done, self.total);
            self.events.send(EventKind::Transfer { what, done, total });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_the_machine_stay_inside() {
        for (name, safe) in [("./a/./b", "a/b"), (".", ""), ("a b/ü", "a b/ü")] {
            assert_eq!(safe_name(Path::new(name)).unwrap(), Path::new(safe));
        }
        for name in ["/etc/passwd", "../x", "a/../../x", "a/.."] {
            assert!(safe_name(Path::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn failures_say_what_the_machine_said() {
        let finished = |exit, stderr: &str| Finished { exit, stdout: Vec::new(), stderr: stderr.into() };
        for (finished, text) in [
            (
                finished(Exit::Status(2), "kiln: 3: cannot create /x: Permission denied\n"),
                "cannot create /x: Permission denied",
            ),
            (finished(Exit::Status(1), "kiln: line 3: /x: Is a directory\n"), "/x: Is a directory"),
            (finished(Exit::Status(1), "kiln: no such file\n"), "no such file"),
            (finished(Exit::Status(9), " \n"), "exit status 9"),
            (finished(Exit::Disconnected, "x"), "connection lost"),
        ] {
            assert_eq!(failure("upload /x", &finished).to_string(), format!("upload /x: {text}"));
        }
    }
}
