//! What a connection needs to know, as plain data: the template's `ssh_*` options after decoding.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::host_key::HostKeyPolicy;
use super::key::{Certificate, Keypair};
use crate::secret::Secret;

/// How to reach a machine and behave on it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The machine itself.
    pub target: Endpoint,
    /// The way to it.
    pub route: Route,
    /// How long [`super::connect`] and every reconnect may take. When this and `handshake_attempts` are both `None`,
    /// 5 minutes and 10 attempts apply; when only one is set, the other is unlimited.
    pub timeout: Option<Duration>,
    /// How many times the machine may refuse the credentials before that is final.
    pub handshake_attempts: Option<u32>,
    /// Whether commands (never transfers) get a terminal.
    pub pty: Pty,
    /// How often a silent machine is asked whether it is there; `None` for never.
    pub keep_alive: Option<Duration>,
    /// How long the connection may be silent in spite of keep-alives before it counts as lost; `None` for no limit of its own.
    pub read_write_timeout: Option<Duration>,
    /// SSH names of ciphers in order of preference; empty for ours.
    pub ciphers: Vec<String>,
    /// SSH names of key exchanges in order of preference; empty for ours.
    pub key_exchanges: Vec<String>,
    /// How files travel.
    pub transfer: Method,
    /// When directories are compressed on their way.
    pub compression: Compression,
    /// Whether processes on the machine may use the local agent.
    pub agent_forwarding: AgentForwarding,
    /// Local ports that lead to the machine's side.
    pub local_tunnels: Vec<Tunnel>,
    /// Ports of the machine that lead to our side.
    pub remote_tunnels: Vec<Tunnel>,
}

impl Options {
    /// The defaults of a template that names only a host and credentials.
    pub fn new(target: Endpoint) -> Self {
        Self {
            target,
            route: Route::Direct,
            timeout: None,
            handshake_attempts: None,
            pty: Pty::Off,
            keep_alive: Some(Duration::from_secs(5)),
            read_write_timeout: None,
            ciphers: Vec::new(),
            key_exchanges: Vec::new(),
            transfer: Method::Stream,
            compression: Compression::Auto,
            agent_forwarding: AgentForwarding::Off,
            local_tunnels: Vec::new(),
            remote_tunnels: Vec::new(),
        }
    }
}

/// One SSH server and who we are to it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// Its port, 22 as a rule.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// The credentials, in the order in which they are offered.
    pub auth: Vec<Auth>,
    /// Which host keys are right.
    pub host_key: HostKeyPolicy,
}

impl Endpoint {
    /// `host:port` for messages, with brackets around an IPv6 address.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A credential.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Every key of the agent that listens at this socket.
    Agent(PathBuf),
    /// A key we hold.
    Key(Keypair),
    /// A key we hold, vouched for by a certificate.
    Certificate(Keypair, Certificate),
    /// A password; it also answers every prompt of keyboard-interactive.
    Password(Secret<String>),
}

/// The way to the machine.
#[derive(Clone, Debug)]
pub enum Route {
    /// Straight.
    Direct,
    /// Through a login at another SSH server.
    Bastion(Endpoint),
    /// Through a SOCKS5 proxy.
    Socks5(Proxy),
}

/// A SOCKS5 proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// A name or an address.
    pub host: String,
    /// Its port, 1080 as a rule.
    pub port: u16,
    /// User name and password, when it asks for them.
    pub login: Option<(String, Secret<String>)>,
}

/// Whether commands get a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pty {
    /// Standard output and standard error stay apart.
    Off,
    /// An `xterm` of 80 columns and 40 rows that does not echo.
    On,
}

/// How files travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A file as a verified stream, a directory as one tar stream. Needs a POSIX shell on the machine.
    Stream,
    /// The scp protocol. Needs `scp` and a POSIX shell on the machine.
    Scp,
    /// The SFTP subsystem, with many requests under way.
    Sftp,
}

/// When directories are compressed on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// When the machine has zstd, the tree is larger than 1 MiB and the machine is not this one.
    Auto,
    /// Whenever the machine has zstd.
    Always,
    /// Never.
    Never,
}

/// Whether processes on the machine may use the local agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentForwarding {
    /// They may not.
    Off,
    /// They reach the agent that listens at this socket.
    Socket(PathBuf),
}

/// `LISTENPORT:HOST:PORT`: connections to one side's `localhost:LISTENPORT` are made to `HOST:PORT` by the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The port that listens.
    pub listen: u16,
    /// Where connections go: host.
    pub host: String,
    /// Where connections go: port.
    pub port: u16,
}

/// Why a text is no tunnel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not LISTENPORT:HOST:PORT")]
pub struct NotATunnel(String);

impl FromStr for Tunnel {
    type Err = NotATunnel;

    fn from_str(text: &str) -> Result<Self, NotATunnel> {
        let parse = || {
            let (listen, rest) = text.split_once(':')?;
            let (host, port) = rest.rsplit_once(':')?;
            let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
            let tunnel = Self { listen: listen.parse().ok()?, host: host.to_owned(), port: port.parse().ok()? };
            (!tunnel.host.is_empty()).then_some(tunnel)
        };
        parse().ok_or_else(|| NotATunnel(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_parse() {
        for (text, host) in
            [("8080:db.internal:5432", "db.internal"), ("8080:[::1]:5432", "::1"), ("8080:::1:5432", "::1")]
        {
            assert_eq!(text.parse(), Ok(Tunnel { listen: 8080, host: host.into(), port: 5432 }));
        }
        for text in ["", "8080", "8080:host", "x:host:1", "1:host:99999", "1::2"] {
            assert!(text.parse::<Tunnel>().is_err(), "{text}");
        }
    }
}
