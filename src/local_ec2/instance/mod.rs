//! The instances of local EC2: OCI containers that boot.
//!
//! For each instance a small process of its own ([`boot`]) leaves the host's mount namespace, stacks the root, and has libcontainer make the container; the
//! first process in it is the image's systemd, or a small [`init`]. Kiln's side ([`keeper`]) prepares the instance's network, waits until the agent in it
//! answers, and forwards the instance's own 127.x.y.z:22 to it. What root in an instance does can't reach the host: its ids are a range of their own, its
//! capabilities end at its namespaces, and what it sees of the host's root is masked.
//!
//! The program re-executes itself: its `main` must call [`dispatch`] before anything else, and before it has threads.

mod agent_socket;
mod beneath;
mod boot;
mod cgroup;
mod console;
mod container;
mod elf;
mod error;
mod identity;
mod idmap;
mod init;
mod keeper;
mod launch;
mod layout;
mod mask;
mod metadata;
mod netlink;
mod network;
mod notices;
mod process;
mod protocol;
mod proxy;
mod runtime;
mod slirp;
mod spec;
mod stage;
mod sudo;
mod sweep;
mod units;
mod units_inside;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::timeout;

use self::keeper::{Kept, Phase};
use self::mask::HostMask;
use self::notices::Notices;
use self::protocol::{Command, Ending};
use self::runtime::Runtime;
use crate::local_ec2::machine::{
    LaunchSpec, Launched, LayerSet, MachineError, MachineEvent, MachineEventKind, Machines,
};
use crate::local_ec2::store::{Masks, ResolvedRoot, Store};

/// How long a boot may take until SSH answers. Far more than any needs; an image whose own cloud-init waits for something is the slow case.
const BOOT_TIME: Duration = Duration::from_secs(180);

/// How long a guest may take to shut down before it is ended. EC2 waits longer; nothing here is lost by force, for the disk is the host's cache.
const SHUTDOWN_TIME: Duration = Duration::from_secs(20);

/// How long the end may take once it is forced.
const KILL_TIME: Duration = Duration::from_secs(10);

/// Runs one of the hidden verbs if the program was started for it: `instance-boot SPEC`, `instance-init -- COMMAND…`, or under the name `sudo`, `poweroff`,
/// `halt`, `reboot` or `shutdown`, as it is lent to instances. `args` are all of the program's, its name first.
pub fn dispatch(args: &[OsString]) -> Option<ExitCode> {
    let (name, rest) = args.split_first()?;
    match Path::new(name).file_name()?.to_str()? {
        "sudo" => return Some(sudo::main(rest)),
        name @ ("poweroff" | "halt" | "reboot" | "shutdown") => return Some(init::ask(name, rest)),
        _ => {}
    }
    let (verb, rest) = rest.split_first()?;
    match verb.to_str()? {
        "instance-boot" => Some(boot::main(rest)),
        "instance-init" => Some(init::main(rest)),
        _ => None,
    }
}

/// What an export of an image whose base is this host must leave out or replace; `also` are directories of Kiln's own.
///
/// # Errors
/// When the host's account files can't be read.
pub fn host_masks(also: &[PathBuf]) -> io::Result<Masks> {
    let mask = HostMask::of(Path::new("/"), also)?;
    let mut replaced: Vec<(PathBuf, Vec<u8>)> = mask.replaced.into_iter().collect();
    for (path, text) in [
        ("etc/hostname", "localhost\n"),
        ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
        ("etc/resolv.conf", ""),
    ] {
        replaced.push((PathBuf::from(path), text.as_bytes().to_vec()));
    }
    Ok(Masks { hidden: mask.empty.into_iter().chain(mask.absent).collect(), replaced })
}

/// The machines of one Kiln process.
#[derive(Debug)]
pub struct Containers {
    machines: Mutex<HashMap<String, Arc<Machine>>>,
    events: broadcast::Sender<MachineEvent>,
    ground: Ground,
    notices: Mutex<Option<mpsc::UnboundedReceiver<String>>>,
}

/// What all machines stand on.
#[derive(Debug)]
struct Ground {
    store: Store,
    /// The directory of this run.
    run: PathBuf,
    runtime: Runtime,
    mask: HostMask,
    slirp: Option<PathBuf>,
    notices: Arc<Notices>,
}

/// One machine, running or not.
#[derive(Debug)]
struct Machine {
    kept: Arc<Kept>,
    /// The image's layers, the base by the name that was found for it.
    image: LayerSet,
    /// Claims the base and the layers in the store.
    _root: ResolvedRoot,
    phase: watch::Sender<Phase>,
    commands: Mutex<Option<mpsc::UnboundedSender<Command>>>,
    /// An end that was asked for is nothing to report.
    asked: AtomicBool,
}

