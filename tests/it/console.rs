//! `kiln console`: piped, from a file, on a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sandbox::{Ran, Sandbox};

const TEMPLATE: &str = r#"
variable "x" { default = "v" }
variable "unset" {}
variable "password" {
  default   = "hunter2-secret"
  sensitive = true
}
locals {
  l = [var.x, 1]
}
"#;

fn piped(args: &[&str], input: &str) -> Ran {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    let mut command = sandbox.kiln();
    let mut child = command.arg("console").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_pipe_gets_the_last_answer() {
    assert_eq!(piped(&[], "1 + 2\n\n  upper(\"x\")  \n").expect(0).stdout, "X\n");
    assert_eq!(piped(&[], "").expect(0).stdout, "\n");
    assert_eq!(piped(&["--config-type=hcl2"], "exit\n[1]").expect(0).stdout, "[\n  1,\n]\n");
    piped(&[], "help").expect(0).says("variables   shows");
}

#[test]
fn a_pipe_gets_all_errors() {
    let ran = piped(&[], "nope\n1 +\n\"fine\"\n").expect(1).says("There is no variable named \"nope\"");
    assert!(
        ran.stdout.contains("on <console-input> line 1, column 4") && ran.stdout.ends_with("\nfine\n"),
        "{}",
        ran.stdout
    );
    piped(&["nope.pkr.hcl"], "1").expect(1).says("no such file");
    piped(&["-var", "undeclared=1", "t.pkr.hcl"], "1").expect(1).says("Undefined -var variable");
}

#[test]
fn templates_give_names() {
    assert_eq!(piped(&["-var", "x=w", "t.pkr.hcl"], "local.l").expect(0).stdout, "[\n  \"w\",\n  1,\n]\n");
    assert_eq!(piped(&["t.pkr.hcl"], "var.unset").expect(0).stdout, "<unknown>\n");
    let expected = "> input-variables:\n\nvar.password: \"<sensitive>\"\nvar.unset: \"<unknown>\"\nvar.x: \"v\"\n\n> local-variables:\n\nlocal.l: \"[\\n  \\\"v\\\",\\n  1,\\n]\"\n\n";
    assert_eq!(piped(&["t.pkr.hcl"], "variables").expect(0).stdout, expected);
    assert_eq!(piped(&["t.pkr.hcl"], "\"-${var.password}-\"").expect(0).stdout, "-<sensitive>-\n");
    piped(&["t.pkr.hcl"], "env(\"HOME\")").expect(1).says("The function \"env\" can't be called here");
    piped(&["t.pkr.hcl"], "data.null.x").expect(1).says("no variable named \"data\"");
}

#[test]
fn a_file_is_answered_line_by_line() {
    let sandbox = Sandbox::new();
    let path = sandbox.file("in", "1 + 1\nnope\nexit\n3\n");
    let ran: Ran = sandbox.kiln().arg("console").stdin(File::open(path).unwrap()).output().unwrap().into();
    let ran = ran.expect(0);
    assert!(ran.stdout.starts_with("2\nError: ") && !ran.stdout.contains("\n3\n"), "{}", ran.stdout);
}

/// A terminal with a console on it.
struct Terminal {
    master: File,
    child: Child,
    shown: String,
}

impl Terminal {
    fn open(sandbox: &Sandbox, args: &[&str]) -> Self {
        let pty = nix::pty::openpty(None, None).unwrap();
        let slave = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        let mut command = sandbox.kiln();
        command.arg("console").args(args).env("TERM", "xterm");
        command.stdin(slave(&pty.slave)).stdout(slave(&pty.slave)).stderr(slave(&pty.slave));
        let child = command.spawn().unwrap();
        Self { master: pty.master.into(), child, shown: String::new() }
    }

    /// Waits for a text that was not there before. The editor prints a prompt when it is ready for keys.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        let limit = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(at) = self.shown.find(text) {
                self.shown.drain(..at + text.len());
                return;
            }
            assert!(Instant::now() < limit, "no {text:?} in {:?}", self.shown);
            let mut ready = [PollFd::new(std::os::fd::AsFd::as_fd(&self.master), PollFlags::POLLIN)];
            if poll(&mut ready, PollTimeout::from(100u8)).unwrap() > 0 {
                let mut bytes = [0; 4096];
                let read = self.master.read(&mut bytes).unwrap_or_else(|e| panic!("{e}: {:?}", self.shown));
                self.shown.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        }
    }

    fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// The exit code, once the console has ended.
    fn end(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

#[test]
fn a_terminal_is_a_conversation() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    let mut terminal = Terminal::open(&sandbox, &["t.pkr.hcl"]);
    terminal.expect("> ");
    terminal.keys("1 + 41\r");
    terminal.expect("\n42\r\n");
    terminal.expect("> ");
    // It goes on while a bracket is open, and knows the last line.
    terminal.keys("[\r1]\r");
    terminal.expect("[\r\n  1,\r\n]\r\n");
    terminal.expect("> ");
    terminal.keys("\u{1b}[A\r");
    terminal.expect("[\r\n  1,\r\n]\r\n");
    terminal.expect("> ");
    // Tab completes.
    terminal.keys("length(local.\t)\r");
    terminal.expect("\n2\r\n");
    terminal.expect("> ");
    // Ctrl-C gives a line up; errors do not end it.
    terminal.keys("rubbish\u{3}");
    terminal.expect("\n");
    terminal.expect("> ");
    terminal.keys("nope\r");
    terminal.expect("There is no variable named");
    terminal.expect("> ");
    terminal.keys("exit\r");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn ctrl_c_and_ctrl_d_on_an_empty_line_leave() {
    for key in ["\u{3}", "\u{4}"] {
        let sandbox = Sandbox::new();
        let mut terminal = Terminal::open(&sandbox, &[]);
        terminal.expect("> ");
        terminal.keys(key);
        assert_eq!(terminal.end(), 0, "{key:?}");
    }
}
