//! slirp4netns: joins an instance's network to the world without any change of the host's.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::unistd::pipe2;

/// Where the instance finds its resolver.
pub const RESOLVER: &str = "10.0.2.3";

/// The interface inside.
const DEVICE: &str = "eth0";

/// One running slirp4netns. It ends when this is dropped or when the process that holds this ends: it watches a pipe.
#[derive(Debug)]
pub struct Slirp {
    child: Child,
    _alive: OwnedFd,
    ready: OwnedFd,
}

impl Slirp {
    /// Starts it for the network namespace of `pid`.
    ///
    /// # Errors
    /// When the program can't be started.
    pub fn start(program: &Path, pid: i32, mac: &str, log: &Path) -> io::Result<Self> {
        let (exit_read, exit_write) = pipe2(OFlag::O_CLOEXEC)?;
        let (ready_read, ready_write) = pipe2(OFlag::O_CLOEXEC)?;
        for fd in [&exit_read, &ready_write] {
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
        let child = Command::new(program)
            .args(["--configure", "--mtu=65520", "--disable-host-loopback"])
            .arg(format!("--macaddress={mac}"))
            .arg(format!("--exit-fd={}", exit_read.as_raw_fd()))
            .arg(format!("--ready-fd={}", ready_write.as_raw_fd()))
            .arg(format!("--userns-path=/proc/{pid}/ns/user"))
            .args([&pid.to_string(), DEVICE])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log)?)
            .spawn()?;
        Ok(Self { child, _alive: exit_write, ready: ready_read })
    }

    /// Readable when the instance's network is up, or at end of file when slirp4netns failed.
    pub fn ready(&self) -> &OwnedFd {
        &self.ready
    }

    /// After [`Self::ready`] became readable: true when the network is up.
    pub fn is_up(&self) -> bool {
        let mut byte = [0];
        matches!(nix::unistd::read(&self.ready, &mut byte), Ok(1))
    }

    /// Ends it and waits for that.
    pub fn stop(mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks for the program in the usual places and in `path` (the form of `$PATH`).
pub fn find(path: &str) -> Option<PathBuf> {
    let usual = ["/usr/bin", "/usr/local/bin", "/usr/sbin"];
    let directories = path.split(':').filter(|d| d.starts_with('/')).chain(usual);
    directories.map(|d| Path::new(d).join("slirp4netns")).find(|p| fs::metadata(p).is_ok_and(|m| m.is_file()))
}
