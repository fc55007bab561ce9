//! A program in a process group of its own, which goes as a whole when nobody waits for it any more.

use std::io;
use std::process::ExitStatus;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// A running program and all that it started, as far as they stayed in its group.
///
/// Dropped before [`Group::wait`] came back (a cancelled build, a timeout), it is killed with all that it started. The
/// terminal's own signals do not reach the group: Kiln gets them, cancels, and so drops it.
pub struct Group(Child);

impl Group {
    /// Starts the program as the leader of a new group.
    pub fn start(mut command: Command) -> io::Result<Self> {
        command.process_group(0).kill_on_drop(true).spawn().map(Self)
    }

    /// Its standard output and standard error, where they are pipes. They can be taken once.
    pub fn streams(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.0.stdout.take(), self.0.stderr.take())
    }

    /// Waits for the program itself; what it left running in the background goes on.
    ///
    /// To be called when its output has ended: until then the leader must keep its number, which is the group's, too.
    pub async fn wait(mut self) -> io::Result<ExitStatus> {
        self.0.wait().await
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // There is no number any more when the leader was waited for: then its group is its own business.
        if let Some(leader) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            // Fails only when nobody is left in the group.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}
