//! Starts a session's process: as the user, in a session of its own, at home.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::libc;
use nix::sys::signal::{SigHandler, Signal};
use nix::unistd::{Gid, Uid, chdir, setgid, setgroups, setsid, setuid};
use tokio::process::{Child, Command};

use super::Shared;
use super::environment::Variables;
use crate::local_ec2::agent::accounts::Account;

/// A shell cannot trap what was ignored when it began, and the agent may have been started by something that ignores these.
const INHERITED: [Signal; 5] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGCHLD];

nix::ioctl_write_int_bad!(take_terminal, libc::TIOCSCTTY);

/// What a session runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// The login shell.
    Shell,
    /// A command line for the login shell, as the client sent it.
    Command(Vec<u8>),
    /// The SFTP server.
    Sftp,
    /// A connection to a unix socket, with the user's rights.
    ConnectUnix(PathBuf),
}

/// Where a process reads and writes.
pub enum Channels {
    /// Three pipes.
    Pipes,
    /// A terminal, which becomes the controlling one.
    Terminal(OwnedFd),
}

/// Starts `program` for `account`.
///
/// # Errors
/// When the shell is missing or the kernel refuses.
pub fn spawn(
    shared: &Shared,
    account: &Account,
    program: &Program,
    variables: Variables,
    channels: Channels,
) -> io::Result<Child> {
    let mut command = command_line(shared, account, program);
    command.env_clear().envs(variables);
    let has_terminal = matches!(channels, Channels::Terminal(_));
    match channels {
        Channels::Pipes => command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()),
        Channels::Terminal(slave) => command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave),
    };
    become_user(&mut command, account, &shared.paths.at(&account.home), has_terminal)?;
    command.spawn()
}

/// A login shell is told by the dash before its name that it is one; a shell that runs a command gets its plain name.
fn command_line(shared: &Shared, account: &Account, program: &Program) -> Command {
    let shell =
        || (Command::new(shared.paths.at(&account.shell)), account.shell.file_name().unwrap_or(OsStr::new("sh")));
    match program {
        Program::Shell => {
            let (mut command, name) = shell();
            let mut login_name = OsString::from("-");
            login_name.push(name);
            command.arg0(login_name);
            command
        }
        Program::Command(line) => {
            let (mut command, name) = shell();
            command.arg0(name).arg("-c").arg(OsString::from_vec(line.clone()));
            command
        }
        Program::Sftp => again(shared, &["--sftp".as_ref()]),
        Program::ConnectUnix(path) => again(shared, &["--connect-unix".as_ref(), path.as_os_str()]),
    }
}

fn again(shared: &Shared, arguments: &[&OsStr]) -> Command {
    let words = &shared.reexec.command;
    let mut command = Command::new(words.first().map_or(OsStr::new("kiln"), OsString::as_os_str));
    command.args(words.iter().skip(1)).arg("agent").args(arguments);
    command
}

/// The last steps before exec. Rights go last-but-one: the home may be readable by its owner only.
fn become_user(command: &mut Command, account: &Account, home: &Path, has_terminal: bool) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    let home = CString::new(home.as_os_str().as_bytes())?;
    // An agent of an ordinary user (tests) can serve that user only, and needs no change of rights.
    let is_root = nix::unistd::geteuid().is_root();
    let prepare = move || -> io::Result<()> {
        for signal in INHERITED {
            // SAFETY: SIG_DFL installs no handler.
            unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }?;
        }
        setsid()?;
        if has_terminal {
            // SAFETY: descriptor 0 is the terminal, put there before this runs.
            unsafe { take_terminal(0, 0) }?;
        }
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
        if is_root {
            setgroups(&groups)?;
            setgid(gid)?;
            setuid(uid)?;
        }
        // sshd starts at / when the home is missing.
        chdir(home.as_c_str()).or_else(|_| chdir(c"/"))?;
        Ok(())
    };
    // SAFETY: `prepare` makes system calls only; all it uses was allocated before the fork.
    unsafe { command.pre_exec(prepare) };
    Ok(())
}
