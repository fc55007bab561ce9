//! The way to an instance's agent: a unix socket in a directory that the instance can write to, and so must not be trusted to be one.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// Its name in the shared directory.
const NAME: &str = "agent.sock";

/// A connection to the agent of the instance whose shared directory this is.
///
/// The instance's root may put anything in its place, for one a link to a socket of the host's. So it is opened without following links, checked, and
/// reached through its descriptor, which is also short enough for any directory (a socket's path may have 107 bytes).
///
/// # Errors
/// When nobody listens there yet, or it is no socket.
pub async fn connect(shared: &Path) -> io::Result<UnixStream> {
    let socket = open(&shared.join(NAME))?;
    UnixStream::connect(format!("/proc/self/fd/{}", socket.as_raw_fd())).await
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(path)?;
    match file.metadata()?.file_type().is_socket() {
        true => Ok(file),
        false => Err(io::Error::new(ErrorKind::NotFound, "what the instance has there is no socket")),
    }
}

/// True when an SSH server answers: the agent greets as soon as it serves.
pub async fn answers(shared: &Path) -> bool {
    let Ok(mut stream) = connect(shared).await else { return false };
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting).await.is_ok() && greeting == *b"SSH-"
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn a_greeting_is_an_answer_and_a_link_is_not() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!answers(dir.path()).await);
        let listener = UnixListener::bind(dir.path().join("elsewhere")).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(b"SSH-2.0-x\r\n").await.unwrap();
            }
        });
        symlink(dir.path().join("elsewhere"), dir.path().join(NAME)).unwrap();
        assert!(!answers(dir.path()).await);
        std::fs::remove_file(dir.path().join(NAME)).unwrap();
        std::fs::hard_link(dir.path().join("elsewhere"), dir.path().join(NAME)).unwrap();
        assert!(answers(dir.path()).await);
    }
}
