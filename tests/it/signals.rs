//! Signals, killed runs, and `kiln cleanup`.

use nix::sys::signal::Signal;

use crate::sandbox::{Running, Sandbox, can_boot};
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

/// Makes a pipe to read a template from, and starts the command that does.
fn reading_a_pipe(sandbox: &Sandbox, verb: &str) -> Running {
    nix::unistd::mkfifo(&sandbox.path().join("t.pkr.hcl"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    sandbox.start(&[verb, "t.pkr.hcl"])
}

#[test]
fn expressions_without_end_are_interrupted() {
    for (verb, signal) in [("build", Signal::SIGINT), ("validate", Signal::SIGTERM), ("inspect", Signal::SIGINT)] {
        let sandbox = Sandbox::new();
        let running = reading_a_pipe(&sandbox, verb);
        // Whoever reads templates listens to signals already.
        let text = "locals { w = bcrypt(\"a\", 31) }\nbuild { sources = [\"null.a\"] }\nsource \"null\" \"a\" {}\n";
        std::fs::write(sandbox.path().join("t.pkr.hcl"), text).unwrap();
        running.signal(signal);
        let name = if signal == Signal::SIGINT { "interrupt" } else { "terminated" };
        let ran = running.finish().expect(1);
        assert_eq!(ran.stdout, format!("Cancelling build after receiving {name}\n"), "{verb}");
    }
}

#[test]
fn a_pipe_that_nobody_writes_into_is_interrupted() {
    for verb in ["build", "validate", "inspect"] {
        let sandbox = Sandbox::new();
        let mut running = reading_a_pipe(&sandbox, verb);
        running.wait_for_open(&sandbox.path().join("t.pkr.hcl"));
        running.signal(Signal::SIGINT);
        let ran = running.finish().expect(1);
        assert_eq!(ran.stdout, "Cancelling build after receiving interrupt\n", "{verb}");
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

#[test]
fn debug_saves_the_key_while_the_build_runs() {
    if !can_boot("debug_saves_the_key_while_the_build_runs") {
        return;
    }
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    let mut running = sandbox.start(&["build", "--local", "-debug", "t.pkr.hcl"]);
    running.wait_for("provisioning now");
    let key = sandbox.path().join("ec2_t.pem");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&key).unwrap().contains("OPENSSH PRIVATE KEY"));
    running.signal(Signal::SIGINT);
    running.finish().expect(1).says("Debug mode enabled. Builds will not be parallelized.").says("ec2_t.pem");
    assert!(!key.exists(), "the key goes with the build");
    assert_host_clean(&sandbox);
}

#[test]
fn a_machine_that_refuses_namespaces_says_so_and_leaves_nothing() {
    if !can_boot("a_machine_that_refuses_namespaces_says_so_and_leaves_nothing") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    let kiln = sandbox.kiln();
    let mut command = std::process::Command::new("setpriv");
    command.arg("--bounding-set=-sys_admin").arg(kiln.get_program()).args(["build", "--local", "t.pkr.hcl"]);
    command.env_clear().current_dir(sandbox.path());
    command.envs(kiln.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran: crate::sandbox::Ran = command.output().unwrap().into();
    let ran = ran.expect(1).says("namespaces are refused here");
    assert!(ran.last_line().contains("namespaces are refused here"), "{}", ran.stdout);
    assert_eq!(resources(&sandbox, "us-east-1").len(), 0);
    assert_host_clean(&sandbox);
}

#[test]
fn an_ordinary_user_is_told_the_remedy() {
    if !can_boot("an_ordinary_user_is_told_the_remedy") {
        return;
    }
    use std::os::unix::process::CommandExt as _;
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    std::os::unix::fs::chown(sandbox.path(), Some(65534), Some(65534)).unwrap();
    let binary = sandbox.path().join("kiln");
    std::fs::copy(env!("CARGO_BIN_EXE_kiln"), &binary).unwrap();
    let kiln = sandbox.kiln();
    let mut command = std::process::Command::new(&binary);
    command.args(["build", "--local", "t.pkr.hcl"]).env_clear().current_dir(sandbox.path());
    command.envs(kiln.get_envs().filter_map(|(name, value)| Some((name, value?)))).uid(65534).gid(65534);
    let ran: crate::sandbox::Ran = command.output().unwrap().into();
    ran.expect(1).says("local instances need root");
}

#[test]
fn a_closed_terminal_unwinds_too() {
    if !can_boot("a_closed_terminal_unwinds_too") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    let mut running = sandbox.start(&["build", "--local", "t.pkr.hcl"]);
    running.wait_for("provisioning now");
    running.signal(Signal::SIGHUP);
    running.finish().expect(1).says("Cancelling build after receiving hangup");
    assert_eq!(resources(&sandbox, "us-east-1").len(), 0);
    assert_host_clean(&sandbox);
}

#[test]
fn cleanup_gives_no_all_clear_for_what_it_cannot_see() {
    if !can_boot("cleanup_gives_no_all_clear_for_what_it_cannot_see") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &TEMPLATE.replace("sleep 600", "exit 9"));
    sandbox.run(&["build", "--local", "-on-error=abort", "t.pkr.hcl"]).expect(4);
    let (data, moved) = (sandbox.path().join("data"), sandbox.path().join("moved"));
    std::fs::rename(&data, &moved).unwrap();
    sandbox.run(&["cleanup"]).expect(4).says("its local EC2 is not at");
    assert!(!data.exists(), "an empty one must not be made");
    std::fs::rename(&moved, &data).unwrap();

    let files = std::fs::read_dir(sandbox.path().join("state/runs")).unwrap().map(|entry| entry.unwrap().path());
    let mut journals = files.filter(|path| path.extension().is_some_and(|end| end == "journal"));
    let journal = journals.next().unwrap();
    let good = std::fs::read_to_string(&journal).unwrap();
    let damaged: Vec<&str> = good.lines().enumerate().map(|(n, line)| if n == 1 { "{garb" } else { line }).collect();
    std::fs::write(&journal, damaged.join("\n") + "\n").unwrap();
    sandbox.run(&["cleanup"]).expect(0).says(".journal:2: ");
    assert_eq!(resources(&sandbox, "us-east-1").len(), 0, "what no line says any more is found by its tag");
}

#[test]
fn a_long_state_directory_works() {
    if !can_boot("a_long_state_directory_works") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file(
        "t.pkr.hcl",
        &TEMPLATE.replace("sleep 600", "true").replace("ssh_username", "skip_create_ami = true\n  ssh_username"),
    );
    let mut command = sandbox.kiln();
    let long = sandbox.path().join("a-directory-whose-name-is-long".repeat(4));
    command.env("KILN_DATA_DIR", long).args(["build", "--local", "t.pkr.hcl"]);
    let ran: crate::sandbox::Ran = command.output().unwrap().into();
    ran.expect(0);
}

#[test]
fn what_a_crashed_process_becomes_removes_what_the_run_made() {
    if !can_boot("what_a_crashed_process_becomes_removes_what_the_run_made") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    let mut running = sandbox.start(&["build", "--local", "t.pkr.hcl"]);
    running.wait_for("provisioning now");
    running.signal(Signal::SIGKILL);
    running.finish();
    let dry = sandbox.run(&["cleanup", "--dry-run"]).expect(0).stdout;
    let run = dry.split("Run ").nth(1).and_then(|rest| rest.split(':').next()).unwrap();
    sandbox.run(&["after-crash", run]).expect(2).says("nothing is left");
    assert_eq!(resources(&sandbox, "us-east-1").len(), 0);
    assert_host_clean(&sandbox);
}

#[test]
fn an_instance_that_ec2_does_not_show_yet_is_ended_all_the_same() {
    if !can_boot("an_instance_that_ec2_does_not_show_yet_is_ended_all_the_same") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", TEMPLATE);
    let blind = r#"{"rules": [{"kind": "not_found", "resource": "i", "window_seconds": 2.0}]}"#;
    sandbox.file("faults.json", blind);
    let mut running = sandbox.start(&["build", "--local", "--local-faults", "faults.json", "t.pkr.hcl"]);
    running.wait_for("Instance ID:");
    running.signal(Signal::SIGINT);
    running.finish().expect(1).says("Terminating the source AWS instance...");
    assert_eq!(resources(&sandbox, "us-east-1").len(), 0);
    assert_host_clean(&sandbox);
}
