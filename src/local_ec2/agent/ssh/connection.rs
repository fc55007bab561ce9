//! One client: who it is, its channels, and what it may ask for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session as Ssh, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty, Sig};

use super::Shared;
use super::environment::{self, Ends};
use super::flow::InputSender;
use super::forwarding::{self, Listeners};
use super::process::{self, Channels, Program};
use super::pty::{Size, Terminal};
use super::session::{self, Session, Writer};
use crate::local_ec2::agent::accounts::{self, Account};
use crate::local_ec2::agent::authorized_keys::{self, Grant};
use crate::local_ec2::agent::console;

/// A client that has logged in.
struct Login {
    account: Account,
    grant: Grant,
}

/// What a channel is for.
enum Kind {
    Session(Box<Session>),
    Forwarded(Option<InputSender>),
}

/// The state of one connection. When it is dropped, its processes are hung up on.
pub struct Connection {
    shared: Arc<Shared>,
    ends: Ends,
    login: Option<Login>,
    channels: HashMap<ChannelId, Kind>,
    listeners: Listeners,
}

impl Connection {
    /// A connection between `peer` and `local`, both unknown on a unix socket.
    pub fn new(shared: Arc<Shared>, peer: Option<SocketAddr>, local: Option<SocketAddr>) -> Self {
        let ends = Ends { peer, local };
        Self { shared, ends, login: None, channels: HashMap::new(), listeners: Listeners::default() }
    }

    /// The login that `key` opens. The files are read each time: a provisioner may change them.
    fn login(&self, user: &str, key: &PublicKey) -> Option<Login> {
        let account = accounts::find(&self.shared.paths, user)?;
        let grant = authorized_keys::granted(&self.shared.paths, &account, key)?;
        session::has_shell(&self.shared, &account).then_some(Login { account, grant })
    }

    fn session(&mut self, channel: ChannelId) -> Option<&mut Session> {
        match self.channels.get_mut(&channel) {
            Some(Kind::Session(session)) => Some(session),
            _ => None,
        }
    }

    /// Starts `program` on a channel, or what the key is bound to instead. False when it could not be started.
    fn start(&mut self, channel: ChannelId, program: Program, ssh: &Ssh) -> bool {
        let Some(login) = &self.login else { return false };
        let Some(Kind::Session(session)) = self.channels.get_mut(&channel) else { return false };
        let original = match &program {
            Program::Command(line) => Some(line.clone()),
            _ => None,
        };
        let (program, original) = match &login.grant.forced_command {
            Some(forced) => (Program::Command(forced.clone().into_bytes()), original),
            None => (program, None),
        };
        let started =
            session.start(&self.shared, &login.account, self.ends, &program, original.as_deref(), ssh.handle());
        if let Err(error) = &started {
            console::problem("start a session", error);
        }
        started.is_ok()
    }

    fn open_terminal(&mut self, channel: ChannelId, term: &str, size: Size, modes: &[(Pty, u32)]) -> bool {
        let Some(account) = self.login.as_ref().map(|login| login.account.clone()) else { return false };
        let terminal = Terminal::open(&self.shared.paths, &account, term, size, modes);
        match (terminal, self.session(channel)) {
            (Ok(terminal), Some(session)) => {
                session.set_terminal(terminal);
                true
            }
            (Err(error), _) => {
                console::problem("open a terminal", &error);
                false
            }
            (Ok(_), None) => false,
        }
    }

    /// Files a forwarded channel, and forgets those whose connection failed.
    fn forwarded(&mut self, id: ChannelId, input: InputSender) {
        self.channels.retain(|_, kind| !matches!(kind, Kind::Forwarded(Some(input)) if input.is_closed()));
        self.channels.insert(id, Kind::Forwarded(Some(input)));
    }
}

fn answer(ssh: &mut Ssh, channel: ChannelId, granted: bool) -> Result<(), russh::Error> {
    if granted { ssh.channel_success(channel) } else { ssh.channel_failure(channel) }
}

