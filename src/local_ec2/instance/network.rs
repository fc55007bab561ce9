//! Kiln's side of an instance's network: a thread in a network namespace of its own, joined to the instance's by a pair of interfaces, where 169.254.169.254
//! is. It answers there, and makes connections to the instance's ports.
//!
//! Not in the instance's own namespace: a listener on port 80 of any address there would keep the instance's web server from listening on port 80 of all. A
//! thread can be in another namespace than its process, and a socket stays in the one where it was made, so all that makes sockets runs on this thread, with a
//! small runtime of its own. The interfaces go with the thread, or with the instance.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::metadata::Service;
use super::netlink;

/// Where every EC2 instance finds its metadata.
pub const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// The interface in Kiln's namespace, and the one in the instance's.
const NEAR: &str = "instance";
const FAR: &str = "imds0";

/// One wish for a connection, and where its fulfilment goes.
type Dial = (u16, oneshot::Sender<io::Result<std::net::TcpStream>>);

/// The thread's handle; it ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct InsideNetwork {
    dial: mpsc::UnboundedSender<Dial>,
}

impl InsideNetwork {
    /// Joins the network of process `pid`, gives the instance its addresses, and serves the metadata to it if there is a service.
    ///
    /// # Errors
    /// When the kernel refuses a namespace, an interface or an address.
    pub async fn enter(pid: u32, private_ip: Ipv4Addr, metadata: Option<Arc<Service>>) -> io::Result<Self> {
        let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
        let (dial, wishes) = mpsc::unbounded_channel();
        let (entered, ready) = oneshot::channel();
        thread::Builder::new().name(format!("net-{pid}")).spawn(move || {
            let prepared = join(&namespace, private_ip);
            let runtime = prepared.and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build());
            match runtime {
                Ok(runtime) => runtime.block_on(live(wishes, private_ip, metadata, entered)),
                // Nobody waits any more when the launch was given up.
                Err(error) => drop(entered.send(Err(error))),
            }
        })?;
        ready.await.map_err(io::Error::other)??;
        Ok(Self { dial })
    }

    /// A connection to a port of the instance.
    ///
    /// # Errors
    /// When nothing listens there.
    pub async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        let (answer, stream) = oneshot::channel();
        self.dial.send((port, answer)).map_err(io::Error::other)?;
        TcpStream::from_std(stream.await.map_err(io::Error::other)??)
    }
}

/// Leaves this thread in a namespace of its own, joined to the instance's.
fn join(instance: &File, private_ip: Ipv4Addr) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    let own = File::open("/proc/thread-self/ns/net")?;
    netlink::add_pair(NEAR, FAR, instance.as_fd())?;
    netlink::add_address(NEAR, METADATA_ADDRESS)?;
    netlink::up(NEAR)?;
    netlink::add_route(NEAR, private_ip, METADATA_ADDRESS)?;
    setns(instance, CloneFlags::CLONE_NEWNET)?;
    netlink::up("lo")?;
    netlink::add_address(FAR, private_ip)?;
    netlink::up(FAR)?;
    netlink::add_route(FAR, METADATA_ADDRESS, private_ip)?;
    Ok(setns(own, CloneFlags::CLONE_NEWNET)?)
}

async fn live(
    mut wishes: mpsc::UnboundedReceiver<Dial>,
    private_ip: Ipv4Addr,
    metadata: Option<Arc<Service>>,
    entered: oneshot::Sender<io::Result<()>>,
) {
    let listening = match metadata {
        Some(service) => TcpListener::bind(SocketAddr::from((METADATA_ADDRESS, 80))).await.map(|l| {
            tokio::spawn(service.serve(l));
        }),
        None => Ok(()),
    };
    let failed = listening.is_err();
    if entered.send(listening).is_err() || failed {
        return;
    }
    while let Some((port, answer)) = wishes.recv().await {
        tokio::spawn(async move {
            let stream = TcpStream::connect((private_ip, port)).await.and_then(TcpStream::into_std);
            // Whoever wished may have gone.
            let _ = answer.send(stream);
        });
    }
}
