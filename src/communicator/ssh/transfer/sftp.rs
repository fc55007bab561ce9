//! The SFTP subsystem, with many requests under way at once.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh_sftp::client::{Config, SftpSession, error::Error as SftpError};
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::stream::Target;
use super::tree::utf8;
use super::walk::{Kind, Tree};
use super::{Content, Progress, blocking, ended, local_error, safe_name};
use crate::communicator::Error;
use crate::communicator::ssh::link::Link;
use crate::communicator::ssh::script::split_home;
use crate::communicator::ssh::session::InUse;

/// Requests of 32 KiB under way for one file: the 2 MiB that an OpenSSH server's window holds.
const REQUESTS: usize = 64;
/// Small files cost round trips, not bytes: this many are on their way together.
const FILES: usize = 16;
/// A request waits for all those before it.
const REQUEST_TIMEOUT_S: u64 = 60;
/// Received bytes are written in portions of this size.
const PORTION: usize = 1 << 20;

/// An SFTP session on a channel of its own.
#[derive(Clone)]
struct Sftp {
    client: Arc<SftpSession>,
    /// The connection it is on, to tell a lost one from a refusal.
    session: Arc<InUse>,
}

impl Sftp {
    async fn open(link: &Link, what: &str) -> Result<Self, Error> {
        let (session, channel) = link.channel().await?;
        let config = Config {
            max_concurrent_reads: REQUESTS,
            max_concurrent_writes: REQUESTS,
            request_timeout_secs: REQUEST_TIMEOUT_S,
            ..Config::default()
        };
        let opened = async {
            channel.request_subsystem(true, "sftp").await.map_err(|e| e.to_string())?;
            SftpSession::new_with_config(channel.into_stream(), config).await.map_err(|e| e.to_string())
        };
        match opened.await {
            Ok(client) => Ok(Self { client: Arc::new(client), session: Arc::new(session) }),
            Err(_) if session.0.handle.is_closed() => Err(Error::Lost { what: what.to_owned() }),
            Err(reason) => {
                let reason = format!("the machine does not serve SFTP: {reason}");
                Err(Error::Transfer { what: what.to_owned(), reason })
            }
        }
    }

    fn error(&self, what: &str, error: impl std::fmt::Display) -> Error {
        if self.session.0.handle.is_closed() {
            return Error::Lost { what: what.to_owned() };
        }
        Error::Transfer { what: what.to_owned(), reason: error.to_string() }
    }

