//! The way to one machine over all its connections: the wait for the first, and a new one whenever the last was lost.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use russh::client::{Config, Msg};
use russh::{Channel, SshId, cipher, kex};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::host_key::{Pins, Verdict, describe};
use super::options::{AgentForwarding, Endpoint, Options, Route};
use super::session::{Failure, InUse, Session, Terms};
use super::{algorithms, dial};
use crate::communicator::Error;
use crate::event::{EventKind, Events};

/// Packer's defaults; they apply when the template sets neither.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5 * 60);
const DEFAULT_ATTEMPTS: u32 = 10;

/// The pause after the first failed attempt, and the longest one. A port that opens is found within a second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The same for refused logins. sshd may be up before cloud-init has installed the key, and recent OpenSSH shuts out addresses
/// that fail often; with ten attempts these pauses give a guest some 45 s.
const FIRST_REFUSED_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_REFUSED_PAUSE: Duration = Duration::from_secs(7);

/// A server that takes longer than this to open a channel on a live connection is no longer there: a reboot leaves
/// connections that look alive.
const CHANNEL: Duration = Duration::from_secs(15);

/// What may arrive before the sender must wait for us. At 100 ms round trip 8 MiB carry 80 MiB/s.
const WINDOW: u32 = 8 << 20;
/// The largest packet that russh takes.
const PACKET: u32 = 65_535;
/// Unanswered keep-alives after which a connection is lost: 35 s at the default interval. A guest under load answers late.
const UNANSWERED: usize = 6;

/// Everything that outlives a connection.
pub(super) struct Link {
    pub options: Options,
    pub events: Events,
    /// Set once the machine has turned out to have no POSIX shell (Windows).
    pub shell_less: AtomicBool,
    pins: Arc<Pins>,
    bastion_pins: Option<Arc<Pins>>,
    ciphers: Vec<cipher::Name>,
    exchanges: Vec<kex::Name>,
    current: Mutex<Option<Arc<Session>>>,
}

impl Link {
    /// Checks what can be checked without a connection.
    pub fn new(options: Options, events: Events) -> Result<Self, Error> {
        let ciphers = algorithms::ciphers(&options.ciphers);
        let exchanges = algorithms::key_exchanges(&options.key_exchanges);
        for (what, unknown) in [("cipher", &ciphers.unknown), ("key exchange", &exchanges.unknown)] {
            for name in unknown {
                events.warn(format!("the SSH {what} `{name}` is not supported and not offered"));
            }
        }
        for (what, none) in [("cipher", ciphers.known.is_empty()), ("key exchange", exchanges.known.is_empty())] {
            if none {
                let reason = format!("none of the given SSH {what}s is supported");
                return Err(Error::Connect { target: options.target.address(), reason });
            }
        }
        let pins = Arc::new(Pins::new(&options.target.host_key));
        let bastion_pins = match &options.route {
            Route::Bastion(bastion) => Some(Arc::new(Pins::new(&bastion.host_key))),
            Route::Direct | Route::Socks5(_) => None,
        };
        let (ciphers, exchanges, current) = (ciphers.known, exchanges.known, Mutex::new(None));
        let shell_less = AtomicBool::new(false);
        Ok(Self { options, events, shell_less, pins, bastion_pins, ciphers, exchanges, current })
    }

    /// `host:port` of the machine, for messages.
    pub fn target(&self) -> String {
        self.options.target.address()
    }

    /// The live session, or a new one. Concurrent callers wait for one connection instead of making several.
    pub async fn session(&self) -> Result<Arc<Session>, Error> {
        let mut current = self.current.lock().await;
        if let Some(session) = current.as_ref().filter(|session| session.usable()) {
            return Ok(session.clone());
        }
        *current = None;
        let session = Arc::new(self.wait().await?);
        *current = Some(session.clone());
        Ok(session)
    }

    /// A session channel, on a new connection when the present one turns out to be dead.
    pub async fn channel(&self) -> Result<(InUse, Channel<Msg>), Error> {
        let session = self.session().await?;
        match open_channel(&session).await {
            Ok(channel) => return Ok((InUse::new(session), channel)),
            Err(ChannelError::Refused(reason)) => return Err(self.refused(reason)),
            Err(ChannelError::Dead) => session.retire(),
        }
        let session = self.session().await?;
        match open_channel(&session).await {
            Ok(channel) => Ok((InUse::new(session), channel)),
            Err(ChannelError::Refused(reason)) => Err(self.refused(reason)),
            Err(ChannelError::Dead) => Err(self.refused("connection lost again at once".into())),
        }
    }

    fn refused(&self, reason: String) -> Error {
        Error::Connect { target: self.target(), reason: format!("open a channel: {reason}") }
    }

    /// Drops the session.
    pub async fn disconnect(&self) {
        let session = self.current.lock().await.take();
        if let Some(session) = session {
            session.disconnect().await;
        }
    }

