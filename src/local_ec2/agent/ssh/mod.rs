//! The SSH server of an instance: the listeners, and what all their connections share.

mod connection;
mod environment;
mod flow;
mod forwarding;
mod process;
mod pty;
mod session;
mod terminal_modes;

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::server::Config;
use russh::{Disconnect, MethodKind, MethodSet, SshId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::console;
use super::paths::Paths;
use super::reexec::Reexec;
use connection::Connection;
pub use forwarding::serve_process as serve_unix_client;

/// How long a client may take to notice that the instance goes down.
const FAREWELL: Duration = Duration::from_millis(300);

/// What every connection needs to know.
pub struct Shared {
    /// The instance's files.
    pub paths: Paths,
    /// How to start this program again, as another user.
    pub reexec: Reexec,
    config: Arc<Config>,
    stopping: watch::Receiver<bool>,
}

impl Shared {
    /// `stopping` turns true when the instance goes down: connections are closed then.
    pub fn new(paths: Paths, reexec: Reexec, keys: Vec<PrivateKey>, stopping: watch::Receiver<bool>) -> Arc<Self> {
        Arc::new(Self { paths, reexec, config: Arc::new(server_config(keys)), stopping })
    }
}

fn server_config(keys: Vec<PrivateKey>) -> Config {
    let methods: &[MethodKind] = &[MethodKind::PublicKey];
    Config {
        server_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-Kiln_", env!("CARGO_PKG_VERSION")))),
        methods: MethodSet::from(methods),
        // The delay is there against guessing over a network; this server listens on loopback, and a key agent that offers
        // three keys would wait three times.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        // sshd's MaxAuthTries is 6; russh also counts the probe ("none") that every client begins with.
        max_auth_attempts: 7,
        keys,
        // A provisioner may be silent for an hour.
        inactivity_timeout: None,
        // 64 packets of 32 KiB are one client window (2 MiB): a whole window can be under way.
        event_buffer_size: 64,
        nodelay: true,
        ..Config::default()
    }
}

/// Serves SSH on a unix socket until the instance stops.
pub async fn serve_unix(listener: UnixListener, shared: Arc<Shared>) {
    let accept = || async { listener.accept().await.map(|(stream, _)| (stream, None, None)) };
    accept_until_stopped(accept, shared).await;
}

/// Serves SSH on a TCP port until the instance stops.
pub async fn serve_tcp(listener: TcpListener, shared: Arc<Shared>) {
    let accept = || async {
        let (stream, peer) = listener.accept().await?;
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().ok();
        Ok((stream, Some(peer), local))
    };
    accept_until_stopped(accept, shared).await;
}

/// Returns when the instance stops and every connection has ended.
async fn accept_until_stopped<S, F>(accept: impl Fn() -> F, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = io::Result<(S, Option<SocketAddr>, Option<SocketAddr>)>>,
{
    let mut stopping = shared.stopping.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = accept() => match accepted {
                Ok((stream, peer, local)) => {
                    connections.spawn(serve(stream, peer, local, shared.clone()));
                }
                // A client that left at once, or too many open files: the next one may fare better.
                Err(error) => {
                    console::problem("accept a connection", &error);
                    tokio::task::yield_now().await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = stopped(&mut stopping) => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

/// One connection from banner to end. Its errors concern only the client, who sees them as a closed connection.
async fn serve<S>(stream: S, peer: Option<SocketAddr>, local: Option<SocketAddr>, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut stopping = shared.stopping.clone();
    let config = shared.config.clone();
    let connection = Connection::new(shared, peer, local);
    let Ok(mut session) = russh::server::run_stream(config, stream, connection).await else { return };
    let handle = session.handle();
    tokio::select! {
        _ = &mut session => {}
        () = stopped(&mut stopping) => {
            let farewell = async {
                let _ = handle.disconnect(Disconnect::ByApplication, "the instance is stopping".into(), "".into()).await;
                let _ = session.await;
            };
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
        }
    }
}

/// Returns when the instance goes down, or when nobody is left to say so.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
