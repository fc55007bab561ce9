//! One live SSH connection: the handshake, the host key check, the login, and what the server may open on us.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::client::{Config, DisconnectReason, Handle, Handler, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelOpenFailure, ChannelOpenHandleInner, Disconnect};
use tokio::time::timeout;

use super::auth::{LoginError, log_in};
use super::dial::Wire;
use super::host_key::{Pins, Verdict, describe};
use super::key::PublicKey;
use super::options::{AgentForwarding, Endpoint, Tunnel};
use super::tunnel;
use crate::communicator::Error;

/// Version exchange and key exchange. A busy guest takes seconds; one that accepts and then says nothing is not up yet.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// The login: PAM modules and reverse DNS may be slow. Packer allows 60 s for the handshake and this together.
const LOGIN: Duration = Duration::from_secs(60);

/// How one attempt to connect failed, by what it means for the next.
#[derive(Debug)]
pub(super) enum Failure {
    /// The machine is not there yet: try again.
    NotYet(String),
    /// It refused the credentials: try again a limited number of times.
    Refused(String),
    /// Trying again cannot help.
    Final(Error),
}

/// A logged-in connection.
pub(super) struct Session {
    pub handle: Handle<Client>,
    /// The host key it proved to hold.
    pub host_key: PublicKey,
    /// Channels of commands and transfers that are open now.
    busy: AtomicUsize,
    retired: AtomicBool,
    /// Keeps the connection that this one travels through.
    _bastion: Option<Arc<Session>>,
}

/// What the handler, which the connection owns, tells us.
#[derive(Default)]
struct Seen {
    key: Option<PublicKey>,
    wrong: Option<Error>,
    farewell: Option<String>,
}

/// Everything that makes a connection besides the wire.
pub(super) struct Terms<'a> {
    pub endpoint: &'a Endpoint,
    pub pins: &'a Arc<Pins>,
    pub config: Arc<Config>,
    pub agent: AgentForwarding,
    pub remote_tunnels: Vec<Tunnel>,
}

impl Session {
    /// Shakes hands and logs in over `wire`.
    pub async fn open(terms: Terms<'_>, wire: Wire, bastion: Option<Arc<Session>>) -> Result<Self, Failure> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let client = Client {
            address: terms.endpoint.address(),
            pins: terms.pins.clone(),
            seen: seen.clone(),
            agent: terms.agent,
            tunnels: terms.remote_tunnels.clone(),
        };
        let shaken = timeout(HANDSHAKE, russh::client::connect_stream(terms.config, wire, client)).await;
        let mut handle = match shaken {
            Ok(Ok(handle)) => handle,
            Ok(Err(e)) => {
                return Err(lock(&seen)
                    .wrong
                    .take()
                    .map_or_else(|| handshake_failure(e, terms.endpoint), Failure::Final));
            }
            Err(_) => return Err(Failure::NotYet(format!("no SSH handshake within {} s", HANDSHAKE.as_secs()))),
        };
        log_in_within(LOGIN, &mut handle, terms.endpoint, &seen).await?;
        let host_key = lock(&seen).key.clone();
        let host_key = host_key.ok_or_else(|| Failure::NotYet("the server showed no host key".into()))?;
        open_remote_tunnels(&handle, terms.endpoint, &terms.remote_tunnels).await?;
        let (busy, retired) = (AtomicUsize::new(0), AtomicBool::new(false));
        Ok(Self { handle, host_key, busy, retired, _bastion: bastion })
    }

    /// Whether new channels may be opened on it.
    pub fn usable(&self) -> bool {
        !self.handle.is_closed() && !self.retired.load(Ordering::Relaxed)
    }

    /// Takes it out of use for everybody; what is running on it goes on.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Takes leave, as far as the peer still listens.
    pub async fn disconnect(&self) {
        self.retire();
        // A peer that is gone never takes the message; a second is plenty for one that is there.
        let _ = timeout(Duration::from_secs(1), self.handle.disconnect(Disconnect::ByApplication, "done", "en")).await;
    }
}

