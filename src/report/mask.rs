//! Masks the secrets in everything that is on its way to a view, in one place, so that no view can forget it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::queue::{Record, Text};
use super::redact::{Carry, Redactor};
use crate::event::{ArtifactLine, Event, EventKind, Leftover, Stream, Summary};
use crate::secret::Secrets;

/// The masking stage in front of a view.
pub struct Mask {
    redactor: Redactor,
    /// What each stream of each build ended its last line with.
    carries: HashMap<(Option<Arc<str>>, bool), Carry>,
}

impl Mask {
    pub fn new(secrets: Secrets) -> Self {
        Self { redactor: Redactor::new(secrets), carries: HashMap::new() }
    }

    /// Takes in newly registered secrets. Called once for each batch: what it holds was sent before, so its secrets
    /// are registered by now.
    pub fn refresh(&mut self) {
        self.redactor.refresh();
    }

    pub fn event(&mut self, event: Event) -> Event {
        let kind = match event.kind {
            EventKind::Output { stream, line } => {
                EventKind::Output { stream, line: self.line(event.build.clone(), stream, line) }
            }
            kind => self.kind(kind),
        };
        Event { at: event.at, build: self.name(event.build), post_processor: self.name(event.post_processor), kind }
    }

    pub fn text(&self, text: Text) -> Text {
        Text { text: self.string(text.text), ..text }
    }

    pub fn record(&self, record: Record) -> Record {
        let data = record.data.into_iter().map(|text| self.string(text)).collect();
        Record { target: self.string(record.target), data, ..record }
    }

    fn kind(&self, kind: EventKind) -> EventKind {
        let s = |text| self.string(text);
        match kind {
            EventKind::RunStarted { run, builds } => {
                EventKind::RunStarted { run: s(run), builds: builds.into_iter().map(s).collect() }
            }
            EventKind::Say(text) => EventKind::Say(s(text)),
            EventKind::Error(text) => EventKind::Error(s(text)),
            EventKind::Warning(text) => EventKind::Warning(s(text)),
            EventKind::Release(text) => EventKind::Release(s(text)),
            EventKind::Output { stream, line } => EventKind::Output { stream, line: s(line) },
            EventKind::StepStarted { step } => EventKind::StepStarted { step: s(step) },
            EventKind::StepFinished { step, elapsed, error } => {
                EventKind::StepFinished { step: s(step), elapsed, error: error.map(s) }
            }
            EventKind::Waiting { step, state, percent } => {
                EventKind::Waiting { step: s(step), state: s(state), percent }
            }
            EventKind::Transfer { what, done, total } => EventKind::Transfer { what: s(what), done, total },
            EventKind::BuildFinished { elapsed, error } => EventKind::BuildFinished { elapsed, error: error.map(s) },
            EventKind::Timing(rows) => {
                EventKind::Timing(rows.into_iter().map(|(label, time)| (s(label), time)).collect())
            }
            EventKind::RunFinished(summary) => EventKind::RunFinished(self.summary(summary)),
        }
    }

    fn summary(&self, summary: Summary) -> Summary {
        let s = |text| self.string(text);
        let artifact = |artifact: ArtifactLine| ArtifactLine {
            builder_id: s(artifact.builder_id),
            id: s(artifact.id),
            text: s(artifact.text),
            files: artifact.files.into_iter().map(s).collect(),
        };
        let leftover = |leftover: Leftover| Leftover {
            kind: s(leftover.kind),
            id: s(leftover.id),
            region: s(leftover.region),
            reason: s(leftover.reason),
            remedy: s(leftover.remedy),
        };
        Summary {
            elapsed: summary.elapsed,
            interrupted: summary.interrupted,
            errors: summary.errors.into_iter().map(|(build, error)| (s(build), s(error))).collect(),
            artifacts: summary
                .artifacts
                .into_iter()
                .map(|(build, list)| (s(build), list.into_iter().map(artifact).collect()))
                .collect(),
            leftovers: summary.leftovers.into_iter().map(leftover).collect(),
        }
    }

    fn line(&mut self, build: Option<Arc<str>>, stream: Stream, line: String) -> String {
        let carry = self.carries.entry((build, stream == Stream::Stdout)).or_default();
        match self.redactor.line(carry, &line) {
            Cow::Borrowed(_) => line,
            Cow::Owned(masked) => masked,
        }
    }

    fn string(&self, text: String) -> String {
        match self.redactor.mask(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(masked) => masked,
        }
    }

    fn name(&self, name: Option<Arc<str>>) -> Option<Arc<str>> {
        name.map(|name| match self.redactor.mask(&name) {
            Cow::Borrowed(_) => name.clone(),
            Cow::Owned(masked) => masked.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    const SECRET: &str = "HUNTER-TWO";

    fn mask() -> Mask {
        let secrets = Secrets::default();
        secrets.register(SECRET);
        Mask::new(secrets)
    }

    fn event(kind: EventKind) -> Event {
        Event { at: SystemTime::UNIX_EPOCH, build: Some(SECRET.into()), post_processor: Some(SECRET.into()), kind }
    }

    #[test]
    fn no_field_of_any_event_is_forgotten() {
        let s = || SECRET.to_owned();
        let elapsed = Duration::ZERO;
        let artifact = ArtifactLine { builder_id: s(), id: s(), text: s(), files: vec![s()] };
        let leftover = Leftover { kind: s(), id: s(), region: s(), reason: s(), remedy: s() };
        let summary = Summary {
            errors: vec![(s(), s())],
            artifacts: vec![(s(), vec![artifact])],
            leftovers: vec![leftover],
            ..Summary::default()
        };
        for kind in [
            EventKind::RunStarted { run: s(), builds: vec![s()] },
            EventKind::Say(s()),
            EventKind::Error(s()),
            EventKind::Warning(s()),
            EventKind::Release(s()),
            EventKind::Output { stream: Stream::Stderr, line: s() },
            EventKind::StepStarted { step: s() },
            EventKind::StepFinished { step: s(), elapsed, error: Some(s()) },
            EventKind::Waiting { step: s(), state: s(), percent: None },
            EventKind::Transfer { what: s(), done: 0, total: None },
            EventKind::BuildFinished { elapsed, error: Some(s()) },
            EventKind::Timing(vec![(s(), elapsed)]),
            EventKind::RunFinished(summary),
        ] {
            let shown = format!("{:?}", mask().event(event(kind)));
            assert!(!shown.contains(SECRET), "{shown}");
        }
    }

    #[test]
    fn streams_are_joined_each_on_its_own() {
        let secret = "a secret of several words";
        let secrets = Secrets::default();
        secrets.register(secret);
        let mut mask = Mask::new(secrets);
        let mut line = |build: &str, line: &str| {
            let kind = EventKind::Output { stream: Stream::Stdout, line: line.into() };
            let event = Event { at: SystemTime::UNIX_EPOCH, build: Some(build.into()), post_processor: None, kind };
            let EventKind::Output { line, .. } = mask.event(event).kind else { unreachable!() };
            line
        };
        assert_eq!(line("a", "x a secret of sev"), "x <sensitive>");
        assert_eq!(line("b", "eral words"), "eral words");
        assert_eq!(line("a", "eral words x"), "<sensitive> x");
    }
}
