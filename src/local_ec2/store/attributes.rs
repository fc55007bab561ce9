//! Extended attributes: those that a layer carries, and those in which overlayfs keeps its own notes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Where overlayfs keeps its notes: the instance's mount and the unpacked layers must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverlayAttributes {
    /// `trusted.overlay.*`, what the kernel uses by default. Needs CAP_SYS_ADMIN on the host.
    Trusted,
    /// `user.overlay.*`, for mounts with the option `userxattr` inside a user namespace.
    User,
}

impl OverlayAttributes {
    /// What this process may write in `dir`.
    pub(super) fn probe(dir: &Path) -> Self {
        let name = "trusted.overlay.probe";
        match xattr::set(dir, name, b"y") {
            Ok(()) => {
                // A left-over probe says nothing to the kernel.
                let _ = xattr::remove(dir, name);
                Self::Trusted
            }
            Err(_) => Self::User,
        }
    }

    /// The attribute that makes a directory hide what lies under it.
    pub(super) fn opaque(self) -> &'static str {
        match self {
            Self::Trusted => "trusted.overlay.opaque",
            Self::User => "user.overlay.opaque",
        }
    }

    /// The note's own name, when `name` is one of overlayfs's notes in this dialect.
    pub(super) fn note(self, name: &OsStr) -> Option<&[u8]> {
        let prefix: &[u8] = match self {
            Self::Trusted => b"trusted.overlay.",
            Self::User => b"user.overlay.",
        };
        name.as_bytes().strip_prefix(prefix)
    }
}

/// Whether an attribute belongs to the file itself, on every machine. Labels of a security module belong to the
/// host's policy, `trusted.*` to the host's administrator, and overlayfs's notes to one mount.
pub(super) fn is_carried(name: &[u8]) -> bool {
    if name.starts_with(b"user.overlay.") || name.contains(&b'=') {
        return false;
    }
    name.starts_with(b"user.")
        || matches!(name, b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_attributes_of_the_file_itself_are_carried() {
        for name in ["user.note", "security.capability", "system.posix_acl_access"] {
            assert!(is_carried(name.as_bytes()), "{name}");
        }
        for name in ["user.overlay.opaque", "trusted.overlay.opaque", "trusted.x", "security.selinux", "user.a=b"] {
            assert!(!is_carried(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn notes_are_recognised_in_their_dialect() {
        let opaque = OsStr::new("user.overlay.opaque");
        assert_eq!(OverlayAttributes::User.note(opaque), Some(b"opaque".as_slice()));
        assert_eq!(OverlayAttributes::Trusted.note(opaque), None);
    }
}
