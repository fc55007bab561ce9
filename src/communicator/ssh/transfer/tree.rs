//! A directory as one tar stream through a command's input or output; file by file where the machine has no tar.

use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;

use super::feed::{Chunks, Feed, Stop};
use super::intake::Intake;
use super::stream::{self, TOOLS, compare, digest};
use super::unpack::unpack;
use super::walk::{Entry, Kind, Tree};
use super::{Content, Progress, blocking, check, failure, local_error, safe_name};
use crate::communicator::ssh::command::{Finished, Running, ask_machine};
use crate::communicator::ssh::link::Link;
use crate::communicator::ssh::options::{Compression, Pty, Route};
use crate::communicator::ssh::script::{path, sh};
use crate::communicator::{Error, Exit};

/// Below this a compressor costs more than it saves.
const WORTH_COMPRESSING: u64 = 1 << 20;
/// zstd's fastest regular level: some 500 MB/s a core, so that it does not hold up a fast link.
const LEVEL: i32 = 1;

/// Makes the directory `$1` (with mode `$2` if it is new), then answers: `tar` and `zstd` if they are there, and the line number
/// of every directory on standard input that already exists below it.
const PREPARE: &str = r#"
size=small
if [ -d "$1" ]; then :; else mkdir -p "$1" && chmod "$2" "$1" || exit 1; fi
cd "$1" || exit 1
have tar && echo tar
have zstd && echo zstd
n=0
while IFS= read -r line; do
  [ -d "./$line" ] && [ -n "$line" ] && echo $n
  n=$((n+1))
done
exit 0
"#;

/// Unpacks standard input, compressed if `$2` is `zstd`, into `$1`. Modes are as sent; owner and times are the machine's own.
///
/// bsdtar needs `P` to unpack through links to directories that the machine has. What tar leaves unread is still read:
/// otherwise `tee` dies and takes the digest with it.
const UNPACK: &str = r#"
cd "$1" || exit 1
links=
case $(tar --version 2>/dev/null) in *bsdtar*) links=P;; esac
if [ "$2" = zstd ]; then unpack() { zstd -dcq | tar "-xpom${links}f" -; }; else unpack() { tar "-xpom${links}f" -; }; fi
drained() { unpack; s=$?; cat >/dev/null; return $s; }
if [ -n "$branch" ]; then
  out=$( { { tee /dev/fd/3 | sum >&5; } 3>&1 | { drained; echo "tar=$?" >&5; } ; } 5>&1 )
  case $out in *tar=0*) ;; *) exit 1;; esac
  printf '%s\n' "$out"
else
  drained
fi
"#;

/// Status of [`PACK`] when the machine has no tar.
const NO_TAR: u32 = 97;

/// Packs `$1` to standard output, through zstd if `$2` says so and it is there; the digest goes to standard error. Links are
/// followed here, so that none has to be followed, or believed, at the other end.
const PACK: &str = r#"
[ -d "$1" ] || fail "no such directory on the machine"
have tar || exit 97
cd "$1" || exit 1
if [ "$2" = zstd ] && have zstd; then shrink() { zstd -1 -cq; }; else shrink() { cat; }; fi
exec 3>&1
if [ -n "$branch" ]; then
  out=$( { { tar -chf - .; echo "tar=$?" >&5; } | shrink | { tee /dev/fd/4 4>&1 >&3 3>&-; echo "tee=$?" >&5; } | sum; } 5>&1 )
else
  out=$( { { tar -chf - .; echo "tar=$?" >&5; } | shrink >&3; } 5>&1 )
fi
printf '%s\n' "$out" >&2
case $out in *tar=0*) exit 0;; *tar=1*) exit 98;; *) exit 1;; esac
"#;

/// Status of [`PACK`] when tar ended with 1: GNU tar's "some files changed as they were read".
const TAR_ONE: u32 = 98;

/// What a machine has.
#[derive(Debug, Default, PartialEq, Eq)]
struct Prepared {
    tar: bool,
    zstd: bool,
    /// Which of the directories asked about exist.
    existing: Vec<usize>,
}

/// Uploads the tree into `remote`.
pub(super) async fn upload(link: &Link, tree: Tree, remote: &str) -> Result<(), Error> {
    let what = format!("upload {} to {remote}", tree.root.display());
    let prepared = prepare(link, &tree, remote, &what).await?;
    if !prepared.tar {
        return upload_singly(link, &tree, remote, &prepared.existing).await;
    }
    let zstd = prepared.zstd && compress(link, tree.size());
    let kind = if zstd { "zstd" } else { "plain" };
    let command = sh(&format!("size=large\n{TOOLS}{UNPACK}"), &[&path(remote), kind]);
    let mut running = Running::start(link, &command, Pty::Off).await?;
    let mut progress = Progress::new(link, &what, (!zstd).then(|| tree.size()));
    let mut feed = Feed::start(move |out| pack(&tree, &prepared.existing, zstd, out));
    feed.pour(&mut running, &mut progress).await;
    let finished = running.finish().await?;
    let sent = feed.end().await?;
    check(&what, &finished)?;
    compare(&what, sent.as_deref(), digest(&finished.stdout).as_deref())
}

