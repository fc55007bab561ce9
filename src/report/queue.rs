//! The queue between those who report and the one thread that writes.
//!
//! Nothing in it is dropped except progress, of which only the newest of a kind is kept. A sender waits in one case
//! only: it sends a command's output, and megabytes of it lie unwritten because whoever reads our output has stopped
//! reading. That is what a pipe does, and keeps memory bounded; life-cycle events never wait.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use super::Level;
use crate::event::{Event, EventKind};

/// Output waits for the writer above this many bytes.
const FULL: usize = 64 << 20;

/// What an item costs beside its text, roughly.
const OVERHEAD: usize = 128;

/// Something to write, or to do between two writes.
pub enum Item {
    Event(Event),
    Text(Text),
    Record(Record),
    /// Clear the screen's live part, say so, and write nothing until [`Queue::resume`].
    Pause(SyncSender<()>),
}

/// Text that is no event: what a command prints.
pub struct Text {
    pub at: SystemTime,
    pub style: Style,
    pub text: String,
}

/// How a text is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A message of its own line.
    Line(Level),
    /// Data, written byte by byte as it is in every mode.
    Raw,
}

/// A line of the machine-readable format; other formats leave it out.
#[derive(Debug)]
pub struct Record {
    pub at: SystemTime,
    pub target: String,
    pub kind: String,
    pub data: Vec<String>,
}

/// See the module.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    /// Where the newest progress of each kind stands in `items`, as long as nothing of its build came after it.
    progress: HashMap<Progress, usize>,
    bytes: usize,
    full: usize,
    pauses: usize,
    closed: bool,
}

/// What one progress event replaces: an older one of the same build about the same thing.
#[derive(PartialEq, Eq, Hash)]
struct Progress {
    build: Option<Arc<str>>,
    waiting: bool,
    what: String,
}

/// What the writer is to do.
pub enum Work {
    /// Write these.
    Items(VecDeque<Item>),
    /// Nothing came in time.
    Idle,
    /// A prompt has the terminal: write nothing.
    Paused,
    /// Nothing will ever come again.
    Closed,
}

impl Queue {
    pub fn new() -> Self {
        Self::with_limit(FULL)
    }

    fn with_limit(full: usize) -> Self {
        Self { state: Mutex::new(State { full, ..State::default() }), changed: Condvar::new() }
    }

