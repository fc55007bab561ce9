//! JSON Lines: one event a line, for programs.
//!
//! Every line is an object with these members; those marked `?` are left out when there is nothing to say.
//!
//! | Member | Type | Meaning |
//! |---|---|---|
//! | `v` | number | version of this schema, 1. New members and types may be added to a version; readers skip what they don't know |
//! | `time` | string | when it happened: RFC 3339, UTC, milliseconds |
//! | `type` | string | one of the types below |
//! | `build` | string? | the build it belongs to |
//! | `post_processor` | string? | the post-processor type that speaks |
//!
//! | `type` | Further members |
//! |---|---|
//! | `run_started` | `run`: id of the run, `builds`: names |
//! | `say`, `error`, `warning`, `release` | `text`: the message, possibly of several lines |
//! | `output` | `stream`: `stdout` or `stderr`, `line`: one line of a command's output |
//! | `step_started` | `step` |
//! | `step_finished` | `step`, `elapsed_ms`, `ok`, `error`? |
//! | `waiting` | `step`, `state`, `percent`?. Sent when it changes |
//! | `transfer` | `what`, `done`, `total`?: bytes. Sent once a second at most, and at the end |
//! | `build_finished` | `elapsed_ms`, `ok`, `error`? |
//! | `timing` | `steps`: array of `label`, `elapsed_ms` |
//! | `run_finished` | `elapsed_ms`, `interrupted`, `errors`: array of `build`, `error`; `artifacts`: array of `build`, `builder_id`, `id`, `text`, `files`; `leftovers`: array of `kind`, `id`, `region`, `reason`, `remedy` |
//! | `message` | `level`: `say` or `error`, `text`: what is no event, diagnostics for one |
//!
//! Data that a command prints ([`super::Reporter::print_raw`]) is written as it is, not wrapped.
//!
//! The types here are the schema: the events themselves can change without it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Level;
use super::queue::{Style, Text};
use super::view::View;
use crate::event::{self, Event, EventKind, Stream, Summary, clean_text};

/// The `v` of every line.
const VERSION: u8 = 1;

/// Transfers report thousands of times a second; readers of a log don't want that.
const TRANSFER_PACE: Duration = Duration::from_secs(1);

/// The JSON view.
#[derive(Default)]
pub struct Json {
    /// What was last said of a thing that makes progress.
    states: HashMap<Thing, (String, Option<u8>)>,
    transfers: HashMap<Thing, SystemTime>,
}

/// What makes progress: a build's step or transfer.
type Thing = (Option<Arc<str>>, String);

#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    time: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    build: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post_processor: Option<&'a str>,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    RunStarted {
        run: &'a str,
        builds: &'a [String],
    },
    Text {
        text: &'a str,
    },
    Output {
        stream: &'static str,
        line: Cow<'a, str>,
    },
    StepStarted {
        step: &'a str,
    },
    StepFinished {
        step: &'a str,
        #[serde(flatten)]
        end: End<'a>,
    },
    Waiting {
        step: &'a str,
        state: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
    },
    Transfer {
        what: &'a str,
        done: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    BuildFinished(End<'a>),
    Timing {
        steps: Vec<Timed<'a>>,
    },
    RunFinished {
        elapsed_ms: u64,
        interrupted: bool,
        errors: Vec<Failure<'a>>,
        artifacts: Vec<Artifact<'a>>,
        leftovers: Vec<Leftover<'a>>,
    },
    Message {
        level: &'static str,
        text: &'a str,
    },
}

#[derive(Serialize)]
struct End<'a> {
    elapsed_ms: u64,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Timed<'a> {
    label: &'a str,
    elapsed_ms: u64,
}

#[derive(Serialize)]
struct Failure<'a> {
    build: &'a str,
    error: &'a str,
}

#[derive(Serialize)]
struct Artifact<'a> {
    build: &'a str,
    builder_id: &'a str,
    id: &'a str,
    text: &'a str,
    files: &'a [String],
}

#[derive(Serialize)]
struct Leftover<'a> {
    kind: &'a str,
    id: &'a str,
    region: &'a str,
    reason: &'a str,
    remedy: &'a str,
}

impl View for Json {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if !self.is_news(event) {
            return;
        }
        let (kind, body) = wire(&event.kind);
        let (build, post_processor) = (event.build.as_deref(), event.post_processor.as_deref());
        write(&Line { v: VERSION, time: time(event.at), kind, build, post_processor, body }, out);
    }

    fn text(&mut self, text: &Text, out: &mut Vec<u8>) {
        let level = match text.style {
            Style::Raw => return out.extend_from_slice(text.text.as_bytes()),
            Style::Line(Level::Say) => "say",
            Style::Line(Level::Error) => "error",
        };
        let body = Body::Message { level, text: &text.text };
        let (build, post_processor) = (None, None);
        write(&Line { v: VERSION, time: time(text.at), kind: "message", build, post_processor, body }, out);
    }
}

