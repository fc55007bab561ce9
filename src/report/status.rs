//! What each running build is doing now: the text of the live view's status lines. Pure: events and a clock in, text out.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{durations, words};
use crate::event::{Event, EventKind};

/// The transfer rate is that of this much of the past: long enough to be steady, short enough to show a stall.
const RATE_WINDOW: Duration = Duration::from_secs(5);

/// All running builds, in the order in which they began.
#[derive(Default)]
pub struct Status {
    builds: Vec<Build>,
    finished: HashSet<Arc<str>>,
}

/// One running build.
struct Build {
    name: Arc<str>,
    since: SystemTime,
    steps: Vec<Step>,
    transfers: Vec<Transfer>,
}

/// A step under way; several can be at a time.
struct Step {
    name: String,
    since: SystemTime,
    state: String,
}

struct Transfer {
    what: String,
    total: Option<u64>,
    /// When how many bytes had been moved: the window for the rate, newest last.
    samples: VecDeque<(SystemTime, u64)>,
}

/// A status line in parts, so that the view can paint the name.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// How long the build has been running.
    pub clock: String,
    /// The build.
    pub name: Arc<str>,
    /// What it is doing.
    pub doing: String,
}

impl Status {
    /// Takes an event in.
    pub fn note(&mut self, event: &Event) {
        let Some(name) = &event.build else {
            if matches!(event.kind, EventKind::RunFinished(_)) {
                self.builds.clear();
            }
            return;
        };
        match &event.kind {
            EventKind::BuildFinished { .. } => {
                self.builds.retain(|build| build.name != *name);
                self.finished.insert(name.clone());
            }
            // What is said after the end must not bring a build back; a second build of the same name begins with a step.
            EventKind::StepStarted { .. } => {
                self.finished.remove(name);
                self.build(name, event.at).note(event.at, &event.kind);
            }
            _ if self.finished.contains(name) => {}
            kind => self.build(name, event.at).note(event.at, kind),
        }
    }

    /// The status lines, one a build.
    pub fn lines(&self, now: SystemTime) -> Vec<Line> {
        self.builds.iter().map(|build| build.line(now)).collect()
    }

    fn build(&mut self, name: &Arc<str>, at: SystemTime) -> &mut Build {
        let place = self.builds.iter().position(|build| build.name == *name).unwrap_or_else(|| {
            self.builds.push(Build { name: name.clone(), since: at, steps: Vec::new(), transfers: Vec::new() });
            self.builds.len() - 1
        });
        &mut self.builds[place]
    }
}

impl Build {
    fn note(&mut self, at: SystemTime, kind: &EventKind) {
        match kind {
            EventKind::StepStarted { step } => {
                self.steps.push(Step { name: step.clone(), since: at, state: String::new() });
            }
            EventKind::StepFinished { step, .. } => {
                self.steps.retain(|known| known.name != *step);
                // A transfer without a known end ends with its step.
                self.transfers.clear();
            }
            EventKind::Waiting { step, state, percent } => self.step(step, at).state = with_percent(state, *percent),
            EventKind::Transfer { what, done, total } => self.transfer(at, what, *done, *total),
            _ => {}
        }
    }

    /// A step that waits without having been announced is under way all the same.
    fn step(&mut self, name: &str, at: SystemTime) -> &mut Step {
        let place = self.steps.iter().position(|step| step.name == name).unwrap_or_else(|| {
            self.steps.push(Step { name: name.to_owned(), since: at, state: String::new() });
            self.steps.len() - 1
        });
        &mut self.steps[place]
    }

    fn transfer(&mut self, at: SystemTime, what: &str, done: u64, total: Option<u64>) {
        let place = self.transfers.iter().position(|known| known.what == what);
        if total.is_some_and(|total| done >= total) {
            if let Some(place) = place {
                self.transfers.remove(place);
            }
            return;
        }
        let place = place.unwrap_or_else(|| {
            self.transfers.push(Transfer { what: what.to_owned(), total, samples: VecDeque::new() });
            self.transfers.len() - 1
        });
        self.transfers[place].add(at, done, total);
    }

    fn line(&self, now: SystemTime) -> Line {
        let steps = self.steps.iter().map(|step| step.text(now));
        let parts: Vec<String> = steps.chain(self.transfers.iter().map(|transfer| transfer.text(now))).collect();
        let doing = if parts.is_empty() { "running".to_owned() } else { parts.join(" · ") };
        Line { clock: durations::clock(since(self.since, now)), name: self.name.clone(), doing }
    }
}

impl Step {
    fn text(&self, now: SystemTime) -> String {
        let state = if self.state.is_empty() { String::new() } else { format!(", {}", self.state) };
        format!("{}{state} ({} s)", self.name, since(self.since, now).as_secs())
    }
}

impl Transfer {
    fn add(&mut self, at: SystemTime, done: u64, total: Option<u64>) {
        // A transfer that begins again (a retry) has no past.
        if self.samples.back().is_some_and(|(_, before)| *before > done) {
            self.samples.clear();
        }
        self.total = total;
        self.samples.push_back((at, done));
        // One sample older than the window stays: the rate is measured from it.
        while self.samples.get(1).is_some_and(|(second, _)| since(*second, at) >= RATE_WINDOW) {
            self.samples.pop_front();
        }
    }

