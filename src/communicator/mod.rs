//! Talking to the machine that is being built: run a command, move files. One trait, one folder or file per protocol.

pub mod none;
pub mod nowhere;
pub mod ssh;

use std::path::Path;

use async_trait::async_trait;

/// How a remote command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It ended by itself with this status. A command killed by signal n reports 128 + n, as a shell does.
    Status(u32),
    /// The connection was lost before a status came (a reboot, a dropped link).
    Disconnected,
}

/// Takes the output of a command as it arrives, in chunks that need not end at line ends.
pub trait Output: Send {
    /// Bytes from standard output.
    fn stdout(&mut self, bytes: &[u8]);
    /// Bytes from standard error.
    fn stderr(&mut self, bytes: &[u8]);
}

/// What failed between us and the machine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection could be made or re-made in time.
    #[error("connect to {target}: {reason}")]
    Connect { target: String, reason: String },
    /// The machine refused every credential that was offered.
    #[error("authenticate as `{user}` at {target}: {reason}")]
    Authenticate { user: String, target: String, reason: String },
    /// The machine's host key is not the one that was pinned.
    #[error("host key of {target} changed: expected {expected}, got {found}")]
    HostKey { target: String, expected: String, found: String },
    /// A transfer failed; the connection itself stands.
    #[error("{what}: {reason}")]
    Transfer { what: String, reason: String },
    /// The connection was lost in the middle of a transfer.
    #[error("{what}: connection lost")]
    Lost { what: String },
    /// The communicator cannot do this (`none`).
    #[error("{0} is not implemented when communicator = 'none'")]
    Unsupported(&'static str),
    /// A local file could not be read or written.
    #[error("{path}: {reason}")]
    Local { path: String, reason: String },
}

/// A session with the machine. Every method re-makes a lost session before it starts, and is safe to drop (cancel) at any await.
#[async_trait]
pub trait Communicator: Send + Sync {
    /// Runs a command by the user's login shell and streams what it writes.
    async fn execute(&self, command: &str, output: &mut dyn Output) -> Result<Exit, Error>;

    /// Uploads one file to exactly `remote` with these permission bits.
    async fn upload(&self, local: &Path, remote: &str, mode: u32) -> Result<(), Error>;

    /// Uploads bytes to exactly `remote` with these permission bits.
    async fn upload_bytes(&self, bytes: &[u8], remote: &str, mode: u32) -> Result<(), Error>;

    /// Uploads a directory's contents into `remote`, which is created when missing. Modes are kept; links are followed.
    async fn upload_dir(&self, local: &Path, remote: &str) -> Result<(), Error>;

    /// Downloads one file.
    async fn download(&self, remote: &str, local: &Path) -> Result<(), Error>;

    /// Downloads a directory's contents into `local`, which is created when missing.
    async fn download_dir(&self, remote: &str, local: &Path) -> Result<(), Error>;

    /// True when `remote` is an existing directory.
    async fn is_dir(&self, remote: &str) -> Result<bool, Error>;

    /// Drops the session, so that the next call makes a new one (after a reboot was asked for).
    async fn disconnect(&self);
}
