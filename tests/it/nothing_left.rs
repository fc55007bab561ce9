//! Failures of EC2 in the middle of a bake: what is finished stays, everything else goes, and nothing that was there before is lost.

use nix::sys::signal::Signal;

use crate::endpoint::{Endpoint, Watched, wait};
use crate::sandbox::{Sandbox, can_boot};
use crate::world::{self, resources};

/// A template with more in its source and in its build.
fn template(source: &str, build: &str) -> String {
    let own = "ami_name = \"kiln-it-nothing-left\"\n  instance_type = \"t3.micro\"";
    world::template(&format!("{own}\n  {source}"), build)
}

fn of_kind(sandbox: &Sandbox, region: &str, kind: &str) -> Vec<String> {
    resources(sandbox, region).into_iter().filter(|id| id.starts_with(kind)).collect()
}

#[test]
fn a_failed_copy_is_made_again_alone() {
    if !can_boot("a_failed_copy_is_made_again_alone") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &template("ami_regions = [\"us-west-2\"]", ""));
    let once = r#"{"rules": [{"action": "CopyImage", "region": "us-west-2", "kind": "fails_later", "nth": [1]}]}"#;
    sandbox.file("faults.json", once);
    let ran = sandbox.run(&["build", "--local", "--local-faults", "faults.json", "t.pkr.hcl"]).expect(0);
    ran.says("The copy to us-west-2 failed and is made again");
    assert_eq!(of_kind(&sandbox, "us-west-2", "image ").len(), 1);
    assert_eq!(of_kind(&sandbox, "us-east-1", "image ").len(), 1);
}

#[test]
fn copies_that_are_complete_are_undone_or_kept_as_the_template_says() {
    if !can_boot("copies_that_are_complete_are_undone_or_kept_as_the_template_says") {
        return;
    }
    for (option, kept) in [("", 0), ("on_copy_failure = \"keep\"", 1)] {
        let sandbox = Sandbox::new();
        let source = format!("ami_regions = [\"us-west-2\", \"eu-west-1\"]\n  {option}");
        sandbox.file("t.pkr.hcl", &template(&source, ""));
        let always = r#"{"rules": [{"action": "CopyImage", "region": "us-west-2", "kind": "fails_later"}]}"#;
        sandbox.file("faults.json", always);
        let ran = sandbox.run(&["build", "--local", "--local-faults", "faults.json", "t.pkr.hcl"]).expect(1);
        let ran = ran.says("The copy to eu-west-1 is complete");
        assert!(ran.last_line().contains("copy to us-west-2"), "the cause is the last line:\n{}", ran.stdout);
        for (region, images) in [("us-east-1", kept), ("eu-west-1", kept), ("us-west-2", 0)] {
            assert_eq!(of_kind(&sandbox, region, "image ").len(), images, "{region} {option}:\n{}", ran.stdout);
        }
    }
}

#[test]
fn an_older_image_goes_only_when_the_new_one_is_there() {
    if !can_boot("an_older_image_goes_only_when_the_new_one_is_there") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &template("force_deregister = true\n  force_delete_snapshot = true", ""));
    sandbox.run(&["build", "--local", "t.pkr.hcl"]).expect(0);
    let first = of_kind(&sandbox, "us-east-1", "image ");
    sandbox.file("faults.json", r#"{"rules": [{"action": "CreateImage", "kind": "fails_later"}]}"#);
    sandbox.run(&["build", "--local", "--local-faults", "faults.json", "t.pkr.hcl"]).expect(1);
    assert_eq!(of_kind(&sandbox, "us-east-1", "image "), first, "the old image outlives the failure of the new one");

    let ran = sandbox.run(&["build", "--local", "t.pkr.hcl"]).expect(0);
    let second = of_kind(&sandbox, "us-east-1", "image ");
    assert!(second.len() == 1 && second != first, "{second:?} took the place of {first:?}");
    assert_eq!(of_kind(&sandbox, "us-east-1", "snapshot ").len(), 1);
    assert!(ran.says("AMI kiln-it-nothing-left is now").stdout.contains(&second[0]["image ".len()..]));
}

#[test]
fn an_interrupted_bake_keeps_an_image_that_is_available() {
    if !can_boot("an_interrupted_bake_keeps_an_image_that_is_available") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &template("ami_regions = [\"us-west-2\"]", ""));
    sandbox.file("faults.json", r#"{"rules": [{"action": "CopyImage", "kind": "hang", "nth": [1]}]}"#);
    let mut running = sandbox.start(&["build", "--local", "--local-faults", "faults.json", "t.pkr.hcl"]);
    running.wait_for("Waiting for all copies to complete");
    running.signal(Signal::SIGINT);
    running.finish().expect(1).says("is complete: it is kept");
    let held = resources(&sandbox, "us-east-1");
    assert!(held.iter().any(|id| id.starts_with("image ")), "{held:#?}");
    assert!(!held.iter().any(|id| id.starts_with("instance ") || id.starts_with("key-pair ")), "{held:#?}");
    assert_eq!(of_kind(&sandbox, "us-west-2", "image ").len(), 0);
}