    /// Adds an item. After [`Queue::close`] it is dropped: nobody can see it any more.
    pub fn push(&self, item: Item) {
        let mut state = self.lock();
        // While a prompt has the terminal, waiting for the writer could be waiting for ourselves.
        while state.must_wait(&item) {
            state = self.changed.wait(state).unwrap_or_else(|e| e.into_inner());
        }
        if state.closed {
            return;
        }
        match item {
            Item::Event(event) => state.add_event(event),
            other => state.add(other),
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Takes all there is, waiting up to `patience` for it; forever without one.
    pub fn take(&self, patience: Option<Duration>) -> Work {
        let mut state = self.lock();
        let asleep = |state: &mut State| !state.closed && (state.items.is_empty() || state.pauses > 0);
        state = match patience {
            None => self.changed.wait_while(state, asleep).unwrap_or_else(|e| e.into_inner()),
            Some(limit) => self.changed.wait_timeout_while(state, limit, asleep).unwrap_or_else(|e| e.into_inner()).0,
        };
        if !state.closed && state.pauses > 0 {
            return Work::Paused;
        }
        if state.items.is_empty() {
            return if state.closed { Work::Closed } else { Work::Idle };
        }
        let items = state.take_up_to_pause();
        drop(state);
        self.changed.notify_all();
        Work::Items(items)
    }

    /// Ends one pause.
    pub fn resume(&self) {
        let mut state = self.lock();
        state.pauses = state.pauses.saturating_sub(1);
        drop(state);
        self.changed.notify_all();
    }

    /// No more items; what is in the queue can still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// No more items, and nobody wants those in the queue.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.take_all();
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the queue whole: every change is complete before the lock goes.
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl State {
    fn must_wait(&self, item: &Item) -> bool {
        let output = matches!(item, Item::Event(Event { kind: EventKind::Output { .. }, .. }));
        output && !self.closed && self.pauses == 0 && self.bytes > self.full
    }

    fn add_event(&mut self, event: Event) {
        let Some(key) = progress(&event) else {
            self.progress.retain(|key, _| key.build != event.build);
            return self.add(Item::Event(event));
        };
        match self.progress.get(&key) {
            Some(&at) => self.items[at] = Item::Event(event),
            None => {
                self.progress.insert(key, self.items.len());
                self.add(Item::Event(event));
            }
        }
    }

    fn add(&mut self, item: Item) {
        self.bytes += cost(&item);
        self.items.push_back(item);
    }

    /// All items up to the first pause, which stays the last of them: the rest is for after the prompt.
    fn take_up_to_pause(&mut self) -> VecDeque<Item> {
        let Some(at) = self.items.iter().position(|item| matches!(item, Item::Pause(_))) else {
            return self.take_all();
        };
        let rest = self.items.split_off(at + 1);
        let items = std::mem::replace(&mut self.items, rest);
        self.bytes -= items.iter().map(cost).sum::<usize>();
        self.progress.clear();
        self.pauses += 1;
        items
    }

    fn take_all(&mut self) -> VecDeque<Item> {
        self.bytes = 0;
        self.progress.clear();
        std::mem::take(&mut self.items)
    }
}

fn progress(event: &Event) -> Option<Progress> {
    let (waiting, what) = match &event.kind {
        EventKind::Waiting { step, .. } => (true, step),
        EventKind::Transfer { what, .. } => (false, what),
        _ => return None,
    };
    Some(Progress { build: event.build.clone(), waiting, what: what.clone() })
}

fn cost(item: &Item) -> usize {
    let text = match item {
        Item::Text(text) => text.text.len(),
        Item::Event(Event { kind: EventKind::Output { line, .. }, .. }) => line.len(),
        Item::Event(Event { kind: EventKind::Say(text) | EventKind::Error(text), .. }) => text.len(),
        // Small, or few. Progress must cost a constant, because it is replaced in place.
        _ => 0,
    };
    OVERHEAD + text
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::event::Stream;

    fn event(build: &str, kind: EventKind) -> Item {
        Item::Event(Event { at: SystemTime::UNIX_EPOCH, build: Some(build.into()), post_processor: None, kind })
    }

    fn waiting(build: &str, state: &str) -> Item {
        event(build, EventKind::Waiting { step: "s".into(), state: state.into(), percent: None })
    }

    fn output(line: &str) -> Item {
        event("a", EventKind::Output { stream: Stream::Stdout, line: line.into() })
    }

    fn taken(queue: &Queue) -> Vec<String> {
        let Work::Items(items) = queue.take(Some(Duration::ZERO)) else { return Vec::new() };
        items.iter().map(describe).collect()
    }

    fn describe(item: &Item) -> String {
        match item {
            Item::Event(Event { build, kind, .. }) => match kind {
                EventKind::Waiting { state, .. } => format!("{} {state}", build.as_deref().unwrap_or("-")),
                EventKind::Output { line, .. } | EventKind::Say(line) => line.clone(),
                other => format!("{other:?}"),
            },
            Item::Text(text) => text.text.clone(),
            Item::Record(record) => record.kind.clone(),
            Item::Pause(_) => "pause".into(),
        }
    }

    #[test]
    fn progress_is_coalesced_and_the_rest_kept() {
        let queue = Queue::new();
        for item in [
            waiting("a", "1"),
            waiting("b", "1"),
            waiting("a", "2"),
            event("a", EventKind::Say("story".into())),
            waiting("a", "3"),
            waiting("b", "2"),
            waiting("a", "4"),
        ] {
            queue.push(item);
        }
        assert_eq!(taken(&queue), ["a 2", "b 2", "story", "a 4"]);
        queue.push(waiting("a", "5"));
        assert_eq!(taken(&queue), ["a 5"]);
    }

    #[test]
    fn only_output_waits_for_the_writer() {
        let queue = Arc::new(Queue::with_limit(OVERHEAD));
        queue.push(output("one"));
        queue.push(event("a", EventKind::Say("two".into())));
        let sender = queue.clone();
        let thread = std::thread::spawn(move || sender.push(output("three")));
        let mut lines = Vec::new();
        while lines.len() < 3 {
            lines.extend(taken(&queue));
        }
        thread.join().unwrap();
        assert_eq!(lines, ["one", "two", "three"]);
    }

    #[test]
    fn a_pause_holds_the_rest_back() {
        let queue = Queue::with_limit(0);
        let (ready, _) = mpsc::sync_channel(1);
        queue.push(output("before"));
        queue.push(Item::Pause(ready));
        assert_eq!(taken(&queue), ["before", "pause"]);
        queue.push(output("one"));
        queue.push(output("two"));
        assert!(matches!(queue.take(Some(Duration::ZERO)), Work::Paused));
        queue.resume();
        assert_eq!(taken(&queue), ["one", "two"]);
    }

    #[test]
    fn a_closed_queue_gives_what_it_has() {
        let queue = Queue::new();
        queue.push(output("last"));
        queue.close();
        queue.push(output("too late"));
        assert_eq!(taken(&queue), ["last"]);
        assert!(matches!(queue.take(None), Work::Closed));
    }

    #[test]
    fn abandoning_frees_a_waiting_sender() {
        let queue = Arc::new(Queue::with_limit(0));
        queue.push(output("one"));
        let sender = queue.clone();
        let thread = std::thread::spawn(move || sender.push(output("two")));
        queue.abandon();
        thread.join().unwrap();
        assert!(matches!(queue.take(None), Work::Closed));
    }
}
