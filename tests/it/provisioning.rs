//! What happens around provisioners: pauses, time limits, retries, failures; and what their output may hold.

use crate::sandbox::{Ran, Sandbox};

fn build(sandbox: &Sandbox, flags: &[&str], body: &str) -> Ran {
    let source = "source \"null\" \"a\" {\n  communicator = \"none\"\n}\n";
    sandbox.file("t.pkr.hcl", &format!("{source}build {{\n  sources = [\"null.a\"]\n{body}\n}}\n"));
    sandbox.run(&[&["build"], flags, &["t.pkr.hcl"]].concat())
}

fn local(script: &str, more: &str) -> String {
    format!("  provisioner \"shell-local\" {{\n    inline = [{script:?}]\n{more}\n  }}\n")
}

const CLEANUP: &str = "  error-cleanup-provisioner \"shell-local\" {\n    inline = [\"echo cleaning up\"]\n  }";

/// Lines of the output from the failing script's error on.
fn lines(ran: &Ran) -> Vec<&str> {
    let lines = ran.stdout.lines().filter_map(|line| line.strip_prefix("==> null.a: "));
    lines.filter(|line| !line.starts_with("Running local") && !line.starts_with("warning")).collect()
}

const FAILED: &str = "Script exited with non-zero exit status: 7. Allowed exit codes are: [0]";

#[test]
fn what_follows_a_failure_depends_on_the_mode() {
    let sandbox = Sandbox::new();
    let body = local("exit 7", "") + CLEANUP;
    let told = "Provisioning step had errors: Running the cleanup provisioner, if present...";
    let ran = build(&sandbox, &[], &body).expect(1);
    assert_eq!(lines(&ran), [told, "cleaning up"]);
    let ran = build(&sandbox, &["-on-error=abort"], &body).expect(1);
    let skipped = "aborted: skipping cleanup of step \"StepConnect\"";
    assert_eq!(lines(&ran), [FAILED, "Step \"StepProvision\" failed, aborting...", skipped]);
    let ran = build(&sandbox, &["-on-error=run-cleanup-provisioner"], &body).expect(1);
    assert_eq!(lines(&ran), [told, "cleaning up", FAILED, "Step \"StepConnect\" failed, aborting..."]);
    // Without a terminal nobody is asked, and the answer is to clean up.
    let ran = build(&sandbox, &["-on-error=ask"], &body).expect(1);
    assert_eq!(lines(&ran), [FAILED, "Step \"StepProvision\" failed", told, "cleaning up"]);
}

#[test]
fn the_first_failure_is_the_one_that_is_told() {
    let sandbox = Sandbox::new();
    let ran = build(&sandbox, &[], &local("echo x >> n; exit $(wc -l < n)", "    max_retries = 1")).expect(1);
    ran.says("status: 1. Allowed exit codes are: [0]\", retrying with 1 trie(s) left").says("retry limit reached.");
    assert!(std::fs::read_to_string(sandbox.path().join("n")).unwrap().lines().count() == 2);
}

#[test]
fn a_provisioner_with_a_pause_has_no_time_limit() {
    let sandbox = Sandbox::new();
    let limited = local("sleep 1; echo done", "    timeout = \"10ms\"");
    build(&sandbox, &[], &limited).expect(1).says("Cancelling provisioner after a timeout...");
    let paused = local("sleep 1; echo done", "    timeout = \"10ms\"\n    pause_before = \"10ms\"");
    build(&sandbox, &[], &paused).expect(0).says("Pausing 10ms before the next provisioner...").says("null.a: done");
}

#[test]
fn output_keeps_bytes_that_are_no_text() {
    let sandbox = Sandbox::new();
    let source = "source \"null\" \"a\" {\n  communicator = \"none\"\n}\n";
    let script = local("printf 'a\\377b\\n'", "");
    sandbox.file("t.pkr.hcl", &format!("{source}build {{\n  sources = [\"null.a\"]\n{script}}}\n"));
    let output = sandbox.kiln().args(["build", "t.pkr.hcl"]).output().unwrap();
    assert!(output.stdout.windows(4).any(|bytes| bytes == b"a\xffb\n"), "{}", String::from_utf8_lossy(&output.stdout));
    sandbox.run(&["build", "--json", "t.pkr.hcl"]).expect(0).says("\"line\":\"a\u{fffd}b\"");
}

#[test]
fn sleep_sleeps_and_a_transfer_that_fails_is_told() {
    let sandbox = Sandbox::new();
    build(&sandbox, &[], "  provisioner \"sleep\" {\n    duration = \"10ms\"\n  }").expect(0);
    build(&sandbox, &[], "  provisioner \"sleep\" {\n    duration = \"a while\"\n  }")
        .expect(1)
        .says("t.pkr.hcl line 7");
    let download = "  provisioner \"file\" {\n    direction = \"download\"\n    source = \"/etc/hosts\"\n    destination = \"got/\"\n  }";
    let ran = build(&sandbox, &[], download).expect(1).says("Downloading /etc/hosts => got/hosts");
    ran.says("null.a: Download failed: Download is not implemented when communicator = 'none'");
}
