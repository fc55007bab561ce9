//! Packer's `-machine-readable` format: `<unix seconds>,<target>,<type>,<data>…`, one record a line.
//!
//! The lines for people are `ui` records of the kinds `say` and `error`. `leftover` records (kind, id, region, reason,
//! remedy) are Kiln's own.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Level;
use super::queue::{Record, Style, Text};
use super::story::{Entry, Story};
use super::view::View;
use crate::event::{Event, raw_bytes};

/// The machine-readable view.
pub struct Machine {
    story: Story,
}

impl Machine {
    /// A view of this story.
    pub fn new(story: Story) -> Self {
        Self { story }
    }
}

impl View for Machine {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        for entry in self.story.tell(event) {
            match entry {
                Entry::Block(block) => line(event.at, "", "ui", [level(block.level), &block.text], out),
                Entry::Record(record) => self.record(&record, out),
            }
        }
    }

    fn text(&mut self, text: &Text, out: &mut Vec<u8>) {
        match text.style {
            Style::Line(kind) => line(text.at, "", "ui", [level(kind), &text.text], out),
            Style::Raw => out.extend_from_slice(text.text.as_bytes()),
        }
    }

    fn record(&mut self, record: &Record, out: &mut Vec<u8>) {
        line(record.at, &record.target, &record.kind, record.data.iter().map(String::as_str), out);
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Say => "say",
        Level::Error => "error",
    }
}

fn line<'a>(at: SystemTime, target: &str, kind: &str, data: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
    // A clock before 1970 is broken; 0 is as good as any number then.
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut text = format!("{seconds},{target},{kind}");
    for item in data {
        // Writing into a String can't fail.
        let _ = write!(text, ",{}", escaped(item));
    }
    text.push('\n');
    out.extend_from_slice(&raw_bytes(&text));
}

fn escaped(data: &str) -> String {
    data.replace(',', "%!(PACKER_COMMA)").replace('\r', "\\r").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::summary::Ending;
    use super::super::tests::{AT, events, summary};
    use super::super::{Colour, Timestamps};
    use super::*;
    use crate::event::{ArtifactLine, EventKind};

    fn view() -> Machine {
        Machine::new(Story::new(Colour::Off, Timestamps::Off, Ending::Packer))
    }

    fn shown(kinds: &[(&str, EventKind)]) -> String {
        let mut out = Vec::new();
        let mut view = view();
        events(kinds).iter().for_each(|event| view.event(event, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_failure_has_packers_records() {
        let mut summary = summary();
        summary.artifacts.clear();
        let kinds = [
            ("", EventKind::RunStarted { run: "r1".into(), builds: vec!["null.b".into()] }),
            ("null.b", EventKind::Say("Provisioning step had errors: one, two".into())),
            ("null.b", EventKind::BuildFinished { elapsed: Duration::from_secs(1), error: Some("bad, bad".into()) }),
            ("", EventKind::RunFinished(summary)),
        ];
        let expected = "\
1700000000,,ui,say,==> null.b: Provisioning step had errors: one%!(PACKER_COMMA) two
1700000000,,ui,error,Build 'null.b' errored after 1 second: bad%!(PACKER_COMMA) bad
1700000000,,ui,say,\\n==> Wait completed after 2 seconds
1700000000,,error-count,1
1700000000,,ui,error,\\n==> Some builds didn't complete successfully and had errors:
1700000000,null.b,error,exit status: 7
1700000000,,ui,error,--> null.b: exit status: 7
1700000000,,ui,say,\\n==> Builds finished but no artifacts were created.
";
        assert_eq!(shown(&kinds), expected);
    }

    #[test]
    fn artifacts_have_packers_records() {
        let mut summary = summary();
        summary.errors.clear();
        let artifact = ArtifactLine {
            builder_id: "packer.file".into(),
            id: "File".into(),
            text: "Stored file: f.txt".into(),
            files: vec!["f.txt".into()],
        };
        summary.artifacts = vec![("file.f".into(), vec![artifact]), ("none".into(), Vec::new())];
        let expected = "\
1700000000,,ui,say,\\n==> Wait completed after 2 seconds
1700000000,,ui,say,\\n==> Builds finished. The artifacts of successful builds are:
1700000000,file.f,artifact-count,1
1700000000,file.f,artifact,0,builder-id,packer.file
1700000000,file.f,artifact,0,id,File
1700000000,file.f,artifact,0,string,Stored file: f.txt
1700000000,file.f,artifact,0,files-count,1
1700000000,file.f,artifact,0,file,0,f.txt
1700000000,file.f,artifact,0,end
1700000000,,ui,say,--> file.f: Stored file: f.txt
";
        assert_eq!(shown(&[("", EventKind::RunFinished(summary))]), expected);
    }

    #[test]
    fn texts_and_records_are_records() {
        let mut out = Vec::new();
        let text = |style| Text { at: AT(), style, text: "Error: a,\r\nb\n".into() };
        view().text(&text(Style::Line(Level::Error)), &mut out);
        view().record(
            &Record { at: AT(), target: String::new(), kind: "version".into(), data: vec!["1".into()] },
            &mut out,
        );
        view().text(&text(Style::Raw), &mut out);
        let expected =
            "1700000000,,ui,error,Error: a%!(PACKER_COMMA)\\r\\nb\\n\n1700000000,,version,1\nError: a,\r\nb\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