async fn prepare(link: &Link, tree: &Tree, remote: &str, what: &str) -> Result<Prepared, Error> {
    let mut names = Vec::new();
    for dir in tree.dirs() {
        // A name with a newline cannot be asked about on a line; an empty line is no directory.
        let name = dir.name.as_os_str().as_encoded_bytes();
        names.extend(if name.contains(&b'\n') { &[] } else { name });
        names.push(b'\n');
    }
    let command = sh(&format!("size=small\n{TOOLS}{PREPARE}"), &[&path(remote), &format!("{:04o}", tree.mode)]);
    let finished = ask_machine(link, &command, names).await?;
    check(what, &finished)?;
    Ok(parse_prepared(&String::from_utf8_lossy(&finished.stdout)))
}

fn parse_prepared(text: &str) -> Prepared {
    let mut prepared = Prepared::default();
    for line in text.lines() {
        match line {
            "tar" => prepared.tar = true,
            "zstd" => prepared.zstd = true,
            number => prepared.existing.extend(number.parse::<usize>()),
        }
    }
    prepared
}

fn compress(link: &Link, size: u64) -> bool {
    match link.options.compression {
        Compression::Always => true,
        Compression::Never => false,
        Compression::Auto => size >= WORTH_COMPRESSING && !is_here(link),
    }
}

/// A machine on this machine has a link that no compressor keeps up with.
fn is_here(link: &Link) -> bool {
    let host = &link.options.target.host;
    let loopback = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    loopback && matches!(link.options.route, Route::Direct)
}

/// Writes the tree as a tar stream. Directories that the machine has already are left out: their modes are its own affair, and
/// one that is a link there must not be replaced by a directory (`/bin`, `/lib`).
fn pack(tree: &Tree, existing: &[usize], zstd: bool, out: &mut Chunks) -> Result<(), Stop> {
    if zstd {
        let mut encoder = zstd::Encoder::new(out, LEVEL)?;
        write_tar(tree, existing, &mut encoder)?;
        encoder.finish()?;
        return Ok(());
    }
    write_tar(tree, existing, out)
}

fn write_tar(tree: &Tree, existing: &[usize], out: &mut impl Write) -> Result<(), Stop> {
    let mut builder = tar::Builder::new(out);
    let mut dirs = 0..;
    for entry in &tree.entries {
        let there = entry.kind == Kind::Dir && dirs.next().is_some_and(|n: usize| existing.binary_search(&n).is_ok());
        if !there {
            let local = tree.root.join(&entry.name);
            append(&mut builder, entry, &local).map_err(|e| Stop::at(&local, e))?;
        }
    }
    builder.finish().map_err(Stop::from)
}

fn append(builder: &mut tar::Builder<impl Write>, entry: &Entry, local: &Path) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(entry.mode);
    match entry.kind {
        Kind::Dir => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            builder.append_data(&mut header, &entry.name, io::empty())
        }
        Kind::File { size } => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(size);
            let mut exact = Exact { file: File::open(local)?, left: size };
            builder.append_data(&mut header, &entry.name, &mut exact)
        }
    }
}

/// Reads exactly as many bytes as the header announced, whatever happens to the file meanwhile.
struct Exact {
    file: File,
    left: u64,
}