/// A connection while a command or transfer uses it.
pub(super) struct InUse(pub Arc<Session>);

impl InUse {
    pub fn new(session: Arc<Session>) -> Self {
        session.busy.fetch_add(1, Ordering::Relaxed);
        Self(session)
    }

    /// How many others use it.
    pub fn others(&self) -> usize {
        self.0.busy.load(Ordering::Relaxed).saturating_sub(1)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn log_in_within(
    limit: Duration,
    handle: &mut Handle<Client>,
    endpoint: &Endpoint,
    seen: &Mutex<Seen>,
) -> Result<(), Failure> {
    match timeout(limit, log_in(handle, endpoint)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(LoginError::Refused(text))) => Err(Failure::Refused(with_farewell(text, seen))),
        Ok(Err(LoginError::Lost(text))) => Err(Failure::NotYet(with_farewell(text, seen))),
        Err(_) => Err(Failure::NotYet(format!("no end of the login within {} s", limit.as_secs()))),
    }
}

fn with_farewell(text: String, seen: &Mutex<Seen>) -> String {
    match &lock(seen).farewell {
        Some(farewell) => format!("{text}; the server said: {farewell}"),
        None => text,
    }
}

/// A server without a common algorithm will never have one; everything else may be a machine that is still booting.
fn handshake_failure(error: russh::Error, endpoint: &Endpoint) -> Failure {
    match error {
        russh::Error::NoCommonAlgo { .. } | russh::Error::WrongServerSig => {
            Failure::Final(Error::Connect { target: endpoint.address(), reason: error.to_string() })
        }
        russh::Error::IO(e) => Failure::NotYet(e.to_string()),
        russh::Error::Disconnect | russh::Error::HUP => {
            Failure::NotYet("connection closed during the SSH handshake".into())
        }
        other => Failure::NotYet(other.to_string()),
    }
}

async fn open_remote_tunnels(handle: &Handle<Client>, endpoint: &Endpoint, tunnels: &[Tunnel]) -> Result<(), Failure> {
    for tunnel in tunnels {
        if let Err(e) = handle.tcpip_forward("localhost", tunnel.listen.into()).await {
            if handle.is_closed() {
                return Err(Failure::NotYet(e.to_string()));
            }
            let reason = format!("listen on the machine's port {}: {e}", tunnel.listen);
            return Err(Failure::Final(Error::Connect { target: endpoint.address(), reason }));
        }
    }
    Ok(())
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(|e| e.into_inner())
}

/// Answers what the server asks of us.
pub(super) struct Client {
    address: String,
    pins: Arc<Pins>,
    seen: Arc<Mutex<Seen>>,
    agent: AgentForwarding,
    tunnels: Vec<Tunnel>,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let key = shown.public_key();
        let verdict = self.pins.judge(&key);
        let mut seen = lock(&self.seen);
        let right = match verdict {
            Verdict::Known | Verdict::First => true,
            Verdict::Wrong { expected } => {
                seen.wrong = Some(Error::HostKey { target: self.address.clone(), expected, found: describe(&key) });
                false
            }
        };
        seen.key = Some(key);
        Ok(right)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                lock(&self.seen).farewell = Some(info.message);
                Ok(())
            }
            DisconnectReason::Error(e) => Err(e),
        }
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandleInner<Msg>,
        _session: &mut russh::client::Session,
    ) -> Result<(), russh::Error> {
        match &self.agent {
            AgentForwarding::Off => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
            AgentForwarding::Socket(socket) => tunnel::to_agent(channel, reply, socket.clone()),
        }
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _address: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandleInner<Msg>,
        _session: &mut russh::client::Session,
    ) -> Result<(), russh::Error> {
        // Only what we asked for: a server could otherwise use us to reach our own network.
        match self.tunnels.iter().find(|tunnel| u32::from(tunnel.listen) == port) {
            Some(wanted) => tunnel::to_our_side(channel, reply, wanted.clone()),
            None => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
        }
        Ok(())
    }
}