#[test]
fn an_instance_that_nobody_ends_ends_itself() {
    if !can_boot("an_instance_that_nobody_ends_ends_itself") {
        return;
    }
    // The shorter one has passed before the machine is there.
    for life in ["1s", "5s"] {
        let sandbox = Sandbox::new();
        let slow = "provisioner \"shell\" { inline = [\"sleep 600\"] }";
        sandbox.file("t.pkr.hcl", &template(&format!("max_duration = \"{life}\""), slow));
        let ran = sandbox.run(&["build", "--local", "t.pkr.hcl"]);
        assert_eq!(ran.code, 1, "{}", ran.stdout);
        assert_eq!(resources(&sandbox, "us-east-1").len(), 0);
    }

    let sandbox = Sandbox::new();
    let looks = "provisioner \"shell\" { inline = [\"systemctl is-active kiln-deadline.timer\"] }";
    sandbox.file("t.pkr.hcl", &template("", looks));
    let baked = sandbox.run(&["build", "--local", "t.pkr.hcl"]).expect(0).stdout;
    let ami = baked.split("us-east-1: ").nth(1).unwrap().trim();
    let inside = "ls /etc/systemd/system | grep -c kiln || true";
    let ran = sandbox.run(&["local", "run", ami, "--", inside]).expect(0);
    assert!(ran.stdout.contains('0'), "no image has the timer: {}", ran.stdout);
}

#[test]
fn what_dead_runs_of_other_machines_left_is_found_by_tags() {
    if !can_boot("what_dead_runs_of_other_machines_left_is_found_by_tags") {
        return;
    }
    let endpoint = Endpoint::start(&[]);
    let sleeps = "provisioner \"shell\" { inline = [\"echo here\", \"sleep 600\"] }";
    endpoint.sandbox.file("t.pkr.hcl", &template("", sleeps));
    // Another machine: it has no journal of the run.
    let kiln = |args: &[&str]| crate::sandbox::Ran::from(endpoint.kiln("elsewhere").args(args).output().unwrap());
    let log = endpoint.sandbox.path().join("build.log");
    let mut build = endpoint.kiln("state");
    build.args(["build", "--lease", "6s", "t.pkr.hcl"]);
    let mut build = Watched::start(build, &log);
    let told = || std::fs::read_to_string(&log).unwrap();
    wait("the provisioner", || told().contains("here"));
    // Longer than the lease: it has been renewed.
    std::thread::sleep(std::time::Duration::from_secs(8));
    kiln(&["cleanup", "--region", "us-east-1"]).expect(0).says("Nothing of a dead run");

    build.signal(Signal::SIGKILL);
    build.finish();
    wait("the end of the lease", || {
        kiln(&["cleanup", "--dry-run", "--region", "us-east-1"]).stdout.contains("instance i-")
    });
    kiln(&["cleanup", "--older-than", "1h", "--region", "us-east-1"]).expect(0).says("Nothing of a dead run");
    kiln(&["cleanup", "--region", "us-east-1"]).expect(0).says("Removed");
    let answer = endpoint.ec2("us-east-1", "Action=DescribeSecurityGroups");
    assert!(!answer.contains("packer_"), "{answer}");
    kiln(&["cleanup", "--region", "us-east-1"]).expect(0).says("Nothing of a dead run");
}

/// A bake that is at work when its instance is terminated by somebody else; what it said.
fn terminated_in_the_middle(endpoint: &Endpoint, source: &str, script: &str) -> String {
    endpoint.sandbox.file("t.pkr.hcl", &template(source, script));
    let log = endpoint.sandbox.path().join("build.log");
    let mut command = endpoint.kiln("state");
    command.args(["build", "t.pkr.hcl"]);
    let mut build = Watched::start(command, &log);
    wait("the provisioner", || build.output().contains("at work") || build.has_ended());
    let output = build.output();
    let id = output.split("Instance ID: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    endpoint.ec2("us-east-1", &format!("Action=TerminateInstances&InstanceId.1={id}"));
    endpoint.sandbox.file("terminated", "");
    assert_eq!(build.finish(), Some(1), "{}", build.output());
    assert_eq!(endpoint.held(&["us-east-1"]).iter().filter(|one| one.contains(" instance ")).count(), 0);
    build.output().replace(&id, "i-1")
}

#[test]
fn the_end_of_a_machine_is_the_error_and_not_what_came_of_it() {
    let endpoint = Endpoint::with_profile(&serde_json::json!({"machines": "none"}));
    let script = r#"provisioner "shell-local" { inline = ["echo at work", "until [ -e terminated ]; do sleep 0.1; done", "exit 3"] }"#;
    let told = terminated_in_the_middle(&endpoint, "communicator = \"none\"", script);
    let end = "the instance i-1 is terminated (Client.UserInitiatedShutdown: User initiated shutdown): ";
    assert!(told.contains(end), "{told}");

    // What would wait for ever for the machine is cut short.
    let script = r#"provisioner "shell-local" { inline = ["echo at work", "sleep 600"] }"#;
    let told = terminated_in_the_middle(&endpoint, "communicator = \"none\"", script);
    assert!(told.contains(&format!("{end}the provisioner was cut short")), "{told}");
}

#[test]
fn the_end_of_a_machine_that_somebody_is_logged_into_is_the_error() {
    if !can_boot("the_end_of_a_machine_that_somebody_is_logged_into_is_the_error") {
        return;
    }
    let script = r#"provisioner "shell" { inline = ["echo at work", "sleep 600"] }"#;
    let told = terminated_in_the_middle(&Endpoint::start(&[]), "", script);
    let (_, error) = told.split_once("the instance i-1 is ").unwrap_or_else(|| panic!("{told}"));
    assert!(error.contains("(Client.UserInitiatedShutdown: User initiated shutdown): Script disconnected"), "{told}");
    assert!(!told.contains("max_duration"), "{told}");

    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &template("max_duration = \"15s\"", script));
    let ran = sandbox.run(&["build", "--local", "t.pkr.hcl"]).expect(1);
    ran.says("at work").says(", since its max_duration of 15s has been reached").says("Script disconnected");
}
