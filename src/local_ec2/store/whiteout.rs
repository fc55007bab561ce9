//! How a layer archive says that something is deleted: an empty file whose name begins with `.wh.`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

const PREFIX: &[u8] = b".wh.";
/// In a directory: nothing of what lower layers have there shows.
pub(super) const OPAQUE: &[u8] = b".wh..wh..opq";

/// What a name in an archive says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// A file of that name.
    File,
    /// The file of this name is deleted.
    Deleted(&'a OsStr),
    /// The directory hides what is under it.
    Opaque,
    /// A note of AUFS, which nobody needs.
    Ignored,
}

/// Reads a name.
pub(super) fn meaning(name: &[u8]) -> Meaning<'_> {
    match name.strip_prefix(PREFIX) {
        None => Meaning::File,
        Some(_) if name == OPAQUE => Meaning::Opaque,
        Some(rest) if rest.starts_with(PREFIX) => Meaning::Ignored,
        Some(rest) => Meaning::Deleted(OsStr::from_bytes(rest)),
    }
}

/// Whether a file of this name would be read as something else.
pub(super) fn is_marker(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
}

/// The name that deletes `name`.
pub(super) fn marker(name: &OsStr) -> OsString {
    OsString::from_vec([PREFIX, name.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_meanings() {
        let cases: [(&[u8], Meaning<'_>); 4] = [
            (b".wh", Meaning::File),
            (b".wh.a", Meaning::Deleted(OsStr::new("a"))),
            (b".wh..wh..opq", Meaning::Opaque),
            (b".wh..wh.plnk", Meaning::Ignored),
        ];
        for (name, expected) in cases {
            assert_eq!(meaning(name), expected);
        }
        assert_eq!(marker(OsStr::new("a")), ".wh.a");
    }
}
