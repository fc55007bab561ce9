//! Signals, killed runs, and `kiln cleanup`.

use nix::sys::signal::Signal;

use crate::sandbox::{Sandbox, can_boot};
use crate::world::{assert_host_clean, resources};

const TEMPLATE: &str = r#"source "amazon-ebs" "t" {
  ami_name      = "kiln-it-signals"
  instance_type = "t3.micro"
  region        = "us-east-1"
  ssh_username  = "admin"
  source_ami_filter {
    filters     = { name = "debian-12-amd64-*" }
    owners      = ["136693071363"]
    most_recent = true
  }
}
build {
  sources = ["source.amazon-ebs.t"]
  provisioner "shell" { inline = ["echo provisioning now", "sleep 600"] }
}
"#;

#[test]
fn the_first_signal_unwinds() {
    if !can_boot("the_first_signal_unwinds") {
        return;
    }
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let sandbox = Sandbox::new();
        sandbox.file("t.pkr.hcl", TEMPLATE);
        let mut running = sandbox.start(&["build", "--local", "t.pkr.hcl"]);
        running.wait_for("provisioning now");
        running.signal(signal);
        let ran = running.finish().expect(1).says("Cancelling build after receiving");
        assert!(ran.stdout.contains("Cleanly cancelled builds after being interrupted."), "{}", ran.stdout);
        assert_eq!(resources(&sandbox, "us-east-1").len(), 0);
        assert_host_clean(&sandbox);
    }
}

#[test]
fn a_killed_run_is_swept_by_cleanup() {
    if !can_boot("a_killed_run_is_swept_by_cleanup") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    let mut running = sandbox.start(&["build", "--local", "t.pkr.hcl"]);
    running.wait_for("provisioning now");
    running.signal(Signal::SIGKILL);
    running.finish();
    let left = resources(&sandbox, "us-east-1");
    assert!(left.iter().any(|id| id.starts_with("security-group packer_")), "{left:#?}");
    let dry = sandbox.run(&["cleanup", "--dry-run"]).expect(0);
    assert!(dry.stdout.contains("security-group sg-") && dry.stdout.contains("instance i-"), "{}", dry.stdout);
    assert_eq!(resources(&sandbox, "us-east-1"), left, "a dry run removes nothing");
    sandbox.run(&["cleanup"]).expect(0).says("nothing is left");
    assert_eq!(resources(&sandbox, "us-east-1").len(), 0);
    sandbox.run(&["cleanup"]).expect(0).says("Nothing is left of any run.");
    assert_host_clean(&sandbox);
}

#[test]
fn abort_keeps_everything_and_says_how_to_remove_it() {
    if !can_boot("abort_keeps_everything_and_says_how_to_remove_it") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &TEMPLATE.replace("sleep 600", "exit 9"));
    let ran = sandbox.run(&["build", "--local", "-on-error=abort", "t.pkr.hcl"]).expect(4);
    assert!(ran.stdout.contains("Step \"StepProvision\" failed, aborting..."), "{}", ran.stdout);
    let command = ran.stdout.split("kiln cleanup ").nth(1).expect("the command that removes it");
    let run: String = command.chars().take_while(|c| c.is_ascii_hexdigit() || *c == '-').collect();
    assert_ne!(resources(&sandbox, "us-east-1").len(), 0);
    sandbox.run(&["cleanup", &run]).expect(0);
    assert_eq!(resources(&sandbox, "us-east-1").len(), 0);
    assert_host_clean(&sandbox);
}

#[test]
fn the_error_cleanup_provisioner_runs_on_failure() {
    if !can_boot("the_error_cleanup_provisioner_runs_on_failure") {
        return;
    }
    let sandbox = Sandbox::new();
    let cleanup = "  error-cleanup-provisioner \"shell\" { inline = [\"echo mending before the end\"] }\n}\n";
    let text = TEMPLATE.replace("sleep 600", "exit 9");
    sandbox.file("t.pkr.hcl", &format!("{}{cleanup}", text.trim_end().trim_end_matches('}')));
    sandbox.run(&["build", "--local", "t.pkr.hcl"]).expect(1).says("mending before the end");
    assert_eq!(resources(&sandbox, "us-east-1").len(), 0);
}
