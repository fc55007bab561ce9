//! Packer's lines on a pipe or a plain terminal.

use std::fmt::Write as _;

use super::Colour;
use super::queue::{Style, Text};
use super::story::{Block, Entry, Paint, Story};
use super::view::View;
use crate::event::{Event, raw_bytes};

/// The plain view.
pub struct Plain {
    story: Story,
    colour: Colour,
}

impl Plain {
    /// A view of this story.
    pub fn new(story: Story, colour: Colour) -> Self {
        Self { story, colour }
    }
}

impl View for Plain {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        for entry in self.story.tell(event) {
            if let Entry::Block(block) = entry {
                out.extend_from_slice(&raw_bytes(&painted(&block, self.colour)));
                out.push(b'\n');
            }
        }
    }

    fn text(&mut self, text: &Text, out: &mut Vec<u8>) {
        out.extend_from_slice(text.text.as_bytes());
        if text.style != Style::Raw {
            out.push(b'\n');
        }
    }
}

/// The block's text, in its colour where colours are on.
pub fn painted(block: &Block, colour: Colour) -> String {
    let mut out = String::with_capacity(block.text.len() + 12);
    let code = match block.paint {
        _ if colour != Colour::On => None,
        Paint::Bare => None,
        Paint::Bold(colour) => Some((1, colour)),
        Paint::Faint(colour) => Some((2, colour)),
    };
    // Writing into a String can't fail.
    let _ = match code {
        None => write!(out, "{}", block.text),
        Some((weight, colour)) => write!(out, "\x1b[{weight};{colour}m{}\x1b[0m", block.text),
    };
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::tz::TimeZone;

    use super::super::summary::Ending;
    use super::super::tests::{events, summary};
    use super::super::{Level, Timestamps};
    use super::*;
    use crate::event::{EventKind, Leftover, Stream, Summary};

    fn shown(colour: Colour, timestamps: Timestamps, kinds: &[(&str, EventKind)]) -> String {
        let mut view = Plain::new(Story::new(colour, timestamps, Ending::CauseLast), colour);
        let mut out = Vec::new();
        events(kinds).iter().for_each(|event| view.event(event, &mut out));
        String::from_utf8(out).unwrap()
    }

    fn run() -> Vec<(&'static str, EventKind)> {
        vec![
            ("", EventKind::RunStarted { run: "r1".into(), builds: vec!["null.a".into(), "null.b".into()] }),
            ("null.a", EventKind::StepStarted { step: "provision".into() }),
            ("null.a", EventKind::Say("Running local shell script: /tmp/x".into())),
            ("null.a", EventKind::Output { stream: Stream::Stdout, line: "10%\r100% \r".into() }),
            ("null.b", EventKind::Output { stream: Stream::Stderr, line: "err".into() }),
            ("null.a", EventKind::Waiting { step: "x".into(), state: "pending".into(), percent: None }),
            ("null.a/manifest", EventKind::Say("two\nlines".into())),
            ("null.a", EventKind::BuildFinished { elapsed: Duration::from_millis(63_000), error: None }),
            ("null.b", EventKind::Release("Deleting key".into())),
            (
                "null.b",
                EventKind::BuildFinished { elapsed: Duration::from_micros(1500), error: Some("exit status: 7".into()) },
            ),
            ("null.b", EventKind::Release("Deleting group".into())),
            ("", EventKind::RunFinished(summary())),
        ]
    }

    const UNCOLOURED: &str = "\
null.a: output will be in this color.
null.b: output will be in this color.

==> null.a: Running local shell script: /tmp/x
==> null.a: 100%
==> null.b: err
==> null.a (manifest): two
==> null.a (manifest): lines
Build 'null.a' finished after 1 minute 3 seconds.
==> null.b: Deleting key
Build 'null.b' errored after 1 millisecond 500 microseconds: exit status: 7
==> null.b: Deleting group

==> Wait completed after 2 seconds

==> Builds finished. The artifacts of successful builds are:
--> null.a: Did not export anything. This is the null builder

==> Some builds didn't complete successfully and had errors:
--> null.b: exit status: 7
";

    #[test]
    fn a_run_reads_like_packers() {
        assert_eq!(shown(Colour::Announced, Timestamps::Off, &run()), UNCOLOURED);
        let without_names = UNCOLOURED.split_once("\n\n").unwrap().1;
        assert_eq!(shown(Colour::Off, Timestamps::Off, &run()), without_names);
    }

    #[test]
    fn colours_and_times() {
        let text = shown(Colour::On, Timestamps::In(TimeZone::UTC), &run());
        let lines: Vec<&str> = text.lines().collect();
        let expected = [
            "\x1b[1;32mnull.a: output will be in this color.\x1b[0m",
            "\x1b[1;36mnull.b: output will be in this color.\x1b[0m",
            "",
            "\x1b[1;32m2023-11-14T22:13:20Z: ==> null.a: Running local shell script: /tmp/x\x1b[0m",
            "\x1b[1;32m2023-11-14T22:13:20Z: ==> null.a: 100%\x1b[0m",
            "\x1b[1;31m2023-11-14T22:13:20Z: ==> null.b: err\x1b[0m",
            "\x1b[1;32m2023-11-14T22:13:20Z: ==> null.a (manifest): two",
            "==> null.a (manifest): lines\x1b[0m",
            "\x1b[1;32m2023-11-14T22:13:20Z: Build 'null.a' finished after 1 minute 3 seconds.\x1b[0m",
            "\x1b[2;36m2023-11-14T22:13:20Z: ==> null.b: Deleting key\x1b[0m",
            "\x1b[1;31m2023-11-14T22:13:20Z: Build 'null.b' errored after 1 millisecond 500 microseconds: exit status: 7\x1b[0m",
            "\x1b[2;36m2023-11-14T22:13:20Z: ==> null.b: (Deleting group)\x1b[0m",
            "",
            "==> Wait completed after 2 seconds",
        ];
        assert_eq!(lines[..expected.len()], expected);
    }

    #[test]
    fn what_concerns_the_run_is_bare() {
        let kinds = [
            ("", EventKind::Error("Cancelling build after receiving interrupt".into())),
            ("", EventKind::Say("a\n\nb".into())),
        ];
        let text = shown(Colour::On, Timestamps::In(TimeZone::UTC), &kinds);
        assert_eq!(text, "Cancelling build after receiving interrupt\na\n\nb\n");
    }

    #[test]
    fn timing_follows_its_build() {
        let rows = vec![("boot".to_owned(), Duration::from_secs(3)), ("image".to_owned(), Duration::from_secs(1))];
        let kinds = [
            ("x", EventKind::BuildFinished { elapsed: Duration::from_secs(4), error: None }),
            ("x", EventKind::Timing(rows)),
        ];
        let expected = "\
Build 'x' finished after 4 seconds.
==> x: Where the time went (4.0 s):
==> x:   boot          3.0 s   75 %
==> x:   image         1.0 s   25 %
";
        assert_eq!(shown(Colour::Off, Timestamps::Off, &kinds), expected);
    }

    fn leftover() -> Leftover {
        Leftover {
            kind: "security-group".into(),
            id: "sg-1".into(),
            region: "eu-west-1".into(),
            reason: "still in use".into(),
            remedy: "aws ec2 delete-security-group --group-id sg-1".into(),
        }
    }

    #[test]
    fn leftovers_stand_before_the_cause() {
        let summary = Summary { leftovers: vec![leftover()], artifacts: Vec::new(), ..summary() };
        let expected = "
==> Wait completed after 2 seconds

==> Builds finished but no artifacts were created.

==> 1 resource is left behind:
--> security-group sg-1 in eu-west-1: still in use
    remove it with: aws ec2 delete-security-group --group-id sg-1

==> Some builds didn't complete successfully and had errors:
--> null.b: exit status: 7
";
        assert_eq!(shown(Colour::On, Timestamps::Off, &[("", EventKind::RunFinished(summary))]), expected);
    }

    #[test]
    fn an_interrupted_run_has_no_sections() {
        let run = |leftovers| {
            let (artifacts, errors) = (Vec::new(), vec![("null.b".to_owned(), "interrupted".to_owned())]);
            let summary = Summary { interrupted: true, leftovers, artifacts, errors, ..summary() };
            shown(Colour::On, Timestamps::Off, &[("", EventKind::RunFinished(summary))])
        };
        let clean = "\n==> Wait completed after 2 seconds\nCleanly cancelled builds after being interrupted.\n";
        assert_eq!(run(Vec::new()), clean);
        let unclean = run(vec![leftover()]);
        assert!(unclean.contains("==> 1 resource is left behind"), "{unclean}");
        assert!(
            unclean.ends_with("\nCancelled builds after being interrupted; 1 resource left behind.\n"),
            "{unclean}"
        );
    }

    #[test]
    fn what_was_done_or_had_failed_before_an_interruption_is_told() {
        let summary = Summary { interrupted: true, ..summary() };
        let text = shown(Colour::On, Timestamps::Off, &[("", EventKind::RunFinished(summary))]);
        assert!(text.contains(", finished before: ") && text.ends_with("--> null.b: exit status: 7\n"), "{text}");
    }

    #[test]
    fn text_is_a_line_or_raw() {
        let mut view = Plain::new(Story::new(Colour::On, Timestamps::Off, Ending::CauseLast), Colour::On);
        let mut out = Vec::new();
        for style in [Style::Line(Level::Error), Style::Raw] {
            view.text(&Text { at: std::time::SystemTime::UNIX_EPOCH, style, text: "x".into() }, &mut out);
        }
        assert_eq!(out, b"x\nx");
    }
}
