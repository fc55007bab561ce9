//! Connections that travel inside the SSH connection, in both directions, and the agent's.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelOpenFailure, ChannelOpenHandleInner};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, UnixStream};
use tokio::task::AbortHandle;

use super::dial;
use super::link::Link;
use super::options::Tunnel;
use crate::communicator::Error;

/// How long a forwarded connection may take to be made on our side.
const DIAL: Duration = Duration::from_secs(15);

/// The listeners of local tunnels. Dropping it closes them.
pub(super) struct Listeners(Vec<AbortHandle>);

impl Drop for Listeners {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

/// Listens on `localhost` for every tunnel. The listeners outlive connections: each accepted socket uses the session of its
/// time, so that a reconnect need not bind again.
pub(super) async fn listen(link: &Arc<Link>, tunnels: &[Tunnel]) -> Result<Listeners, Error> {
    let mut listeners = Listeners(Vec::new());
    for tunnel in tunnels {
        let listener = TcpListener::bind(("127.0.0.1", tunnel.listen)).await.map_err(|e| Error::Connect {
            target: link.target(),
            reason: format!("listen on local port {}: {e}", tunnel.listen),
        })?;
        let serving = tokio::spawn(serve(Arc::downgrade(link), listener, tunnel.clone()));
        listeners.0.push(serving.abort_handle());
    }
    Ok(listeners)
}

async fn serve(link: Weak<Link>, listener: TcpListener, tunnel: Tunnel) {
    while let Ok((socket, peer)) = listener.accept().await {
        let Some(link) = link.upgrade() else { return };
        let tunnel = tunnel.clone();
        // A connection that cannot be made is closed, which is what its client sees of any refused connection.
        tokio::spawn(async move {
            let Ok(session) = link.session().await else { return };
            drop(link);
            let (from, from_port) = (peer.ip().to_string(), u32::from(peer.port()));
            let channel =
                session.handle.channel_open_direct_tcpip(tunnel.host, tunnel.port.into(), from, from_port).await;
            if let Ok(channel) = channel {
                join(channel, socket).await;
            }
        });
    }
}

/// Connects a channel that the server opened for a remote tunnel.
pub(super) fn to_our_side(channel: Channel<Msg>, reply: ChannelOpenHandleInner<Msg>, tunnel: Tunnel) {
    // A task of its own: the connection's loop, which calls this, must not wait for a dial.
    tokio::spawn(async move {
        match dial::tcp(&tunnel.host, tunnel.port, DIAL).await {
            Ok(socket) => {
                reply.accept().await;
                join(channel, socket).await;
            }
            Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
        }
    });
}

/// Connects a channel that the server opened to reach the agent.
pub(super) fn to_agent(channel: Channel<Msg>, reply: ChannelOpenHandleInner<Msg>, socket: PathBuf) {
    tokio::spawn(async move {
        match UnixStream::connect(socket).await {
            Ok(socket) => {
                reply.accept().await;
                join(channel, socket).await;
            }
            Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
        }
    });
}

/// Copies both ways until both directions have ended; a half-closed connection stays half open.
async fn join<S: AsyncRead + AsyncWrite + Unpin>(channel: Channel<Msg>, mut socket: S) {
    let _ = copy_bidirectional(&mut channel.into_stream(), &mut socket).await;
}
