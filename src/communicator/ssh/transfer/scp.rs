//! The scp protocol, spoken to the machine's own `scp -t` (sink) and `scp -f` (source).
//!
//! Records are lines: `C<mode> <size> <name>` and the data, `D<mode> 0 <name>` and later `E`. Each is answered by a byte: 0, or
//! 1 or 2 and a line of text. Every answer is read before the next record is sent: a refused file's data would be taken for
//! records.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::stream::Target;
use super::tree::utf8;
use super::walk::{Kind, Tree};
use super::{Content, Progress, blocking, check, failure, local_error};
use crate::communicator::ssh::command::{Finished, Piece, Running, Taken};
use crate::communicator::ssh::link::Link;
use crate::communicator::ssh::options::Pty;
use crate::communicator::ssh::script::{path, sh};
use crate::communicator::{Error, Exit};

/// Takes the file `$1`. A name without a directory would become a file, and one that is a directory would get the file inside:
/// both are refused. scp leaves out set-id bits and, for an existing file, the mode: `$2` is set afterwards.
const TAKE: &str = r#"
case $1 in */*) parent=${1%/*}; [ -d "${parent:-/}" ] || { echo "no directory ${parent:-/} on the machine" >&2; exit 1; };; esac
[ -d "$1" ] && { echo "is a directory on the machine" >&2; exit 1; }
umask 077
scp -t "$1" || exit
[ -f "$1" ] || exit 0
chmod "$2" "$1"
"#;

/// Takes what is in a directory into `$1`, which is made with mode `$2` if it is new. Without an umask modes are as sent.
const TAKE_TREE: &str = r#"
[ -d "$1" ] || { mkdir -p "$1" && chmod "$2" "$1"; } || exit 1
umask 0
exec scp -r -t "$1"
"#;

/// Received bytes are written in portions of this size.
const PORTION: usize = 1 << 20;

/// One conversation with a remote scp.
struct Dialogue {
    running: Running,
    what: String,
    received: Vec<u8>,
    /// How much of `received` was used.
    used: usize,
    stderr: Vec<u8>,
}

impl Dialogue {
    async fn start(link: &Link, what: &str, command: &str) -> Result<Self, Error> {
        let running = Running::start(link, command, Pty::Off).await?;
        Ok(Self { running, what: what.to_owned(), received: Vec::new(), used: 0, stderr: Vec::new() })
    }

    /// Received bytes that are not used yet, at least one; none at the end.
    async fn available(&mut self) -> &[u8] {
        while self.used == self.received.len() {
            match self.running.next().await {
                Some(Piece::Stdout(bytes)) => (self.received, self.used) = (bytes, 0),
                Some(Piece::Stderr(bytes)) => self.stderr.extend(bytes),
                None => break,
            }
        }
        &self.received[self.used..]
    }

    /// The next byte; `None` at the end.
    async fn byte(&mut self) -> Option<u8> {
        let byte = self.available().await.first().copied();
        self.used += usize::from(byte.is_some());
        byte
    }

    /// The rest of the line, without its newline.
    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while let Some(byte) = self.byte().await {
            if byte == b'\n' {
                break;
            }
            line.push(byte);
        }
        String::from_utf8_lossy(&line).into_owned()
    }

    async fn send(&mut self, bytes: impl Into<Vec<u8>>) -> Result<(), Error> {
        match self.running.write(bytes.into()).await {
            Taken::Yes => Ok(()),
            Taken::Ended => Err(self.unexpected_end().await),
        }
    }

    /// Reads the answer to what was sent.
    async fn answer(&mut self) -> Result<(), Error> {
        match self.byte().await {
            Some(0) => Ok(()),
            Some(_) => {
                let reason = self.line().await;
                Err(self.error(reason))
            }
            None => Err(self.unexpected_end().await),
        }
    }

    fn error(&self, reason: String) -> Error {
        Error::Transfer { what: self.what.clone(), reason: reason.trim_start_matches("scp: ").to_owned() }
    }

    /// Why the other end stopped.
    async fn unexpected_end(&mut self) -> Error {
        while let Some(piece) = self.running.next().await {
            if let Piece::Stderr(bytes) = piece {
                self.stderr.extend(bytes);
            }
        }
        let (stdout, stderr) = (Vec::new(), std::mem::take(&mut self.stderr));
        match self.running.exit() {
            Ok(Exit::Status(127)) => self.error("scp is not installed on the machine".into()),
            Ok(Exit::Status(0)) => self.error("scp ended early".into()),
            Ok(exit) => failure(&self.what, &Finished { exit, stdout, stderr }),
            Err(error) => error,
        }
    }

    /// Ends the conversation and looks at the exit status.
    async fn end(mut self) -> Result<(), Error> {
        self.running.end_input().await;
        let mut finished = self.running.finish().await?;
        self.stderr.append(&mut finished.stderr);
        check(&self.what, &Finished { stderr: self.stderr, ..finished })
    }

    /// Ends a conversation that went wrong, so that scp ends by itself.
    async fn abandon(mut self, error: Error) -> Error {
        self.running.end_input().await;
        // What it says now is about the end of its input.
        let _ = self.running.finish().await;
        error
    }

    /// Sends one file's record and data.
    async fn send_file(
        &mut self,
        content: Content,
        name: &str,
        mode: u32,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        let ready = content.open().await?;
        self.send(format!("C{mode:04o} {} {name}\n", ready.size)).await?;
        self.answer().await?;
        let mut feed = ready.start();
        while let Some(chunk) = feed.next().await {
            progress.add(chunk.len());
            self.send(chunk).await?;
        }
        feed.end().await?;
        self.send([0]).await?;
        self.answer().await
    }
}

/// A name that fits in a record.
fn record_name(name: &Path) -> Result<&str, Error> {
    let name = utf8(name)?;
    if name.contains('\n') {
        return Err(Error::Local { path: name.to_owned(), reason: "scp cannot send a name with a newline".into() });
    }
    Ok(name)
}

/// Uploads to exactly `remote`.
pub(super) async fn upload(link: &Link, content: Content, remote: &str, mode: u32) -> Result<(), Error> {
    let what = format!("upload {remote}");
    let name = record_name(Path::new(Path::new(remote).file_name().unwrap_or("file".as_ref())))?;
    let mut dialogue = Dialogue::start(link, &what, &sh(TAKE, &[&path(remote), &format!("{mode:04o}")])).await?;
    let mut progress = Progress::new(link, &what, None);
    let sent = async {
        dialogue.answer().await?;
        dialogue.send_file(content, name, mode, &mut progress).await
    };
    match sent.await {
        Ok(()) => dialogue.end().await,
        Err(error) => Err(dialogue.abandon(error).await),
    }
}

/// Uploads the tree into `remote`.
pub(super) async fn upload_dir(link: &Link, tree: Tree, remote: &str) -> Result<(), Error> {
    let what = format!("upload {} to {remote}", tree.root.display());
    let command = sh(TAKE_TREE, &[&path(remote), &format!("{:04o}", tree.mode)]);
    let mut progress = Progress::new(link, &what, Some(tree.size()));
    let mut dialogue = Dialogue::start(link, &what, &command).await?;
    match send_tree(&mut dialogue, &tree, &mut progress).await {
        Ok(()) => dialogue.end().await,
        Err(error) => Err(dialogue.abandon(error).await),
    }
}

async fn send_tree(dialogue: &mut Dialogue, tree: &Tree, progress: &mut Progress) -> Result<(), Error> {
    dialogue.answer().await?;
    let mut inside = PathBuf::new();
    for entry in &tree.entries {
        while entry.name.parent() != Some(&inside) {
            inside.pop();
            dialogue.send("E\n").await?;
            dialogue.answer().await?;
        }
        let name = record_name(Path::new(entry.name.file_name().unwrap_or_default()))?;
        match entry.kind {
            Kind::File { .. } => {
                let content = Content::File(tree.root.join(&entry.name));
                dialogue.send_file(content, name, entry.mode, progress).await?;
            }
            Kind::Dir => {
                dialogue.send(format!("D{:04o} 0 {name}\n", entry.mode)).await?;
                dialogue.answer().await?;
                inside.push(name);
            }
        }
    }
    while inside.pop() {
        dialogue.send("E\n").await?;
        dialogue.answer().await?;
    }
    Ok(())
}

/// What a source sends.
#[derive(Debug, PartialEq, Eq)]
enum Record {
    File {
        mode: u32,
        size: u64,
        name: String,
    },
    Dir {
        mode: u32,
        name: String,
    },
    Up,
    /// Times, which are not kept.
    Times,
    /// A file that it could not send, or the end of everything: its own words.
    Complaint(String),
}

fn parse(kind: u8, line: &str) -> Option<Record> {
    match kind {
        b'E' => return Some(Record::Up),
        b'T' => return Some(Record::Times),
        1 | 2 => return Some(Record::Complaint(line.to_owned())),
        b'C' | b'D' => {}
        _ => return None,
    }
    // The name is all that is left, blanks and all.
    let mut words = line.splitn(3, ' ');
    let mode = u32::from_str_radix(words.next()?, 8).ok()? & 0o777;
    let size = words.next()?.parse().ok()?;
    let name = words.next()?.to_owned();
    let plain = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
    plain.then_some(if kind == b'C' { Record::File { mode, size, name } } else { Record::Dir { mode, name } })
}

impl Dialogue {
    /// The next record; `None` at the end.
    async fn record(&mut self) -> Result<Option<Record>, Error> {
        let Some(kind) = self.byte().await else { return Ok(None) };
        let line = self.line().await;
        match parse(kind, &line) {
            Some(record) => Ok(Some(record)),
            None => Err(self
                .error(format!("the machine sent the record `{}{line}`, which is not acceptable", char::from(kind)))),
        }
    }

    /// Receives a file's data into `target`.
    async fn receive(&mut self, mut target: Target, size: u64, progress: &mut Progress) -> Result<Target, Error> {
        self.send([0]).await?;
        let mut left = size;
        while left > 0 {
            let mut portion = Vec::new();
            while left > 0 && portion.len() < PORTION {
                let available = self.available().await;
                if available.is_empty() {
                    return Err(self.unexpected_end().await);
                }
                let taken = available.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                portion.extend_from_slice(&available[..taken]);
                self.used += taken;
                left -= taken as u64;
            }
            progress.add(portion.len());
            target = blocking(move || target.fill(&mut &portion[..]).map(|()| target)).await?;
        }
        self.answer().await?;
        self.send([0]).await?;
        Ok(target)
    }
}

/// Downloads one file.
pub(super) async fn download(link: &Link, remote: &str, local: &Path) -> Result<(), Error> {
    let what = format!("download {remote}");
    let mut dialogue = Dialogue::start(link, &what, &sh("exec scp -f \"$1\"", &[&path(remote)])).await?;
    let mut progress = Progress::new(link, &what, None);
    match receive_one(&mut dialogue, local, &mut progress).await {
        Ok(target) => {
            dialogue.end().await?;
            target.keep()
        }
        Err(error) => Err(dialogue.abandon(error).await),
    }
}

async fn receive_one(dialogue: &mut Dialogue, local: &Path, progress: &mut Progress) -> Result<Target, Error> {
    dialogue.send([0]).await?;
    loop {
        match dialogue.record().await? {
            Some(Record::File { size, .. }) => return dialogue.receive(Target::create(local)?, size, progress).await,
            Some(Record::Times) => dialogue.send([0]).await?,
            Some(Record::Complaint(text)) => return Err(dialogue.error(text)),
            Some(Record::Dir { .. } | Record::Up) => return Err(dialogue.error("is a directory on the machine".into())),
            None => return Err(dialogue.unexpected_end().await),
        }
    }
}

/// Downloads what is in `remote` into `local`.
pub(super) async fn download_dir(link: &Link, remote: &str, local: &Path) -> Result<(), Error> {
    let what = format!("download {remote}");
    let command = sh(
        "[ -d \"$1\" ] || { echo 'no such directory on the machine' >&2; exit 1; }; exec scp -r -f \"$1\"",
        &[&path(remote)],
    );
    let mut dialogue = Dialogue::start(link, &what, &command).await?;
    let mut progress = Progress::new(link, &what, None);
    match receive_tree(&mut dialogue, local, &mut progress).await {
        Ok(()) => dialogue.end().await,
        Err(error) => Err(dialogue.abandon(error).await),
    }
}

async fn receive_tree(dialogue: &mut Dialogue, local: &Path, progress: &mut Progress) -> Result<(), Error> {
    dialogue.send([0]).await?;
    // Directories that are open, outermost first. The first is `remote` itself, which `local` stands for.
    let mut open: Vec<(PathBuf, u32)> = Vec::new();
    let mut complaint = None;
    while let Some(record) = dialogue.record().await? {
        match record {
            Record::Times => {}
            Record::Complaint(text) => {
                complaint.get_or_insert(text);
                continue; // A complaint is not answered.
            }
            Record::Dir { mode, name } => {
                let place = open.last().map_or_else(|| local.to_owned(), |(parent, _)| parent.join(name));
                fs::create_dir_all(&place).map_err(|e| local_error(&place, &e))?;
                open.push((place, mode));
            }
            Record::Up => {
                let closed = open.pop();
                // Modes come last: one may close a directory to us. `local` itself keeps its own.
                if let Some((place, mode)) = closed.filter(|_| !open.is_empty()) {
                    fs::set_permissions(&place, Permissions::from_mode(mode)).map_err(|e| local_error(&place, &e))?;
                }
            }
            Record::File { mode, size, name } => {
                let Some((parent, _)) = open.last() else { return Err(dialogue.error("is no directory".into())) };
                let place = parent.join(name);
                let target = dialogue.receive(Target::create(&place)?, size, progress).await?;
                target.keep()?;
                fs::set_permissions(&place, Permissions::from_mode(mode)).map_err(|e| local_error(&place, &e))?;
                continue; // `receive` has answered.
            }
        }
        dialogue.send([0]).await?;
    }
    complaint.map_or(Ok(()), |text| Err(dialogue.error(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_whole_and_bad_names_refused() {
        let file = Record::File { mode: 0o640, size: 12, name: "a b  c".into() };
        assert_eq!(parse(b'C', "0640 12 a b  c"), Some(file));
        assert_eq!(parse(b'D', "0755 0 dir"), Some(Record::Dir { mode: 0o755, name: "dir".into() }));
        assert_eq!(parse(1, "scp: x"), Some(Record::Complaint("scp: x".into())));
        for line in ["0644 1 ..", "0644 1 .", "0644 1 ", "0644 1 ../x", "0644 1 /etc/x", "0644 x y", "9 1 x", ""] {
            assert_eq!(parse(b'C', line), None, "{line}");
        }
    }
}
