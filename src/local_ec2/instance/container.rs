//! One boot of an instance: from the stage to a first process that waits for its start, and that process's end.

use std::fs::{self, File};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::error::LibcontainerError;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::default::DefaultExecutor;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use super::beneath;
use super::cgroup::Cgroups;
use super::error::{At, BootError};
use super::idmap::acting_as;
use super::layout::InstanceDir;
use super::protocol::{BootSpec, Ending, NetworkMode};
use super::spec;
use super::stage::Stage;
use super::units_inside;

/// Kiln's program inside.
const PROGRAM: &str = "/run/kiln/kiln";

/// How the agent is started.
pub const AGENT: &str = "/run/kiln/kiln agent --config /run/kiln/agent.json";

/// A created container: all its namespaces exist, its first process waits.
pub struct Created {
    container: Container,
    /// The first process, as the host numbers it.
    pub pid: i32,
    /// The host's end of the instance's console.
    pub console: OwnedFd,
    /// The other end, held open: while nobody has it open, the host's end can't be read.
    _terminal: File,
}

/// Makes the container.
///
/// # Errors
/// When libcontainer, the control groups or the kernel refuse.
pub fn create(spec: &BootSpec, stage: &Stage, cgroups: &Cgroups) -> Result<Created, BootError> {
    let directory = InstanceDir::new(&spec.directory);
    let systemd = systemd_of(&stage.rootfs);
    let init = systemd.clone().map_or_else(own_init, |path| vec![path]);
    let bundle = directory.bundle();
    fs::create_dir_all(&bundle).at("create", &bundle)?;
    let config = bundle.join("config.json");
    fs::write(&config, spec::config(spec, stage, &init).to_string()).at("write", &config)?;
    let socket = directory.path().join("console.sock");
    let _ = fs::remove_file(&socket);
    let listener = listen(directory.path(), "console.sock").at("listen on", &socket)?;
    cgroups.enter().map_err(|source| BootError::Refused { what: "a control group", source })?;
    let built = build(spec, &directory, &socket);
    cgroups.leave().at("leave the control groups of", &spec.instance_id)?;
    let container = built?;
    let pid = container.pid().map_or(0, nix_pid);
    furnish(spec, stage, cgroups, container, pid, &listener, systemd.is_some()).inspect_err(|_| {
        // Gone already is as good.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    })
}

/// Listens on a socket in a directory of any length: a socket's own path may have 107 bytes, the way through the directory's descriptor is short.
fn listen(directory: &Path, name: &str) -> io::Result<UnixListener> {
    let directory = File::open(directory)?;
    UnixListener::bind(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}

/// What is still missing once the namespaces exist.
fn furnish(
    spec: &BootSpec,
    stage: &Stage,
    cgroups: &Cgroups,
    container: Container,
    pid: i32,
    listener: &UnixListener,
    is_systemd: bool,
) -> Result<Created, BootError> {
    let console = receive_console(listener).at("receive the console of", &spec.instance_id)?;
    let inside = Path::new("/proc").join(pid.to_string()).join("root");
    let terminal = beneath::open(&inside, "dev/console", OFlag::O_RDONLY | OFlag::O_NOCTTY)
        .at("open the console below", &inside)?;
    if stage.root_id != 0 {
        cgroups.delegate(stage.root_id).at("delegate the control groups of", &spec.instance_id)?;
    }
    if is_systemd {
        let run = beneath::open(&inside, "run", OFlag::O_RDONLY | OFlag::O_DIRECTORY).at("open /run below", &inside)?;
        let own_network = matches!(spec.network, NetworkMode::Own { .. });
        acting_as(stage.root_id, || units_inside::write(&beneath::path_of(&run), own_network))
            .at("write units below", &inside)?;
    }
    Ok(Created { container, pid, console, _terminal: terminal })
}

/// libcontainer has another version of `nix`.
fn nix_pid(pid: impl Into<i32>) -> i32 {
    pid.into()
}

fn build(spec: &BootSpec, directory: &InstanceDir, console: &Path) -> Result<Container, BootError> {
    let failed = |source: LibcontainerError| BootError::Container { action: "create", source: Box::new(source) };
    let state = directory.containers();
    let _ = fs::remove_dir_all(&state);
    fs::create_dir_all(&state).at("create", &state)?;
    ContainerBuilder::new(spec.instance_id.clone(), SyscallType::default())
        .with_root_path(state)
        .map_err(failed)?
        .with_executor(Tethered)
        .with_console_socket(Some(console))
        .as_init(directory.bundle())
        .with_systemd(false)
        .build()
        .map_err(failed)
}

impl Created {
    /// Lets the first process run.
    ///
    /// # Errors
    /// When it is gone.
    pub fn start(&mut self) -> Result<(), BootError> {
        self.container.start().map_err(|source| BootError::Container { action: "start", source: Box::new(source) })
    }
}

/// The system manager's path inside. Only files count: following links here would lead through the host's root.
fn systemd_of(rootfs: &Path) -> Option<String> {
    let places = ["usr/lib/systemd/systemd", "lib/systemd/systemd"];
    places
        .into_iter()
        .find(|p| fs::symlink_metadata(rootfs.join(p)).is_ok_and(|m| m.is_file()))
        .map(|p| format!("/{p}"))
}

fn own_init() -> Vec<String> {
    format!("{PROGRAM} instance-init -- {AGENT}").split(' ').map(str::to_owned).collect()
}

fn receive_console(listener: &UnixListener) -> io::Result<OwnedFd> {
    let (stream, _) = listener.accept()?;
    let mut space = nix::cmsg_space!([i32; 1]);
    let mut name = [0; 256];
    let mut parts = [IoSliceMut::new(&mut name)];
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = part
            && let Some(&fd) = fds.first()
        {
            // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
            let console = unsafe { OwnedFd::from_raw_fd(fd) };
            fcntl(&console, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            return Ok(console);
        }
    }
    Err(io::Error::other("no console came"))
}

/// Runs the first process such that it dies with the boot process, and with no signal blocked.
#[derive(Clone)]
struct Tethered;

impl Executor for Tethered {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        SigSet::empty().thread_set_mask().map_err(|e| ExecutorError::Other(e.to_string()))?;
        DefaultExecutor {}.exec(spec)
    }

    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        // Reaches even a first process, which is deaf to other signals: it comes from outside of its pid namespace. Here and not in `exec`, because the
        // process waits for its start in between.
        set_pdeathsig(Signal::SIGKILL).map_err(|e| ExecutorValidationError::ArgValidationError(e.to_string()))?;
        DefaultExecutor {}.validate(spec)
    }
}

/// How the first process ended: the kernel turns reboot(2) in a pid namespace into a signal for its first process.
pub fn ending(status: WaitStatus) -> (Ending, String) {
    match status {
        WaitStatus::Signaled(_, Signal::SIGINT, _) => (Ending::PowerOff, String::new()),
        WaitStatus::Signaled(_, Signal::SIGHUP, _) => (Ending::Reboot, String::new()),
        // systemd leaves with 0 when it was told to exit.
        WaitStatus::Exited(_, 0) => (Ending::PowerOff, String::new()),
        WaitStatus::Exited(_, code) => (Ending::Died, format!("its first process exited with status {code}")),
        WaitStatus::Signaled(_, signal, _) => (Ending::Died, format!("its first process was ended by {signal}")),
        other => (Ending::Died, format!("its first process ended as {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn reboot_and_poweroff_are_told_apart() {
        let signaled = |s| ending(WaitStatus::Signaled(Pid::from_raw(1), s, false)).0;
        assert_eq!(signaled(Signal::SIGHUP), Ending::Reboot);
        assert_eq!(signaled(Signal::SIGINT), Ending::PowerOff);
        assert_eq!(signaled(Signal::SIGKILL), Ending::Died);
    }

    #[test]
    fn a_linked_systemd_is_not_followed_out_of_the_root() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("usr/lib/systemd")).unwrap();
        symlink("/bin/sh", dir.path().join("usr/lib/systemd/systemd")).unwrap();
        assert_eq!(systemd_of(dir.path()), None);
    }
}
