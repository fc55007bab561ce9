//! The human story: what each event says, as lines that read like Packer's.
//!
//! Plain output, the live view and the machine-readable format all print these lines, each in its own way.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::queue::Record;
use super::{Colour, Level, Timestamps, durations, summary, timing};
use crate::event::{Event, EventKind, Stream};

/// ANSI colours of the builds, in turn: green, cyan, magenta, yellow, blue.
const BUILD_COLOURS: [u8; 5] = [32, 36, 35, 33, 34];

/// ANSI red.
const ERROR_COLOUR: u8 = 31;

/// One thing to print.
pub enum Entry {
    /// For people.
    Block(Block),
    /// For programs: only the machine-readable format shows it.
    Record(Record),
}

/// A message of one line or several, without the final newline.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    pub level: Level,
    pub paint: Paint,
    pub text: String,
}

/// How a block looks where colours are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As the terminal has it.
    Bare,
    /// Bold, in an ANSI colour.
    Bold(u8),
    /// Faint, in an ANSI colour.
    Faint(u8),
}

/// Turns events into blocks.
pub struct Story {
    colour: Colour,
    timestamps: Timestamps,
    ending: summary::Ending,
    builds: Vec<String>,
    failed: HashSet<Arc<str>>,
    /// How long each finished build took: the table of its time wants it.
    elapsed: Vec<(Arc<str>, Duration)>,
}

impl Block {
    /// An unpainted block.
    pub fn bare(level: Level, text: impl Into<String>) -> Self {
        Self { level, paint: Paint::Bare, text: text.into() }
    }
}

impl Story {
    pub fn new(colour: Colour, timestamps: Timestamps, ending: summary::Ending) -> Self {
        let (builds, failed, elapsed) = Default::default();
        Self { colour, timestamps, ending, builds, failed, elapsed }
    }

    /// What to print for an event; nothing for progress and for the steps, which the live view shows.
    pub fn tell(&mut self, event: &Event) -> Vec<Entry> {
        self.note_failure(event);
        let block = match &event.kind {
            EventKind::RunStarted { builds, .. } => return self.announce(builds),
            EventKind::RunFinished(summary) => return summary::entries(summary, event.at, self.ending),
            EventKind::Say(text) | EventKind::Warning(text) => self.say(event, text),
            EventKind::Error(text) => self.error(event, text),
            EventKind::Release(text) => self.release(event, text),
            EventKind::Output { stream: Stream::Stdout, line } => self.say(event, shown_part(line)),
            EventKind::Output { stream: Stream::Stderr, line } => self.error(event, shown_part(line)),
            EventKind::BuildFinished { elapsed, error } => match &event.build {
                Some(build) => self.finished(event.at, build, *elapsed, error.as_deref()),
                None => return Vec::new(),
            },
            EventKind::Timing(rows) => {
                let whole = self.elapsed.iter().rev().find(|(name, _)| Some(name) == event.build.as_ref());
                self.say(event, &timing::table(rows, whole.map(|(_, elapsed)| *elapsed)))
            }
            EventKind::StepStarted { .. }
            | EventKind::StepFinished { .. }
            | EventKind::Waiting { .. }
            | EventKind::Transfer { .. } => return Vec::new(),
        };
        vec![Entry::Block(block)]
    }

    /// The ANSI colour of a build.
    pub fn build_colour(&self, build: Option<&Arc<str>>) -> u8 {
        let place = build.and_then(|name| self.builds.iter().position(|known| **known == **name));
        BUILD_COLOURS[place.unwrap_or(0) % BUILD_COLOURS.len()]
    }

    fn announce(&mut self, builds: &[String]) -> Vec<Entry> {
        self.builds = builds.to_vec();
        if self.colour == Colour::Off || builds.is_empty() {
            return Vec::new();
        }
        let line = |(place, name): (usize, &String)| Block {
            level: Level::Say,
            paint: Paint::Bold(BUILD_COLOURS[place % BUILD_COLOURS.len()]),
            text: format!("{name}: output will be in this color."),
        };
        let lines = builds.iter().enumerate().map(line);
        lines.chain([Block::bare(Level::Say, "")]).map(Entry::Block).collect()
    }

    fn note_failure(&mut self, event: &Event) {
        let failure = matches!(
            event.kind,
            EventKind::Error(_)
                | EventKind::StepFinished { error: Some(_), .. }
                | EventKind::BuildFinished { error: Some(_), .. }
        );
        if let (true, Some(build)) = (failure, &event.build) {
            self.failed.insert(build.clone());
        }
    }

