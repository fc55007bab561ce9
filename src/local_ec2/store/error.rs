//! What can go wrong in the store, and the small trait that says where.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the store. Its text names the thing concerned and never repeats its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
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
    /// Text that should be a digest is not.
    #[error("digest `{0}` is not `sha256:` followed by 64 hexadecimal digits")]
    BadDigest(String),
    /// A name that would not be safe as a file name, or not readable by other tools.
    #[error("{what} `{name}` is not made of letters, digits, `.`, `_` and `-`")]
    BadName {
        /// What it names: `base` or `image`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// No blob of that digest is in the store.
    #[error("layer `{0}` is not in the store")]
    LayerMissing(String),
    /// No image of that id is in the store.
    #[error("image `{0}` is not in the store")]
    ImageMissing(String),
    /// No base of that name was added.
    #[error("base `{0}` is not in the store")]
    BaseMissing(String),
    /// A base of that name is already there.
    #[error("base `{0}` is already in the store")]
    BaseExists(String),
    /// An instance, perhaps of another process, runs on it.
    #[error("{what} `{name}` is in use by an instance")]
    InUse {
        /// `base` or `image`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Content does not have the digest that its name or manifest says.
    #[error("`{what}` should have digest {expected}, and has {found}")]
    DigestMismatch {
        /// A file name or an entry.
        what: String,
        /// What the name or manifest says.
        expected: String,
        /// What the content says.
        found: String,
    },
    /// A member of an archive that must not be, or cannot be, unpacked.
    #[error("archive member `{member}` {reason}")]
    Refused {
        /// The member's name in the archive.
        member: String,
        /// Why, as the rest of the sentence.
        reason: String,
    },
    /// A file that a layer cannot hold without losing something.
    #[error("`{}` {reason}", path.display())]
    Unrepresentable {
        /// The file.
        path: PathBuf,
        /// Why, as the rest of the sentence.
        reason: String,
    },
    /// A JSON document that does not parse, or not as what it should be.
    #[error("`{}` is not the JSON document expected there", path.display())]
    Json {
        /// The document.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A source of a base or an image that cannot be used.
    #[error("source `{source_text}` {reason}")]
    BadSource {
        /// The source as it was given.
        source_text: String,
        /// Why, as the rest of the sentence.
        reason: String,
    },
    /// A registry refused, or could not be reached.
    #[error("cannot pull `{reference}`")]
    Registry {
        /// The reference as it was given.
        reference: String,
        /// What the client said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An export of the host's own root without any mask would carry its secrets away.
    #[error("base `host` is not exported without masks: it holds this machine's secrets")]
    HostUnmasked,
    /// A worker thread died, which is a bug.
    #[error("a worker thread of the store died while it {0}")]
    Worker(&'static str),
}

/// Says what was tried on which path when an I/O call fails.
pub(super) trait At<T> {
    /// Wraps the failure as [`Error::Io`].
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action, path: path.as_ref().to_owned(), source: source.into() })
    }
}
