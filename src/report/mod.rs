//! Events in, output out: the only place beside `cli` that prints.
//!
//! ```text
//! builders --Sink--> queue --> writer thread: mask --> view (plain | live | json | machine) --> out
//! ```
//!
//! - [`queue`] holds what is to be written; senders do not wait for it, progress is coalesced in it.
//! - [`mask`] and [`redact`] take the secrets out, before any view sees an event.
//! - [`story`], [`summary`] and [`timing`] word the events as lines for people; [`plain`], [`live`] and [`machine`]
//!   print these lines, [`json`] prints the events themselves.

mod canvas;
pub mod durations;
mod forms;
mod json;
mod live;
mod machine;
mod mask;
mod plain;
mod queue;
mod redact;
mod screen;
mod status;
mod story;
mod summary;
mod timing;
mod view;
mod words;
mod writer;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;

pub use self::screen::{Screen, Size};

use self::mask::Mask;
use self::queue::{Item, Queue, Record, Style, Text};
use self::story::Story;
use self::summary::Ending;
use self::view::View;
use self::writer::Writer;
use crate::event::{Event, Sink};
use crate::secret::Secrets;

/// How to report.
#[derive(Clone, Default)]
pub struct Settings {
    /// The format.
    pub mode: Mode,
    /// Colours; the formats for programs have none.
    pub colour: Colour,
    /// Times in front of the lines of builds.
    pub timestamps: Timestamps,
    /// What must never be shown. Texts registered later count from then on.
    pub secrets: Secrets,
    /// The terminal that [`Mode::Live`] draws on.
    pub screen: Screen,
}

/// The output formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Packer's lines.
    #[default]
    Plain,
    /// Packer's lines, and below them a status line for each running build.
    Live,
    /// One JSON object an event.
    Json,
    /// Packer's `-machine-readable` records.
    MachineReadable,
}

impl Mode {
    /// The format for people, given whether the output is a terminal and what `TERM` says: a terminal that can't move
    /// its cursor gets plain lines.
    pub fn for_people(terminal: Terminal, term: Option<&str>) -> Self {
        match (terminal, term) {
            (Terminal::Yes, Some(term)) if !term.is_empty() && term != "dumb" => Self::Live,
            _ => Self::Plain,
        }
    }
}

/// Whether the output is a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// It is.
    Yes,
    /// It is a file or a pipe.
    No,
}

/// Colours as Packer has them: on even without a terminal, unless something turns them off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// ANSI colours.
    #[default]
    On,
    /// No colours, but the lines that announce them stay (`PACKER_NO_COLOR`).
    Announced,
    /// Neither (`-color=false`).
    Off,
}

/// Whether lines of builds begin with the time (`-timestamp-ui`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Timestamps {
    /// They do not.
    #[default]
    Off,
    /// They do, in this zone.
    In(TimeZone),
}

/// Packer's two kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Ordinary.
    Say,
    /// Something went wrong.
    Error,
}

/// Starts the thread that writes to `out`.
///
/// # Errors
/// When the system gives us no thread.
pub fn start(settings: Settings, out: Box<dyn Write + Send>) -> io::Result<Reporter> {
    let queue = Arc::new(Queue::new());
    let mask = Mask::new(settings.secrets.clone());
    let writer = Writer { queue: queue.clone(), mask, view: view(&settings), out };
    let (running, ended) = mpsc::channel();
    let thread = std::thread::Builder::new().name("report".into()).spawn(move || {
        let _running: mpsc::Sender<()> = running;
        writer.run()
    })?;
    Ok(Reporter { queue, secrets: settings.secrets, thread: Mutex::new(Some(Thread { handle: thread, ended })) })
}

fn view(settings: &Settings) -> Box<dyn View> {
    let story = |colour, ending| Story::new(colour, settings.timestamps.clone(), ending);
    let colour = settings.colour;
    match settings.mode {
        Mode::Plain => Box::new(plain::Plain::new(story(colour, Ending::CauseLast), colour)),
        Mode::Live => Box::new(live::Live::new(story(colour, Ending::CauseLast), colour, settings.screen.clone())),
        Mode::Json => Box::new(json::Json::default()),
        Mode::MachineReadable => Box::new(machine::Machine::new(story(Colour::Off, Ending::Packer))),
    }
}