    fn text(&self, now: SystemTime) -> String {
        let done = self.samples.back().map_or(0, |(_, done)| *done);
        let amount = match self.total {
            Some(total) => {
                format!("{} % of {}", u128::from(done) * 100 / u128::from(total.max(1)), words::bytes(total))
            }
            None => words::bytes(done),
        };
        match self.rate(now) {
            Some(rate) => format!("{} {amount}, {}/s", self.what, words::bytes(rate)),
            None => format!("{} {amount}", self.what),
        }
    }

    /// Bytes a second; a stall counts, so the window ends now. `None` before there is anything to compare.
    fn rate(&self, now: SystemTime) -> Option<u64> {
        let (start, before) = self.samples.front()?;
        let (_, done) = self.samples.back()?;
        let millis = since(*start, now).as_millis();
        (self.samples.len() > 1 && millis > 0)
            .then(|| u64::try_from(u128::from(done - before) * 1000 / millis).unwrap_or(u64::MAX))
    }
}

/// A remote state and how far it is, once.
fn with_percent(state: &str, percent: Option<u8>) -> String {
    match percent {
        Some(percent) if !state.contains('%') => format!("{state} {percent} %"),
        _ => state.to_owned(),
    }
}

/// Zero when the clock was set back.
fn since(start: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(start).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::AT;
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        AT() + Duration::from_secs(seconds)
    }

    fn status(events: Vec<(u64, &str, EventKind)>) -> Status {
        let mut status = Status::default();
        for (seconds, build, kind) in events {
            status.note(&Event { at: at(seconds), build: Some(build.into()), post_processor: None, kind });
        }
        status
    }

    fn shown(status: &Status, seconds: u64) -> Vec<String> {
        let lines = status.lines(at(seconds)).into_iter();
        lines.map(|line| format!("{} {}: {}", line.clock, line.name, line.doing)).collect()
    }

    fn started(step: &str) -> EventKind {
        EventKind::StepStarted { step: step.into() }
    }

    fn finished(step: &str) -> EventKind {
        EventKind::StepFinished { step: step.into(), elapsed: Duration::ZERO, error: None }
    }

    fn waiting(step: &str, state: &str, percent: Option<u8>) -> EventKind {
        EventKind::Waiting { step: step.into(), state: state.into(), percent }
    }

    fn moved(done: u64, total: Option<u64>) -> EventKind {
        EventKind::Transfer { what: "upload x".into(), done, total }
    }

    #[test]
    fn steps_come_and_go() {
        let status = status(vec![
            (0, "a", EventKind::Say("hello".into())),
            (1, "b", started("key")),
            (2, "b", started("group")),
            (3, "b", finished("key")),
            (4, "b", waiting("group", "pending", None)),
        ]);
        assert_eq!(shown(&status, 62), ["1:02 a: running", "1:01 b: group, pending (60 s)"]);
    }

    #[test]
    fn a_state_has_its_percentage_once() {
        for (state, percent, text) in [
            ("snapshot 43 %", Some(43), "image, snapshot 43 % (1 s)"),
            ("snapshot", Some(43), "image, snapshot 43 % (1 s)"),
            ("pending", None, "image, pending (1 s)"),
        ] {
            let status = status(vec![(0, "a", waiting("image", state, percent))]);
            assert_eq!(shown(&status, 1), [format!("0:01 a: {text}")]);
        }
    }

    #[test]
    fn finished_builds_have_no_line() {
        let end = EventKind::BuildFinished { elapsed: Duration::ZERO, error: None };
        let mut events = vec![(0, "a", started("x")), (1, "a", end), (1, "a", EventKind::Timing(Vec::new()))];
        assert!(shown(&status(events.clone()), 2).is_empty());
        events.push((2, "a", started("x")));
        assert_eq!(shown(&status(events), 2), ["0:00 a: x (0 s)"]);
    }

    #[test]
    fn transfers_have_a_rate() {
        let mib = 1 << 20;
        let mut events: Vec<_> = (0..10).map(|n| (n, "a", moved(n * 10 * mib, Some(200 * mib)))).collect();
        assert_eq!(shown(&status(events[..1].to_vec()), 0), ["0:00 a: upload x 0 % of 200.0 MiB"]);
        assert_eq!(shown(&status(events.clone()), 9), ["0:09 a: upload x 45 % of 200.0 MiB, 10.0 MiB/s"]);
        assert_eq!(shown(&status(events.clone()), 14), ["0:14 a: upload x 45 % of 200.0 MiB, 5.0 MiB/s"], "a stall");
        events.push((10, "a", moved(200 * mib, Some(200 * mib))));
        assert_eq!(shown(&status(events), 10), ["0:10 a: running"]);
    }

    #[test]
    fn transfers_without_an_end_go_with_their_step() {
        let mut events = vec![(0, "a", started("provision")), (1, "a", moved(2048, None)), (2, "a", moved(4096, None))];
        assert_eq!(shown(&status(events.clone()), 2), ["0:02 a: provision (2 s) · upload x 4.0 KiB, 2.0 KiB/s"]);
        events.push((3, "a", moved(1024, None)));
        assert_eq!(shown(&status(events.clone()), 3), ["0:03 a: provision (3 s) · upload x 1.0 KiB"], "a retry");
        events.push((3, "a", finished("provision")));
        assert_eq!(shown(&status(events), 3), ["0:03 a: running"]);
    }
}