impl Containers {
    /// Makes ready to run instances in `state`, a directory on a file system that can be an overlay's upper layer (ext4, xfs, btrfs, tmpfs), and removes what
    /// killed Kilns left there.
    ///
    /// # Errors
    /// When this user or this machine can't run instances; the text names the remedy.
    pub fn new(state: &Path, store: Store) -> io::Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            let text = "local instances need root: run kiln with sudo, or in a container with --privileged (namespaces and overlays are refused to other users)";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        std::fs::create_dir_all(state)?;
        let state = state.canonicalize()?;
        let (notices, told) = Notices::new();
        sweep::sweep(&state)?;
        let slirp = slirp::find(&std::env::var("PATH").unwrap_or_default());
        if slirp.is_none() {
            notices.say("slirp4netns is not installed: instances share this machine's network and have no metadata service (`apt-get install slirp4netns`)");
        }
        let ground = Ground {
            mask: HostMask::of(Path::new("/"), &[state.clone(), store.dir().to_owned()])?,
            runtime: Runtime::prepare(&state.join("runtime"))?,
            run: sweep::claim(&state)?,
            store,
            slirp,
            notices: Arc::new(notices),
        };
        Ok(Self {
            machines: Mutex::default(),
            events: broadcast::channel(256).0,
            ground,
            notices: Mutex::new(Some(told)),
        })
    }

    /// What people should be told, each once: which base plays which, that there is no network of an instance's own. Can be taken once.
    pub fn notices(&self) -> Option<mpsc::UnboundedReceiver<String>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends all machines and removes all that this run made. To be called before the process ends; if it is not, the instances end all the same, and the next
    /// run removes their directories.
    pub async fn shutdown(&self) {
        let machines: Vec<Arc<Machine>> = self.machines().values().cloned().collect();
        for machine in &machines {
            machine.asked.store(true, Ordering::SeqCst);
            machine.send(Command::Kill);
        }
        for machine in &machines {
            // What can't be removed now is left for the next run's sweep.
            let _ = self.terminate(machine.id()).await;
        }
        let _ = std::fs::remove_dir_all(&self.ground.run);
    }

    fn machines(&self) -> MutexGuard<'_, HashMap<String, Arc<Machine>>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn machine(&self, id: &str) -> Result<Arc<Machine>, MachineError> {
        self.machines().get(id).cloned().ok_or_else(|| MachineError::Unknown(id.to_owned()))
    }

    /// Reports what the machine does by itself, as long as its keeper lives.
    fn report(&self, machine: &Arc<Machine>) {
        let (events, machine) = (self.events.clone(), Arc::clone(machine));
        let mut phase = machine.phase.subscribe();
        tokio::spawn(async move {
            let Ok(Phase::Down(how, detail)) =
                phase.wait_for(|p| matches!(p, Phase::Down(..))).await.map(|p| p.clone())
            else {
                return;
            };
            let kind = match how {
                Ending::Died => MachineEventKind::Died(detail),
                _ => MachineEventKind::PoweredOff,
            };
            if !machine.asked.load(Ordering::SeqCst) {
                // Nobody listening is no error.
                let _ = events.send(MachineEvent { id: machine.kept.spec.instance_id.clone(), kind });
            }
        });
    }
}

impl Machine {
    fn id(&self) -> &str {
        &self.kept.spec.instance_id
    }