impl Json {
    /// False for progress that says nothing new.
    fn is_news(&mut self, event: &Event) -> bool {
        match &event.kind {
            EventKind::Waiting { step, state, percent } => {
                let now = (state.clone(), *percent);
                self.states.insert((event.build.clone(), step.clone()), now.clone()) != Some(now)
            }
            EventKind::Transfer { what, done, total } => {
                let key = (event.build.clone(), what.clone());
                let over = total.is_some_and(|total| *done >= total);
                let due = self.transfers.get(&key).is_none_or(|last| {
                    // A clock that was set back must not silence us.
                    event.at.duration_since(*last).map_or(true, |gap| gap >= TRANSFER_PACE)
                });
                if over {
                    self.transfers.remove(&key);
                } else if due {
                    self.transfers.insert(key, event.at);
                }
                over || due
            }
            EventKind::StepStarted { step } => {
                self.states.remove(&(event.build.clone(), step.clone()));
                true
            }
            _ => true,
        }
    }
}

fn wire(kind: &EventKind) -> (&'static str, Body<'_>) {
    match kind {
        EventKind::RunStarted { run, builds } => ("run_started", Body::RunStarted { run, builds }),
        EventKind::Say(text) => ("say", Body::Text { text }),
        EventKind::Error(text) => ("error", Body::Text { text }),
        EventKind::Warning(text) => ("warning", Body::Text { text }),
        EventKind::Release(text) => ("release", Body::Text { text }),
        EventKind::Output { stream: Stream::Stdout, line } => {
            ("output", Body::Output { stream: "stdout", line: clean_text(line) })
        }
        EventKind::Output { stream: Stream::Stderr, line } => {
            ("output", Body::Output { stream: "stderr", line: clean_text(line) })
        }
        EventKind::StepStarted { step } => ("step_started", Body::StepStarted { step }),
        EventKind::StepFinished { step, elapsed, error } => {
            ("step_finished", Body::StepFinished { step, end: end(*elapsed, error.as_deref()) })
        }
        EventKind::Waiting { step, state, percent } => ("waiting", Body::Waiting { step, state, percent: *percent }),
        EventKind::Transfer { what, done, total } => ("transfer", Body::Transfer { what, done: *done, total: *total }),
        EventKind::BuildFinished { elapsed, error } => {
            ("build_finished", Body::BuildFinished(end(*elapsed, error.as_deref())))
        }
        EventKind::Timing(rows) => {
            let steps = rows.iter().map(|(label, elapsed)| Timed { label, elapsed_ms: millis(*elapsed) }).collect();
            ("timing", Body::Timing { steps })
        }
        EventKind::RunFinished(summary) => ("run_finished", run_finished(summary)),
    }
}

fn run_finished(summary: &Summary) -> Body<'_> {
    Body::RunFinished {
        elapsed_ms: millis(summary.elapsed),
        interrupted: summary.interrupted,
        errors: summary.errors.iter().map(|(build, error)| Failure { build, error }).collect(),
        artifacts: summary.artifacts.iter().flat_map(|(build, list)| artifacts(build, list)).collect(),
        leftovers: summary.leftovers.iter().map(leftover).collect(),
    }
}

fn artifacts<'a>(build: &'a str, list: &'a [event::ArtifactLine]) -> impl Iterator<Item = Artifact<'a>> {
    list.iter().map(move |line| Artifact {
        build,
        builder_id: &line.builder_id,
        id: &line.id,
        text: &line.text,
        files: &line.files,
    })
}

fn leftover(left: &event::Leftover) -> Leftover<'_> {
    Leftover { kind: &left.kind, id: &left.id, region: &left.region, reason: &left.reason, remedy: &left.remedy }
}