    fn say(&self, event: &Event, text: &str) -> Block {
        self.block(event, Level::Say, text, Paint::Bold(self.build_colour(event.build.as_ref())))
    }

    fn error(&self, event: &Event, text: &str) -> Block {
        self.block(event, Level::Error, text, Paint::Bold(ERROR_COLOUR))
    }

    /// The unwinding: faint where there are colours, and in parentheses after a failure, so that the failure stands out.
    fn release(&self, event: &Event, text: &str) -> Block {
        let failed = event.build.as_ref().is_some_and(|build| self.failed.contains(build));
        let text = if failed && self.colour == Colour::On { format!("({text})") } else { text.to_owned() };
        self.block(event, Level::Say, &text, Paint::Faint(self.build_colour(event.build.as_ref())))
    }

    fn finished(&mut self, at: SystemTime, build: &Arc<str>, elapsed: Duration, error: Option<&str>) -> Block {
        self.elapsed.push((build.clone(), elapsed));
        let time = durations::packer(elapsed);
        let (level, colour, text) = match error {
            None => (Level::Say, self.build_colour(Some(build)), format!("Build '{build}' finished after {time}.")),
            Some(error) => (Level::Error, ERROR_COLOUR, format!("Build '{build}' errored after {time}: {error}")),
        };
        Block { level, paint: Paint::Bold(colour), text: self.timestamps.stamp(at) + &text }
    }

    /// Text with its build in front; text of the run as a whole is neither stamped nor painted.
    fn block(&self, event: &Event, level: Level, text: &str, paint: Paint) -> Block {
        match target(event) {
            Some(target) => Block { level, paint, text: self.timestamps.stamp(event.at) + &targeted(&target, text) },
            None => Block::bare(level, text),
        }
    }
}

impl Timestamps {
    /// The time and `: `, or nothing.
    fn stamp(&self, at: SystemTime) -> String {
        let Self::In(zone) = self else { return String::new() };
        rfc3339(at, zone) + ": "
    }
}

/// RFC 3339 in whole seconds, with `Z` where the zone is UTC.
fn rfc3339(at: SystemTime, zone: &TimeZone) -> String {
    // Times beyond the year 9999 are a broken clock; any text will do for them.
    let time = Timestamp::try_from(at).unwrap_or(Timestamp::MAX).to_zoned(zone.clone());
    let format = if time.offset().seconds() == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
    time.strftime(format).to_string()
}

/// `build`, or `build (post-processor)`.
fn target(event: &Event) -> Option<String> {
    let build = event.build.as_ref()?;
    Some(match &event.post_processor {
        Some(kind) => format!("{build} ({kind})"),
        None => build.to_string(),
    })
}

/// Every line of the text behind `==> target: `, without blanks at the end of the whole.
fn targeted(target: &str, text: &str) -> String {
    let mut out = String::with_capacity(text.len() + target.len() + 8);
    for line in text.split('\n') {
        // Writing into a String can't fail.
        let _ = writeln!(out, "==> {target}: {line}");
    }
    out.truncate(out.trim_end().len());
    out
}

/// What a terminal would still show of an output line: carriage returns overwrite, blanks at the end are nothing.
fn shown_part(line: &str) -> &str {
    let line = line.trim_end();
    line.rsplit('\r').next().unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_targeted() {
        for (text, shown) in [
            ("a", "==> b: a"),
            ("", "==> b:"),
            ("a\n\nc", "==> b: a\n==> b: \n==> b: c"),
            ("a  ", "==> b: a"),
            ("a\n", "==> b: a\n==> b:"),
        ] {
            assert_eq!(targeted("b", text), shown);
        }
    }

    #[test]
    fn carriage_returns_overwrite() {
        for (line, shown) in [("10%\r50%\r100%", "100%"), ("done\r", "done"), ("\t c  ", "\t c"), ("", "")] {
            assert_eq!(shown_part(line), shown);
        }
    }

    #[test]
    fn stamps_are_local_time() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_900);
        let zone = TimeZone::fixed(jiff::tz::offset(-5));
        assert_eq!(rfc3339(at, &TimeZone::UTC), "2023-11-14T22:13:20Z");
        assert_eq!(rfc3339(at, &zone), "2023-11-14T17:13:20-05:00");
    }
}
