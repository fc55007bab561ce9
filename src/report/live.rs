//! The story on a terminal, and below it a status line for each running build.

use std::time::{Duration, SystemTime};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Colour;
use super::canvas::Canvas;
use super::plain::painted;
use super::queue::{Style, Text};
use super::screen::{Screen, Size};
use super::status::{Line, Status};
use super::story::{Entry, Story};
use super::view::View;
use crate::event::{Event, clean_text};

/// The clocks on the status lines show seconds; looking more often keeps them even.
const TICK: Duration = Duration::from_millis(250);

/// Status lines alone are drawn no more often than this: a fast transfer reports thousands of times a second.
const SHORTEST_GAP: Duration = Duration::from_millis(60);

/// The live view.
pub struct Live {
    story: Story,
    status: Status,
    colour: Colour,
    screen: Screen,
    canvas: Canvas,
    bars: MultiProgress,
    /// The status lines that indicatif knows, from top to bottom, with what they say.
    lines: Vec<(ProgressBar, String)>,
    /// Story lines that are not drawn yet.
    pending: String,
    drawn: Option<SystemTime>,
    size: Size,
}

impl Live {
    /// A view of this story on this screen.
    pub fn new(story: Story, colour: Colour, screen: Screen) -> Self {
        let canvas = Canvas::new(screen.clone());
        // `suspend` draws whenever we want it; what indicatif draws on its own beside that is only in the way, so it
        // gets its lowest rate.
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(canvas.clone()), 1);
        let bars = MultiProgress::with_draw_target(target);
        let (status, lines, pending, size) = (Status::default(), Vec::new(), String::new(), screen.size());
        Self { story, status, colour, screen, canvas, bars, lines, pending, drawn: None, size }
    }

    /// Story lines that end with a newline and leave the cursor where it is.
    fn add(&mut self, text: &str) {
        self.pending.push_str(&tame(text));
        self.pending.push('\n');
    }

    /// The texts of the status lines, at most half a screen of them.
    fn wanted(&self, now: SystemTime) -> Vec<String> {
        let lines = self.status.lines(now);
        let room = usize::from(self.screen.size().rows / 2).max(1);
        let mut texts: Vec<String> = lines.iter().map(|line| self.line_text(line)).collect();
        if texts.len() > room {
            let hidden = texts.len() - (room - 1);
            texts.truncate(room - 1);
            texts.push(format!("        and {hidden} more builds"));
        }
        texts
    }

    /// The clock comes first: what does not fit is cut off at the end.
    fn line_text(&self, line: &Line) -> String {
        let Line { clock, name, doing } = line;
        let doing = tame(doing);
        match self.colour {
            Colour::On => {
                let colour = self.story.build_colour(Some(name));
                format!("{clock:>7} \x1b[{colour}m{name}\x1b[0m: {doing}")
            }
            Colour::Announced | Colour::Off => format!("{clock:>7} {name}: {doing}"),
        }
    }

    /// Tells indicatif the texts. True when something changed.
    fn set_lines(&mut self, texts: Vec<String>) -> bool {
        let mut changed = false;
        for (bar, _) in self.lines.drain(texts.len().min(self.lines.len())..) {
            self.bars.remove(&bar);
            changed = true;
        }
        for (place, text) in texts.into_iter().enumerate() {
            if place == self.lines.len() {
                let bar = self.bars.add(ProgressBar::no_length());
                bar.set_style(style());
                self.lines.push((bar, String::new()));
            }
            let (bar, shown) = &mut self.lines[place];
            if *shown != text {
                bar.set_message(text.clone());
                *shown = text;
                changed = true;
            }
        }
        changed
    }

    /// Takes the status lines away, prints the story, puts the status lines back: one picture, written at once.
    fn redraw(&mut self, out: &mut Vec<u8>) {
        let pending = std::mem::take(&mut self.pending);
        self.bars.suspend(|| self.canvas.print(&pending));
        out.extend_from_slice(self.canvas.take().as_bytes());
    }
}

impl View for Live {
    fn event(&mut self, event: &Event, _out: &mut Vec<u8>) {
        self.status.note(event);
        for entry in self.story.tell(event) {
            if let Entry::Block(mut block) = entry {
                block.text = tame(&block.text);
                self.pending.push_str(&painted(&block, self.colour));
                // A colour that the text itself left on must not run into the next line.
                self.pending.push_str(if block.text.contains('\x1b') { "\x1b[0m\n" } else { "\n" });
            }
        }
    }

    fn text(&mut self, text: &Text, _out: &mut Vec<u8>) {
        match text.style {
            Style::Line(_) => self.add(&text.text),
            Style::Raw => self.pending.push_str(&text.text),
        }
    }

