//! The hidden verb `instance-boot SPEC`: the small single-threaded process that boots one instance and stays with it.
//!
//! libcontainer forks, so it can't be called from a process with threads. This process leaves the host's mount namespace first, assembles the root
//! there, makes the container, and then waits: for commands, for the console, for the end. Kiln's end is the end of its standard input, its own end
//! reaches the instance as a parent-death signal, so whoever is killed, nothing runs on.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::cgroup::Cgroups;
use super::console::ConsoleLog;
use super::container::{self, Created};
use super::error::{At, BootError, chain};
use super::layout::InstanceDir;
use super::protocol::{BootSpec, Command, Ending, NetworkMode, Report};
use super::slirp::Slirp;
use super::stage::{Stage, renew_work};

/// Runs it; `args` are what follows the verb.
pub fn main(args: &[OsString]) -> ExitCode {
    let result = args.first().map(Path::new).ok_or_else(|| io::Error::other("no spec was named")).and_then(read_spec);
    let outcome = match result {
        Ok(spec) => run(&spec),
        Err(source) => Err(BootError::Connection(source)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If nobody listens any more there is nobody to tell.
            let _ = report(&Report::Failed { reason: chain(&error) });
            ExitCode::FAILURE
        }
    }
}

fn read_spec(path: &Path) -> io::Result<BootSpec> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

fn report(report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

fn run(spec: &BootSpec) -> Result<(), BootError> {
    let directory = InstanceDir::new(&spec.directory);
    renew_work(&directory).at("empty the work directory of", directory.path())?;
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    let signals = children
        .thread_block()
        .and_then(|()| SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK))
        .map_err(|e| BootError::Connection(e.into()))?;
    let stage = Stage::build(spec)?;
    let mut commands = Commands::default();
    for boot in 1.. {
        let boot = Boot { spec, stage: &stage, directory: &directory, signals: &signals, number: boot };
        let (how, detail) = boot.run(&mut commands)?;
        report(&Report::Exited { how, detail }).map_err(BootError::Connection)?;
        if how != Ending::Reboot {
            break;
        }
    }
    Ok(())
}

/// The commands that have arrived, perhaps in part.
#[derive(Default)]
struct Commands {
    buffer: Vec<u8>,
}

impl Commands {
    /// Reads what there is; `None` at the end of file.
    fn read(&mut self) -> io::Result<Option<Vec<Command>>> {
        let mut bytes = [0; 512];
        let length = nix::unistd::read(io::stdin().as_fd(), &mut bytes)?;
        if length == 0 {
            return Ok(None);
        }
        self.buffer.extend_from_slice(&bytes[..length]);
        let mut commands = Vec::new();
        while let Some(end) = self.buffer.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            commands.push(serde_json::from_slice(&line)?);
        }
        Ok(Some(commands))
    }
}

/// One boot, from the making of the namespaces to the end of the last process in them.
struct Boot<'a> {
    spec: &'a BootSpec,
    stage: &'a Stage,
    directory: &'a InstanceDir,
    signals: &'a SignalFd,
    number: u32,
}

/// What lives during one boot.
struct Running {
    created: Created,
    slirp: Option<Slirp>,
    /// Until slirp4netns has reported.
    awaits_network: bool,
    console: Option<ConsoleLog>,
}

