//! The host's side of one instance: starts its boot process, prepares its network, waits until SSH answers, and knows in which phase it is.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command as Program};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::agent_socket;
use super::layout::InstanceDir;
use super::metadata::Service;
use super::network::InsideNetwork;
use super::notices::Notices;
use super::process::ProcessId;
use super::protocol::{Command, Ending, NetworkMode, Report};
use super::proxy::Proxy;
use super::sweep;
use crate::local_ec2::machine::LaunchSpec;

/// How often the agent's socket is looked at while the instance boots. There is nothing to wait on that would not be the instance's to fake, and a look
/// costs microseconds.
const LOOK: Duration = Duration::from_millis(5);

/// Where an instance is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its boot process was started, or it restarts by itself.
    Booting,
    /// SSH answers; the number counts the boots since its boot process was started.
    Up(u32),
    /// Nothing of it runs.
    Down(Ending, String),
}

/// What a keeper works with.
#[derive(Debug)]
pub struct Kept {
    /// What the machine was launched with.
    pub spec: LaunchSpec,
    /// Its directory, with the boot process's instructions in it.
    pub directory: InstanceDir,
    /// How it reaches the world.
    pub network: NetworkMode,
    /// Its metadata service, where it can have one.
    pub service: Option<Arc<Service>>,
    /// Where notices for people go.
    pub notices: Arc<Notices>,
}

/// Boots the instance and stays with it until it is down. Ends by itself; when the process ends before it, so does the instance.
pub fn keep(kept: Arc<Kept>, commands: mpsc::UnboundedReceiver<Command>, phase: watch::Sender<Phase>) {
    tokio::spawn(async move {
        phase.send_replace(Phase::Booting);
        let result = Keeper::start(Arc::clone(&kept), phase.clone()).await;
        let (how, detail) = match result {
            Ok(keeper) => keeper.run(commands).await,
            Err(error) => (Ending::Died, format!("cannot start its boot process: {error}")),
        };
        phase.send_replace(Phase::Down(how, detail));
    });
}

struct Keeper {
    kept: Arc<Kept>,
    phase: watch::Sender<Phase>,
    child: Child,
    stdin: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    boot: Option<Booted>,
}

/// What belongs to one boot and goes with it.
struct Booted {
    number: u32,
    connected: bool,
    network: Option<InsideNetwork>,
    proxy: Option<Proxy>,
}

impl Keeper {
    async fn start(kept: Arc<Kept>, phase: watch::Sender<Phase>) -> io::Result<Self> {
        let log = std::fs::File::create(kept.directory.boot_log())?;
        // The magic link leads to this very program, even when a newer build has taken its file's place.
        let mut child = Program::new("/proc/self/exe")
            .arg0("kiln")
            .arg("instance-boot")
            .arg(kept.directory.boot_spec())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // A terminal's Ctrl-C is for Kiln, which then stops its instances in order.
            .process_group(0)
            .spawn()?;
        if let Some(pid) = child.id() {
            ProcessId::of(pid)?.save(&kept.directory.supervisor())?;
        }
        let (stdin, stdout) =
            child.stdin.take().zip(child.stdout.take()).ok_or_else(|| io::Error::other("no pipes"))?;
        Ok(Self { kept, phase, child, stdin, reports: BufReader::new(stdout).lines(), boot: None })
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) -> (Ending, String) {
        let mut ending = (Ending::Died, "its boot process ended".to_owned());
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                report = self.reports.next_line() => match report {
                    Ok(Some(line)) => {
                        if let Some(end) = self.take(&line).await {
                            ending = end;
                        }
                    }
                    _ => break,
                },
                // When the machine was dropped this is the end of the pipe too, and so of the instance.
                command = commands.recv() => match command {
                    Some(command) => self.send(command).await,
                    None => break,
                },
                _ = look.tick(), if self.is_coming_up() => {
                    if let Err(error) = self.look().await {
                        ending = (Ending::Died, error.to_string());
                        self.send(Command::Kill).await;
                        break;
                    }
                }
            }
        }
        self.finish(ending).await
    }

    async fn finish(mut self, ending: (Ending, String)) -> (Ending, String) {
        drop(self.boot);
        drop(self.stdin);
        let _ = self.child.wait().await;
        // Only after the boot process was killed is there something to do.
        let (directory, id) = (self.kept.directory.clone(), self.kept.spec.instance_id.clone());
        let _ = tokio::task::spawn_blocking(move || sweep::end_processes(&directory, &id)).await;
        match ending {
            (Ending::Died, detail) if detail == "its boot process ended" => {
                let log = std::fs::read_to_string(self.kept.directory.boot_log()).unwrap_or_default();
                (Ending::Died, [detail.as_str(), log.trim()].join(": ").trim_end_matches(": ").to_owned())
            }
            other => other,
        }
    }

    async fn send(&mut self, command: Command) {
        let mut line = serde_json::to_vec(&command).unwrap_or_default();
        line.push(b'\n');
        // A boot process that is gone is noticed by its reports.
        let _ = self.stdin.write_all(&line).await;
    }

    /// Takes one report; gives the ending if it was that.
    async fn take(&mut self, line: &str) -> Option<(Ending, String)> {
        match serde_json::from_str(line).ok()? {
            Report::Created { pid, boot, ids_mapped } => {
                if !ids_mapped {
                    self.kept.notices.say("the root here is on a file system that can't map user ids (as in a container): an instance's root is kept from this machine's kernel settings by mounts only, so run only templates that you trust");
                }
                return self
                    .prepare(pid, boot)
                    .await
                    .err()
                    .map(|error| (Ending::Died, format!("cannot prepare its network: {error}")));
            }
            Report::Connected => {
                if let Some(boot) = &mut self.boot {
                    boot.connected = true;
                }
            }
            Report::Exited { how: Ending::Reboot, .. } => {
                self.boot = None;
                self.phase.send_replace(Phase::Booting);
            }
            Report::Exited { how, detail } => return Some((how, detail)),
            Report::Failed { reason } => return Some((Ending::Died, reason)),
        }
        None
    }

    /// The instance's namespaces are there and nothing runs in them yet: its metadata must be there before its first process asks.
    async fn prepare(&mut self, pid: u32, number: u32) -> io::Result<()> {
        let network = match self.kept.network {
            NetworkMode::Own { .. } => {
                Some(InsideNetwork::enter(pid, self.kept.spec.private_ip, self.kept.service.clone()).await)
            }
            NetworkMode::Host => None,
        };
        let network = match network.transpose() {
            Ok(network) => network,
            Err(error) => {
                self.send(Command::Kill).await;
                return Err(error);
            }
        };
        self.boot = Some(Booted { number, connected: false, network, proxy: None });
        self.send(Command::Start).await;
        Ok(())
    }

    fn is_coming_up(&self) -> bool {
        self.boot.as_ref().is_some_and(|boot| boot.connected && boot.proxy.is_none())
    }

    async fn look(&mut self) -> io::Result<()> {
        let shared = self.kept.directory.shared();
        let Some(boot) = &mut self.boot else { return Ok(()) };
        if agent_socket::answers(&shared).await {
            let spec = &self.kept.spec;
            boot.proxy = Some(Proxy::listen(spec, &shared, boot.network.as_ref()).await?);
            self.phase.send_replace(Phase::Up(boot.number));
        }
        Ok(())
    }
}