/// The way to the output, for everybody. Dropping it writes what is still to be written.
pub struct Reporter {
    queue: Arc<Queue>,
    secrets: Secrets,
    thread: Mutex<Option<Thread>>,
}

struct Thread {
    handle: JoinHandle<io::Result<()>>,
    /// Disconnects when the thread ends.
    ended: mpsc::Receiver<()>,
}

impl Reporter {
    /// Where builds send their events. Outlives the reporter harmlessly: what comes after [`Reporter::finish`] is lost.
    pub fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(Intake(self.queue.clone()))
    }

    /// Prints a message that is no event, and a newline.
    pub fn print(&self, text: impl Into<String>) {
        self.text(Style::Line(Level::Say), text.into());
    }

    /// The same for a message that says what went wrong: a diagnostic, for one.
    pub fn print_error(&self, text: impl Into<String>) {
        self.text(Style::Line(Level::Error), text.into());
    }

    /// Writes data (a formatted file, a JSON document) as it is, in every format, without a newline of ours.
    pub fn print_raw(&self, text: impl Into<String>) {
        self.text(Style::Raw, text.into());
    }

    /// Writes a record of the machine-readable format; nothing in other formats.
    pub fn record(&self, target: &str, kind: &str, data: &[&str]) {
        let data = data.iter().map(|&text| text.to_owned()).collect();
        self.queue.push(Item::Record(Record { at: SystemTime::now(), target: target.into(), kind: kind.into(), data }));
    }

    /// Text with the secrets masked, for what a prompt writes on the terminal past the reporter.
    pub fn redact(&self, text: &str) -> String {
        redact::Redactor::new(self.secrets.clone()).mask(text).into_owned()
    }

    /// Runs `ask` while the reporter keeps off the terminal: all that was sent before is written, the status lines are
    /// gone, and what comes meanwhile waits. Prompts of several threads come one after the other; a prompt within a
    /// prompt would wait for itself.
    pub fn suspend<T>(&self, ask: impl FnOnce() -> T) -> T {
        let _quiet = self.pause();
        ask()
    }

    /// The same until the returned value is dropped. Blocks until the terminal is free.
    pub fn pause(&self) -> Quiet {
        let (ready, paused) = mpsc::sync_channel(1);
        self.queue.push(Item::Pause(ready));
        // An error means that the writer has ended: nothing disturbs the prompt then.
        Quiet(paused.recv().is_ok().then(|| self.queue.clone()))
    }

    /// Writes what is still to be written and ends the thread. Later calls of anything do nothing.
    ///
    /// # Errors
    /// When writing failed, now or earlier; a reader that went away is no error.
    pub fn finish(&self) -> io::Result<()> {
        self.queue.close();
        match self.take_thread().map(|thread| thread.handle.join()) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_panic)) => Err(io::Error::other("the reporting thread panicked")),
        }
    }

    /// The same for a process that leaves at once (a third signal): waits no longer than `patience` for a reader that
    /// has stopped reading.
    pub fn leave(&self, patience: Duration) {
        self.queue.close();
        if let Some(thread) = self.take_thread() {
            // Either it has ended in time, or it will not: there is nothing to do about it.
            let _ = thread.ended.recv_timeout(patience);
        }
    }

    fn take_thread(&self) -> Option<Thread> {
        self.thread.lock().unwrap_or_else(|e| e.into_inner()).take()
    }

    fn text(&self, style: Style, text: String) {
        self.queue.push(Item::Text(Text { at: SystemTime::now(), style, text }));
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        // Whoever wants to know of errors calls `finish`.
        let _ = self.finish();
    }
}

/// As long as it lives, the reporter keeps off the terminal.
#[must_use = "the reporter goes on as soon as this is dropped"]
pub struct Quiet(Option<Arc<Queue>>);

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(queue) = &self.0 {
            queue.resume();
        }
    }
}

struct Intake(Arc<Queue>);

impl Sink for Intake {
    fn take(&self, event: Event) {
        self.0.push(Item::Event(event));
    }
}

#[cfg(test)]
mod tests;
