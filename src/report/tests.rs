//! Literal events for the tests of the views, and tests of the reporter as a whole.

use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::event::{ArtifactLine, EventKind, Events, Stream, Summary};

/// 2023-11-14T22:13:20.250Z.
#[expect(non_snake_case, reason = "a constant in all but the language: adding to a time is not const")]
pub(super) fn AT() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250)
}

/// Events at [`AT`] from `build`, `build/post-processor` or, for the run, an empty text.
pub(super) fn events(kinds: &[(&str, EventKind)]) -> Vec<Event> {
    kinds.iter().map(|(from, kind)| event(from, kind.clone())).collect()
}

fn event(from: &str, kind: EventKind) -> Event {
    let mut names = from.split('/').filter(|name| !name.is_empty());
    let (build, post_processor) = (names.next().map(Into::into), names.next().map(Into::into));
    Event { at: AT(), build, post_processor, kind }
}

/// Two builds: `null.a` is fine, `null.b` failed.
pub(super) fn summary() -> Summary {
    let artifact = ArtifactLine {
        builder_id: "fnoeding.null".into(),
        id: "Null".into(),
        text: "Did not export anything. This is the null builder".into(),
        files: Vec::new(),
    };
    Summary {
        elapsed: Duration::from_secs(2),
        errors: vec![("null.b".into(), "exit status: 7".into())],
        artifacts: vec![("null.a".into(), vec![artifact])],
        ..Summary::default()
    }
}

/// A writer that keeps what it gets, or fails.
#[derive(Clone, Default)]
struct Paper {
    text: Arc<Mutex<Vec<u8>>>,
    failure: Option<io::ErrorKind>,
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.failure {
            Some(kind) => Err(kind.into()),
            None => self.text.lock().unwrap().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn reporter(mode: Mode, paper: &Paper) -> (Reporter, Secrets) {
    let secrets = Secrets::default();
    let settings = Settings { mode, secrets: secrets.clone(), colour: Colour::Announced, ..Settings::default() };
    (start(settings, Box::new(paper.clone())).unwrap(), secrets)
}

#[test]
fn what_is_sent_is_written_by_the_end() {
    let paper = Paper::default();
    let (reporter, _) = reporter(Mode::Plain, &paper);
    let events = Events::new(reporter.sink());
    reporter.print("first");
    for n in 0..1000 {
        events.for_build("a").say(n.to_string());
    }
    drop(reporter);
    events.say("too late");
    let expected: String = (0..1000).map(|n| format!("==> a: {n}\n")).collect();
    assert_eq!(paper.text(), format!("first\n{expected}"));
}

#[test]
fn secrets_are_masked_in_every_format() {
    for mode in [Mode::Plain, Mode::Live, Mode::Json, Mode::MachineReadable] {
        let paper = Paper::default();
        let (reporter, secrets) = reporter(mode, &paper);
        secrets.register("HUNTER-TWO");
        let events = Events::new(reporter.sink()).for_build("HUNTER-TWO");
        events.say("say HUNTER-TWO");
        events.output(Stream::Stdout, b"a HUNTER-T");
        events.output(Stream::Stdout, b"WO b");
        reporter.print("print HUNTER-TWO");
        reporter.print_error("SFVOVEVSLVRXTw==");
        reporter.print_raw("raw HUNTER-TWO\n");
        reporter.record("HUNTER-TWO", "version", &["HUNTER-TWO"]);
        assert_eq!(reporter.redact("HUNTER-TWO"), "<sensitive>");
        reporter.finish().unwrap();
        let text = paper.text();
        assert!(!text.contains("HUNTER") && !text.contains("TWO") && !text.contains("SFVO"), "{mode:?}: {text}");
        assert!(text.contains("<sensitive>"), "{mode:?}: {text}");
    }
}

#[test]
fn a_prompt_has_the_terminal_to_itself() {
    for mode in [Mode::Plain, Mode::Live] {
        let paper = Paper::default();
        let (reporter, _) = reporter(mode, &paper);
        let events = Events::new(reporter.sink()).for_build("a");
        events.say("before");
        let (before, during) = reporter.suspend(|| {
            let before = paper.text();
            events.say("meanwhile");
            (before, paper.text())
        });
        events.say("after");
        reporter.finish().unwrap();
        assert!(before.contains("==> a: before") && before.ends_with('\n'), "{before:?}");
        assert_eq!(before, during);
        let rest = &paper.text()[before.len()..];
        let (meanwhile, after) = (rest.find("meanwhile").unwrap(), rest.find("==> a: after").unwrap());
        assert!(meanwhile < after);
    }
}

#[test]
fn prompts_of_two_threads_take_turns() {
    let paper = Paper::default();
    let (reporter, _) = reporter(Mode::Plain, &paper);
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        for name in ["a", "b"] {
            let (send, reporter) = (send.clone(), &reporter);
            scope.spawn(move || {
                reporter.suspend(|| {
                    send.send((name, "in")).unwrap();
                    send.send((name, "out")).unwrap();
                })
            });
        }
    });
    let seen: Vec<_> = receive.try_iter().collect();
    assert_eq!(seen.len(), 4);
    assert!(seen.chunks(2).all(|pair| pair[0].0 == pair[1].0), "{seen:?}");
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let paper = Paper { failure: Some(io::ErrorKind::BrokenPipe), ..Paper::default() };
    let (reporter, _) = reporter(Mode::Plain, &paper);
    let events = Events::new(reporter.sink()).for_build("a");
    (0..1000).for_each(|_| events.output(Stream::Stdout, "x".repeat(1 << 20).as_bytes()));
    reporter.suspend(|| ());
    reporter.finish().unwrap();
}

#[test]
fn a_full_disk_is_an_error_and_blocks_nobody() {
    let paper = Paper { failure: Some(io::ErrorKind::StorageFull), ..Paper::default() };
    let (reporter, _) = reporter(Mode::Plain, &paper);
    let events = Events::new(reporter.sink()).for_build("a");
    (0..200).for_each(|_| events.output(Stream::Stdout, "x".repeat(1 << 20).as_bytes()));
    assert_eq!(reporter.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    reporter.finish().unwrap();
}

#[test]
fn dumb_terminals_and_pipes_get_plain_lines() {
    for (terminal, term, mode) in [
        (Terminal::Yes, Some("xterm-256color"), Mode::Live),
        (Terminal::Yes, Some("dumb"), Mode::Plain),
        (Terminal::Yes, Some(""), Mode::Plain),
        (Terminal::Yes, None, Mode::Plain),
        (Terminal::No, Some("xterm"), Mode::Plain),
    ] {
        assert_eq!(Mode::for_people(terminal, term), mode);
    }
}

/// A reader that reads nothing until the sender is dropped.
struct Stuck(mpsc::Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn leaving_does_not_wait_for_a_stuck_reader() {
    let (release, stuck) = mpsc::channel();
    let reporter = start(Settings::default(), Box::new(Stuck(stuck))).unwrap();
    reporter.print("x");
    reporter.leave(Duration::from_millis(1));
    drop(reporter);
    drop(release);
}

/// A writer that panics, as no writer should.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        panic!("for the test");
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_in_the_thread_blocks_nobody() {
    let reporter = start(Settings::default(), Box::new(Broken)).unwrap();
    reporter.print("x");
    reporter.suspend(|| ());
    assert!(reporter.finish().is_err());
}
