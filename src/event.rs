//! What happened, as data: the only thing that the engine and the reporters share.
//!
//! Life-cycle events ([`EventKind::is_progress`] is false) are never dropped; progress may be coalesced by a reporter.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it happened.
    pub at: SystemTime,
    /// The build it belongs to; `None` for what concerns the whole run.
    pub build: Option<Arc<str>>,
    /// The post-processor type that speaks, when one does.
    pub post_processor: Option<Arc<str>>,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of things that happen.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// The builds that are about to run, in order. Once, before everything else.
    RunStarted { run: String, builds: Vec<String> },
    /// A line (or several) of the story.
    Say(String),
    /// A line (or several) that reports something wrong.
    Error(String),
    /// A line that people should read although the build goes on.
    Warning(String),
    /// A line of the unwinding after a failure: shown, but less prominent than the error itself.
    Release(String),
    /// One line that a remote or local command wrote, without its newline; bytes that are no text are in it as [`raw_text`] has them.
    Output { stream: Stream, line: String },
    /// A step began.
    StepStarted { step: String },
    /// A step ended; `error` is its one-line cause when it failed.
    StepFinished { step: String, elapsed: Duration, error: Option<String> },
    /// The state of something remote that a step waits for ("pending", "snapshot 43 %"). Progress.
    Waiting { step: String, state: String, percent: Option<u8> },
    /// Bytes that a transfer has moved so far, and how many there are, when known. Progress.
    Transfer { what: String, done: u64, total: Option<u64> },
    /// A build ended. Once per build. `error` is the whole chain of causes.
    BuildFinished { elapsed: Duration, error: Option<String> },
    /// Where the time of a build went: (label, duration), in order. Follows `BuildFinished`.
    Timing(Vec<(String, Duration)>),
    /// All builds ended. Once.
    RunFinished(Summary),
}

/// Which stream of a command a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a whole run came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Time from the first build's start to the last one's end.
    pub elapsed: Duration,
    /// True when a signal ended the run.
    pub interrupted: bool,
    /// Failed builds: (build, chain of causes).
    pub errors: Vec<(String, String)>,
    /// Artifacts of the builds that succeeded: (build, its artifacts in order).
    pub artifacts: Vec<(String, Vec<ArtifactLine>)>,
    /// What could not be removed, each with the command that removes it.
    pub leftovers: Vec<Leftover>,
}

/// What a reporter needs to know of an artifact.
#[derive(Clone, Debug)]
pub struct ArtifactLine {
    /// The builder's id, `mitchellh.amazonebs` for one.
    pub builder_id: String,
    /// The artifact's id, `eu-west-1:ami-…` for one.
    pub id: String,
    /// The text for people, possibly several lines.
    pub text: String,
    /// Its files.
    pub files: Vec<String>,
}

/// A resource that the run made and could not remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The resource kind, `key-pair` for one.
    pub kind: String,
    /// Its id, or its name when the id never became known; empty when it has neither.
    pub id: String,
    /// The region it is in; empty where the kind has none.
    pub region: String,
    /// Why it is still there.
    pub reason: String,
    /// A command that removes it.
    pub remedy: String,
}

impl Leftover {
    /// The thing and where it is, as people can find it.
    pub fn thing(&self) -> String {
        let place = if self.region.is_empty() { String::new() } else { format!(" in {}", self.region) };
        named(&self.kind, &self.id) + &place
    }
}

/// A resource as people can find it. One of which neither id nor name is known was asked for, and nobody knows what came of it.
pub fn named(kind: &str, name: &str) -> String {
    match name.is_empty() {
        true => format!("{kind} that was asked for and may exist"),
        false => format!("{kind} {name}"),
    }
}

impl EventKind {
    /// True for events that a slow reporter may drop or coalesce.
    pub fn is_progress(&self) -> bool {
        matches!(self, Self::Waiting { .. } | Self::Transfer { .. })
    }
}

/// The first of the 256 private characters (the last of Unicode) that stand for bytes that are no text.
const RAW: u32 = 0x10_ff00;
/// The first byte of their UTF-8, by which a text without any is known at once.
const RAW_LEAD: u8 = 0xf4;

