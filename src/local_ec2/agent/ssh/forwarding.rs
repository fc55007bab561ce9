//! TCP and unix socket forwarding, both ways.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use russh::ChannelOpenFailure;
use russh::server::{ChannelOpenHandle, Handle};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::AbortHandle;

use super::flow::{InputReceiver, InputSender, input};
use super::session::Writer;

/// One read of a forwarded stream.
const CHUNK: usize = 64 << 10;

/// Connects to `host:port` from inside the instance and joins the channel with it. The result takes the client's data.
pub fn connect_tcp(host: String, port: u16, reply: ChannelOpenHandle, writer: Writer) -> InputSender {
    let (sender, receiver) = input();
    tokio::spawn(async move {
        match TcpStream::connect((host.trim_matches(['[', ']']), port)).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                reply.accept().await;
                join(stream, receiver, &writer).await;
            }
            Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
        }
    });
    sender
}

/// Joins the channel with a process that holds a connection; see [`super::process::Program::ConnectUnix`].
pub fn connect_process(
    child: io::Result<tokio::process::Child>,
    reply: ChannelOpenHandle,
    writer: Writer,
) -> InputSender {
    let (sender, receiver) = input();
    tokio::spawn(async move {
        let Ok(mut child) = child else { return reply.reject(ChannelOpenFailure::ConnectFailed).await };
        let (Some(stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else { return };
        // The first byte says that the connection stands; nothing at all means that it does not.
        if stdout.read_u8().await.is_err() {
            return reply.reject(ChannelOpenFailure::ConnectFailed).await;
        }
        reply.accept().await;
        join(tokio::io::join(stdout, stdin), receiver, &writer).await;
        let _ = child.wait().await;
    });
    sender
}

/// The other end of [`connect_process`]: runs as the user, with the channel on standard input and output.
///
/// # Errors
/// When the socket refuses.
pub async fn serve_process(path: &std::path::Path) -> io::Result<()> {
    let socket = UnixStream::connect(path).await?;
    let (mut stdin, mut stdout) = super::super::stdio::take()?;
    stdout.write_u8(0).await?;
    let (mut from, mut to) = socket.into_split();
    let inward = async {
        let _ = tokio::io::copy(&mut stdin, &mut to).await;
        let _ = to.shutdown().await;
    };
    let outward = async {
        let _ = tokio::io::copy(&mut from, &mut stdout).await;
        drop(stdout);
    };
    tokio::join!(inward, outward);
    Ok(())
}

/// Moves data both ways until both sides have ended.
async fn join(stream: impl AsyncRead + AsyncWrite, mut input: InputReceiver, writer: &Writer) {
    let (mut source, mut sink) = tokio::io::split(stream);
    let inward = async {
        while let Some(data) = input.next().await {
            if sink.write_all(&data).await.is_err() {
                return;
            }
        }
        let _ = sink.shutdown().await;
    };
    let outward = async {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let more = matches!(source.read_buf(&mut chunk).await, Ok(1..));
            if !more || writer.data_bytes(chunk).await.is_err() {
                break;
            }
        }
        let _ = writer.eof().await;
    };
    tokio::join!(inward, outward);
    let _ = writer.close().await;
}

/// The ports a connection listens on for its client (`ssh -R`).
#[derive(Default)]
pub struct Listeners(HashMap<(String, u32), AbortHandle>);

impl Listeners {
    /// Listens on `address:port` of the instance and opens a channel to the client for each connection. Returns the port,
    /// which the kernel chooses when `port` is 0.
    ///
    /// # Errors
    /// When the port is taken or the address is none.
    pub async fn add(&mut self, address: &str, port: u32, handle: Handle) -> io::Result<u32> {
        let wanted = u16::try_from(port).map_err(io::Error::other)?;
        let listener = TcpListener::bind((bind_address(address), wanted)).await?;
        let actual = u32::from(listener.local_addr()?.port());
        let task = tokio::spawn(accept(listener, Arc::from(address), actual, handle));
        self.0.insert((address.to_owned(), actual), task.abort_handle());
        Ok(actual)
    }

    /// Stops listening; false when nobody did.
    pub fn remove(&mut self, address: &str, port: u32) -> bool {
        self.0.remove(&(address.to_owned(), port)).inspect(AbortHandle::abort).is_some()
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.0.values().for_each(AbortHandle::abort);
    }
}

/// sshd's `GatewayPorts no`: whatever the client asks for, only the instance itself can connect.
fn bind_address(address: &str) -> &'static str {
    if address.contains(':') { "::1" } else { "127.0.0.1" }
}

async fn accept(listener: TcpListener, address: Arc<str>, port: u32, handle: Handle) {
    while let Ok((mut stream, peer)) = listener.accept().await {
        let (handle, address) = (handle.clone(), address.clone());
        tokio::spawn(async move {
            let (origin, origin_port) = (peer.ip().to_string(), u32::from(peer.port()));
            let opened = handle.channel_open_forwarded_tcpip(address.as_ref(), port, origin, origin_port).await;
            if let Ok(channel) = opened {
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut channel.into_stream()).await;
            }
        });
    }
}
