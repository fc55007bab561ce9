//! A file as one verified stream through a command's input or output.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::intake::Intake;
use super::{Content, Progress, check, local_error};
use crate::communicator::Error;
use crate::communicator::ssh::command::{Finished, Running};
use crate::communicator::ssh::link::Link;
use crate::communicator::ssh::options::Pty;
use crate::communicator::ssh::script::{path, sh};

/// From this size on the machine's `openssl` is asked for the digest where there is one: it starts more slowly than
/// `sha256sum`, but uses the CPU's SHA instructions, which several distributions' `sha256sum` does not.
const LARGE: u64 = 4 << 20;

/// Defines `fail`, `have`, and `sum` (reads a stream, writes its digest) for size class `$size`. `$sums` is empty where no tool
/// is there, `$branch` where a stream cannot be hashed on its way.
pub(super) const TOOLS: &str = r#"
fail() { printf '%s\n' "$1" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
sums=1
if [ "$size" = large ] && have openssl; then sum() { openssl dgst -sha256 -r; }
elif have sha256sum; then sum() { sha256sum; }
elif have shasum; then sum() { shasum -a 256; }
else sums=
fi
branch=
if [ -n "$sums" ] && have tee && [ -e /dev/fd/0 ]; then branch=1; fi
"#;

/// Takes a file: `$1` path, `$2` mode, `$3` bytes, `$4` size class.
///
/// A path that does not exist yet appears at once and whole: the content goes to a new file beside it (made exclusively, so
/// that nobody can plant a link) and is renamed. An existing file is written in place: that keeps its owner, links and
/// SELinux label. The size is checked before the rename, because the end of input also comes when the sender dies. The digest
/// is of what can be read back. (Hashing by `tee` while the bytes arrive was tried: slower, tee copies in 8 KiB steps.)
const TAKE: &str = r#"
d=$1
case $d in */*) parent=${d%/*}; [ -d "${parent:-/}" ] || fail "no directory ${parent:-/} on the machine";; esac
[ -d "$d" ] && fail "is a directory on the machine"
umask 077
out=
if [ -e "$d" ] || [ -L "$d" ]; then
  t=$d new=
  : > "$t" || exit 1
else
  t=$d.kiln-$$ new=1
  (set -C; : > "$t") || exit 1
fi
give_up() { [ -n "$new" ] && rm -f "$t"; fail "$1"; }
cat > "$t" || give_up "could not be written"
if [ -f "$t" ]; then
  n=$(wc -c < "$t")
  [ "$n" -eq "$3" ] || give_up "$n of $3 bytes arrived"
  [ -n "$sums" ] && out=$(sum < "$t")
  chmod "$2" "$t" || give_up "its mode could not be set"
fi
if [ -n "$new" ]; then mv -f "$t" "$d" || give_up "could not be renamed"; fi
printf '%s\n' "$out"
"#;

/// Gives a file: `$1` path. The digest goes to standard error.
///
/// `tee` writes to the pipe by its name and to standard output directly, because that is a socket, and sockets cannot be opened
/// by name.
const GIVE: &str = r#"
[ -e "$1" ] || fail "no such file on the machine"
[ -d "$1" ] && fail "is a directory on the machine"
if [ -n "$branch" ]; then
  exec 3>&1
  out=$( { { tee /dev/fd/4 < "$1" 4>&1 >&3 3>&-; echo "tee=$?" >&5; } | sum; } 5>&1 )
  case $out in *tee=0*) ;; *) fail "could not be read";; esac
  printf '%s\n' "$out" >&2
else
  exec cat < "$1"
fi
"#;

fn script(body: &str, class: &str, arguments: &[&str]) -> String {
    sh(&format!("size={class}\n{TOOLS}{body}"), arguments)
}

fn class(size: u64) -> &'static str {
    if size >= LARGE { "large" } else { "small" }
}

/// Uploads to exactly `remote`.
pub(super) async fn upload(link: &Link, content: Content, remote: &str, mode: u32) -> Result<(), Error> {
    let what = format!("upload {remote}");
    let ready = content.open().await?;
    let size = ready.size;
    let command = script(TAKE, class(size), &[&path(remote), &format!("{mode:04o}"), &size.to_string()]);
    let mut running = Running::start(link, &command, Pty::Off).await?;
    let mut feed = ready.start();
    feed.pour(&mut running, &mut Progress::new(link, &what, Some(size))).await;
    let finished = running.finish().await?;
    let sent = feed.end().await?;
    check(&what, &finished)?;
    compare(&what, sent.as_deref(), digest(&finished.stdout).as_deref())
}

/// The SHA-256 in what the scripts write: the first word of 64 hex digits.
pub(super) fn digest(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let is_digest = |word: &&str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    text.split_whitespace().find(is_digest).map(str::to_ascii_lowercase)
}

/// Refuses a stream that is not at the other end what it was here. A machine without tools cannot tell.
pub(super) fn compare(what: &str, ours: Option<&str>, theirs: Option<&str>) -> Result<(), Error> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours != theirs => {
            let reason = format!("damaged on the way: SHA-256 is {ours} here and {theirs} on the machine");
            Err(Error::Transfer { what: what.to_owned(), reason })
        }
        _ => Ok(()),
    }
}

/// Downloads one file.
pub(super) async fn download(link: &Link, remote: &str, local: &Path) -> Result<(), Error> {
    let what = format!("download {remote}");
    // The size is not known yet; large downloads gain more than small ones lose.
    let mut running = Running::start(link, &script(GIVE, "large", &[&path(remote)]), Pty::Off).await?;
    running.end_input().await;
    let mut target = Target::create(local)?;
    let mut intake = Intake::start(move |incoming| target.fill(incoming).map(|()| target));
    let stderr = intake.pour(&mut running, &mut Progress::new(link, &what, None)).await;
    let (target, received) = intake.end().await?;
    let finished = Finished { stderr, ..running.finish().await? };
    check(&what, &finished)?;
    compare(&what, Some(&received), digest(&finished.stderr).as_deref())?;
    target.keep()
}

/// A local file that appears only when it is whole.
pub(super) enum Target {
    /// Beside its place until then.
    Aside(NamedTempFile, PathBuf),
    /// A device or pipe, which cannot be replaced.
    InPlace(File, PathBuf),
}

impl Target {
    pub fn create(local: &Path) -> Result<Self, Error> {
        let failed = |e: std::io::Error| local_error(local, &e);
        match fs::metadata(local) {
            Ok(found) if found.is_dir() => {
                return Err(Error::Local { path: local.display().to_string(), reason: "is a directory".into() });
            }
            Ok(found) if !found.is_file() => {
                let file = File::options().write(true).open(local).map_err(failed)?;
                return Ok(Self::InPlace(file, local.to_owned()));
            }
            _ => {}
        }
        // A link is followed: the file that it leads to is what gets replaced.
        let place = fs::canonicalize(local).unwrap_or_else(|_| local.to_owned());
        let parent = place.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let made =
            tempfile::Builder::new().prefix(".kiln-").permissions(Permissions::from_mode(0o644)).tempfile_in(parent);
        Ok(Self::Aside(made.map_err(failed)?, place))
    }

    /// Writes everything that comes.
    pub fn fill(&mut self, from: &mut impl Read) -> Result<(), Error> {
        let (file, place): (&mut dyn Write, _) = match self {
            Self::Aside(file, place) => (file, place),
            Self::InPlace(file, place) => (file, place),
        };
        std::io::copy(from, file).map(drop).map_err(|e| local_error(place, &e))
    }

    /// Puts the file in its place.
    pub fn keep(self) -> Result<(), Error> {
        match self {
            Self::InPlace(..) => Ok(()),
            Self::Aside(file, place) => file.persist(&place).map(drop).map_err(|e| local_error(&place, &e.error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_found_in_every_tools_output() {
        let sum = "ab".repeat(32);
        for text in
            [format!("{sum}  -\ntee=0\n"), format!("tee=0\n{sum} *stdin\n"), format!("{}  -", sum.to_uppercase())]
        {
            assert_eq!(digest(text.as_bytes()), Some(sum.clone()));
        }
        assert_eq!(digest(b"tee=0\n"), None);
        assert!(compare("upload x", Some("a"), None).is_ok());
        assert!(compare("upload x", Some("a"), Some("b")).is_err());
    }

    #[test]
    fn a_target_appears_only_when_kept() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("file");
        let mut target = Target::create(&place).unwrap();
        target.fill(&mut &b"half"[..]).unwrap();
        assert!(!place.exists());
        drop(target);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut target = Target::create(&place).unwrap();
        target.fill(&mut &b"whole"[..]).unwrap();
        target.keep().unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"whole");
    }
}
