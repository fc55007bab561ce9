//! What provisioners that run scripts on the machine share: one script on its way there, the tries until it has started, and what its end means.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::communicator::{Error, Exit};
use crate::engine::Cause;
use crate::engine::wait::{Pace, Probe, WaitError, until};
use crate::hcl::duration::GoDuration;
use crate::scripts::{random_number, refused};

use super::Context;

/// How long an upload or a lost connection is tried again, unless the template says otherwise.
pub const START_RETRY: Duration = Duration::from_secs(5 * 60);
/// Pace of those tries. Packer looks every 2 s; a guest that comes back is noticed sooner here.
pub const PACE: Pace = Pace::millis(100, 2000);

/// Why a script did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It ended with a code that is not allowed.
    #[error("{0}")]
    Exit(String),
    /// The connection went while it ran.
    #[error(
        "Script disconnected unexpectedly. If you expected your script to disconnect, i.e. from a restart, you can try adding `\"expect_disconnect\": true` or `\"valid_exit_codes\": [0, 2300218]` to the shell provisioner parameters."
    )]
    Disconnected,
    /// It could not be brought to the machine.
    #[error("Error uploading script")]
    Upload(#[source] Error),
    /// The local file could not be read.
    #[error("read script {path}")]
    Read { path: String, source: std::io::Error },
    /// It could not be removed afterwards.
    #[error("Error removing temporary script at {path}")]
    Clean { path: String, source: Cause },
}

/// A script on its way to the machine.
pub struct Script {
    /// How people are told of it.
    pub label: String,
    /// Its text.
    pub bytes: Vec<u8>,
}

impl Script {
    /// The script in a local file.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let label = file.display().to_string();
        let bytes = std::fs::read(file).map_err(|source| Failure::Read { path: label.clone(), source })?;
        Ok(Self { label, bytes })
    }

    /// A script whose lines are in the template. Its name is that of Packer's temporary file, by which people know it.
    pub fn inline(prefix: &str, text: String) -> Self {
        let label = std::env::temp_dir().join(format!("{prefix}{}", random_number())).display().to_string();
        Self { label, bytes: text.into_bytes() }
    }

    /// The inline script, or else the files.
    pub fn all(inline: Option<Self>, files: &[PathBuf]) -> Result<Vec<Self>, Failure> {
        match inline {
            Some(script) => Ok(vec![script]),
            None => files.iter().map(|file| Self::read(file)).collect(),
        }
    }
}

/// Uploads a script and runs the command that starts it; both again after a lost connection, until `limit` has passed.
pub async fn upload_and_run(
    context: &Context<'_>,
    limit: Duration,
    (bytes, path): (&[u8], &str),
    command: &str,
) -> Result<Exit, Failure> {
    let run = retried(limit, async || {
        context.communicator.upload_bytes(bytes, path, 0o755).await?;
        context.run(command).await
    });
    run.await.map_err(Failure::Upload)
}

/// Refuses an end that is not among the allowed codes. A lost connection has none.
pub fn check_exit(exit: Exit, allowed: &[u32]) -> Result<(), Failure> {
    match exit {
        Exit::Disconnected => Err(Failure::Disconnected),
        Exit::Status(status) => refused(status, allowed).map_or(Ok(()), |text| Err(Failure::Exit(text))),
    }
}

/// Tries again what a reboot or a slow start can break, until `limit` has passed.
pub async fn retried<T>(limit: Duration, call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let last = std::cell::RefCell::new(None);
    let probe = async || match call().await {
        Ok(value) => Ok(Probe::Ready(value)),
        Err(error @ (Error::Unsupported(_) | Error::Local { .. } | Error::HostKey { .. })) => Err(error),
        Err(error) => {
            let text = error.to_string();
            *last.borrow_mut() = Some(error);
            Ok(Probe::NotYet(text, None))
        }
    };
    match until(PACE, Some(limit), probe, |_, _| ()).await {
        Ok(value) => Ok(value),
        Err(WaitError::Hopeless(error)) => Err(error),
        Err(WaitError::TimedOut { last: text, .. }) => Err(last.take().unwrap_or(Error::Lost { what: text })),
    }
}

/// The pause that a template asks for after success.
pub async fn pause_after(context: &Context<'_>, pause: Option<GoDuration>) {
    if let Some(pause) = pause.map(Duration::from).filter(|pause| !pause.is_zero()) {
        context.events().say(format!("Pausing {} after this provisioner...", GoDuration::from(pause)));
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_no_exit_code() {
        assert!(check_exit(Exit::Status(3), &[0, 3]).is_ok());
        assert!(check_exit(Exit::Status(3), &[]).unwrap_err().to_string().contains("status: 3"));
        assert!(check_exit(Exit::Disconnected, &[0]).unwrap_err().to_string().contains("disconnected"));
    }

    #[tokio::test]
    async fn what_no_try_can_mend_is_tried_once() {
        let tries = std::cell::Cell::new(0);
        let call = async || {
            tries.set(tries.get() + 1);
            Err::<(), _>(if tries.get() < 3 { Error::Lost { what: "x".into() } } else { Error::Unsupported("Upload") })
        };
        assert!(matches!(retried(Duration::from_secs(60), call).await, Err(Error::Unsupported(_))));
        assert_eq!(tries.get(), 3);
    }
}