/// The half of a channel that sends. The other is let go: data comes to [`Connection::data`], see [`super::flow`].
fn writer_of(channel: Channel<Msg>) -> Writer {
    Arc::new(channel.split().1)
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        let known = self.login(user, offer.public_key).is_some();
        Ok(if known { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.login = self.login(user, key.public_key);
        Ok(if self.login.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Ssh,
    ) -> Result<(), Self::Error> {
        let id = channel.id();
        self.channels.insert(id, Kind::Session(Box::new(Session::new(writer_of(channel)))));
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Ssh,
    ) -> Result<(), Self::Error> {
        let (id, writer) = (channel.id(), writer_of(channel));
        match u16::try_from(port) {
            Ok(port) => self.forwarded(id, forwarding::connect_tcp(host.to_owned(), port, reply, writer)),
            Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
        }
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _: &mut Ssh,
    ) -> Result<(), Self::Error> {
        let Some(login) = &self.login else { return Ok(()) };
        let (id, writer) = (channel.id(), writer_of(channel));
        let program = Program::ConnectUnix(path.into());
        let child = process::spawn(&self.shared, &login.account, &program, Vec::new(), Channels::Pipes);
        self.forwarded(id, forwarding::connect_process(child, reply, writer));
        Ok(())
    }

    async fn tcpip_forward(&mut self, address: &str, port: &mut u32, ssh: &mut Ssh) -> Result<bool, Self::Error> {
        match self.listeners.add(address, *port, ssh.handle()).await {
            Ok(actual) => *port = actual,
            Err(error) => {
                console::problem(&format!("listen on port {port} for a client"), &error);
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn cancel_tcpip_forward(&mut self, address: &str, port: u32, _: &mut Ssh) -> Result<bool, Self::Error> {
        Ok(self.listeners.remove(address, port))
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        modes: &[(Pty, u32)],
        ssh: &mut Ssh,
    ) -> Result<(), Self::Error> {
        let opened = self.open_terminal(channel, term, Size { columns, rows, width, height }, modes);
        answer(ssh, channel, opened)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        ssh: &mut Ssh,
    ) -> Result<(), Self::Error> {
        if let Some(session) = self.session(channel) {
            session.resize(Size { columns, rows, width, height });
        }
        ssh.channel_success(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        ssh: &mut Ssh,
    ) -> Result<(), Self::Error> {
        let session = self.session(channel).filter(|_| environment::may_request(name));
        let granted = session.map(|session| session.request_variable(name, value)).is_some();
        answer(ssh, channel, granted)
    }

    async fn shell_request(&mut self, channel: ChannelId, ssh: &mut Ssh) -> Result<(), Self::Error> {
        let started = self.start(channel, Program::Shell, ssh);
        answer(ssh, channel, started)
    }

    async fn exec_request(&mut self, channel: ChannelId, line: &[u8], ssh: &mut Ssh) -> Result<(), Self::Error> {
        let started = self.start(channel, Program::Command(line.to_vec()), ssh);
        answer(ssh, channel, started)
    }

    async fn subsystem_request(&mut self, channel: ChannelId, name: &str, ssh: &mut Ssh) -> Result<(), Self::Error> {
        let started = name == "sftp" && self.start(channel, Program::Sftp, ssh);
        answer(ssh, channel, started)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        ssh: &mut Ssh,
    ) -> Result<(), Self::Error> {
        ssh.channel_failure(channel)
    }

    async fn signal(&mut self, channel: ChannelId, signal: Sig, _: &mut Ssh) -> Result<(), Self::Error> {
        if let Some(session) = self.session(channel) {
            session.signal(&signal);
        }
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _: &mut Ssh) -> Result<(), Self::Error> {
        match self.channels.get(&channel) {
            Some(Kind::Session(session)) => session.input(data).await,
            Some(Kind::Forwarded(Some(input))) => input.push(data).await,
            _ => {}
        }
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, _: &mut Ssh) -> Result<(), Self::Error> {
        match self.channels.get_mut(&channel) {
            Some(Kind::Session(session)) => session.end_input(),
            Some(Kind::Forwarded(input)) => *input = None,
            None => {}
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Ssh) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        Ok(())
    }
}