    fn is_down(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Down(..))
    }

    fn send(&self, command: Command) {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(commands) = commands.as_ref() {
            // A keeper that has ended has nothing left to do.
            let _ = commands.send(command);
        }
    }

    fn boot(&self) {
        let (commands, receiver) = mpsc::unbounded_channel();
        *self.commands.lock().unwrap_or_else(PoisonError::into_inner) = Some(commands);
        self.phase.send_replace(Phase::Booting);
        keeper::keep(Arc::clone(&self.kept), receiver, self.phase.clone());
    }

    /// Until SSH answers, in a boot after `before`.
    async fn up(&self, before: u32) -> Result<(), MachineError> {
        let mut phase = self.phase.subscribe();
        let settled = |p: &Phase| matches!(p, Phase::Down(..)) || matches!(p, Phase::Up(boot) if *boot > before);
        let failed = |reason: String| MachineError::Boot { id: self.id().to_owned(), reason };
        match timeout(BOOT_TIME, phase.wait_for(settled)).await.map(|r| r.map(|p| p.clone())) {
            Ok(Ok(Phase::Up(_))) => Ok(()),
            Ok(Ok(Phase::Down(_, detail))) if detail.is_empty() => {
                Err(failed("it shut down before ssh answered".to_owned()))
            }
            Ok(Ok(Phase::Down(_, detail))) => Err(failed(detail)),
            Ok(_) => Err(failed("its keeper ended".to_owned())),
            Err(_) => {
                self.send(Command::Kill);
                Err(failed(format!("ssh did not answer within {} s", BOOT_TIME.as_secs())))
            }
        }
    }

    /// Until nothing of it runs; true when that came in time.
    async fn down(&self, time: Duration) -> bool {
        let mut phase = self.phase.subscribe();
        timeout(time, phase.wait_for(|p| matches!(p, Phase::Down(..)))).await.is_ok()
    }

    /// Asks, waits, and then uses force.
    async fn end(&self, command: Command, operation: &'static str) -> Result<(), MachineError> {
        self.asked.store(true, Ordering::SeqCst);
        self.send(command);
        if self.down(if command == Command::Kill { KILL_TIME } else { SHUTDOWN_TIME }).await {
            return Ok(());
        }
        self.send(Command::Kill);
        match self.down(KILL_TIME).await {
            true => Ok(()),
            false => Err(self.failed(operation, "its processes do not end")),
        }
    }

    fn failed(&self, operation: &'static str, reason: impl ToString) -> MachineError {
        MachineError::Failed { operation, id: self.id().to_owned(), reason: reason.to_string() }
    }
}

#[async_trait]
impl Machines for Containers {
    async fn launch(&self, spec: LaunchSpec) -> Result<Launched, MachineError> {
        let begun = Instant::now();
        let known = self.machines().get(&spec.instance_id).cloned();
        let machine = match known {
            Some(machine) => machine,
            None => {
                let machine = Arc::new(self.ground.prepare(spec).await?);
                self.machines().insert(machine.id().to_owned(), Arc::clone(&machine));
                machine.boot();
                self.report(&machine);
                machine
            }
        };
        machine.up(0).await?;
        Ok(Launched { boot: begun.elapsed() })
    }

    async fn stop(&self, id: &str) -> Result<(), MachineError> {
        self.machine(id)?.end(Command::Stop, "stop").await
    }

    async fn start(&self, id: &str) -> Result<(), MachineError> {
        let machine = self.machine(id)?;
        if machine.is_down() {
            machine.asked.store(false, Ordering::SeqCst);
            machine.boot();
            self.report(&machine);
        }
        machine.up(0).await
    }

    async fn reboot(&self, id: &str) -> Result<(), MachineError> {
        let machine = self.machine(id)?;
        let Phase::Up(before) = machine.phase.borrow().clone() else { return machine.up(0).await };
        machine.send(Command::Reboot);
        let mut phase = machine.phase.subscribe();
        let left = timeout(SHUTDOWN_TIME, phase.wait_for(|p| *p != Phase::Up(before))).await.is_ok();
        if left && !machine.is_down() {
            return machine.up(before).await;
        }
        machine.end(Command::Kill, "reboot").await?;
        self.start(id).await
    }

    async fn terminate(&self, id: &str) -> Result<(), MachineError> {
        let Ok(machine) = self.machine(id) else { return Ok(()) };
        machine.end(Command::Kill, "terminate").await?;
        let (directory, name) = (machine.kept.directory.clone(), id.to_owned());
        let removed = tokio::task::spawn_blocking(move || sweep::remove_instance(&directory, &name)).await;
        removed.map_err(io::Error::other).and_then(|r| r).map_err(|error| machine.failed("terminate", error))?;
        self.machines().remove(id);
        Ok(())
    }

    fn console(&self, id: &str) -> Vec<u8> {
        self.machine(id).map(|machine| console::tail(&machine.kept.directory.console())).unwrap_or_default()
    }

    async fn snapshot(&self, id: &str) -> Result<LayerSet, MachineError> {
        let machine = self.machine(id)?;
        let (store, directory) = (self.ground.store.clone(), machine.kept.directory.clone());
        let committed = tokio::task::spawn_blocking(move || {
            store.commit_layer(&directory.upper(), &launch::not_of_the_image(&directory))
        })
        .await;
        let layer = committed
            .map_err(|e| machine.failed("snapshot", e))?
            .map_err(|e| machine.failed("snapshot", error::chain(&e)))?;
        let mut image = machine.image.clone();
        image.size_bytes += layer.size;
        image.layers.push(layer.digest);
        Ok(image)
    }

    fn watch(&self) -> broadcast::Receiver<MachineEvent> {
        self.events.subscribe()
    }
}
