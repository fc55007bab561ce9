//! The hidden verb `instance-init`: the first process of an instance whose root has no systemd. It runs the agent, reaps orphans, and ends the machine.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::time::{Instant, sleep_until, timeout};

/// How long processes have between the polite and the final signal.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long before an agent that ended is started again.
const PAUSE: Duration = Duration::from_millis(100);

/// How the machine is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    PowerOff,
    Restart,
}

/// Runs as the first process; `args` are `-- COMMAND…`, the agent.
pub fn main(args: &[OsString]) -> ExitCode {
    // It ends everybody but itself when it ends: not a thing to start by hand.
    if std::process::id() != 1 {
        let _ = writeln!(io::stderr(), "kiln-init: not the first process of an instance");
        return ExitCode::FAILURE;
    }
    let command: Vec<OsString> = args.iter().skip_while(|a| *a == "--").cloned().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(live(&command))) {
        Ok(end) => finish(end),
        Err(error) => {
            let _ = writeln!(io::stderr(), "kiln-init: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The signals that end the machine. The real-time ones are systemd's; the others are what the `poweroff`, `halt` and `reboot` of busybox send.
struct Signals {
    children: Stream,
    power_off: [Stream; 3],
    restart: [Stream; 3],
}

impl Signals {
    fn new() -> io::Result<Self> {
        let real_time = |n: i32| signal(SignalKind::from_raw(libc::SIGRTMIN() + n));
        Ok(Self {
            children: signal(SignalKind::child())?,
            power_off: [real_time(4)?, signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
            restart: [real_time(5)?, signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?],
        })
    }

    async fn end(power_off: &mut [Stream; 3], restart: &mut [Stream; 3]) -> End {
        let [a, b, c] = power_off;
        let [d, e, f] = restart;
        tokio::select! {
            _ = a.recv() => End::PowerOff,
            _ = b.recv() => End::PowerOff,
            _ = c.recv() => End::PowerOff,
            _ = d.recv() => End::Restart,
            _ = e.recv() => End::Restart,
            _ = f.recv() => End::Restart,
        }
    }
}

async fn live(command: &[OsString]) -> io::Result<End> {
    let mut signals = Signals::new()?;
    let mut agent = start(command);
    let mut again = Instant::now();
    let end = loop {
        let Signals { children, power_off, restart } = &mut signals;
        tokio::select! {
            end = Signals::end(power_off, restart) => break end,
            _ = children.recv() => {
                if reap(agent) {
                    agent = None;
                    again = Instant::now() + PAUSE;
                }
            }
            () = sleep_until(again), if agent.is_none() => {
                agent = start(command);
                again = Instant::now() + PAUSE;
            }
        }
    };
    // To all but this one: -1 means everybody in the pid namespace.
    let _ = kill(Pid::from_raw(-1), Signal::SIGTERM);
    let all_gone = async {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => drop(signals.children.recv().await),
                Err(Errno::ECHILD) => break,
                _ => {}
            }
        }
    };
    // Those that did not go in time get no choice.
    let _ = timeout(PATIENCE, all_gone).await;
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    Ok(end)
}

fn start(command: &[OsString]) -> Option<u32> {
    let (program, args) = command.split_first()?;
    match Command::new(program).args(args).spawn() {
        Ok(child) => Some(child.id()),
        Err(error) => {
            let _ = writeln!(io::stderr(), "kiln-init: cannot start {}: {error}", program.to_string_lossy());
            None
        }
    }
}

/// Reaps all that ended; true when the agent was among them.
fn reap(agent: Option<u32>) -> bool {
    let mut agent_ended = false;
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        let Some(pid) = status.pid() else { break };
        agent_ended |= agent == Some(pid.as_raw().cast_unsigned());
    }
    agent_ended
}

/// In a pid namespace of its own this ends the first process, with a signal that tells which it was.
fn finish(end: End) -> ExitCode {
    let how = match end {
        End::PowerOff => libc::RB_POWER_OFF,
        End::Restart => libc::RB_AUTOBOOT,
    };
    nix::unistd::sync();
    // SAFETY: takes a plain number. Refused (and then the exit below ends the machine) without CAP_SYS_BOOT in this user namespace.
    unsafe { libc::reboot(how) };
    ExitCode::SUCCESS
}

/// The commands that Kiln lends: `poweroff`, `halt`, `reboot`, `shutdown [-h|-r|-P] [now]`. They tell the first process.
pub fn ask(name: &str, args: &[OsString]) -> ExitCode {
    if !Path::new("/run/kiln/agent.json").exists() {
        let _ = writeln!(io::stderr(), "{name}: not in an instance of kiln");
        return ExitCode::FAILURE;
    }
    let number = match wanted(name, args) {
        End::PowerOff => 4,
        End::Restart => 5,
    };
    // SAFETY: plain numbers; the first process of this pid namespace is meant.
    match unsafe { libc::kill(1, libc::SIGRTMIN() + number) } {
        0 => ExitCode::SUCCESS,
        _ => {
            let _ = writeln!(io::stderr(), "{name}: {}", io::Error::last_os_error());
            ExitCode::FAILURE
        }
    }
}

fn wanted(name: &str, args: &[OsString]) -> End {
    let restarts = name == "reboot" || args.iter().any(|a| a == "-r" || a == "--reboot");
    if restarts { End::Restart } else { End::PowerOff }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_say_how_to_end() {
        let args = |text: &str| text.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        for (name, line, end) in [
            ("poweroff", "", End::PowerOff),
            ("reboot", "", End::Restart),
            ("shutdown", "-r now", End::Restart),
            ("shutdown", "-h now", End::PowerOff),
            ("halt", "", End::PowerOff),
        ] {
            assert_eq!(wanted(name, &args(line)), end, "{name} {line}");
        }
    }
}
