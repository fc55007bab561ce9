//! The instance's address on the host: what is connected to there reaches the instance.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::agent_socket;
use super::network::InsideNetwork;
use crate::local_ec2::machine::IngressRule;

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
    /// Listens on port 22 of `address` for the agent, and on the other ports that `ingress` opens for what the instance has there.
    ///
    /// # Errors
    /// When port 22 can't be had; the text names the remedy. Of the other ports, those that can't be had are left out.
    pub async fn listen(
        address: Ipv4Addr,
        shared: &Path,
        network: Option<&InsideNetwork>,
        ingress: &[IngressRule],
    ) -> io::Result<Self> {
        let listener = bind(address, SSH).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Target::Agent(shared.to_owned())));
        for port in network.iter().flat_map(|_| opened(ingress)) {
            if let (Ok(listener), Some(network)) = (TcpListener::bind((address, port)).await, network) {
                tasks.spawn(serve(listener, Target::Port(network.clone(), port)));
            }
        }
        Ok(Self { _tasks: tasks })
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

async fn serve(listener: TcpListener, target: Target) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => drop(connections.spawn(forward(client, target.clone()))),
                // Out of descriptors, most likely: one will be free when a connection ends.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Until both sides have ended; a side that breaks off ends the other.
async fn forward(mut client: TcpStream, target: Target) {
    let _ = client.set_nodelay(true);
    let _ = match target {
        Target::Agent(shared) => match agent_socket::connect(&shared).await {
            Ok(mut agent) => copy_bidirectional(&mut client, &mut agent).await,
            Err(_) => return,
        },
        Target::Port(network, port) => match network.connect(port).await {
            Ok(mut inside) => copy_bidirectional(&mut client, &mut inside).await,
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
        let server = tokio::spawn(serve(listener, Target::Agent(dir.path().to_owned())));
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
}
