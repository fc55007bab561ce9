//! The terminal as indicatif sees it: its drawing goes into a buffer, which the writer thread writes in one go.
//!
//! One write for each change of the picture is what keeps it from flickering. The cursor is never hidden, so that
//! nothing has to be restored, however the process ends.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use indicatif::TermLike;

use super::screen::Screen;

/// See the module. Clones share the buffer.
#[derive(Clone, Debug)]
pub struct Canvas {
    screen: Screen,
    buffer: Arc<Mutex<Buffer>>,
}

#[derive(Debug, Default)]
struct Buffer {
    text: String,
    /// A status line is complete and another may follow.
    line_ended: bool,
}

impl Canvas {
    /// An empty canvas for this screen.
    pub fn new(screen: Screen) -> Self {
        Self { screen, buffer: Arc::default() }
    }

    /// Adds lines of the story; the cursor must be at the beginning of a line.
    pub fn print(&self, text: &str) {
        // `\r\n` so that the result does not depend on the terminal's line discipline.
        self.lock().text.push_str(&text.replace('\n', "\r\n"));
    }

    /// All that was drawn since the last call.
    pub fn take(&self) -> String {
        std::mem::take(&mut self.lock().text)
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn code(&self, number: usize, letter: char) -> io::Result<()> {
        if number > 0 {
            // Writing into a String can't fail.
            let _ = write!(self.lock().text, "\x1b[{number}{letter}");
        }
        Ok(())
    }
}

impl TermLike for Canvas {
    /// One column less than there are: a line that fills the last column leaves the cursor in a state of its own.
    fn width(&self) -> u16 {
        self.screen.size().columns.saturating_sub(1).max(1)
    }

    fn height(&self) -> u16 {
        self.screen.size().rows.max(1)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.code(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.code(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.code(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.code(n, 'D')
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.print(&format!("{s}\n"));
        Ok(())
    }

    /// indicatif writes a line, then the blanks that fill it up, so that the terminal wraps. Wrapped lines come apart
    /// when the terminal is resized, and blanks are copied with the text: end the line instead.
    fn write_str(&self, s: &str) -> io::Result<()> {
        let mut buffer = self.lock();
        if s.trim_start_matches(' ').is_empty() {
            buffer.line_ended = true;
            return Ok(());
        }
        if std::mem::take(&mut buffer.line_ended) {
            buffer.text.push_str("\r\n");
        }
        buffer.text.push_str(s);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.lock().text.push_str("\r\x1b[2K");
        Ok(())
    }

    /// The end of a picture: the cursor stays on its last line.
    fn flush(&self) -> io::Result<()> {
        self.lock().line_ended = false;
        Ok(())
    }
}
