//! Why an instance does not boot.

use std::io;
use std::path::{Path, PathBuf};

/// What went wrong in the boot process.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The file system refused something.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel, or the container that Kiln itself is in, does not allow it.
    #[error(
        "namespaces are refused here: {what} (run as root on Linux 5.19 or later; in a container, with `--privileged`)"
    )]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The container runtime failed.
    #[error("cannot {action} the container")]
    Container {
        /// What was tried, as a verb.
        action: &'static str,
        /// What it said.
        source: Box<libcontainer::error::LibcontainerError>,
    },
    /// Kiln went away or said something unintelligible.
    #[error("the connection to kiln failed")]
    Connection(#[source] io::Error),
}

/// Says what was tried on which path when an I/O call fails.
pub(super) trait At<T> {
    /// Wraps the failure as [`BootError::Io`].
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, BootError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, BootError> {
        self.map_err(|source| BootError::Io { action, path: path.as_ref().to_owned(), source: source.into() })
    }
}

/// An error and all its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // libcontainer's errors repeat their sources.
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