/// Bytes as text, so that they can be masked, cut and laid out: each byte that belongs to no character becomes one that [`raw_bytes`] makes that byte
/// again. Nothing is lost, whatever the bytes.
pub fn raw_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !bytes.contains(&RAW_LEAD)
    {
        return Cow::Borrowed(text);
    }
    let stand_in = |byte: &u8| char::from_u32(RAW + u32::from(*byte)).unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match raw_byte(c) {
                // One of the stand-ins itself: as bytes it comes back unharmed.
                Some(_) => text.extend(c.encode_utf8(&mut [0; 4]).as_bytes().iter().map(stand_in)),
                None => text.push(c),
            }
        }
        text.extend(chunk.invalid().iter().map(stand_in));
    }
    Cow::Owned(text)
}

fn raw_byte(c: char) -> Option<u8> {
    u32::from(c).checked_sub(RAW).and_then(|byte| u8::try_from(byte).ok())
}

/// The bytes that [`raw_text`] made text of.
pub fn raw_bytes(text: &str) -> Cow<'_, [u8]> {
    if !text.as_bytes().contains(&RAW_LEAD) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match raw_byte(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// The text with the usual replacement character for each byte that is no text, for readers that want only text.
pub fn clean_text(text: &str) -> Cow<'_, str> {
    if !text.as_bytes().contains(&RAW_LEAD) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if raw_byte(c).is_some() { char::REPLACEMENT_CHARACTER } else { c }).collect())
}

/// Takes events; reporters implement it. Calls may come from any thread and must not block for long.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn take(&self, event: Event);
}

/// A sender of events for one build (or for the run). Cheap to clone.
#[derive(Clone)]
pub struct Events {
    sink: Arc<dyn Sink>,
    build: Option<Arc<str>>,
    post_processor: Option<Arc<str>>,
}

impl Events {
    /// A sender for events of the whole run.
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, build: None, post_processor: None }
    }

    /// The same sink, for the events of one build.
    pub fn for_build(&self, name: &str) -> Self {
        Self { build: Some(name.into()), ..self.clone() }
    }

    /// The same build, speaking as a post-processor of this type.
    pub fn for_post_processor(&self, kind: &str) -> Self {
        Self { post_processor: Some(kind.into()), ..self.clone() }
    }

    /// Sends an event of any kind.
    pub fn send(&self, kind: EventKind) {
        let (build, post_processor) = (self.build.clone(), self.post_processor.clone());
        self.sink.take(Event { at: SystemTime::now(), build, post_processor, kind });
    }

    /// Tells a part of the story.
    pub fn say(&self, text: impl Into<String>) {
        self.send(EventKind::Say(text.into()));
    }

    /// Reports something wrong.
    pub fn error(&self, text: impl Into<String>) {
        self.send(EventKind::Error(text.into()));
    }

    /// Warns; the build goes on.
    pub fn warn(&self, text: impl Into<String>) {
        self.send(EventKind::Warning(text.into()));
    }

    /// Sends one line of a command's output.
    pub fn output(&self, stream: Stream, line: &[u8]) {
        self.send(EventKind::Output { stream, line: raw_text(line).into_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_named_even_when_nobody_knows_its_name() {
        let left = |id: &str, region: &str| {
            let (kind, reason, remedy) = ("instance".to_owned(), String::new(), String::new());
            Leftover { kind, id: id.to_owned(), region: region.to_owned(), reason, remedy }.thing()
        };
        assert_eq!(left("i-1", "r"), "instance i-1 in r");
        assert_eq!(left("", "r"), "instance that was asked for and may exist in r");
        assert_eq!(left("i-1", ""), "instance i-1");
    }

    #[test]
    fn any_bytes_survive_being_text() {
        for bytes in [&b"plain"[..], b"a\xffb\n", b"\xf4\x8f\xbf\xbf", b"\xf4", "ü\u{10ff41}".as_bytes(), b"\xc3"] {
            assert_eq!(&*raw_bytes(&raw_text(bytes)), bytes, "{bytes:?}");
        }
        assert_eq!(clean_text(&raw_text(b"a\xffb")), "a\u{fffd}b");
        assert_eq!(clean_text("\u{1f600}"), "\u{1f600}");
    }
}