impl Boot<'_> {
    fn run(&self, commands: &mut Commands) -> Result<(Ending, String), BootError> {
        let cgroups = Cgroups::of(&self.spec.instance_id);
        let boot_id = self.directory.guest().join("boot_id");
        fs::write(
            &boot_id,
            format!("{}\n", fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default().trim()),
        )
        .at("write", &boot_id)?;
        // What is left of the boot before: a socket that nobody serves would look like an agent.
        let _ = fs::remove_file(self.directory.shared().join("agent.sock"));
        let created = container::create(self.spec, self.stage, &cgroups).inspect_err(|_| {
            let _ = cgroups.remove();
        })?;
        let pid = created.pid;
        let ended = self.attend(created, commands);
        if ended.is_err() {
            end(pid);
        }
        remove_cgroups(&cgroups);
        ended
    }

    fn attend(&self, created: Created, commands: &mut Commands) -> Result<(Ending, String), BootError> {
        let pid = created.pid;
        let slirp = match &self.spec.network {
            NetworkMode::Own { mac, slirp } => {
                Some(Slirp::start(slirp, pid, mac, &self.directory.slirp_log()).at("start", slirp)?)
            }
            NetworkMode::Host => None,
        };
        let console = ConsoleLog::open(&self.directory.console()).at("open", self.directory.console())?;
        let number = u32::try_from(pid).unwrap_or(0);
        report(&Report::Created { pid: number, boot: self.number, ids_mapped: self.stage.root_id != 0 })
            .map_err(BootError::Connection)?;
        let awaits_network = slirp.is_some();
        let mut running = Running { created, slirp, awaits_network, console: Some(console) };
        if !awaits_network {
            report(&Report::Connected).map_err(BootError::Connection)?;
        }
        let status = self.wait(&mut running, commands)?;
        running.drain_console();
        if let Some(slirp) = running.slirp {
            slirp.stop();
        }
        Ok(container::ending(status))
    }

    /// The loop: sleeps until something happens.
    fn wait(&self, running: &mut Running, commands: &mut Commands) -> Result<WaitStatus, BootError> {
        loop {
            let ready = running.poll(self.signals).map_err(|e| BootError::Connection(e.into()))?;
            if ready.console {
                running.drain_console();
            }
            if ready.network {
                self.network_came(running)?;
            }
            if ready.stdin {
                match commands.read().map_err(BootError::Connection)? {
                    Some(list) => list.into_iter().try_for_each(|command| running.obey(command))?,
                    // Kiln is gone; so must be the instance.
                    None => running.obey(Command::Kill)?,
                }
            }
            while let Ok(Some(_)) = self.signals.read_signal() {}
            if let Some(status) = reap(running.created.pid) {
                return Ok(status);
            }
        }
    }

    fn network_came(&self, running: &mut Running) -> Result<(), BootError> {
        running.awaits_network = false;
        if running.slirp.as_ref().is_some_and(Slirp::is_up) {
            return report(&Report::Connected).map_err(BootError::Connection);
        }
        let log = fs::read_to_string(self.directory.slirp_log()).unwrap_or_default();
        let last = log.lines().last().unwrap_or("it said nothing").to_owned();
        Err(BootError::Io {
            action: "connect the network with",
            path: "slirp4netns".into(),
            source: io::Error::other(last),
        })
    }
}

/// Which descriptors have something.
#[derive(Default)]
struct Ready {
    stdin: bool,
    console: bool,
    network: bool,
}

impl Running {
    fn poll(&self, signals: &SignalFd) -> nix::Result<Ready> {
        let stdin = io::stdin();
        let mut fds =
            vec![PollFd::new(stdin.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        let console =
            self.console.as_ref().map(|_| push(&mut fds, PollFd::new(self.created.console.as_fd(), PollFlags::POLLIN)));
        let network = self.slirp.as_ref().filter(|_| self.awaits_network);
        let network = network.map(|slirp| push(&mut fds, PollFd::new(slirp.ready().as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, PollTimeout::NONE) {
            Err(nix::Error::EINTR) => return Ok(Ready::default()),
            other => other?,
        };
        let is_ready = |nth: usize| fds[nth].revents().is_some_and(|events| !events.is_empty());
        Ok(Ready { stdin: is_ready(0), console: console.is_some_and(is_ready), network: network.is_some_and(is_ready) })
    }

    fn obey(&mut self, command: Command) -> Result<(), BootError> {
        match command {
            Command::Start => self.created.start()?,
            Command::Kill => end(self.created.pid),
            // The same numbers for systemd and for Kiln's own init: see systemd(1), "SIGNALS".
            Command::Stop => signal_real_time(self.created.pid, 4),
            Command::Reboot => signal_real_time(self.created.pid, 5),
        }
        Ok(())
    }

    /// Takes what is there.
    fn drain_console(&mut self) {
        let mut bytes = [0; 8192];
        while let Some(log) = &mut self.console {
            match nix::unistd::read(&self.created.console, &mut bytes) {
                Err(nix::Error::EAGAIN) => return,
                Ok(0) | Err(_) => self.console = None,
                Ok(length) => {
                    // A full disk must not end the instance.
                    let _ = log.append(&bytes[..length]);
                }
            }
        }
    }
}

fn push<T>(list: &mut Vec<T>, item: T) -> usize {
    list.push(item);
    list.len() - 1
}

fn end(pid: i32) {
    // Gone already is as good.
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

fn signal_real_time(pid: i32, number: i32) {
    // SAFETY: plain numbers; `nix` has no real-time signals. The pid is our unreaped child, so it can't be another's.
    unsafe { libc::kill(pid, libc::SIGRTMIN() + number) };
}

/// Reaps the first process when it has ended, and nothing else: slirp4netns is waited for by its owner.
fn reap(pid: i32) -> Option<WaitStatus> {
    match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) => None,
        Ok(status) => Some(status),
        Err(_) => Some(WaitStatus::Exited(Pid::from_raw(pid), 0)),
    }
}

/// All processes are gone with the first one, but the kernel lets go of a group a little later.
fn remove_cgroups(cgroups: &Cgroups) {
    for _ in 0..50 {
        if cgroups.remove().is_ok() {
            return;
        }
        // Not a wait for an event that could be had otherwise: a group has no descriptor that tells of its emptiness in v1.
        let _ = poll(&mut [], PollTimeout::from(10_u8));
    }
}