    /// Attempts until one succeeds or patience ends.
    async fn wait(&self) -> Result<Session, Error> {
        let mut waiting = Waiting::new(&self.options);
        loop {
            let attempt = timeout(waiting.left(), self.attempt(waiting.attempts));
            match attempt.await.unwrap_or_else(|_| Err(Failure::NotYet(waiting.last_cause("no answer")))) {
                Ok(session) => return Ok(session),
                Err(Failure::Final(error)) => return Err(error),
                Err(failure) => waiting.note(failure, &self.options.target)?,
            }
            let state = waiting.cause.clone();
            self.events.send(EventKind::Waiting { step: "connect".into(), state, percent: None });
            // The pause between probes is the wait itself: nothing but a probe can tell when a machine is up.
            sleep(waiting.pause.min(waiting.left())).await;
        }
    }

    /// One attempt, all the way to a login.
    async fn attempt(&self, n: u32) -> Result<Session, Failure> {
        let options = &self.options;
        let (wire, bastion) = match &options.route {
            Route::Direct => (dial::direct(&options.target, dial::patience(n)).await?, None),
            Route::Socks5(proxy) => (dial::through_proxy(proxy, &options.target, dial::patience(n)).await?, None),
            Route::Bastion(bastion) => {
                let session = self.log_in_at_bastion(bastion, n).await?;
                (dial::through_bastion(&session, &options.target).await?, Some(session))
            }
        };
        let terms = Terms {
            endpoint: &options.target,
            pins: &self.pins,
            config: self.config(&self.pins),
            agent: options.agent_forwarding.clone(),
            remote_tunnels: options.remote_tunnels.clone(),
        };
        let session = Session::open(terms, wire, bastion).await?;
        self.pin(&self.pins, &options.target, &session);
        Ok(session)
    }

    async fn log_in_at_bastion(&self, bastion: &Endpoint, n: u32) -> Result<Arc<Session>, Failure> {
        let pins = self.bastion_pins.as_ref().unwrap_or(&self.pins);
        let at_bastion = |failure| match failure {
            Failure::NotYet(text) => Failure::NotYet(format!("bastion {}: {text}", bastion.address())),
            Failure::Refused(text) => {
                Failure::Refused(format!("bastion {} refused `{}`: {text}", bastion.address(), bastion.user))
            }
            last => last,
        };
        let wire = dial::direct(bastion, dial::patience(n)).await.map_err(at_bastion)?;
        let (config, agent, remote_tunnels) = (self.config(pins), AgentForwarding::Off, Vec::new());
        let terms = Terms { endpoint: bastion, pins, config, agent, remote_tunnels };
        let session = Session::open(terms, wire, None).await.map_err(at_bastion)?;
        self.pin(pins, bastion, &session);
        Ok(Arc::new(session))
    }

    /// Remembers the host key of a session that logged in; says so when it was taken on trust.
    fn pin(&self, pins: &Pins, endpoint: &Endpoint, session: &Session) {
        if pins.pin(&session.host_key) == Verdict::First {
            let (address, key) = (endpoint.address(), describe(&session.host_key));
            self.events.warn(format!("host key of {address} is trusted on first use: {key}"));
        }
    }

    fn config(&self, pins: &Pins) -> Arc<Config> {
        Arc::new(Config {
            client_id: SshId::Standard(concat!("SSH-2.0-kiln_", env!("CARGO_PKG_VERSION")).into()),
            window_size: WINDOW,
            maximum_packet_size: PACKET,
            preferred: algorithms::preferred(self.ciphers.clone(), self.exchanges.clone(), &pins.keys()),
            inactivity_timeout: self.options.read_write_timeout,
            keepalive_interval: self.options.keep_alive,
            keepalive_max: UNANSWERED,
            nodelay: true,
            ..Config::default()
        })
    }
}

enum ChannelError {
    Dead,
    Refused(String),
}

async fn open_channel(session: &Session) -> Result<Channel<Msg>, ChannelError> {
    match timeout(CHANNEL, session.handle.channel_open_session()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(e @ russh::Error::ChannelOpenFailure(_))) if session.usable() => {
            Err(ChannelError::Refused(e.to_string()))
        }
        Ok(Err(_)) | Err(_) => Err(ChannelError::Dead),
    }
}

/// The state of one wait.
struct Waiting {
    started: Instant,
    timeout: Option<Duration>,
    /// Refusals that are still allowed; `None` for any number.
    refusals_left: Option<u32>,
    refusals: u32,
    attempts: u32,
    pause: Duration,
    /// The last real cause of failure.
    cause: String,
    refused: bool,
}

impl Waiting {
    fn new(options: &Options) -> Self {
        let (timeout, refusals_left) = match (options.timeout, options.handshake_attempts) {
            (None, None) => (Some(DEFAULT_TIMEOUT), Some(DEFAULT_ATTEMPTS)),
            set => set,
        };
        Self {
            started: Instant::now(),
            timeout,
            refusals_left,
            refusals: 0,
            attempts: 0,
            pause: FIRST_PAUSE,
            cause: String::new(),
            refused: false,
        }
    }

