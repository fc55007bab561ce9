//! From nothing to a byte stream that leads to an SSH server: directly, through a proxy, through a bastion.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::options::{Endpoint, Proxy};
use super::session::{Failure, Session};
use super::socks5;

/// Anything SSH can be spoken over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A stream whose kind no longer matters.
pub(super) type Wire = Box<dyn Stream>;

/// Opening a way through a bastion or proxy; it dials the target in its turn, so this covers their patience too.
const RELAY: Duration = Duration::from_secs(15);

/// How long data may go unacknowledged. Without this a machine that vanishes in the middle of an upload holds the build for
/// the kernel's own 15 minutes: while a write is stuck, no keep-alive is sent.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MS: u32 = 45_000;

/// The patience of the `n`th attempt. A machine without a network yet swallows SYNs, and TCP asks again only after 1, 3, 7 s:
/// fresh attempts ask more often. Every fourth is long enough for a slow link.
pub(super) fn patience(n: u32) -> Duration {
    Duration::from_millis(if n % 4 == 3 { 2_500 } else { 500 })
}

/// A TCP connection to the endpoint itself.
pub(super) async fn direct(endpoint: &Endpoint, limit: Duration) -> Result<Wire, Failure> {
    Ok(Box::new(tcp(&endpoint.host, endpoint.port, limit).await.map_err(not_yet)?))
}

/// A connection that the proxy makes.
pub(super) async fn through_proxy(proxy: &Proxy, endpoint: &Endpoint, limit: Duration) -> Result<Wire, Failure> {
    let at_proxy = |e: io::Error| Failure::NotYet(format!("proxy {}:{}: {e}", proxy.host, proxy.port));
    let mut stream = tcp(&proxy.host, proxy.port, limit).await.map_err(at_proxy)?;
    match timeout(RELAY, socks5::connect(&mut stream, proxy, &endpoint.host, endpoint.port)).await {
        Ok(Ok(())) => Ok(Box::new(stream)),
        Ok(Err(e)) => Err(at_proxy(e)),
        Err(_) => Err(at_proxy(io::ErrorKind::TimedOut.into())),
    }
}

/// A connection that the bastion makes.
pub(super) async fn through_bastion(bastion: &Session, endpoint: &Endpoint) -> Result<Wire, Failure> {
    let opening = bastion.handle.channel_open_direct_tcpip(endpoint.host.clone(), endpoint.port.into(), "127.0.0.1", 0);
    match timeout(RELAY, opening).await {
        Ok(Ok(channel)) => Ok(Box::new(channel.into_stream())),
        Ok(Err(e)) => Err(Failure::NotYet(format!("from the bastion: {e}"))),
        Err(_) => Err(Failure::NotYet("from the bastion: no answer".into())),
    }
}

/// Tries every address of `host`, each for `limit`.
pub(super) async fn tcp(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await? {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return prepare(stream),
            Ok(Err(e)) => last = e,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no answer"),
        }
    }
    Err(last)
}

fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::TcpUserTimeout, &UNACKNOWLEDGED_MS)?;
    Ok(stream)
}

fn not_yet(error: io::Error) -> Failure {
    Failure::NotYet(match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset".into(),
        _ => error.to_string(),
    })
}