impl io::Read for Exact {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read(&mut buffer[..wanted])?;
        if read == 0 && wanted > 0 {
            return Err(io::Error::other("became shorter while it was read"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Makes the directories, then uploads file by file.
async fn upload_singly(link: &Link, tree: &Tree, remote: &str, existing: &[usize]) -> Result<(), Error> {
    let base = remote.trim_end_matches('/');
    let mut number = 0;
    for entry in &tree.entries {
        let target = format!("{base}/{}", utf8(&entry.name)?);
        match entry.kind {
            Kind::File { .. } => {
                stream::upload(link, Content::File(tree.root.join(&entry.name)), &target, entry.mode).await?;
            }
            Kind::Dir => {
                if existing.binary_search(&number).is_err() {
                    let made =
                        sh("mkdir \"$1\" && chmod \"$2\" \"$1\"", &[&path(&target), &format!("{:04o}", entry.mode)]);
                    check(&format!("make {target}"), &ask_machine(link, &made, Vec::new()).await?)?;
                }
                number += 1;
            }
        }
    }
    Ok(())
}

/// The name as text: command lines and SFTP requests are text.
pub(super) fn utf8(name: &Path) -> Result<&str, Error> {
    let why = || Error::Local { path: name.display().to_string(), reason: "the name is not valid UTF-8".into() };
    name.to_str().ok_or_else(why)
}

/// Downloads what is in `remote` into `local`.
pub(super) async fn download(link: &Link, remote: &str, local: &Path) -> Result<(), Error> {
    let what = format!("download {remote}");
    let kind = if compress(link, u64::MAX) { "zstd" } else { "plain" };
    let command = sh(&format!("size=large\n{TOOLS}{PACK}"), &[&path(remote), kind]);
    let mut running = Running::start(link, &command, Pty::Off).await?;
    running.end_input().await;
    let target = local.to_owned();
    let mut intake = Intake::start(move |incoming| unpack(incoming, &target));
    let stderr = intake.pour(&mut running, &mut Progress::new(link, &what, None)).await;
    // Its own complaint says more than that of an unpacker whose stream broke off.
    let unpacked = intake.end().await;
    if matches!(unpacked, Err(Error::Local { .. })) {
        return unpacked.map(drop);
    }
    let finished = Finished { stderr, ..running.finish().await? };
    match finished.exit {
        Exit::Status(0) => {}
        Exit::Status(NO_TAR) => return download_singly(link, remote, local, &what).await,
        Exit::Status(TAR_ONE) if only_changes(&finished.stderr) => {}
        _ => return Err(failure(&what, &without_report(finished))),
    }
    let ((), received) = unpacked?;
    compare(&what, Some(&received), digest(&finished.stderr).as_deref())
}

/// Whether GNU tar only minded that files changed while it read them, as logs do.
fn only_changes(stderr: &[u8]) -> bool {
    let text = String::from_utf8_lossy(stderr);
    let mut complaints = text.lines().filter(|line| line.starts_with("tar: ")).peekable();
    complaints.peek().is_some()
        && complaints.all(|line| line.contains("changed as we read it") || line.contains("removed before we read it"))
}

/// Leaves tar's own words of what [`PACK`] wrote.
fn without_report(mut finished: Finished) -> Finished {
    let text = String::from_utf8_lossy(&finished.stderr).into_owned();
    let report =
        |line: &&str| line.starts_with("tar=") || line.starts_with("tee=") || digest(line.as_bytes()).is_some();
    finished.stderr = text.lines().filter(|line| !report(line)).collect::<Vec<_>>().join("\n").into_bytes();
    finished
}

/// Lists directories, then after an empty name files, each name ended by a zero byte.
const LIST: &str = r#"cd "$1" && find -L . -type d -print0 && printf '\0' && find -L . -type f -print0"#;

/// Downloads file by file. Modes are not known here: directories get 0755 and files 0644.
async fn download_singly(link: &Link, remote: &str, local: &Path, what: &str) -> Result<(), Error> {
    let listed = ask_machine(link, &sh(LIST, &[&path(remote)]), Vec::new()).await?;
    check(what, &listed)?;
    let text = String::from_utf8(listed.stdout)
        .map_err(|_| Error::Transfer { what: what.to_owned(), reason: "a name is not valid UTF-8".into() })?;
    let (dirs, files) = text.split_once("\0\0").unwrap_or((&text, ""));
    for name in dirs.split('\0').filter(|name| !name.is_empty()) {
        let dir = local.join(safe_name(Path::new(name))?);
        blocking(move || std::fs::create_dir_all(&dir).map_err(|e| local_error(&dir, &e))).await?;
    }
    for name in files.split('\0').filter(|name| !name.is_empty()) {
        let target = local.join(safe_name(Path::new(name))?);
        stream::download(link, &format!("{}/{name}", remote.trim_end_matches('/')), &target).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_answer_is_read() {
        let expected = Prepared { tar: true, zstd: true, existing: vec![0, 12] };
        assert_eq!(parse_prepared("tar\nzstd\n0\n12\n"), expected);
        assert_eq!(parse_prepared(""), Prepared::default());
    }

    #[test]
    fn a_log_that_grows_is_no_failure() {
        assert!(only_changes(b"tar: ./log: file changed as we read it\ntar=1\nabc  -\n"));
        for text in ["tar=1\n", "tar: ./x: Cannot open: Permission denied\ntar: ./log: file changed as we read it\n"] {
            assert!(!only_changes(text.as_bytes()), "{text}");
        }
    }
}
