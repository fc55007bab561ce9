//! From communicator options to a session.

use std::path::PathBuf;
use std::time::Duration;

use crate::communicator::Error;
use crate::communicator::ssh::key::{Certificate, Keypair};
use crate::communicator::ssh::{
    AgentForwarding, Auth, Endpoint, HostKeyPolicy, Method, Options, Proxy, Pty, Route, Ssh, Tunnel, connect,
};
use crate::engine::Cause;
use crate::event::Events;
use crate::secret::Secret;

use super::options::communicator::{CommunicatorOptions, home_path};

/// Makes the session with a machine at `host`. `key` is the build's own key, when it made one.
pub async fn ssh(
    options: &CommunicatorOptions,
    host: String,
    key: Option<Keypair>,
    events: &Events,
) -> Result<Ssh, Cause> {
    events.say(format!("Using SSH communicator to connect: {host}"));
    events.say("Waiting for SSH to become available...");
    let ssh_options = ssh_options(options, host, key)?;
    let mut session = connect(ssh_options.clone(), events).await.map_err(with_hint)?;
    if let Some(pause) = options.pause_before_connecting.map(Duration::from).filter(|pause| !pause.is_zero()) {
        events.say(format!("Pausing {} before connecting...", crate::hcl::duration::GoDuration::from(pause)));
        drop(session);
        tokio::time::sleep(pause).await;
        session = connect(ssh_options, events).await?;
    }
    events.say("Connected to SSH!");
    Ok(session)
}

/// A refused log-in, with what it most often means.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} (is ssh_username the user of this image? `admin` on Debian, `ubuntu` on Ubuntu, `ec2-user` on Amazon Linux and Red Hat)"
)]
struct LoginRefused(Error);

fn with_hint(error: Error) -> Cause {
    match error {
        refused @ Error::Authenticate { .. } => LoginRefused(refused).into(),
        other => other.into(),
    }
}

fn ssh_options(options: &CommunicatorOptions, host: String, key: Option<Keypair>) -> Result<Options, Cause> {
    let user = options.ssh_username.clone().unwrap_or_default();
    let auth = target_auth(options, key)?;
    let target = Endpoint { host, port: options.port(), user, auth, host_key: HostKeyPolicy::FirstUse };
    let (timeout, handshake_attempts) = options.patience();
    let keep_alive = options.ssh_keep_alive_interval;
    Ok(Options {
        route: route(options)?,
        timeout,
        handshake_attempts,
        pty: if options.ssh_pty { Pty::On } else { Pty::Off },
        keep_alive: keep_alive.map_or(Some(Duration::from_secs(5)), |d| (!d.is_negative()).then(|| d.into())),
        read_write_timeout: options.ssh_read_write_timeout.map(Duration::from).filter(|time| !time.is_zero()),
        ciphers: options.ssh_ciphers.clone(),
        key_exchanges: options.ssh_key_exchange_algorithms.clone(),
        transfer: match options.ssh_file_transfer_method.as_deref() {
            Some("scp") => Method::Scp,
            Some("sftp") => Method::Sftp,
            _ => Method::Stream,
        },
        agent_forwarding: agent_forwarding(options),
        local_tunnels: tunnels(&options.ssh_local_tunnels)?,
        remote_tunnels: tunnels(&options.ssh_remote_tunnels)?,
        ..Options::new(target)
    })
}

fn tunnels(texts: &[String]) -> Result<Vec<Tunnel>, Cause> {
    Ok(texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
}

/// Off unless the template says `ssh_disable_agent_forwarding = false`: a machine that was just born should not hold your keys.
fn agent_forwarding(options: &CommunicatorOptions) -> AgentForwarding {
    match (options.ssh_disable_agent_forwarding, agent_socket()) {
        (Some(false), Some(socket)) => AgentForwarding::Socket(socket),
        _ => AgentForwarding::Off,
    }
}

fn agent_socket() -> Option<PathBuf> {
    std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty()).map(PathBuf::from)
}

/// Agent, key file, the build's own key, the key given as bytes, password, in the order in which Packer offers them.
fn target_auth(options: &CommunicatorOptions, own: Option<Keypair>) -> Result<Vec<Auth>, Cause> {
    let mut auth = Vec::new();
    if options.ssh_agent_auth {
        auth.push(agent()?);
    }
    auth.extend(key_file(options.ssh_private_key_file.as_deref(), options.ssh_certificate_file.as_deref())?);
    auth.extend(own.map(Auth::Key));
    auth.extend(options.raw_key().transpose()?.map(Auth::Key));
    auth.extend(password(options.ssh_password.as_deref()));
    Ok(auth)
}

/// An agent is wanted and there is none.
#[derive(Debug, thiserror::Error)]
#[error("SSH_AUTH_SOCK is not set: start an SSH agent, or leave ssh_agent_auth out")]
struct NoAgent;

fn agent() -> Result<Auth, NoAgent> {
    agent_socket().map(Auth::Agent).ok_or(NoAgent)
}

fn password(password: Option<&str>) -> Option<Auth> {
    password.filter(|text| !text.is_empty()).map(|text| Auth::Password(Secret::new(text.to_owned())))
}

fn key_file(key: Option<&str>, certificate: Option<&str>) -> Result<Option<Auth>, Cause> {
    let Some(path) = key.filter(|path| !path.is_empty()) else { return Ok(None) };
    let key = Keypair::read(&home_path(path))?;
    Ok(Some(match certificate {
        Some(path) => Auth::Certificate(key, Certificate::read(&home_path(path))?),
        None => Auth::Key(key),
    }))
}

fn route(options: &CommunicatorOptions) -> Result<Route, Cause> {
    if let Some(host) = &options.ssh_proxy_host {
        let password = options.ssh_proxy_password.clone().unwrap_or_default();
        let login = options.ssh_proxy_username.clone().map(|user| (user, Secret::new(password)));
        return Ok(Route::Socks5(Proxy { host: host.clone(), port: options.ssh_proxy_port.unwrap_or(1080), login }));
    }
    let Some(host) = &options.ssh_bastion_host else { return Ok(Route::Direct) };
    let mut auth = Vec::new();
    if options.ssh_bastion_agent_auth {
        auth.push(agent()?);
    }
    // The machine's own key serves the bastion, too, unless it has one.
    auth.extend(match &options.ssh_bastion_private_key_file {
        Some(path) => key_file(Some(path), options.ssh_bastion_certificate_file.as_deref())?,
        None => key_file(options.ssh_private_key_file.as_deref(), options.ssh_certificate_file.as_deref())?,
    });
    auth.extend(password(options.ssh_bastion_password.as_deref()));
    let user = options.ssh_bastion_username.clone().unwrap_or_default();
    let (host, port) = (host.clone(), options.ssh_bastion_port.unwrap_or(22));
    Ok(Route::Bastion(Endpoint { host, port, user, auth, host_key: HostKeyPolicy::FirstUse }))
}
