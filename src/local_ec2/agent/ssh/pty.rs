//! Pseudo-terminals: made with the client's size and modes, owned by the user.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use nix::fcntl::OFlag;
use nix::libc;
use nix::pty::{Winsize, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{self, SetArg};
use nix::unistd::{Gid, Uid};
use russh::Pty as Mode;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::terminal_modes;
use crate::local_ec2::agent::accounts::{Account, group_id};
use crate::local_ec2::agent::paths::Paths;

nix::ioctl_write_ptr_bad!(set_window_size, libc::TIOCSWINSZ, Winsize);

/// A terminal's size in characters and pixels, as SSH sends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: u32,
    /// Rows.
    pub rows: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl From<Size> for Winsize {
    fn from(size: Size) -> Self {
        let clip = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
        Winsize {
            ws_col: clip(size.columns),
            ws_row: clip(size.rows),
            ws_xpixel: clip(size.width),
            ws_ypixel: clip(size.height),
        }
    }
}

/// A terminal whose slave side no process has taken yet.
pub struct Terminal {
    /// Our side.
    pub master: Master,
    /// The process's side.
    pub slave: OwnedFd,
    /// Name of the slave, `/dev/pts/N`.
    pub name: PathBuf,
    /// The client's `TERM`.
    pub term: String,
}

impl Terminal {
    /// Opens a terminal for `account`.
    ///
    /// # Errors
    /// When the kernel has no more of them, or none at all.
    pub fn open(paths: &Paths, account: &Account, term: &str, size: Size, modes: &[(Mode, u32)]) -> io::Result<Self> {
        // Not openpty: its descriptors would be inherited by a user data script that starts at this moment.
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = PathBuf::from(ptsname_r(&master)?);
        let slave = fs::OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(&name)?.into();
        let mut settings = termios::tcgetattr(&slave)?;
        terminal_modes::apply(&mut settings, modes);
        termios::tcsetattr(&slave, SetArg::TCSANOW, &settings)?;
        give_to(paths, &slave, account)?;
        // SAFETY: into_raw_fd gives up the descriptor's only owner, which from_raw_fd then is.
        let master = Master::new(unsafe { OwnedFd::from_raw_fd(master.into_raw_fd()) })?;
        master.resize(size)?;
        Ok(Self { master, slave, name, term: term.to_owned() })
    }
}

/// Owned by the user and group `tty`, mode 0620, as login does. An agent that is not root leaves it as it is.
fn give_to(paths: &Paths, slave: &OwnedFd, account: &Account) -> io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let group = group_id(paths, "tty").unwrap_or(account.gid);
    nix::unistd::fchown(slave, Some(Uid::from_raw(account.uid)), Some(Gid::from_raw(group)))?;
    nix::sys::stat::fchmod(slave, nix::sys::stat::Mode::from_bits_truncate(0o620))?;
    Ok(())
}

/// The master side of a terminal. Clones share it; the terminal hangs up when the last one is dropped.
#[derive(Clone)]
pub struct Master(Arc<AsyncFd<OwnedFd>>);

impl Master {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        // SAFETY: an owned descriptor is open and stays the same one until it is dropped, which `AsyncFd` sees to.
        let fd = unsafe { AsyncFd::register(fd) }?;
        Ok(Self(Arc::new(fd)))
    }

    /// Changes the size, which sends SIGWINCH to the foreground processes.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resize(&self, size: Size) -> io::Result<()> {
        let size = Winsize::from(size);
        // SAFETY: the descriptor is open as long as `self`, and `size` is the struct that TIOCSWINSZ reads.
        unsafe { set_window_size(self.0.as_raw_fd(), &size) }?;
        Ok(())
    }
}

impl AsyncRead for Master {
    /// A terminal whose slave side is closed fails with EIO; that is its end of file.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let attempt = guard.try_io(|fd| Ok(nix::unistd::read(fd.get_ref(), buffer.initialize_unfilled())?));
            match attempt {
                Ok(Ok(length)) => {
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EIO) => return Poll::Ready(Ok(())),
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Master {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            if let Ok(result) = guard.try_io(|fd| Ok(nix::unistd::write(fd.get_ref().as_fd(), data)?)) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// A terminal has no half that could be closed: the end of input is typed (control-D), as with sshd.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