    async fn is_dir(&self, remote: &str) -> Result<Option<bool>, SftpError> {
        match self.client.metadata(remote).await {
            Ok(found) => Ok(Some(file_type(&found) == DIR)),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends one file.
    async fn send(&self, content: Content, remote: &str, mode: u32, mut progress: Progress) -> Result<(), Error> {
        let what = format!("upload {remote}");
        let ready = content.open().await?;
        let size = ready.size;
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let made = self.client.open_with_flags_and_attributes(remote, flags, permissions(mode)).await;
        let mut file = made.map_err(|e| self.error(&what, e))?;
        let mut feed = ready.start();
        while let Some(chunk) = feed.next().await {
            progress.add(chunk.len());
            file.write_all(&chunk).await.map_err(|e| self.error(&what, e))?;
        }
        feed.end().await?;
        // The mode of an existing file is not set by opening it, and that of a new one is subject to the umask.
        file.flush().await.map_err(|e| self.error(&what, e))?;
        let found = file.metadata().await.map_err(|e| self.error(&what, e))?;
        if file_type(&found) == FILE {
            file.set_metadata(permissions(mode)).await.map_err(|e| self.error(&what, e))?;
            if found.size != Some(size) {
                return Err(self.error(&what, format!("{} of {size} bytes arrived", found.size.unwrap_or(0))));
            }
        }
        file.close().await.map_err(|e| self.error(&what, e))
    }

    /// Makes a directory unless it is there, open to us for now; remembers it in `made`.
    async fn make_dir(&self, remote: &str, mode: u32, made: &mut Vec<(String, u32)>) -> Result<(), Error> {
        let what = format!("make {remote}");
        match self.is_dir(remote).await.map_err(|e| self.error(&what, e))? {
            Some(true) => Ok(()),
            Some(false) => Err(self.error(&what, "is not a directory on the machine")),
            None => {
                self.client.create_dir(remote).await.map_err(|e| self.error(&what, e))?;
                made.push((remote.to_owned(), mode));
                self.set_mode(remote, mode | 0o700).await
            }
        }
    }

    async fn set_mode(&self, remote: &str, mode: u32) -> Result<(), Error> {
        let set = self.client.set_metadata(remote, permissions(mode)).await;
        set.map_err(|e| self.error(&format!("set the mode of {remote}"), e))
    }

    /// Makes a directory and those above it.
    async fn make_dirs(&self, remote: &str, mode: u32, made: &mut Vec<(String, u32)>) -> Result<(), Error> {
        let mut missing = Vec::new();
        let mut dir = Path::new(remote);
        while !dir.as_os_str().is_empty() {
            let name = utf8(dir)?;
            if self.is_dir(name).await.map_err(|e| self.error(&format!("make {name}"), e))?.is_some() {
                break;
            }
            missing.push(name);
            let Some(parent) = dir.parent() else { break };
            dir = parent;
        }
        for (above, name) in missing.iter().enumerate().rev() {
            self.make_dir(name, if above == 0 { mode } else { 0o755 }, made).await?;
        }
        // Says so if it is there but no directory.
        self.make_dir(remote, mode, made).await
    }

    /// Receives one file.
    async fn receive(&self, remote: &str, local: &Path, mut progress: Progress) -> Result<u32, Error> {
        let what = format!("download {remote}");
        let mut file = self.client.open(remote).await.map_err(|e| self.error(&what, e))?;
        let found = file.metadata().await.map_err(|e| self.error(&what, e))?;
        if file_type(&found) == DIR {
            return Err(self.error(&what, "is a directory on the machine"));
        }
        let mut target = Target::create(local)?;
        loop {
            let mut portion = Vec::new();
            let mut part = (&mut file).take(PORTION as u64);
            let read = part.read_to_end(&mut portion).await.map_err(|e| self.error(&what, e))?;
            if read == 0 {
                break;
            }
            progress.add(read);
            target = blocking(move || target.fill(&mut &portion[..]).map(|()| target)).await?;
        }
        target.keep()?;
        Ok(found.permissions.unwrap_or(0o644) & 0o777)
    }
}

const DIR: u32 = 0o040_000;
const FILE: u32 = 0o100_000;

/// The file type bits. (The crate's own `is_regular` looks at one bit only, which links have too.)
fn file_type(attributes: &FileAttributes) -> u32 {
    const TYPE_BITS: u32 = 0o170_000;
    attributes.permissions.unwrap_or(0) & TYPE_BITS
}

fn permissions(mode: u32) -> FileAttributes {
    FileAttributes { permissions: Some(mode), ..FileAttributes::empty() }
}

/// SFTP paths are not expanded by anybody: relative ones start at home.
fn server_path(remote: &str) -> &str {
    match split_home(remote) {
        (Some("~"), "") => ".",
        (Some("~"), rest) => rest,
        _ => remote,
    }
}

/// Uploads to exactly `remote`.
pub(super) async fn upload(link: &Link, content: Content, remote: &str, mode: u32) -> Result<(), Error> {
    let what = format!("upload {remote}");
    let remote = server_path(remote);
    let sftp = Sftp::open(link, &what).await?;
    if sftp.is_dir(remote).await.map_err(|e| sftp.error(&what, e))? == Some(true) {
        return Err(sftp.error(&what, "is a directory on the machine"));
    }
    sftp.send(content, remote, mode, Progress::new(link, &what, None)).await
}

/// Uploads the tree into `remote`.
pub(super) async fn upload_dir(link: &Link, tree: Tree, remote: &str) -> Result<(), Error> {
    let sftp = Sftp::open(link, &format!("upload {} to {remote}", tree.root.display())).await?;
    let base = server_path(remote).trim_end_matches('/');
    let base = if base.is_empty() { "/" } else { base };
    let (mut jobs, mut made) = (VecDeque::new(), Vec::new());
    sftp.make_dirs(base, tree.mode, &mut made).await?;
    for entry in &tree.entries {
        let target = format!("{}/{}", base.trim_end_matches('/'), utf8(&entry.name)?);
        match entry.kind {
            Kind::Dir => sftp.make_dir(&target, entry.mode, &mut made).await?,
            Kind::File { .. } => {
                let (sftp, content) = (sftp.clone(), Content::File(tree.root.join(&entry.name)));
                let (mode, progress) = (entry.mode, Progress::new(link, &format!("upload {target}"), None));
                jobs.push_back(async move { sftp.send(content, &target, mode, progress).await });
            }
        }
    }
    together(jobs).await?;
    // Only directories that closed us out still have another mode than they should.
    for (dir, mode) in made.iter().rev().filter(|(_, mode)| mode & 0o700 != 0o700) {
        sftp.set_mode(dir, *mode).await?;
    }
    Ok(())
}

/// Runs jobs, a limited number at a time, until all are done or one fails.
async fn together<F>(mut jobs: VecDeque<F>) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let mut running = JoinSet::new();
    loop {
        while running.len() < FILES {
            let Some(job) = jobs.pop_front() else { break };
            running.spawn(job);
        }
        match running.join_next().await {
            Some(done) => done.unwrap_or_else(|e| Err(ended(&e)))?,
            None => return Ok(()),
        }
    }
}

/// Downloads one file.
pub(super) async fn download(link: &Link, remote: &str, local: &Path) -> Result<(), Error> {
    let what = format!("download {remote}");
    let sftp = Sftp::open(link, &what).await?;
    sftp.receive(server_path(remote), local, Progress::new(link, &what, None)).await.map(drop)
}

/// Downloads what is in `remote` into `local`.
pub(super) async fn download_dir(link: &Link, remote: &str, local: &Path) -> Result<(), Error> {
    let what = format!("download {remote}");
    let sftp = Sftp::open(link, &what).await?;
    let base = server_path(remote).trim_end_matches('/');
    let (mut dirs, mut modes, mut jobs) = (VecDeque::from([PathBuf::new()]), Vec::new(), VecDeque::new());
    while let Some(dir) = dirs.pop_front() {
        let listed = sftp.client.read_dir(format!("{base}/{}", utf8(&dir)?)).await.map_err(|e| sftp.error(&what, e))?;
        for found in listed {
            let name = dir.join(one_name(&what, &found.file_name())?);
            let (from, to) = (format!("{base}/{}", utf8(&name)?), local.join(&name));
            let mut metadata = found.metadata();
            if !matches!(file_type(&metadata), DIR | FILE) {
                // What a link leads to is wanted.
                let followed = sftp.client.metadata(&from).await;
                metadata = followed.map_err(|e| sftp.error(&format!("download {from}"), e))?;
            }
            if file_type(&metadata) == DIR {
                refuse_depth(&what, &name)?;
                fs::create_dir_all(&to).map_err(|e| local_error(&to, &e))?;
                modes.push((to, metadata.permissions.unwrap_or(0o755) & 0o777));
                dirs.push_back(name);
            } else {
                let (sftp, progress) = (sftp.clone(), Progress::new(link, &format!("download {from}"), metadata.size));
                jobs.push_back(async move {
                    let mode = sftp.receive(&from, &to, progress).await?;
                    set_mode(&to, mode)
                });
            }
        }
    }
    together(jobs).await?;
    // Innermost first, and after the files: a mode may close a directory to us.
    modes.iter().rev().try_for_each(|(dir, mode)| set_mode(dir, *mode))
}

/// A link to a directory above it never ends.
fn refuse_depth(what: &str, name: &Path) -> Result<(), Error> {
    const DEEPEST: usize = 100;
    if name.components().count() <= DEEPEST {
        return Ok(());
    }
    let reason = format!("{} is {DEEPEST} directories deep, probably by a link to itself", name.display());
    Err(Error::Transfer { what: what.to_owned(), reason })
}

/// A single name from the machine.
fn one_name(what: &str, name: &str) -> Result<PathBuf, Error> {
    let safe = safe_name(Path::new(name))?;
    if name.contains('/') || safe.as_os_str().is_empty() {
        let reason = format!("the machine sent the name `{name}`, which is not acceptable");
        return Err(Error::Transfer { what: what.to_owned(), reason });
    }
    Ok(safe)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|e: io::Error| local_error(path, &e))
}

/// Whether `remote` is a directory.
pub(super) async fn is_dir(link: &Link, remote: &str) -> Result<bool, Error> {
    let what = format!("look at {remote}");
    let sftp = Sftp::open(link, &what).await?;
    let found = sftp.is_dir(server_path(remote)).await.map_err(|e| sftp.error(&what, e))?;
    Ok(found == Some(true))
}
