//! Reads files that a user names, whatever they are: a pipe into which nobody writes or a device without end must not
//! keep Kiln for ever or take all memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Larger files are refused: all of it is kept in memory, some of it several times.
const MAX_BYTES: u64 = 64 << 20;
/// Longest wait, in milliseconds, for somebody to write into a pipe.
const PATIENCE: u16 = 10_000;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// The bytes of a file, a pipe or a device.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for a writer without an end.
    let mut file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    let meta = file.metadata()?;
    let bytes = match meta.is_file() {
        true => {
            // One byte more than allowed tells too much from just enough.
            let mut bytes = Vec::with_capacity(usize::try_from(meta.len().min(MAX_BYTES)).unwrap_or_default() + 1);
            file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
            bytes
        }
        false => read_stream(&mut file)?,
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it has more than {} MiB; at most that is read", MAX_BYTES >> 20)));
    }
    Ok(bytes)
}

/// Reads to the end, or one piece more than is allowed.
fn read_stream(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; PIECE];
    while bytes.len() as u64 <= MAX_BYTES {
        wait(file)?;
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

fn wait(file: &File) -> io::Result<()> {
    loop {
        match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], PollTimeout::from(PATIENCE)) {
            Ok(0) => {
                break Err(io::Error::other(format!("nothing was written into it for {} seconds", PATIENCE / 1000)));
            }
            Ok(_) => break Ok(()),
            // To read now would look like the end of a pipe that nobody has opened for writing yet.
            Err(nix::Error::EINTR) => {}
            Err(error) => break Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices() {
        assert_eq!(read(Path::new("/dev/null")).unwrap(), b"");
        assert!(read(Path::new("/dev/zero")).unwrap_err().to_string().contains("64 MiB"));
        assert_eq!(read(Path::new("/")).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn pipes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let writer = std::thread::spawn({
            let path = path.clone();
            move || std::fs::write(path, vec![b'x'; 1 << 20]).unwrap()
        });
        assert_eq!(read(&path).unwrap().len(), 1 << 20);
        writer.join().unwrap();
    }
}