    /// Time left; for a wait without an end, a time that no wait reaches.
    fn left(&self) -> Duration {
        const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);
        self.timeout.map_or(FOREVER, |limit| limit.saturating_sub(self.started.elapsed()))
    }

    /// When time ends in the middle of an attempt, what the attempt before found says more.
    fn last_cause(&self, otherwise: &str) -> String {
        if self.cause.is_empty() { otherwise.into() } else { self.cause.clone() }
    }

    /// Takes note of a failed attempt; an error when it was the last.
    fn note(&mut self, failure: Failure, target: &Endpoint) -> Result<(), Error> {
        self.attempts += 1;
        match failure {
            Failure::Final(error) => return Err(error),
            Failure::NotYet(cause) => {
                self.pause = if self.attempts == 1 { FIRST_PAUSE } else { (self.pause * 3 / 2).min(LONGEST_PAUSE) };
                self.refused &= cause == self.cause;
                self.cause = cause;
            }
            Failure::Refused(cause) => {
                self.pause = (FIRST_REFUSED_PAUSE * (1 << self.refusals.min(4))).min(LONGEST_REFUSED_PAUSE);
                self.refusals += 1;
                self.refusals_left = self.refusals_left.map(|left| left.saturating_sub(1));
                (self.cause, self.refused) = (cause, true);
            }
        }
        let out_of_attempts = self.refusals_left == Some(0);
        if out_of_attempts || self.left().is_zero() { Err(self.give_up(target)) } else { Ok(()) }
    }

    fn give_up(&self, target: &Endpoint) -> Error {
        if self.refused {
            let times = if self.refusals == 1 { "1 attempt".into() } else { format!("{} attempts", self.refusals) };
            let reason = format!("{} ({times})", self.cause);
            return Error::Authenticate { user: target.user.clone(), target: target.address(), reason };
        }
        let elapsed = self.started.elapsed().as_secs_f64();
        let reason = format!("as `{}`: not available after {elapsed:.1} s; last: {}", target.user, self.cause);
        Error::Connect { target: target.address(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::communicator::ssh::host_key::HostKeyPolicy;

    fn options(timeout: Option<u64>, attempts: Option<u32>) -> Options {
        let (host, user) = ("box".to_owned(), "me".to_owned());
        let target = Endpoint { host, port: 22, user, auth: Vec::new(), host_key: HostKeyPolicy::FirstUse };
        let timeout = timeout.map(Duration::from_secs);
        Options { timeout, handshake_attempts: attempts, ..Options::new(target) }
    }

    #[test]
    fn defaults_apply_only_when_neither_is_set() {
        for (given, timeout, attempts) in [
            (options(None, None), Some(DEFAULT_TIMEOUT), Some(DEFAULT_ATTEMPTS)),
            (options(Some(7), None), Some(Duration::from_secs(7)), None),
            (options(None, Some(3)), None, Some(3)),
        ] {
            let waiting = Waiting::new(&given);
            assert_eq!((waiting.timeout, waiting.refusals_left), (timeout, attempts));
        }
    }

    #[test]
    fn only_refusals_count_as_attempts() {
        let given = options(None, Some(2));
        let mut waiting = Waiting::new(&given);
        for _ in 0..50 {
            waiting.note(Failure::NotYet("connection refused".into()), &given.target).unwrap();
            assert!(waiting.pause <= LONGEST_PAUSE);
        }
        assert_eq!(waiting.pause, LONGEST_PAUSE);
        waiting.note(Failure::Refused("key refused".into()), &given.target).unwrap();
        let error = waiting.note(Failure::Refused("key refused".into()), &given.target).unwrap_err();
        assert_eq!(error.to_string(), "authenticate as `me` at box:22: key refused (2 attempts)");
    }

    #[test]
    fn the_end_of_the_time_names_the_last_real_cause() {
        let given = options(Some(0), None);
        let mut waiting = Waiting::new(&given);
        waiting.cause = "connection refused".into();
        let cause = waiting.last_cause("no answer");
        let error = waiting.note(Failure::NotYet(cause), &given.target).unwrap_err();
        let text = error.to_string();
        assert_eq!(text, "connect to box:22: as `me`: not available after 0.0 s; last: connection refused");
    }

    #[test]
    fn a_list_without_any_known_cipher_is_an_error() {
        struct Nowhere;
        impl crate::event::Sink for Nowhere {
            fn take(&self, _: crate::event::Event) {}
        }
        let given = Options { ciphers: vec!["arcfour".into()], ..options(None, None) };
        let error = Link::new(given, Events::new(Arc::new(Nowhere))).err().unwrap();
        assert_eq!(error.to_string(), "connect to box:22: none of the given SSH ciphers is supported");
    }
}
