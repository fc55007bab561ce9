//! The client side of a SOCKS5 CONNECT (RFC 1928), with the user name and password login of RFC 1929.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::options::Proxy;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const PASSWORD_LOGIN: u8 = 2;

/// Asks the proxy at the other end of `stream` to connect it to `host:port`. Names are resolved by the proxy.
pub(super) async fn connect<S>(stream: &mut S, proxy: &Proxy, host: &str, port: u16) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let methods = if proxy.login.is_some() { vec![NO_LOGIN, PASSWORD_LOGIN] } else { vec![NO_LOGIN] };
    let mut hello = vec![VERSION, methods.len() as u8];
    hello.extend(methods);
    stream.write_all(&hello).await?;
    let mut choice = [0; 2];
    stream.read_exact(&mut choice).await?;
    match (choice, &proxy.login) {
        ([VERSION, NO_LOGIN], _) => {}
        ([VERSION, PASSWORD_LOGIN], Some((user, password))) => log_in(stream, user, password.reveal()).await?,
        ([VERSION, _], None) => return Err(io::Error::other("the proxy wants a user name and password")),
        _ => return Err(io::Error::other("the proxy does not speak SOCKS5")),
    }
    stream.write_all(&request(host, port)?).await?;
    read_reply(stream).await
}

async fn log_in<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, user: &str, password: &str) -> io::Result<()> {
    let mut message = vec![1];
    for text in [user, password] {
        message.push(length(text)?);
        message.extend(text.as_bytes());
    }
    stream.write_all(&message).await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    if answer[1] == 0 { Ok(()) } else { Err(io::Error::other("the proxy refused the user name and password")) }
}

fn request(host: &str, port: u16) -> io::Result<Vec<u8>> {
    const CONNECT: u8 = 1;
    let mut message = vec![VERSION, CONNECT, 0];
    match host.parse() {
        Ok(std::net::IpAddr::V4(address)) => {
            message.push(1);
            message.extend(address.octets());
        }
        Ok(std::net::IpAddr::V6(address)) => {
            message.push(4);
            message.extend(address.octets());
        }
        Err(_) => message.extend([3, length(host)?].into_iter().chain(host.bytes())),
    }
    message.extend(port.to_be_bytes());
    Ok(message)
}

fn length(text: &str) -> io::Result<u8> {
    u8::try_from(text.len()).map_err(|_| io::Error::other("a name for the proxy is longer than 255 bytes"))
}

async fn read_reply<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    if head[1] != 0 {
        return Err(io::Error::other(format!("the proxy says: {}", refusal(head[1]))));
    }
    // The address it connected from follows; its length depends on its kind.
    let rest = match head[3] {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await?),
        _ => return Err(io::Error::other("the proxy does not speak SOCKS5")),
    };
    stream.read_exact(&mut vec![0; rest + 2]).await?;
    Ok(())
}

fn refusal(code: u8) -> &'static str {
    match code {
        2 => "connection not allowed",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "general failure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn proxy(login: Option<(&str, &str)>) -> Proxy {
        let login = login.map(|(user, password)| (user.to_owned(), Secret::new(password.to_owned())));
        Proxy { host: "proxy".into(), port: 1080, login }
    }

    /// Plays (what the client must send, what it gets for it).
    async fn play(proxy: Proxy, host: &str, script: &[(&[u8], &[u8])]) -> io::Result<()> {
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        let serve = async {
            for (expected, answer) in script {
                let mut got = vec![0; expected.len()];
                theirs.read_exact(&mut got).await.unwrap();
                assert_eq!(&got, expected);
                theirs.write_all(answer).await.unwrap();
            }
        };
        tokio::join!(connect(&mut ours, &proxy, host, 22), serve).0
    }

    #[tokio::test]
    async fn connects_by_address_and_by_name() {
        let script: &[(&[u8], &[u8])] =
            &[(&[5, 1, 0], &[5, 0]), (&[5, 1, 0, 1, 10, 0, 0, 9, 0, 22], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])];
        play(proxy(None), "10.0.0.9", script).await.unwrap();
        let script: &[(&[u8], &[u8])] = &[
            (&[5, 2, 0, 2], &[5, 2]),
            (b"\x01\x02me\x02pw", &[1, 0]),
            (b"\x05\x01\x00\x03\x04host\x00\x16", &[5, 0, 0, 3, 1, b'x', 0, 0]),
        ];
        play(proxy(Some(("me", "pw"))), "host", script).await.unwrap();
    }

    #[tokio::test]
    async fn refusals_say_why() {
        let script: &[(&[u8], &[u8])] = &[(&[5, 1, 0], &[5, 0xff])];
        let text = play(proxy(None), "host", script).await.unwrap_err().to_string();
        assert_eq!(text, "the proxy wants a user name and password");
        let script: &[(&[u8], &[u8])] =
            &[(&[5, 1, 0], &[5, 0]), (b"\x05\x01\x00\x03\x04host\x00\x16", &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0])];
        let text = play(proxy(None), "host", script).await.unwrap_err().to_string();
        assert_eq!(text, "the proxy says: connection refused");
    }
}
