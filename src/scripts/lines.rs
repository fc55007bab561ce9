//! Output of commands as lines of the story.

use crate::event::{Events, Stream};

/// Longest line that is kept together, in bytes; what is longer comes in pieces, each as a line.
const LONGEST: usize = 1 << 20;

/// Bytes at the end of a piece among which a blank is looked for to cut at, so that words (and secrets, which are
/// masked line by line) stay whole.
const CUT: usize = 4 << 10;

/// Cuts output into lines of at most 1 MiB; a last line without its end is sent by [`Lines::flush`].
pub struct Lines<'a> {
    events: &'a Events,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// Lines for these events.
    pub fn new(events: &'a Events) -> Self {
        Self { events, stdout: Vec::new(), stderr: Vec::new() }
    }

    /// Takes bytes of one stream.
    pub fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let rest = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            // What arrives is bounded, too: pieces of pipes and channels are far smaller than a line may be.
            rest.extend_from_slice(piece);
            let ends = rest.pop_if(|byte| *byte == b'\n').is_some();
            while rest.len() > LONGEST {
                let end = cut(rest);
                self.events.output(stream, &rest[..end]);
                rest.drain(..end);
            }
            if ends {
                self.events.output(stream, rest);
                rest.clear();
            }
        }
    }

    /// Sends what is left.
    pub fn flush(&mut self) {
        for (stream, rest) in [(Stream::Stdout, &mut self.stdout), (Stream::Stderr, &mut self.stderr)] {
            if !rest.is_empty() {
                self.events.output(stream, rest);
                rest.clear();
            }
        }
    }
}

/// Where a line that is too long is cut: after a blank, or between two characters.
fn cut(line: &[u8]) -> usize {
    let blank = line[LONGEST - CUT..LONGEST].iter().rposition(u8::is_ascii_whitespace);
    let continues = |at: &usize| line[*at] & 0xc0 == 0x80;
    let boundary = || (LONGEST - 3..=LONGEST).rev().find(|at| !continues(at)).unwrap_or(LONGEST);
    blank.map_or_else(boundary, |at| LONGEST - CUT + at + 1)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::event::{Event, EventKind, Sink};

    #[derive(Default)]
    struct Seen(Mutex<Vec<String>>);

    impl Sink for Seen {
        fn take(&self, event: Event) {
            if let EventKind::Output { line, .. } = event.kind {
                self.0.lock().unwrap().push(line);
            }
        }
    }

    #[test]
    fn chunks_become_lines_and_the_last_one_is_not_lost() {
        let seen = Arc::new(Seen::default());
        let events = Events::new(seen.clone());
        let mut lines = Lines::new(&events);
        for chunk in ["a", "b\nc\n\nd", "\ne"] {
            lines.take(Stream::Stdout, chunk.as_bytes());
        }
        lines.flush();
        lines.flush();
        assert_eq!(*seen.0.lock().unwrap(), ["ab", "c", "", "d", "e"]);
    }

    #[test]
    fn a_line_without_end_comes_in_pieces_and_whole() {
        let plain = "x".repeat(3 * LONGEST + 5);
        let wide = "x".to_owned() + &"€".repeat(LONGEST);
        let words = "some words ".repeat(LONGEST / 5);
        for (text, cuts_words) in [(plain, true), (wide, true), (words, false)] {
            let seen = Arc::new(Seen::default());
            let events = Events::new(seen.clone());
            let mut lines = Lines::new(&events);
            for chunk in text.as_bytes().chunks(10_000) {
                lines.take(Stream::Stderr, chunk);
                assert!(lines.stderr.len() <= LONGEST);
            }
            lines.flush();
            let pieces = seen.0.lock().unwrap();
            assert_eq!(pieces.concat(), text);
            assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.len() <= LONGEST));
            assert!(cuts_words || pieces.iter().all(|piece| piece.ends_with(' ')));
        }
    }

    #[test]
    fn a_line_of_the_greatest_length_stays_whole() {
        let seen = Arc::new(Seen::default());
        let events = Events::new(seen.clone());
        let mut lines = Lines::new(&events);
        lines.take(Stream::Stdout, "x".repeat(LONGEST).as_bytes());
        lines.take(Stream::Stdout, b"\n");
        assert_eq!(*seen.0.lock().unwrap(), ["x".repeat(LONGEST)]);
    }
}
