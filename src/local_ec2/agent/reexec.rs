//! How to start this very program again: SFTP and socket forwarding run as the logged-in user, in a process of their own.

use std::ffi::OsString;
use std::io;

/// A command line that starts Kiln, to which a verb and its arguments are added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reexec {
    /// Program and leading arguments.
    pub command: Vec<OsString>,
}

impl Reexec {
    /// Finds out how this process was started. In a base with an older C library Kiln runs through a bound copy of the
    /// loader (`ld-linux… --library-path … kiln agent …`); the kernel's command line then has more words than ours.
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn current() -> io::Result<Self> {
        let kernel: Vec<OsString> = split_nul(&std::fs::read("/proc/self/cmdline")?);
        let own = std::env::args_os().count();
        Ok(match prefix(&kernel, own) {
            Some(command) => Self { command },
            None => Self { command: vec![std::env::current_exe()?.into()] },
        })
    }
}

/// The words before our own arguments, when there are more than our own `argv[0]`.
fn prefix(kernel: &[OsString], own: usize) -> Option<Vec<OsString>> {
    let loader_words = kernel.len().checked_sub(own).filter(|extra| *extra > 0)?;
    Some(kernel[..=loader_words].to_vec())
}

fn split_nul(bytes: &[u8]) -> Vec<OsString> {
    use std::os::unix::ffi::OsStringExt;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_is_kept() {
        let words = split_nul(b"/k/ld.so\0--library-path\0/k/lib\0/k/kiln\0agent\0--config\0/run/kiln/agent.json\0");
        assert_eq!(prefix(&words, 4).unwrap(), ["/k/ld.so", "--library-path", "/k/lib", "/k/kiln"].map(OsString::from));
        assert_eq!(prefix(&words[3..], 4), None);
    }
}
