//! Tells systemd that the agent is ready, by the protocol of sd_notify(3).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends `READY=1` to the socket named by `$NOTIFY_SOCKET`; does nothing when there is none.
///
/// # Errors
/// When the socket is named but cannot be reached.
pub fn ready() -> std::io::Result<()> {
    match std::env::var("NOTIFY_SOCKET") {
        Ok(name) if !name.is_empty() => send(&name, b"READY=1"),
        _ => Ok(()),
    }
}

/// A leading `@` stands for the NUL byte of an abstract socket.
fn send(name: &str, message: &[u8]) -> std::io::Result<()> {
    let address = match name.strip_prefix('@') {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message, &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_arrives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send(path.to_str().unwrap(), b"READY=1").unwrap();
        let mut buffer = [0; 16];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
    }
}
