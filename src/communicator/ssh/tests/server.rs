//! An OpenSSH server of the tests' own: on a loopback port, with keys and configuration in a temporary directory.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::communicator::ssh::key::{Keypair, PublicKey, parse_public_line};
use crate::communicator::ssh::{Auth, Endpoint, HostKeyPolicy, Options, Ssh, connect};
use crate::communicator::{Communicator, Error, Exit, Output};
use crate::event::{Event, EventKind, Events, Sink};

const PROGRAM: &str = "/usr/sbin/sshd";

/// A server, running or not. Dropping it ends it and everything that it started.
pub struct Server {
    pub dir: TempDir,
    pub port: u16,
    pub key: Keypair,
    /// More lines for its configuration.
    pub extra: String,
    listener: Option<Child>,
}

impl Server {
    /// A server that does not run yet; `None`, with the reason printed, where there is no sshd.
    pub fn prepare() -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            eprintln!("skipped: no {PROGRAM} (apt-get install openssh-server)");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("kiln-sshd-").tempdir().unwrap();
        // As root sshd wants its privilege separation directory, which only its systemd unit makes.
        let _ = fs::create_dir_all("/run/sshd");
        let key = Keypair::generate("test").unwrap();
        fs::write(dir.path().join("authorized_keys"), key.public_line().unwrap()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { dir, port, key, extra: String::new(), listener: None };
        server.new_host_key();
        Some(server)
    }

    /// A running server.
    pub fn start() -> Option<Self> {
        let mut server = Self::prepare()?;
        server.run();
        server.wait();
        Some(server)
    }

    /// Waits until it listens. Nothing but a look can tell.
    fn wait(&self) {
        for _ in 0..1000 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("sshd does not listen: {}", self.log());
    }

    /// Starts it; it listens soon.
    pub fn run(&mut self) {
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\n\
             PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n\
             MaxSessions 50\nMaxStartups 100\nAllowTcpForwarding yes\n{}",
            self.port,
            at("host"),
            at("authorized_keys"),
            self.extra,
        );
        fs::write(self.dir.path().join("config"), config).unwrap();
        let log = fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["-D", "-e", "-f", &at("config")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.listener = Some(command.spawn().unwrap());
    }

    /// Gives it another host key for its next start.
    pub fn new_host_key(&self) -> PublicKey {
        let path = self.dir.path().join("host");
        let _ = fs::remove_file(&path);
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status().unwrap();
        assert!(made.success());
        parse_public_line(&fs::read_to_string(path.with_extension("pub")).unwrap()).unwrap()
    }

    /// Kills the processes that serve its connections; it goes on listening.
    pub fn kill_sessions(&self) {
        let listener = self.listener.as_ref().unwrap().id();
        for pid in children(listener) {
            let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
        }
    }

    /// Ends it with all its sessions.
    pub fn stop(&mut self) {
        let Some(mut listener) = self.listener.take() else { return };
        let mut all = vec![listener.id()];
        let mut next = 0;
        while next < all.len() {
            all.extend(children(all[next]));
            next += 1;
        }
        for pid in all {
            let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
        }
        let _ = listener.wait();
    }

    /// A path in its directory that does not exist yet.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same as text.
    pub fn remote(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Us on it, with the right key.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            host: "127.0.0.1".into(),
            port: self.port,
            user: whoami(),
            auth: vec![Auth::Key(self.key.clone())],
            host_key: HostKeyPolicy::FirstUse,
        }
    }

    /// Options for it.
    pub fn options(&self) -> Options {
        Options { timeout: Some(Duration::from_secs(20)), handshake_attempts: Some(1), ..Options::new(self.endpoint()) }
    }

    /// A session on it.
    pub async fn connect(&self) -> Ssh {
        self.connect_with(self.options()).await
    }

    /// A session with these options.
    pub async fn connect_with(&self, options: Options) -> Ssh {
        connect(options, &Seen::default().events()).await.unwrap_or_else(|e| panic!("{e}\n{}", self.log()))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn whoami() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Process ids of a process's children.
fn children(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
        if after_name.split(' ').nth(1) == Some(&parent.to_string()) {
            found.push(pid);
        }
    }
    found
}

/// Collects what a command writes.
#[derive(Default)]
pub struct Text {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Output for Text {
    fn stdout(&mut self, bytes: &[u8]) {
        self.stdout.extend(bytes);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.stderr.extend(bytes);
    }
}

/// Runs a command: how it ended, what it wrote.
pub async fn run(ssh: &Ssh, command: &str) -> Result<(Exit, String, String), Error> {
    let mut text = Text::default();
    let exit = ssh.execute(command, &mut text).await?;
    Ok((exit, String::from_utf8(text.stdout).unwrap(), String::from_utf8(text.stderr).unwrap()))
}

/// Collects events.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<EventKind>>>);

impl Sink for Seen {
    fn take(&self, event: Event) {
        self.0.lock().unwrap().push(event.kind);
    }
}

impl Seen {
    pub fn events(&self) -> Events {
        Events::new(Arc::new(self.clone()))
    }

    pub fn warnings(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        seen.iter()
            .filter_map(|kind| if let EventKind::Warning(text) = kind { Some(text.clone()) } else { None })
            .collect()
    }

    pub fn waiting(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        let state =
            |kind: &EventKind| if let EventKind::Waiting { state, .. } = kind { Some(state.clone()) } else { None };
        seen.iter().filter_map(state).collect()
    }
}
