//! One remote command on a channel of its own, from its start to its exit status, or to its end by force when nobody waits
//! for it any more.

use std::collections::VecDeque;

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Pty as PtyMode, Sig};

use super::link::Link;
use super::options::{AgentForwarding, Pty};
use super::reap::{Orphan, reap};
use super::session::InUse;
use crate::communicator::{Error, Exit, Output};

/// A command that runs on the machine. Dropping it before it has ended ends it there too, as far as possible.
pub(super) struct Running {
    session: InUse,
    /// `None` once it was dropped.
    channel: Option<Halves>,
    state: State,
}

/// The two directions of a channel.
struct Halves {
    read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
}

/// What came from the machine so far, apart from what was already handed out.
#[derive(Default)]
struct State {
    /// Output that came while we were writing.
    pending: VecDeque<Piece>,
    /// What the server has yet to accept, in the order in which it was asked.
    asked: VecDeque<&'static str>,
    refused: Option<&'static str>,
    status: Option<u32>,
    closed: bool,
}

/// What a command wrote.
#[derive(Debug)]
pub(super) enum Piece {
    /// To standard output.
    Stdout(Vec<u8>),
    /// To standard error.
    Stderr(Vec<u8>),
}

/// Whether a command still takes input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was sent.
    Yes,
    /// The command or the connection has ended.
    Ended,
}

/// How a command ended, and what it wrote that nobody took before.
#[derive(Debug)]
pub(super) struct Finished {
    pub exit: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Running {
    /// Starts `command` by the login shell. Does not wait for the server's consent: input may follow at once.
    pub async fn start(link: &Link, command: &str, pty: Pty) -> Result<Self, Error> {
        let (session, channel) = link.channel().await?;
        let (read, write) = channel.split();
        let mut state = State::default();
        // A request that cannot be sent means a lost connection, which the first look at the output will find.
        let _ = ask(&write, &mut state, command, pty, &link.options.agent_forwarding).await;
        Ok(Self { session, channel: Some(Halves { read, write }), state })
    }

    /// The next piece of output; `None` when the channel has closed. Safe to cancel.
    pub async fn next(&mut self) -> Option<Piece> {
        let channel = self.channel.as_mut()?;
        loop {
            if let Some(piece) = self.state.pending.pop_front() {
                return Some(piece);
            }
            if self.state.closed {
                return None;
            }
            self.state.note(channel.read.wait().await);
        }
    }

    /// Writes to standard input. Not safe to cancel.
    ///
    /// Output is taken in meanwhile: a full channel would stop the whole connection, and a window that will never open again
    /// would be waited for.
    pub async fn write(&mut self, chunk: Vec<u8>) -> Taken {
        let Some(channel) = self.channel.as_mut().filter(|_| !self.state.closed) else { return Taken::Ended };
        let sending = channel.write.data_bytes(chunk);
        tokio::pin!(sending);
        loop {
            tokio::select! {
                sent = &mut sending => return if sent.is_ok() { Taken::Yes } else { Taken::Ended },
                message = channel.read.wait() => self.state.note(message),
            }
            if self.state.closed || self.state.status.is_some() {
                return Taken::Ended;
            }
        }
    }

    /// Ends standard input.
    pub async fn end_input(&mut self) {
        if let Some(channel) = &self.channel {
            // A lost connection shows at the next read.
            let _ = channel.write.eof().await;
        }
    }

    /// Waits for the end and collects what is still written.
    pub async fn finish(mut self) -> Result<Finished, Error> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        while let Some(piece) = self.next().await {
            match piece {
                Piece::Stdout(bytes) => stdout.extend(bytes),
                Piece::Stderr(bytes) => stderr.extend(bytes),
            }
        }
        Ok(Finished { exit: self.exit()?, stdout, stderr })
    }

    /// How it ended, once [`Running::next`] has returned `None`.
    pub fn exit(&self) -> Result<Exit, Error> {
        if let Some(what) = self.state.refused {
            let reason = format!("the machine refused {what}");
            return Err(Error::Transfer { what: "run a command".into(), reason });
        }
        Ok(self.state.status.map_or(Exit::Disconnected, Exit::Status))
    }
}

async fn ask(
    write: &ChannelWriteHalf<Msg>,
    state: &mut State,
    command: &str,
    pty: Pty,
    agent: &AgentForwarding,
) -> Result<(), russh::Error> {
    if *agent != AgentForwarding::Off {
        // Without a reply: a machine that forbids forwarding runs the command all the same.
        write.agent_forward(false).await?;
    }
    if pty == Pty::On {
        state.asked.push_back("a terminal");
        let modes = [(PtyMode::ECHO, 0), (PtyMode::TTY_OP_ISPEED, 14_400), (PtyMode::TTY_OP_OSPEED, 14_400)];
        write.request_pty(true, "xterm", 80, 40, 0, 0, &modes).await?;
    }
    state.asked.push_back("the command");
    write.exec(true, command).await
}

impl State {
    fn note(&mut self, message: Option<ChannelMsg>) {
        match message {
            Some(ChannelMsg::Data { data }) => self.pending.push_back(Piece::Stdout(data.into())),
            Some(ChannelMsg::ExtendedData { data, .. }) => self.pending.push_back(Piece::Stderr(data.into())),
            Some(ChannelMsg::ExitStatus { exit_status }) => self.status = Some(exit_status),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => self.status = Some(128 + number(&signal_name)),
            Some(ChannelMsg::Success) => drop(self.asked.pop_front()),
            Some(ChannelMsg::Failure) => (self.refused, self.closed) = (self.asked.pop_front(), true),
            Some(ChannelMsg::Close) | None => self.closed = true,
            Some(_) => {}
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(Halves { read, write }) = self.channel.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.state.closed {
            // An ended command whose channel the server has closed; ours must be closed too. With no session left there is
            // nothing to close, and a refused command has nothing to end.
            runtime.spawn(async move { write.close().await });
            return;
        }
        // From here on the connection belongs to the reaper: a new command on it could be taken for the old one.
        let (session, others) = (self.session.0.clone(), self.session.others());
        session.retire();
        runtime.spawn(reap(Orphan { session, read, write, others }));
    }
}

/// Runs a command for a provisioner: the text is sent with a newline, input is empty, output streams to `output`.
pub(super) async fn execute(link: &Link, command: &str, output: &mut dyn Output) -> Result<Exit, Error> {
    let mut running = Running::start(link, &format!("{command}\n"), link.options.pty).await?;
    running.end_input().await;
    while let Some(piece) = running.next().await {
        match piece {
            Piece::Stdout(bytes) => output.stdout(&bytes),
            Piece::Stderr(bytes) => output.stderr(&bytes),
        }
    }
    running.exit()
}

/// Runs one of our own scripts with this input, never on a terminal.
pub(super) async fn ask_machine(link: &Link, command: &str, input: Vec<u8>) -> Result<Finished, Error> {
    let mut running = Running::start(link, command, Pty::Off).await?;
    if !input.is_empty() {
        running.write(input).await;
    }
    running.end_input().await;
    running.finish().await
}

/// Linux numbers of the signals that SSH names; 0 for an unknown one.
fn number(signal: &Sig) -> u32 {
    match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        Sig::Custom(name) => match name.as_str() {
            "TRAP" => 5,
            "BUS" => 7,
            "USR2" => 12,
            "XCPU" => 24,
            "XFSZ" => 25,
            "SYS" => 31,
            _ => 0,
        },
    }
}
