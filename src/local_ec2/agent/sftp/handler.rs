//! Answers SFTP requests. Each is a system call or two; the process serves one client, so it may block on them.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use nix::libc;
use russh_sftp::protocol::{
    Attrs, Data, ExtendedReply, File as Entry, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode,
    Version,
};
use russh_sftp::server::StatusReply;
use tokio::sync::oneshot;

use super::attributes::{self, Target};
use super::extension::{self, Request};
use super::files::{Listing, Open, Table};

/// Names in one answer to a readdir: as many as OpenSSH sends.
const NAMES: usize = 100;
/// A longer read is answered in part, which the protocol allows.
const MAX_READ: u32 = super::MAX_PACKET - 1024;

/// The files of one client. Relative paths start at the working directory, which is the user's home.
pub struct Files {
    table: Table,
    /// Handles opened for appending, whose offsets do not count.
    append: HashSet<String>,
    /// Dropped with the handler: tells that the client is gone.
    _alive: oneshot::Sender<()>,
}

impl Files {
    /// `alive` is dropped when the client is gone.
    pub fn new(alive: oneshot::Sender<()>) -> Self {
        Self { table: Table::default(), append: HashSet::new(), _alive: alive }
    }

    fn extend(&mut self, id: u32, request: Request) -> Result<Packet, StatusReply> {
        let done = |result: io::Result<()>| result.map(|()| ok(id).into()).map_err(|e| refusal(&e));
        match request {
            Request::Rename(from, to) => done(fs::rename(path(&from), path(&to))),
            Request::Link(from, to) => done(fs::hard_link(path(&from), path(&to))),
            Request::Sync(handle) => done(self.table.file(&handle).ok_or_else(no_handle)?.sync_all()),
            Request::SetLink(link, wanted) => done(attributes::set(&Target::Link(&path(&link)), &wanted)),
            Request::Limits => extended(id, &extension::limits()),
            Request::Expand(text) => Ok(one_name(id, &real(&expand_home(&text))).into()),
            Request::FileSystem(of) => {
                let stat = nix::sys::statvfs::statvfs(&path(&of)).map_err(|e| refusal(&e.into()))?;
                extended(id, &extension::file_system(&stat))
            }
            Request::FileSystemOf(handle) => {
                let file = self.table.file(&handle).ok_or_else(no_handle)?;
                let stat = nix::sys::statvfs::fstatvfs(file).map_err(|e| refusal(&e.into()))?;
                extended(id, &extension::file_system(&stat))
            }
        }
    }
}

fn extended(id: u32, value: &impl serde::Serialize) -> Result<Packet, StatusReply> {
    let data = russh_sftp::ser::to_bytes(value).map_err(|_| StatusReply::new(StatusCode::Failure))?.to_vec();
    Ok(ExtendedReply { id, data }.into())
}

fn ok(id: u32) -> Status {
    Status { id, status_code: StatusCode::Ok, error_message: "Success".to_owned(), language_tag: String::new() }
}

fn no_handle() -> StatusReply {
    StatusCode::Failure.with_message("no such handle")
}

/// The protocol's code of an error, with the kernel's words as the message. Codes beyond these three are "failure".
fn refusal(error: &io::Error) -> StatusReply {
    let code = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => StatusCode::NoSuchFile,
        ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        ErrorKind::UnexpectedEof => StatusCode::Eof,
        ErrorKind::Unsupported => StatusCode::OpUnsupported,
        _ => StatusCode::Failure,
    };
    let text = error.to_string();
    // Clients print the message; "(os error 2)" is Rust's addition.
    code.with_message(text.split(" (os error").next().unwrap_or(&text))
}

/// An empty path is the home.
fn path(text: &str) -> PathBuf {
    PathBuf::from(if text.is_empty() { "." } else { text })
}

fn expand_home(text: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map_or_else(|| "/".into(), PathBuf::from);
    match text.strip_prefix('~') {
        Some("") => home(),
        Some(rest) if rest.starts_with('/') => home().join(rest.trim_start_matches('/')),
        _ => path(text),
    }
}

/// An absolute path without links. A path that does not exist (yet) is made absolute by its words.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        absolute.components().fold(PathBuf::new(), |mut whole, part| {
            match part {
                Component::ParentDir => {
                    whole.pop();
                }
                other => whole.push(other),
            }
            whole
        })
    })
}

fn one_name(id: u32, path: &Path) -> Name {
    let text = path.to_string_lossy().into_owned();
    Name { id, files: vec![Entry { longname: text.clone(), filename: text, attrs: FileAttributes::empty() }] }
}

fn named(name: &OsStr, attrs: FileAttributes) -> Entry {
    let filename = name.to_string_lossy().into_owned();
    Entry { longname: long_name(&filename, &attrs), filename, attrs }
}

