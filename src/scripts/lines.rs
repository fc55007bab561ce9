//! Output of commands as lines of the story.

use crate::event::{Events, Stream};

/// Cuts output into lines; a last line without its end is sent by [`Lines::flush`].
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
            rest.extend_from_slice(piece);
            if rest.last() == Some(&b'\n') {
                rest.pop();
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
}
