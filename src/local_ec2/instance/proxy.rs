//! The instance's address on the host: what is connected to there reaches the instance.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::agent_socket;
use super::network::InsideNetwork;
use crate::local_ec2::machine::{IngressRule, LaunchSpec};

/// SSH's port.
const SSH: u16 = 22;

/// Rules that open more ports than this are not played: nobody needs a thousand listeners.
const MOST_PORTS: usize = 32;

/// Listens as long as it lives; so do the connections.
#[derive(Debug)]
pub struct Proxy {
    _tasks: JoinSet<()>,
}

/// Where a port leads.
#[derive(Clone, Debug)]
enum Target {
    Agent(PathBuf),
    Port(InsideNetwork, u16),
}

impl Proxy {
    /// Listens on port 22 of the instance's address for the agent, and on the other ports that its groups open for what it has there.
    ///
    /// # Errors
    /// When port 22 can't be had; the text names the remedy. Of the other ports, those that can't be had are left out.
    pub async fn listen(spec: &LaunchSpec, shared: &Path, network: Option<&InsideNetwork>) -> io::Result<Self> {
        let (address, link) = (spec.address, spec.link);
        let listener = bind(address, SSH).await?;
        let cut = Cut::new(link.cut_after);
        let target = Target::Agent(shared.to_owned());
        let mut tasks = JoinSet::new();
        if link.opens_after.is_zero() {
            tasks.spawn(serve(listener, target, cut));
        } else {
            // The port can be had; but for now whoever connects is to be refused.
            drop(listener);
            tasks.spawn(async move {
                tokio::time::sleep(link.opens_after).await;
                if let Ok(listener) = bind(address, SSH).await {
                    serve(listener, target, cut).await;
                }
            });
        }
        for port in network.iter().flat_map(|_| opened(&spec.ingress)) {
            if let (Ok(listener), Some(network)) = (TcpListener::bind((address, port)).await, network) {
                tasks.spawn(serve(listener, Target::Port(network.clone(), port), Cut::new(None)));
            }
        }
        Ok(Self { _tasks: tasks })
    }
}

/// The connection that is to be reset: the first that lives so long.
#[derive(Clone, Debug)]
struct Cut(Arc<Mutex<Option<Duration>>>);

impl Cut {
    fn new(after: Option<Duration>) -> Self {
        Self(Arc::new(Mutex::new(after)))
    }

    fn wanted(&self) -> std::sync::MutexGuard<'_, Option<Duration>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Ends when the connection that asks is the one.
    async fn falls(&self) {
        let after = *self.wanted();
        if let Some(after) = after {
            tokio::time::sleep(after).await;
            if self.wanted().take().is_some() {
                return;
            }
        }
        std::future::pending().await
    }
}

async fn bind(address: Ipv4Addr, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((address, port))).await.map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::PermissionDenied => "run as root, or allow it with `sysctl -w net.ipv4.ip_unprivileged_port_start=22`",
            ErrorKind::AddrInUse => "another program listens on that port of every address: let sshd listen on the machine's own address only (`ListenAddress`)",
            ErrorKind::AddrNotAvailable => "this system has only 127.0.0.1: add the address to its loopback interface",
            _ => "it must be free",
        };
        io::Error::new(error.kind(), format!("cannot listen on {address}:{port} ({remedy}): {error}"))
    })
}

/// The single TCP ports that the rules open, besides SSH's.
fn opened(ingress: &[IngressRule]) -> Vec<u16> {
    let mut ports: Vec<u16> = Vec::new();
    for rule in ingress.iter().filter(|rule| rule.protocol == "tcp") {
        if let Some((first, last)) = rule.ports
            && usize::from(last.saturating_sub(first)) < MOST_PORTS
        {
            ports.extend((first..=last).filter(|&port| port != SSH && port != 0));
        }
    }
    ports.sort_unstable();
    ports.dedup();
    ports.truncate(MOST_PORTS);
    ports
}

async fn serve(listener: TcpListener, target: Target, cut: Cut) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => drop(connections.spawn(connection(client, target.clone(), cut.clone()))),
                // Out of descriptors, most likely: one will be free when a connection ends.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection(mut client: TcpStream, target: Target, cut: Cut) {
    let is_cut = tokio::select! {
        () = forward(&mut client, target) => false,
        () = cut.falls() => true,
    };
    if is_cut {
        // Closing a socket with a linger time of zero sends RST. If that cannot be set, the connection just ends.
        let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        let _ = nix::sys::socket::setsockopt(&client, nix::sys::socket::sockopt::Linger, &linger);
    }
}

/// Until both sides have ended; a side that breaks off ends the other.
async fn forward(client: &mut TcpStream, target: Target) {
    let _ = client.set_nodelay(true);
    let _ = match target {
        Target::Agent(shared) => match agent_socket::connect(&shared).await {
            Ok(mut agent) => copy_bidirectional(client, &mut agent).await,
            Err(_) => return,
        },
        Target::Port(network, port) => match network.connect(port).await {
            Ok(mut inside) => copy_bidirectional(client, &mut inside).await,
            Err(_) => return,
        },
    };
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;

    fn rule(protocol: &str, ports: Option<(u16, u16)>) -> IngressRule {
        IngressRule { protocol: protocol.to_owned(), ports, cidr: "0.0.0.0/0".to_owned() }
    }

    #[test]
    fn few_ports_are_opened_and_never_ssh_twice() {
        let rules = [
            rule("tcp", Some((22, 22))),
            rule("tcp", Some((8080, 8081))),
            rule("udp", Some((53, 53))),
            rule("tcp", Some((1, 65_535))),
            rule("-1", None),
        ];
        assert_eq!(opened(&rules), [8080, 8081]);
    }

    #[tokio::test]
    async fn bytes_go_both_ways() {
        let dir = tempfile::tempdir().unwrap();
        let agent = UnixListener::bind(dir.path().join("agent.sock")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, Target::Agent(dir.path().to_owned()), Cut::new(None)));
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut inside, _) = agent.accept().await.unwrap();
        inside.write_all(b"SSH-").await.unwrap();
        let mut greeting = [0; 4];
        client.read_exact(&mut greeting).await.unwrap();
        client.write_all(b"hi").await.unwrap();
        let mut answer = [0; 2];
        inside.read_exact(&mut answer).await.unwrap();
        assert_eq!((&greeting, &answer), (b"SSH-", b"hi"));
        server.abort();
    }

    #[tokio::test]
    async fn the_first_connection_that_lives_long_is_reset_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let agent = UnixListener::bind(dir.path().join("agent.sock")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Cut::new(Some(Duration::from_millis(20)));
        let server = tokio::spawn(serve(listener, Target::Agent(dir.path().to_owned()), cut));
        let mut first = TcpStream::connect(address).await.unwrap();
        let _inside = agent.accept().await.unwrap();
        let error = first.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let mut second = TcpStream::connect(address).await.unwrap();
        let (mut inside, _) = agent.accept().await.unwrap();
        inside.write_all(b"!").await.unwrap();
        assert_eq!(second.read_u8().await.unwrap(), b'!');
        server.abort();
    }
}
