//! The agent's life: first-boot work, SSH, and an orderly end.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use russh::keys::PrivateKey;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::cloud_init::{self, FirstBoot};
use super::config::{Config, ConfigError};
use super::host_key::{self, HostKeyError};
use super::paths::Paths;
use super::reexec::Reexec;
use super::ssh::{self, Shared};
use super::{console, notify, sftp};

/// Why the agent could not do its work.
#[derive(Debug, thiserror::Error)]
enum AgentError {
    #[error("usage: kiln agent --config FILE | --sftp | --connect-unix SOCKET")]
    Usage,
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    #[error("start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("listen on `{0}`")]
    Listen(PathBuf, #[source] std::io::Error),
    #[error("find out how the agent was started")]
    Reexec(#[source] std::io::Error),
    #[error("watch for signals")]
    Signals(#[source] std::io::Error),
    #[error("do the first boot's work")]
    FirstBoot(#[source] tokio::task::JoinError),
    #[error("serve sftp")]
    Sftp(#[source] std::io::Error),
    #[error("connect to `{0}`")]
    Connect(PathBuf, #[source] std::io::Error),
}

/// Runs the agent. `args` are the arguments after the verb: `--config FILE` for the agent itself; `--sftp` and
/// `--connect-unix SOCKET` are the processes that it starts as the logged-in user.
pub fn main(args: &[String]) -> ExitCode {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["--config", file] => run(Path::new(file)),
        ["--sftp"] => runtime().and_then(|runtime| runtime.block_on(sftp::serve()).map_err(AgentError::Sftp)),
        ["--connect-unix", socket] => connect(Path::new(socket)),
        _ => Err(AgentError::Usage),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard output belongs to the client in the two processes that serve one.
            if words.first() == Some(&"--config") {
                console::problem("failed", &error);
            }
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> Result<Runtime, AgentError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AgentError::Runtime)
}

fn connect(socket: &Path) -> Result<(), AgentError> {
    let failed = |e| AgentError::Connect(socket.to_owned(), e);
    runtime()?.block_on(ssh::serve_unix_client(socket)).map_err(failed)
}

fn run(file: &Path) -> Result<(), AgentError> {
    let config = Config::read(file)?;
    let reexec = Reexec::current().map_err(AgentError::Reexec)?;
    let paths = Paths::new("/");
    let runtime = runtime()?;
    let result = runtime.block_on(live(&paths, config, reexec));
    // User data that still runs is init's to end; waiting for it would hold up the shutdown.
    runtime.shutdown_background();
    cloud_init::withdraw_stand_in(&paths);
    result
}

async fn live(paths: &Paths, config: Config, reexec: Reexec) -> Result<(), AgentError> {
    let (stop, stopping) = watch::channel(false);
    let mut terminated = signal(SignalKind::terminate()).map_err(AgentError::Signals)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(AgentError::Signals)?;
    let told = async {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    };
    tokio::pin!(told);
    let (keys, rest) = tokio::select! {
        prepared = prepare(paths, &config) => prepared?,
        () = &mut told => return Ok(()),
    };
    let serving = serve(paths, &config, reexec, keys, stopping, rest);
    tokio::pin!(serving);
    tokio::select! {
        result = &mut serving => return result,
        () = &mut told => {}
    }
    let _ = stop.send(true);
    // Bounded: every connection has its own short farewell.
    serving.await
}

/// What is left of the first boot once SSH answers; `None` when the image's own cloud-init does it all.
type Rest = Option<FirstBoot>;

/// The work that SSH waits for: on EC2, too, it answers only after cloud-init's network stage.
async fn prepare(paths: &Paths, config: &Config) -> Result<(Vec<PrivateKey>, Rest), AgentError> {
    if cloud_init::runs_by_itself(paths) {
        console::line("kiln-agent: the image's own cloud-init does the first boot");
        cloud_init::wait_for_network_stage(paths).await;
        return Ok((host_key::load(paths, &config.hostname)?, None));
    }
    let (for_boot, orders) = (paths.clone(), config.clone());
    let network_stage = move || {
        let mut first_boot = FirstBoot::begin(&for_boot, &orders);
        first_boot.network_stage();
        first_boot
    };
    // On a thread of its own: a boot command that hangs must not keep the agent from ending with the instance.
    let first_boot = tokio::task::spawn_blocking(network_stage).await.map_err(AgentError::FirstBoot)?;
    Ok((host_key::load(paths, &config.hostname)?, Some(first_boot)))
}

async fn serve(
    paths: &Paths,
    config: &Config,
    reexec: Reexec,
    keys: Vec<PrivateKey>,
    stopping: watch::Receiver<bool>,
    rest: Rest,
) -> Result<(), AgentError> {
    host_key::announce(&keys);
    let shared = Shared::new(paths.clone(), reexec, keys, stopping);
    let unix = listen_unix(&config.socket).map_err(|e| AgentError::Listen(config.socket.clone(), e))?;
    let tcp = listen_tcp(config).await;
    if let Err(error) = notify::ready() {
        console::problem("notify init", &error);
    }
    if let Some(first_boot) = rest {
        tokio::task::spawn_blocking(move || first_boot.final_stage());
    }
    match tcp {
        Some(tcp) => {
            tokio::join!(ssh::serve_unix(unix, shared.clone()), ssh::serve_tcp(tcp, shared));
        }
        None => ssh::serve_unix(unix, shared).await,
    }
    Ok(())
}

/// A socket of an earlier boot may be in the way. Whoever may enter its directory may connect: the key is the guard.
fn listen_unix(socket: &Path) -> std::io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// The image's own sshd may have the port already. Then it is the better server, and ours is reached by the unix socket.
async fn listen_tcp(config: &Config) -> Option<TcpListener> {
    let address = config.tcp.as_deref()?;
    TcpListener::bind(address).await.inspect_err(|error| console::problem(&format!("listen on {address}"), error)).ok()
}

#[cfg(test)]
pub mod for_tests {
    //! A server without the first boot, for tests of SSH and SFTP.

    use super::*;

    /// Serves until `stopping`.
    pub async fn serve_ssh(
        paths: Paths,
        reexec: Reexec,
        unix: UnixListener,
        tcp: TcpListener,
        stopping: watch::Receiver<bool>,
    ) {
        let keys = host_key::load(&paths, "test").unwrap();
        let shared = Shared::new(paths, reexec, keys, stopping);
        tokio::join!(ssh::serve_unix(unix, shared.clone()), ssh::serve_tcp(tcp, shared));
    }
}
