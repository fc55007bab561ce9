//! The end of a run: artifacts, what is left behind, and why builds failed.

use std::time::SystemTime;

use super::queue::Record;
use super::story::{Block, Entry};
use super::{Level, durations, words};
use crate::event::{ArtifactLine, Leftover, Summary};

/// The order of the sections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The causes of failure come last, where people look.
    CauseLast,
    /// Packer's order, for programs: errors, then artifacts.
    Packer,
}

/// The last lines of a run. `at` is the time of the records.
pub fn entries(summary: &Summary, at: SystemTime, ending: Ending) -> Vec<Entry> {
    let mut section = Section { at, entries: Vec::new() };
    section.say(format!("\n==> Wait completed after {}", durations::packer(summary.elapsed)));
    if summary.interrupted {
        section.leftovers(&summary.leftovers);
        section.finished_before(summary);
        section.interrupted(summary);
        section.failed_before(summary);
        return section.entries;
    }
    match ending {
        Ending::CauseLast => {
            section.artifacts(summary);
            section.leftovers(&summary.leftovers);
            section.errors(summary);
        }
        Ending::Packer => {
            section.errors(summary);
            section.artifacts(summary);
            section.leftovers(&summary.leftovers);
        }
    }
    section.entries
}

struct Section {
    at: SystemTime,
    entries: Vec<Entry>,
}

impl Section {
    fn say(&mut self, text: impl Into<String>) {
        self.entries.push(Entry::Block(Block::bare(Level::Say, text)));
    }

    fn error(&mut self, text: impl Into<String>) {
        self.entries.push(Entry::Block(Block::bare(Level::Error, text)));
    }

    fn record<const N: usize>(&mut self, target: &str, kind: &str, data: [&str; N]) {
        let data = data.map(str::to_owned).into();
        self.entries.push(Entry::Record(Record { at: self.at, target: target.into(), kind: kind.into(), data }));
    }

    fn errors(&mut self, summary: &Summary) {
        if summary.errors.is_empty() {
            return;
        }
        self.record("", "error-count", [&summary.errors.len().to_string()]);
        self.error("\n==> Some builds didn't complete successfully and had errors:");
        for (build, error) in &summary.errors {
            self.record(build, "error", [error]);
            self.error(format!("--> {build}: {error}"));
        }
    }

    fn artifacts(&mut self, summary: &Summary) {
        let mut builds = summary.artifacts.iter().filter(|(_, artifacts)| !artifacts.is_empty()).peekable();
        if builds.peek().is_none() {
            return self.say("\n==> Builds finished but no artifacts were created.");
        }
        self.say("\n==> Builds finished. The artifacts of successful builds are:");
        for (build, artifacts) in builds {
            self.record(build, "artifact-count", [&artifacts.len().to_string()]);
            for (place, artifact) in artifacts.iter().enumerate() {
                self.artifact_records(build, &place.to_string(), artifact);
                self.say(format!("--> {build}: {}", artifact.text));
            }
        }
    }

    fn artifact_records(&mut self, build: &str, place: &str, artifact: &ArtifactLine) {
        let mut record = |name: &str, value: &str| self.record(build, "artifact", [place, name, value]);
        record("builder-id", &artifact.builder_id);
        record("id", &artifact.id);
        record("string", &artifact.text);
        record("files-count", &artifact.files.len().to_string());
        for (number, file) in artifact.files.iter().enumerate() {
            self.record(build, "artifact", [place, "file", &number.to_string(), file]);
        }
        self.record(build, "artifact", [place, "end"]);
    }

    fn leftovers(&mut self, leftovers: &[Leftover]) {
        if leftovers.is_empty() {
            return;
        }
        let are = if leftovers.len() == 1 { "is" } else { "are" };
        let number = words::count(leftovers.len(), "resource");
        self.error(format!("\n==> {number} {are} left behind:"));
        for leftover in leftovers {
            let Leftover { kind, id, region, reason, remedy } = leftover;
            self.record("", "leftover", [kind, id, region, reason, remedy]);
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            let remedy = if remedy.is_empty() { String::new() } else { format!("\n    remove it with: {remedy}") };
            self.error(format!("--> {}{reason}{remedy}", leftover.thing()));
        }
    }

    /// What builds made that had ended well before the interruption.
    fn finished_before(&mut self, summary: &Summary) {
        for (build, artifacts) in &summary.artifacts {
            for artifact in artifacts {
                self.say(format!("--> {build}, finished before: {}", artifact.text));
            }
        }
    }

    /// Causes that were there before the interruption, which must not hide them.
    fn failed_before(&mut self, summary: &Summary) {
        for (build, error) in summary.errors.iter().filter(|(_, error)| !error.starts_with("interrupted")) {
            self.record(build, "error", [error]);
            self.error(format!("--> {build}: {error}"));
        }
    }

    fn interrupted(&mut self, summary: &Summary) {
        if summary.leftovers.is_empty() {
            return self.say("Cleanly cancelled builds after being interrupted.");
        }
        let number = words::count(summary.leftovers.len(), "resource");
        self.error(format!("\nCancelled builds after being interrupted; {number} left behind."));
    }
}