fn end(elapsed: Duration, error: Option<&str>) -> End<'_> {
    End { elapsed_ms: millis(elapsed), ok: error.is_none(), error }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn time(at: SystemTime) -> String {
    // Times beyond the year 9999 are a broken clock; any text will do for them.
    let time = Timestamp::try_from(at).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC);
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn write(line: &Line, out: &mut Vec<u8>) {
    // Serialising strings and numbers into memory can't fail.
    let _ = serde_json::to_writer(&mut *out, line);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::super::tests::{AT, events, summary};
    use super::*;

    fn shown(events: &[Event]) -> Vec<String> {
        let mut out = Vec::new();
        let mut view = Json::default();
        events.iter().for_each(|event| view.event(event, &mut out));
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_event_is_a_line() {
        let elapsed = Duration::from_millis(1500);
        let lines = shown(&events(&[
            ("", EventKind::RunStarted { run: "r1".into(), builds: vec!["a".into()] }),
            ("a", EventKind::Say("x".into())),
            ("a", EventKind::Warning("x\n\"y\"".into())),
            ("a/manifest", EventKind::Output { stream: Stream::Stderr, line: "l".into() }),
            ("a", EventKind::StepFinished { step: "s".into(), elapsed, error: Some("e".into()) }),
            ("a", EventKind::Waiting { step: "s".into(), state: "pending".into(), percent: Some(3) }),
            ("a", EventKind::Transfer { what: "w".into(), done: 1, total: None }),
            ("a", EventKind::BuildFinished { elapsed, error: None }),
            ("a", EventKind::Timing(vec![("boot".into(), elapsed)])),
        ]));
        let head = r#"{"v":1,"time":"2023-11-14T22:13:20.250Z","type":"#;
        let expected = [
            r#""run_started","run":"r1","builds":["a"]}"#,
            r#""say","build":"a","text":"x"}"#,
            r#""warning","build":"a","text":"x\n\"y\""}"#,
            r#""output","build":"a","post_processor":"manifest","stream":"stderr","line":"l"}"#,
            r#""step_finished","build":"a","step":"s","elapsed_ms":1500,"ok":false,"error":"e"}"#,
            r#""waiting","build":"a","step":"s","state":"pending","percent":3}"#,
            r#""transfer","build":"a","what":"w","done":1}"#,
            r#""build_finished","build":"a","elapsed_ms":1500,"ok":true}"#,
            r#""timing","build":"a","steps":[{"label":"boot","elapsed_ms":1500}]}"#,
        ];
        assert_eq!(lines, expected.map(|line| format!("{head}{line}")));
    }

    #[test]
    fn the_end_of_the_run_has_everything() {
        let left = event::Leftover {
            kind: "image".into(),
            id: "ami-1".into(),
            region: "r".into(),
            reason: "why".into(),
            remedy: "do".into(),
        };
        let summary = Summary { leftovers: vec![left], ..summary() };
        let lines = shown(&events(&[("", EventKind::RunFinished(summary))]));
        let body = concat!(
            r#""run_finished","elapsed_ms":2000,"interrupted":false,"errors":[{"build":"null.b","error":"exit status: 7"}],"#,
            r#""artifacts":[{"build":"null.a","builder_id":"fnoeding.null","id":"Null","#,
            r#""text":"Did not export anything. This is the null builder","files":[]}],"#,
            r#""leftovers":[{"kind":"image","id":"ami-1","region":"r","reason":"why","remedy":"do"}]}"#,
        );
        assert!(lines[0].ends_with(body), "{}", lines[0]);
    }

    #[test]
    fn progress_is_thinned_out() {
        let event = |millis, kind| Event {
            at: AT() + Duration::from_millis(millis),
            build: Some("a".into()),
            post_processor: None,
            kind,
        };
        let moved = |millis, done| event(millis, EventKind::Transfer { what: "w".into(), done, total: Some(9) });
        let waits = |millis, state: &str| {
            event(millis, EventKind::Waiting { step: "s".into(), state: state.into(), percent: None })
        };
        let done = |lines: Vec<String>| lines.iter().map(|line| line.contains("\"done\":9")).collect::<Vec<_>>();
        let transfers = [moved(0, 1), moved(500, 2), moved(1000, 3), moved(1001, 4), moved(1002, 9)];
        assert_eq!(done(shown(&transfers)), [false, false, true]);
        assert_eq!(shown(&[waits(0, "x"), waits(1, "x"), waits(2, "y"), waits(3, "x")]).len(), 3);
    }

    #[test]
    fn messages_are_lines_and_raw_text_is_raw() {
        let mut out = Vec::new();
        let text = |style| Text { at: AT(), style, text: "a\n".into() };
        Json::default().text(&text(Style::Line(Level::Error)), &mut out);
        Json::default().text(&text(Style::Raw), &mut out);
        let expected = "{\"v\":1,\"time\":\"2023-11-14T22:13:20.250Z\",\"type\":\"message\",\"level\":\"error\",\"text\":\"a\\n\"}\na\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