/// The line that clients show for `ls -l`, in ls's form.
fn long_name(name: &str, attrs: &FileAttributes) -> String {
    let mode = attrs.permissions.unwrap_or(0);
    let kind = match mode & libc::S_IFMT {
        libc::S_IFDIR => 'd',
        libc::S_IFLNK => 'l',
        libc::S_IFCHR => 'c',
        libc::S_IFBLK => 'b',
        libc::S_IFIFO => 'p',
        libc::S_IFSOCK => 's',
        _ => '-',
    };
    let bits: String =
        (0..9).map(|bit| if mode & (0o400 >> bit) == 0 { '-' } else { ['r', 'w', 'x'][bit % 3] }).collect();
    let number = |value: Option<u32>| value.unwrap_or(0);
    let date = date(number(attrs.mtime).into(), jiff::Timestamp::now());
    let (uid, gid, size) = (number(attrs.uid), number(attrs.gid), attrs.size.unwrap_or(0));
    format!("{kind}{bits}    1 {uid:<8} {gid:<8} {size:>8} {date} {name}")
}

/// As ls has it: the time for what is younger than half a year, the year for all else.
fn date(seconds: i64, now: jiff::Timestamp) -> String {
    const HALF_A_YEAR: i64 = 365 * 24 * 60 * 60 / 2;
    let age = now.as_second() - seconds;
    let format = if (0..HALF_A_YEAR).contains(&age) { "%b %e %H:%M" } else { "%b %e  %Y" };
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::system()).strftime(format).to_string()
}

/// The next names of a listing; none at its end. Entries that vanish meanwhile are passed over.
fn next_names(listing: &mut Listing) -> Vec<Entry> {
    let mut names = Vec::new();
    if std::mem::take(&mut listing.starts) {
        for (name, at) in [(".", listing.path.clone()), ("..", listing.path.join(".."))] {
            names.extend(fs::symlink_metadata(at).map(|m| named(OsStr::new(name), attributes::of(&m))));
        }
    }
    while names.len() < NAMES {
        let Some(entry) = listing.entries.next() else { break };
        let described = entry.and_then(|entry| Ok(named(&entry.file_name(), attributes::of(&entry.metadata()?))));
        names.extend(described);
    }
    names
}

fn open_options(flags: OpenFlags, attrs: &FileAttributes) -> OpenOptions {
    let mut options = OpenOptions::new();
    let has = |flag| flags.contains(flag);
    options.read(has(OpenFlags::READ)).write(has(OpenFlags::WRITE));
    options.create(has(OpenFlags::CREATE)).truncate(has(OpenFlags::TRUNCATE));
    options.create_new(has(OpenFlags::CREATE) && has(OpenFlags::EXCLUDE));
    if has(OpenFlags::APPEND) {
        options.custom_flags(libc::O_APPEND);
    }
    options.mode(attrs.permissions.unwrap_or(0o666) & 0o7777);
    options
}

