//! `shell-local`: what is left of a script that was cancelled, and scripts that cannot be written.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::sandbox::Sandbox;

/// A script within the script, each with its number in a file; neither ends by itself for long.
const NESTED: &str = "echo $$ >> pids; sh -c 'echo $$ >> pids; echo both run; sleep 600; :'; :";

fn template(body: &str) -> String {
    let source = "source \"null\" \"a\" {\n  communicator = \"none\"\n}\n";
    format!("{source}build {{\n  sources = [\"null.a\"]\n{body}\n}}\n")
}

fn script(step: &str, text: &str, more: &str) -> String {
    template(&format!("  {step} \"shell-local\" {{\n    inline = [{text:?}]\n    {more}\n  }}"))
}

/// Whether the process is there and more than a status that nobody asked for yet.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// Asserts that all processes that wrote their numbers down are gone, or about to go.
#[track_caller]
fn assert_gone(sandbox: &Sandbox, at_least: usize) {
    let pids = std::fs::read_to_string(sandbox.path().join("pids")).unwrap_or_default();
    assert!(pids.lines().count() >= at_least, "{pids}");
    let limit = Instant::now() + Duration::from_secs(20);
    while pids.lines().any(lives) {
        assert!(Instant::now() < limit, "still there: {:?}", pids.lines().filter(|pid| lives(pid)).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_signal_ends_a_script_and_all_that_it_started() {
    for (step, signal) in
        [("provisioner", Signal::SIGTERM), ("provisioner", Signal::SIGHUP), ("post-processor", Signal::SIGINT)]
    {
        let sandbox = Sandbox::new();
        sandbox.file("t.pkr.hcl", &script(step, NESTED, ""));
        let mut running = sandbox.start(&["build", "t.pkr.hcl"]);
        running.wait_for("both run");
        running.signal(signal);
        running.finish().expect(1);
        assert_gone(&sandbox, 2);
    }
}

#[test]
fn a_timeout_ends_each_attempt() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &script("provisioner", NESTED, "timeout = \"1s\"\n    max_retries = 1"));
    let ran = sandbox.run(&["build", "t.pkr.hcl"]).expect(1);
    assert_eq!(ran.stdout.matches("Cancelling provisioner after a timeout...").count(), 2, "{}", ran.stdout);
    assert_gone(&sandbox, 1);
}

#[test]
fn what_a_script_leaves_in_the_background_goes_on_when_it_succeeds() {
    let sandbox = Sandbox::new();
    let text = "sh -c 'echo $$ > pids; exec sleep 600' > /dev/null 2>&1 & while ! test -s pids; do sleep 0.1; done";
    sandbox.file("t.pkr.hcl", &script("provisioner", text, ""));
    sandbox.run(&["build", "t.pkr.hcl"]).expect(0);
    let pid = std::fs::read_to_string(sandbox.path().join("pids")).unwrap();
    assert!(lives(pid.trim()));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
}

#[test]
fn a_script_that_cannot_be_written_is_named_with_its_directory() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &script("provisioner", "true", ""));
    let gone = sandbox.path().join("gone");
    let output = sandbox.kiln().env("TMPDIR", &gone).args(["build", "t.pkr.hcl"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let told = format!("write temporary script `{}` (TMPDIR names the directory for it)", gone.display());
    assert!(text.contains(&told), "{text}");
}

#[test]
fn use_linux_pathing_changes_nothing_here() {
    let sandbox = Sandbox::new();
    sandbox.file("s.sh", "#!/bin/sh\necho it ran\n");
    let body = "  provisioner \"shell-local\" {\n    script = \"s.sh\"\n    execute_command = [\"sh\", \"{{.Script}}\"]\n    use_linux_pathing = true\n  }";
    sandbox.file("t.pkr.hcl", &template(body));
    sandbox.run(&["build", "t.pkr.hcl"]).expect(0).says("it ran");
    sandbox.file("t.pkr.hcl", &script("provisioner", "true", "use_linux_pathing = true"));
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(1).says("use_linux_pathing does not go with inline");
}