    fn draw(&mut self, now: SystemTime, out: &mut Vec<u8>) {
        let soon = self.drawn.is_some_and(|drawn| now.duration_since(drawn).is_ok_and(|gap| gap < SHORTEST_GAP));
        if soon && self.pending.is_empty() {
            return;
        }
        let size = self.screen.size();
        let resized = std::mem::replace(&mut self.size, size) != size;
        let wanted = self.wanted(now);
        // Raw text may end within a line; status lines need one of their own.
        if !wanted.is_empty() && !self.pending.is_empty() && !self.pending.ends_with('\n') {
            self.pending.push('\n');
        }
        if self.set_lines(wanted) || resized || !self.pending.is_empty() {
            self.drawn = Some(now);
            self.redraw(out);
        }
    }

    fn hide(&mut self, out: &mut Vec<u8>) {
        self.set_lines(Vec::new());
        self.drawn = None;
        self.redraw(out);
    }

    fn tick(&self) -> Option<Duration> {
        Some(TICK)
    }
}

/// One line that is cut off where the screen ends.
fn style() -> ProgressStyle {
    // The template is a constant that a test has tried; the default style is no catastrophe either.
    ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Text that can't move the cursor, clear the screen or ring: remote output is free to try. Colours stay.
fn tame(text: &str) -> String {
    let text = clean_text(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\n' && c != '\t') {
        out.push_str(&rest[..at]);
        let length = sequence_length(&rest[at..]);
        let sequence = &rest[at..at + length];
        if sequence.starts_with("\x1b[") && sequence.ends_with('m') {
            out.push_str(sequence);
        }
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    out
}

/// The length of the control sequence (ECMA-48) or character at the beginning of the text.
fn sequence_length(text: &str) -> usize {
    let first = text.chars().next().map_or(0, char::len_utf8);
    if !text.starts_with('\x1b') {
        return first;
    }
    match text[1..].chars().next() {
        // CSI: parameters, then a final character from @ to ~. Anything else ends it without being part of it.
        Some('[') => match text[2..].find(|c: char| !(' '..='?').contains(&c)) {
            Some(end) if ('@'..='~').contains(&char::from(text.as_bytes()[2 + end])) => 2 + end + 1,
            Some(end) => 2 + end,
            None => text.len(),
        },
        // OSC (titles, links): up to BEL or ESC \.
        Some(']') => match text[1..].find(['\x07', '\x1b', '\n']) {
            Some(end) if text[1 + end..].starts_with("\x1b\\") => 1 + end + 2,
            Some(end) if text[1 + end..].starts_with('\x07') => 1 + end + 1,
            Some(end) => 1 + end,
            None => text.len(),
        },
        // Two-character sequences.
        Some(second) if second.is_ascii_graphic() => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU16, Ordering};

    use indicatif::{InMemoryTerm, TermLike};

    use super::super::summary::Ending;
    use super::super::tests::{AT, events, summary};
    use super::super::{Level, Timestamps};
    use super::*;
    use crate::event::{EventKind, Stream};

    struct Rig {
        live: Live,
        term: InMemoryTerm,
        columns: Arc<AtomicU16>,
        seconds: u64,
    }

    impl Rig {
        fn new(rows: u16, columns: u16) -> Self {
            Self::coloured(rows, columns, Colour::Off)
        }

        fn coloured(rows: u16, columns: u16, colour: Colour) -> Self {
            let width = Arc::new(AtomicU16::new(columns));
            let tell = width.clone();
            let screen = Screen::new(move || Size { rows, columns: tell.load(Ordering::SeqCst) });
            let story = Story::new(colour, Timestamps::Off, Ending::CauseLast);
            let live = Live::new(story, colour, screen);
            Self { live, term: InMemoryTerm::new(rows, columns), columns: width, seconds: 0 }
        }

        /// Events, then a picture a second later.
        fn after(&mut self, kinds: &[(&str, EventKind)]) -> String {
            let mut out = Vec::new();
            events(kinds).iter().for_each(|event| self.live.event(event, &mut out));
            self.seconds += 1;
            self.live.draw(AT() + Duration::from_secs(self.seconds), &mut out);
            self.shown(&out)
        }

        fn hidden(&mut self) -> String {
            let mut out = Vec::new();
            self.live.hide(&mut out);
            self.shown(&out)
        }

        fn shown(&mut self, out: &[u8]) -> String {
            self.term.write_str(std::str::from_utf8(out).unwrap()).unwrap();
            self.term.contents()
        }
    }

    fn say(text: &str) -> EventKind {
        EventKind::Say(text.into())
    }

    fn waiting(state: &str) -> EventKind {
        EventKind::Waiting { step: "image".into(), state: state.into(), percent: None }
    }

    fn end() -> EventKind {
        EventKind::BuildFinished { elapsed: Duration::from_secs(1), error: None }
    }

    #[test]
    fn the_story_scrolls_above_the_status() {
        let mut rig = Rig::new(20, 60);
        assert_eq!(rig.after(&[("a", say("one"))]), "==> a: one\n   0:01 a: running");
        assert_eq!(
            rig.after(&[("a", waiting("snapshot 43 %")), ("b", say("two\nthree"))]),
            "==> a: one\n==> b: two\n==> b: three\n   0:02 a: image, snapshot 43 % (2 s)\n   0:02 b: running"
        );
        assert_eq!(
            rig.after(&[("a", end())]),
            "==> a: one\n==> b: two\n==> b: three\nBuild 'a' finished after 1 second.\n   0:03 b: running"
        );
        assert_eq!(rig.after(&[]).lines().last(), Some("   0:04 b: running"));
        let text = rig.after(&[("b", end()), ("", EventKind::RunFinished(summary()))]);
        assert!(text.ends_with("had errors:\n--> null.b: exit status: 7"), "{text}");
        assert_eq!(rig.hidden(), text);
    }

    #[test]
    fn nothing_is_lost_when_it_scrolls_off() {
        let mut rig = Rig::new(4, 40);
        for n in 0..20 {
            rig.after(&[("a", say(&format!("line {n}")))]);
        }
        assert_eq!(rig.after(&[]), "==> a: line 17\n==> a: line 18\n==> a: line 19\n   0:21 a: running");
    }

    #[test]
    fn status_lines_are_cut_to_the_width() {
        let mut rig = Rig::new(6, 20);
        assert_eq!(rig.after(&[("a", waiting("a very long state"))]), "   0:01 a: image, a");
        assert_eq!(rig.after(&[("a", waiting("日本語日本語日本語"))]), "   0:02 a: image,");
        let long = rig.after(&[("a", say("a line that wraps around"))]);
        assert_eq!(long, "==> a: a line that w\nraps around\n   0:03 a: image,");
    }

    #[test]
    fn a_wider_terminal_is_used() {
        let mut rig = Rig::new(6, 40);
        rig.columns.store(20, Ordering::SeqCst);
        assert_eq!(rig.after(&[("a", waiting("a very long state"))]), "   0:01 a: image, a");
        rig.columns.store(40, Ordering::SeqCst);
        assert_eq!(rig.after(&[]), "   0:02 a: image, a very long state (2");
    }

    #[test]
    fn many_builds_leave_room_for_the_story() {
        let mut rig = Rig::new(6, 40);
        let builds: Vec<(&str, EventKind)> = ["a", "b", "c", "d"].map(|name| (name, waiting("x"))).into();
        let lines = "   0:01 a: image, x (1 s)\n   0:01 b: image, x (1 s)\n        and 2 more builds";
        assert_eq!(rig.after(&builds), lines);
    }

    #[test]
    fn a_prompt_gets_a_clean_line_and_the_status_comes_back() {
        let mut rig = Rig::new(8, 40);
        rig.after(&[("a", say("one"))]);
        assert_eq!(rig.hidden(), "==> a: one");
        rig.term.write_str("Press enter: \r\n").unwrap();
        assert_eq!(rig.after(&[]), "==> a: one\nPress enter:\n   0:02 a: running");
    }

    #[test]
    fn unchanged_pictures_write_nothing() {
        let mut rig = Rig::new(8, 40);
        rig.after(&[("a", say("one"))]);
        let mut out = Vec::new();
        rig.live.draw(AT() + Duration::from_millis(1900), &mut out);
        assert!(out.is_empty());
        rig.live.event(&events(&[("a", waiting("x"))])[0], &mut out);
        rig.live.draw(AT() + Duration::from_millis(1050), &mut out);
        assert!(out.is_empty(), "too soon after the last picture");
    }

    #[test]
    fn the_cursor_is_never_hidden() {
        let mut rig = Rig::coloured(8, 40, Colour::On);
        let mut out = Vec::new();
        rig.live.event(&events(&[("a", say("one"))])[0], &mut out);
        rig.live.draw(AT(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("\x1b[1;32m==> a: one\x1b[0m\r\n   0:00 \x1b[32ma\x1b[0m: running"), "{text:?}");
        assert!(!text.contains("\x1b[?25l"));
    }

    #[test]
    fn remote_output_can_not_disturb_the_screen() {
        let line = "\x1b[2J\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07x\x1b[10;10Hy\x1bc\tz\u{9b}";
        assert_eq!(tame(line), "\x1b[31mred\x1b[0m xy\tz");
        for (text, tamed) in [("\x1b", ""), ("\x1b[", ""), ("\x1b]8;;http://x\x1b\\link", "link"), ("\x1b[3é", "é")] {
            assert_eq!(tame(text), tamed, "{text:?}");
        }
        let mut rig = Rig::new(8, 40);
        let output = EventKind::Output { stream: Stream::Stdout, line: line.into() };
        assert_eq!(rig.after(&[("a", output)]).lines().next(), Some("==> a: red xy   z"));
    }

    #[test]
    fn text_is_printed_above_the_status_too() {
        let mut rig = Rig::new(8, 40);
        rig.after(&[("a", say("one"))]);
        let mut out = Vec::new();
        rig.live.text(&Text { at: AT(), style: Style::Line(Level::Error), text: "oh".into() }, &mut out);
        rig.live.text(&Text { at: AT(), style: Style::Raw, text: "raw".into() }, &mut out);
        assert_eq!(rig.after(&[]), "==> a: one\noh\nraw\n   0:02 a: running");
    }
}