/// A plain rename refuses an existing target; OpenSSH makes sure of it by linking first.
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(from)?.is_file() {
        match fs::hard_link(from, to) {
            Ok(()) => return fs::remove_file(from),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
            // Another file system, or one without links: the kernel's rename decides.
            Err(_) => {}
        }
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

impl russh_sftp::server::Handler for Files {
    type Error = StatusReply;

    fn unimplemented(&self) -> Self::Error {
        StatusReply::new(StatusCode::OpUnsupported)
    }

    async fn init(&mut self, _: u32, _: HashMap<String, String>) -> Result<Version, Self::Error> {
        let mut version = Version::new();
        version.extensions = extension::ANNOUNCED.map(|(name, number)| (name.to_owned(), number.to_owned())).into();
        Ok(version)
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        pflags: OpenFlags,
        attrs: FileAttributes,
    ) -> Result<Handle, Self::Error> {
        let file = open_options(pflags, &attrs).open(path(&filename)).map_err(|e| refusal(&e))?;
        let handle = self.table.add(Open::File(file));
        if pflags.contains(OpenFlags::APPEND) {
            self.append.insert(handle.clone());
        }
        Ok(Handle { id, handle })
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, Self::Error> {
        self.append.remove(&handle);
        if self.table.close(&handle) { Ok(ok(id)) } else { Err(no_handle()) }
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data, Self::Error> {
        let file = self.table.file(&handle).ok_or_else(no_handle)?;
        let mut data = vec![0; len.min(MAX_READ) as usize];
        let length = file.read_at(&mut data, offset).map_err(|e| refusal(&e))?;
        if length == 0 && len > 0 {
            return Err(StatusCode::Eof.into());
        }
        data.truncate(length);
        Ok(Data { id, data })
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, Self::Error> {
        let appends = self.append.contains(&handle);
        let file = self.table.file(&handle).ok_or_else(no_handle)?;
        let written = if appends { file.write_all(&data) } else { file.write_all_at(&data, offset) };
        written.map(|()| ok(id)).map_err(|e| refusal(&e))
    }

    async fn lstat(&mut self, id: u32, of: String) -> Result<Attrs, Self::Error> {
        let metadata = fs::symlink_metadata(path(&of)).map_err(|e| refusal(&e))?;
        Ok(Attrs { id, attrs: attributes::of(&metadata) })
    }

    async fn stat(&mut self, id: u32, of: String) -> Result<Attrs, Self::Error> {
        let metadata = fs::metadata(path(&of)).map_err(|e| refusal(&e))?;
        Ok(Attrs { id, attrs: attributes::of(&metadata) })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, Self::Error> {
        let metadata = self.table.file(&handle).ok_or_else(no_handle)?.metadata().map_err(|e| refusal(&e))?;
        Ok(Attrs { id, attrs: attributes::of(&metadata) })
    }

    async fn setstat(&mut self, id: u32, of: String, attrs: FileAttributes) -> Result<Status, Self::Error> {
        attributes::set(&Target::Path(&path(&of)), &attrs).map(|()| ok(id)).map_err(|e| refusal(&e))
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attrs: FileAttributes) -> Result<Status, Self::Error> {
        let file = self.table.file(&handle).ok_or_else(no_handle)?;
        attributes::set(&Target::Open(file), &attrs).map(|()| ok(id)).map_err(|e| refusal(&e))
    }

    async fn opendir(&mut self, id: u32, of: String) -> Result<Handle, Self::Error> {
        let path = path(&of);
        let entries = fs::read_dir(&path).map_err(|e| refusal(&e))?;
        let handle = self.table.add(Open::Directory(Listing { path, entries, starts: true }));
        Ok(Handle { id, handle })
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, Self::Error> {
        let files = next_names(self.table.listing(&handle).ok_or_else(no_handle)?);
        if files.is_empty() { Err(StatusCode::Eof.into()) } else { Ok(Name { id, files }) }
    }

    async fn remove(&mut self, id: u32, filename: String) -> Result<Status, Self::Error> {
        fs::remove_file(path(&filename)).map(|()| ok(id)).map_err(|e| refusal(&e))
    }

    async fn mkdir(&mut self, id: u32, of: String, attrs: FileAttributes) -> Result<Status, Self::Error> {
        let mode = attrs.permissions.unwrap_or(0o777) & 0o7777;
        DirBuilder::new().mode(mode).create(path(&of)).map(|()| ok(id)).map_err(|e| refusal(&e))
    }

    async fn rmdir(&mut self, id: u32, of: String) -> Result<Status, Self::Error> {
        fs::remove_dir(path(&of)).map(|()| ok(id)).map_err(|e| refusal(&e))
    }

    async fn realpath(&mut self, id: u32, of: String) -> Result<Name, Self::Error> {
        Ok(one_name(id, &real(&path(&of))))
    }

    async fn rename(&mut self, id: u32, oldpath: String, newpath: String) -> Result<Status, Self::Error> {
        rename_without_replacing(&path(&oldpath), &path(&newpath)).map(|()| ok(id)).map_err(|e| refusal(&e))
    }

    async fn readlink(&mut self, id: u32, of: String) -> Result<Name, Self::Error> {
        let target = fs::read_link(path(&of)).map_err(|e| refusal(&e))?;
        Ok(one_name(id, &target))
    }

    /// OpenSSH sends the target first, against the draft, and every client follows it; russh-sftp names the arguments by
    /// the draft.
    async fn symlink(&mut self, id: u32, target: String, link: String) -> Result<Status, Self::Error> {
        std::os::unix::fs::symlink(target, path(&link)).map(|()| ok(id)).map_err(|e| refusal(&e))
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Result<Packet, Self::Error> {
        let request = Request::decode(&request, data).ok_or_else(|| self.unimplemented())?;
        self.extend(id, request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_real_even_before_they_exist() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(root.join("a")).unwrap();
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        assert_eq!(real(&root.join("link")), root.join("a"));
        assert_eq!(real(&root.join("a/../missing/./x")), root.join("missing/x"));
    }

    #[test]
    fn a_rename_does_not_replace() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b, c) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
        fs::write(&a, "a").unwrap();
        fs::write(&b, "b").unwrap();
        assert_eq!(rename_without_replacing(&a, &b).unwrap_err().kind(), ErrorKind::AlreadyExists);
        rename_without_replacing(&a, &c).unwrap();
        assert_eq!((fs::read_to_string(&b).unwrap(), fs::read_to_string(&c).unwrap()), ("b".into(), "a".into()));
        assert!(!a.exists());
    }

    #[test]
    fn long_names_look_like_ls() {
        let attrs = FileAttributes {
            permissions: Some(0o120_777),
            size: Some(4),
            uid: Some(1000),
            gid: Some(5),
            mtime: Some(86_400 * 3),
            ..FileAttributes::empty()
        };
        let line = long_name("x", &attrs);
        assert!(
            line.starts_with("lrwxrwxrwx    1 1000     5               4 Jan ") && line.ends_with("  1970 x"),
            "{line}"
        );
    }

    #[test]
    fn young_files_show_the_time() {
        let now = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        assert!(date(1_799_990_000, now).contains(':'));
        assert!(date(1_700_000_000, now).ends_with("  2023"));
        assert!(date(1_800_000_100, now).ends_with("  2027"));
    }
}
