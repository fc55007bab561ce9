//! One session channel: what the client asked for, and the process that answers it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use russh::server::{Handle, Msg};
use russh::{ChannelWriteHalf, Sig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Child;
use tokio::task::AbortHandle;

use super::Shared;
use super::environment::{self, Ends, Variables};
use super::flow::{InputReceiver, InputSender, input};
use super::process::{Channels, Program, spawn};
use super::pty::{Master, Size, Terminal};
use crate::local_ec2::agent::accounts::Account;

/// One read of a process's output: two SSH packets of the usual size.
const CHUNK: usize = 64 << 10;
/// How long output may trickle in after the process ended, before its status is sent ahead of it.
const LINGER: Duration = Duration::from_millis(500);

/// Where a channel's output goes.
pub type Writer = Arc<ChannelWriteHalf<Msg>>;

/// A session channel.
pub struct Session {
    writer: Writer,
    requested: Vec<(String, String)>,
    terminal: Option<Terminal>,
    running: Option<Running>,
}

/// The process of a session.
struct Running {
    /// Leader of the process group, and of the session.
    leader: Pid,
    input: Option<InputSender>,
    master: Option<Master>,
    ended: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Session {
    /// A channel on which nothing was asked yet.
    pub fn new(writer: Writer) -> Self {
        Self { writer, requested: Vec::new(), terminal: None, running: None }
    }

    /// Notes a variable for the process.
    pub fn request_variable(&mut self, name: &str, value: &str) {
        self.requested.push((name.to_owned(), value.to_owned()));
    }

    /// Notes the terminal for the process.
    pub fn set_terminal(&mut self, terminal: Terminal) {
        self.terminal = Some(terminal);
    }

    /// Starts the one process of this channel.
    ///
    /// # Errors
    /// When one was started already, or the process cannot be started.
    pub fn start(
        &mut self,
        shared: &Shared,
        account: &Account,
        ends: Ends,
        program: &Program,
        original_command: Option<&[u8]>,
        handle: Handle,
    ) -> io::Result<()> {
        if self.running.is_some() {
            return Err(io::Error::other("the channel has a process already"));
        }
        let mut variables = environment::of_session(&shared.paths, account, ends, &self.requested);
        if let Some(original) = original_command {
            variables.push(("SSH_ORIGINAL_COMMAND".to_owned(), String::from_utf8_lossy(original).into_owned()));
        }
        let master = self.terminal.as_ref().map(|terminal| terminal.master.clone());
        let child = match self.terminal.take() {
            Some(terminal) => spawn_on(shared, account, program, variables, terminal)?,
            None => spawn(shared, account, program, variables, Channels::Pipes)?,
        };
        self.running = Some(Running::supervise(child, master, self.writer.clone(), handle)?);
        Ok(())
    }

    /// Input from the client.
    pub async fn input(&self, data: &[u8]) {
        if let Some(input) = self.running.as_ref().and_then(|running| running.input.as_ref()) {
            input.push(data).await;
        }
    }

    /// The client has no more input.
    pub fn end_input(&mut self) {
        if let Some(running) = &mut self.running {
            running.input = None;
        }
    }

    /// The client's window changed.
    pub fn resize(&self, size: Size) {
        let terminal = self.terminal.as_ref().map(|terminal| &terminal.master);
        if let Some(master) = terminal.or(self.running.as_ref().and_then(|running| running.master.as_ref())) {
            let _ = master.resize(size);
        }
    }

    /// Signals the process group.
    pub fn signal(&self, signal: &Sig) {
        if let (Some(running), Some(signal)) = (&self.running, unix_signal(signal)) {
            running.kill(signal);
        }
    }
}

fn spawn_on(
    shared: &Shared,
    account: &Account,
    program: &Program,
    mut variables: Variables,
    terminal: Terminal,
) -> io::Result<Child> {
    variables.push(("TERM".to_owned(), terminal.term));
    variables.push(("SSH_TTY".to_owned(), terminal.name.display().to_string()));
    spawn(shared, account, program, variables, Channels::Terminal(terminal.slave))
}

impl Running {
    fn supervise(mut child: Child, master: Option<Master>, writer: Writer, handle: Handle) -> io::Result<Self> {
        let id = child.id().ok_or_else(|| io::Error::other("the process ended at once"))?;
        let ended = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = input();
        let life = Life { writer: writer.clone(), handle, ended: ended.clone() };
        let task = match &master {
            Some(master) => {
                tokio::spawn(feed(receiver, master.clone()));
                tokio::spawn(life.on_terminal(child, master.clone()))
            }
            None => {
                let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
                tokio::spawn(feed_pipe(receiver, stdin));
                tokio::spawn(life.on_pipes(child, stdout, stderr))
            }
        };
        let leader = Pid::from_raw(i32::try_from(id).map_err(io::Error::other)?);
        Ok(Self { leader, input: Some(sender), master, ended, task: task.abort_handle() })
    }

    fn kill(&self, signal: Signal) {
        // After its end the id may be another's.
        if !self.ended.load(Ordering::Relaxed) {
            let _ = killpg(self.leader, signal);
        }
    }
}

impl Drop for Running {
    /// The client is gone: what it left running is told so.
    fn drop(&mut self) {
        self.kill(Signal::SIGHUP);
        self.task.abort();
    }
}

async fn feed_pipe(input: InputReceiver, stdin: Option<tokio::process::ChildStdin>) {
    if let Some(stdin) = stdin {
        feed(input, stdin).await;
    }
}

/// Hands input over until its end, or until the process closes its side.
async fn feed(mut input: InputReceiver, mut sink: impl AsyncWrite + Unpin) {
    while let Some(data) = input.next().await {
        if sink.write_all(&data).await.is_err() {
            return;
        }
    }
    let _ = sink.shutdown().await;
}

/// Which of a session's two output streams.
#[derive(Clone, Copy)]
enum Stream {
    Output,
    Error,
}

/// SSH_EXTENDED_DATA_STDERR (RFC 4254, 5.2).
const STDERR: u32 = 1;

/// Hands output over until its end. `ChannelWriteHalf` waits for window, so a slow client slows the process.
async fn drain(source: Option<impl AsyncRead + Unpin>, stream: Stream, writer: &Writer) {
    let Some(mut source) = source else { return };
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        if !matches!(source.read_buf(&mut chunk).await, Ok(1..)) {
            return;
        }
        let sent = match stream {
            Stream::Output => writer.data_bytes(chunk).await,
            Stream::Error => writer.extended_data_bytes(STDERR, chunk).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Follows a process to its end and tells the client.
struct Life {
    writer: Writer,
    handle: Handle,
    ended: Arc<AtomicBool>,
}

impl Life {
    /// As with sshd, the channel stays open while anything holds the pipes: a background process that did not let go of
    /// its output keeps the client waiting.
    async fn on_pipes(
        self,
        child: Child,
        stdout: Option<impl AsyncRead + Unpin>,
        stderr: Option<impl AsyncRead + Unpin>,
    ) {
        let outputs = async {
            tokio::join!(drain(stdout, Stream::Output, &self.writer), drain(stderr, Stream::Error, &self.writer));
        };
        tokio::pin!(outputs);
        let (status, drained) = self.wait(child, outputs.as_mut()).await;
        self.report(status).await;
        if !drained {
            outputs.await;
        }
        self.close().await;
    }

    /// The end of the shell is the end of its terminal, whoever still holds it.
    async fn on_terminal(self, child: Child, master: Master) {
        let output = drain(Some(master), Stream::Output, &self.writer);
        tokio::pin!(output);
        let (status, _) = self.wait(child, output.as_mut()).await;
        self.report(status).await;
        self.close().await;
    }

    /// The process's status, and whether all its output is sent.
    async fn wait(
        &self,
        mut child: Child,
        mut outputs: std::pin::Pin<&mut impl Future<Output = ()>>,
    ) -> (ExitStatus, bool) {
        let mut drained = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.unwrap_or_default(),
                () = outputs.as_mut(), if !drained => drained = true,
            }
        };
        self.ended.store(true, Ordering::Relaxed);
        let drained = drained || tokio::time::timeout(LINGER, outputs).await.is_ok();
        (status, drained)
    }

    async fn report(&self, status: ExitStatus) {
        match status.signal() {
            Some(signal) => {
                let (id, core) = (self.writer.id(), status.core_dumped());
                let _ =
                    self.handle.exit_signal_request(id, ssh_signal(signal), core, String::new(), String::new()).await;
            }
            None => {
                let code = status.code().and_then(|code| u32::try_from(code).ok()).unwrap_or(255);
                let _ = self.writer.exit_status(code).await;
            }
        }
    }

    async fn close(&self) {
        let _ = self.writer.eof().await;
        let _ = self.writer.close().await;
    }
}

/// SSH's name of a signal (RFC 4254, 6.10), which is the kernel's without `SIG`.
fn ssh_signal(number: i32) -> Sig {
    match Signal::try_from(number) {
        Ok(Signal::SIGABRT) => Sig::ABRT,
        Ok(Signal::SIGALRM) => Sig::ALRM,
        Ok(Signal::SIGFPE) => Sig::FPE,
        Ok(Signal::SIGHUP) => Sig::HUP,
        Ok(Signal::SIGILL) => Sig::ILL,
        Ok(Signal::SIGINT) => Sig::INT,
        Ok(Signal::SIGKILL) => Sig::KILL,
        Ok(Signal::SIGPIPE) => Sig::PIPE,
        Ok(Signal::SIGQUIT) => Sig::QUIT,
        Ok(Signal::SIGSEGV) => Sig::SEGV,
        Ok(Signal::SIGTERM) => Sig::TERM,
        Ok(Signal::SIGUSR1) => Sig::USR1,
        Ok(other) => Sig::Custom(other.as_str().trim_start_matches("SIG").to_owned()),
        Err(_) => Sig::Custom(format!("{number}@kiln")),
    }
}

fn unix_signal(signal: &Sig) -> Option<Signal> {
    let name = match signal {
        Sig::Custom(name) => name.clone(),
        known => format!("{known:?}"),
    };
    name.parse().or_else(|_| format!("SIG{name}").parse()).ok()
}

/// Whether sshd would let this path be a shell: a file that exists.
pub fn has_shell(shared: &Shared, account: &Account) -> bool {
    let shell: &Path = &account.shell;
    shared.paths.at(shell).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_translate_both_ways() {
        for (number, ssh) in [(15, Sig::TERM), (9, Sig::KILL), (10, Sig::USR1), (12, Sig::Custom("USR2".into()))] {
            assert_eq!(format!("{:?}", ssh_signal(number)), format!("{ssh:?}"));
            assert_eq!(unix_signal(&ssh).map(|signal| signal as i32), Some(number));
        }
        assert_eq!(unix_signal(&Sig::Custom("NONSENSE".into())), None);
    }
}
