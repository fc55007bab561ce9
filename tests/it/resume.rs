//! Runs that another process goes on with: what exists is taken over, what is done is not done again.

use std::collections::BTreeSet;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use crate::endpoint::{Endpoint, Watched, wait};
use crate::sandbox::{Ran, Sandbox, can_boot};
use crate::world;

/// A template with more in its source and in its build.
fn template(source: &str, build: &str) -> String {
    let own = "ami_name = \"kiln-it-resume-{{timestamp}}\"\n  instance_type = \"t3.micro\"";
    format!("variable \"word\" {{}}\n{}", world::template(&format!("{own}\n  {source}"), build))
}

/// The binary as a client of the endpoint.
fn kiln(endpoint: &Endpoint, args: &[&str]) -> Ran {
    let mut command = endpoint.kiln("state");
    Ran::from(command.args(args).output().unwrap())
}

/// The endpoint's own name of the one run there is.
fn run_of(endpoint: &Endpoint) -> String {
    let listed = kiln(endpoint, &["runs", "--json"]).expect(0).stdout;
    let run: Json = serde_json::from_str(listed.trim()).unwrap();
    run["run"].as_str().unwrap().to_owned()
}

/// How often a call was made.
fn calls(endpoint: &Endpoint, action: &str) -> usize {
    endpoint.requests(0).iter().filter(|request| request["action"] == action).count()
}

/// Nothing is there besides images and their snapshots, as soon as the instance has shut down.
#[track_caller]
fn nothing_but_products(endpoint: &Endpoint, before: &BTreeSet<String>) {
    let held = || endpoint.held(&["us-east-1", "us-west-2"]);
    let product = |id: &&String| [" image ", " snapshot ", " ami-", " snap-"].iter().any(|kind| id.contains(kind));
    wait("the end of what is temporary", || held().difference(before).all(|id| product(&id)));
}

fn build(endpoint: &Endpoint, args: &[&str]) -> Command {
    let mut command = endpoint.kiln("state");
    command.args(["build", "-var", "word=hello"]).args(args).arg("t.pkr.hcl");
    command
}

#[test]
fn a_provisioner_that_failed_is_mended_and_gone_on_with() {
    if !can_boot("a_provisioner_that_failed_is_mended_and_gone_on_with") {
        return;
    }
    let endpoint = Endpoint::start(&[]);
    let before = endpoint.held(&["us-east-1", "us-west-2"]);
    let first = r#"provisioner "shell" { inline = ["echo ${var.word} | sudo tee -a /once"] }"#;
    let broken = r#"provisioner "shell" { inline = ["false"] }"#;
    endpoint.sandbox.file("t.pkr.hcl", &template("", &format!("{first}\n{broken}")));
    let aborted = Ran::from(build(&endpoint, &["-on-error=abort"]).output().unwrap()).expect(4);
    let run = run_of(&endpoint);
    aborted.says(&format!("kiln resume {run}"));
    kiln(&endpoint, &["runs"]).expect(0).says("aborted").says("holds instance i-").says(&format!("kiln resume {run}"));

    let mended = r#"provisioner "shell" { inline = ["grep -c hello /once | sudo tee /count"] }"#;
    endpoint.sandbox.file("t.pkr.hcl", &template("ami_description = \"new\"", &format!("{first}\n{mended}")));
    let resumed = kiln(&endpoint, &["resume", &run[..13]]).expect(0);
    resumed
        .says("changed in the template since: ami_description")
        .says("Provisioner 1 (shell) ended well before: skipped")
        .says("us-east-1: ami-");
    assert_eq!(calls(&endpoint, "RunInstances"), 1);
    nothing_but_products(&endpoint, &before);
    kiln(&endpoint, &["runs"]).expect(0).says("succeeded");
    kiln(&endpoint, &["resume", &run]).expect(1).says("holds nothing to go on with");
    let files = std::fs::read_dir(endpoint.sandbox.path().join("state/runs")).unwrap();
    assert_eq!(files.count(), 1, "the file with the key is gone");
}

/// Kills a build while a call hangs, with or without its effect, and goes on with it.
fn killed_in(action: &str, when: &str, source: &str) -> (Endpoint, Ran) {
    let endpoint = Endpoint::start(&[]);
    let before = endpoint.held(&["us-east-1", "us-west-2"]);
    let script = r#"provisioner "shell" { inline = ["echo ${var.word}"] }"#;
    endpoint.sandbox.file("t.pkr.hcl", &template(source, script));
    endpoint.faults(&[json!({"action": action, "kind": "hang", "when": when, "nth": [1]})]);
    let mut building = Watched::start(build(&endpoint, &[]), &endpoint.sandbox.path().join("build.log"));
    wait(action, || calls(&endpoint, action) > 0 || building.has_ended());
    building.signal(Signal::SIGKILL);
    building.finish();
    kiln(&endpoint, &["runs"]).expect(0).says("killed");
    endpoint.faults(&[]);
    let resumed = kiln(&endpoint, &["resume", &run_of(&endpoint)]).expect(0).says("us-east-1: ami-");
    nothing_but_products(&endpoint, &before);
    (endpoint, resumed)
}

#[test]
fn a_killed_build_takes_over_what_a_call_made_whose_answer_was_never_heard() {
    if !can_boot("a_killed_build_takes_over_what_a_call_made_whose_answer_was_never_heard") {
        return;
    }
    let copies = "ami_regions = [\"us-west-2\"]";
    for action in ["RunInstances", "CreateImage", "CopyImage"] {
        let (endpoint, _) = killed_in(action, "after", copies);
        for action in ["RunInstances", "CreateImage", "CopyImage"] {
            assert_eq!(calls(&endpoint, action), 1, "{action} is not asked for twice");
        }
    }
}

#[test]
fn a_killed_build_makes_what_was_not_made() {
    if !can_boot("a_killed_build_makes_what_was_not_made") {
        return;
    }
    for action in ["ImportKeyPair", "RunInstances", "CreateImage"] {
        let (endpoint, _) = killed_in(action, "before", "");
        assert_eq!(calls(&endpoint, action), 2, "{action}");
    }
}

#[test]
fn a_machine_that_is_gone_is_replaced() {
    if !can_boot("a_machine_that_is_gone_is_replaced") {
        return;
    }
    let endpoint = Endpoint::start(&[]);
    let fails_once = r#"provisioner "shell-local" { inline = ["test -e mended"] }"#;
    let script = r#"provisioner "shell" { inline = ["echo machine of its own"] }"#;
    endpoint.sandbox.file("t.pkr.hcl", &template("", &format!("{script}\n{fails_once}")));
    let aborted = Ran::from(build(&endpoint, &["-on-error=abort"]).output().unwrap()).expect(4);
    let id = aborted.stdout.split("Instance ID: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    endpoint.ec2("us-east-1", &format!("Action=TerminateInstances&InstanceId.1={id}"));
    endpoint.sandbox.file("mended", "");
    let resumed = kiln(&endpoint, &["resume", &run_of(&endpoint)]).expect(0);
    resumed.says(&format!("The instance {id} is gone")).says("machine of its own");
    assert_eq!(calls(&endpoint, "RunInstances"), 2);
}

#[test]
fn a_build_that_ended_well_is_not_built_again() {
    if !can_boot("a_build_that_ended_well_is_not_built_again") {
        return;
    }
    let endpoint = Endpoint::start(&[]);
    let fails_once = "provisioner \"shell-local\" {\n only = [\"amazon-ebs.u\"]\n inline = [\"test -e mended\"]\n }";
    let text = template("", fails_once).replace("amazon-ebs.t\"]", "amazon-ebs.t\", \"source.amazon-ebs.u\"]");
    let source = &text[text.find("source").unwrap()..text.find("build {").unwrap()];
    let second = source.replace("\"t\"", "\"u\"").replace("kiln-it-resume-", "kiln-it-resume-u-");
    endpoint.sandbox.file("t.pkr.hcl", &format!("{text}{second}"));
    Ran::from(build(&endpoint, &["-on-error=abort"]).output().unwrap()).expect(4).says("us-east-1: ami-");
    endpoint.sandbox.file("mended", "");
    let resumed = kiln(&endpoint, &["resume", &run_of(&endpoint)]).expect(0);
    resumed.says("amazon-ebs.t: It ended well before the run was resumed: skipped").says("us-east-1: ami-");
    assert_eq!((calls(&endpoint, "RunInstances"), calls(&endpoint, "CreateImage")), (2, 2));
}

#[test]
fn what_cannot_be_gone_on_with_is_said() {
    let sandbox = Sandbox::new();
    sandbox.run(&["runs"]).expect(0).says("No runs in");
    sandbox.run(&["resume", "0123"]).expect(1).says("no run `0123`").says("`kiln runs` lists them");
    sandbox.file("t.pkr.hcl", "source \"null\" \"x\" {\n communicator = \"none\"\n}\nbuild { sources = [\"null.x\"] }");
    sandbox.run(&["build", "t.pkr.hcl"]).expect(0);
    let run = sandbox.run(&["runs"]).expect(0).says("succeeded").stdout;
    sandbox.run(&["resume", &run[..36]]).expect(1).says("holds nothing to go on with");
    sandbox.run(&["runs", "--holding"]).expect(0).says("No runs in");
}

#[test]
fn a_wait_that_ends_too_early_loses_nothing() {
    if !can_boot("a_wait_that_ends_too_early_loses_nothing") {
        return;
    }
    let profiles = Sandbox::new();
    let slow = profiles.file("slow.json", r#"{"timings": {"image": 12}}"#);
    let endpoint = Endpoint::start(&["--profile", slow.to_str().unwrap()]);
    let impatient = "aws_polling {\n    delay_seconds = 1\n    max_attempts  = 3\n  }";
    endpoint.sandbox.file("t.pkr.hcl", &template(impatient, ""));
    let ended = Ran::from(build(&endpoint, &[]).output().unwrap()).expect(4).says("is still pending after 3 s");
    let (run, image) = (run_of(&endpoint), ended.stdout.split("AMI: ").nth(1).unwrap().lines().next().unwrap());
    assert!(ended.stdout.contains(&format!("image {image} in us-east-1: still pending")), "{}", ended.stdout);
    assert!(ended.stdout.contains(&format!("kiln resume {run}")), "{}", ended.stdout);

    endpoint.sandbox.file("t.pkr.hcl", &template("", ""));
    let resumed = kiln(&endpoint, &["resume", &run]).expect(0);
    resumed.says("changed in the template since: aws_polling").says(&format!("us-east-1: {image}"));
    assert_eq!((calls(&endpoint, "RunInstances"), calls(&endpoint, "CreateImage")), (1, 1));
}

#[test]
fn an_interrupted_build_that_was_told_to_abort_goes_on() {
    if !can_boot("an_interrupted_build_that_was_told_to_abort_goes_on") {
        return;
    }
    let endpoint = Endpoint::start(&[]);
    let script = |seconds: u32| format!("provisioner \"shell\" {{ inline = [\"echo at work\", \"sleep {seconds}\"] }}");
    endpoint.sandbox.file("t.pkr.hcl", &template("", &script(600)));
    let log = endpoint.sandbox.path().join("build.log");
    let mut building = Watched::start(build(&endpoint, &["-on-error=abort"]), &log);
    wait("the provisioner", || std::fs::read_to_string(&log).unwrap().contains("at work"));
    building.signal(Signal::SIGINT);
    assert_eq!(building.finish(), Some(4));
    kiln(&endpoint, &["runs", "--holding"]).expect(0).says("aborted").says("holds instance i-");
    endpoint.sandbox.file("t.pkr.hcl", &template("", &script(0)));
    kiln(&endpoint, &["resume", &run_of(&endpoint)]).expect(0).says("us-east-1: ami-");
    assert_eq!(calls(&endpoint, "RunInstances"), 1);
}

/// An endpoint whose machines nobody logs into, and a template whose provisioners write their names into a file; `three` only once it is mended.
fn with_names(names: &str) -> Endpoint {
    let endpoint = Endpoint::with_profile(&json!({"machines": "none"}));
    write_names(&endpoint, names);
    endpoint
}

fn write_names(endpoint: &Endpoint, names: &str) {
    let script = |name: &str| {
        let condition = if name.ends_with("three") { "test -e mended && " } else { "" };
        format!("provisioner \"shell-local\" {{ inline = [\"{condition}echo {name} >> names\"] }}\n  ")
    };
    let scripts: String = names.split(' ').map(script).collect();
    endpoint.sandbox.file("t.pkr.hcl", &template("communicator = \"none\"", &scripts));
}

/// The names of the provisioners that have run, in order.
fn names(endpoint: &Endpoint) -> String {
    let names = std::fs::read_to_string(endpoint.sandbox.path().join("names")).unwrap();
    names.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn provisioners_that_ended_well_are_known_by_their_content() {
    for (edited, ran, told) in [
        (
            "two three",
            "one two three",
            "Provisioner 1 (shell-local) of the earlier template ended well and is not in the template any more: what it did stays",
        ),
        ("one three", "one two three", "Provisioner 2 (shell-local) of the earlier template ended well"),
        (
            "zero one two three",
            "one two zero three",
            "Provisioner 1 (shell-local) runs now, though some that follow it ended well before",
        ),
        (
            "one second three",
            "one two three",
            "Provisioner 2 (shell-local) ended well before and was changed since: it is not run again",
        ),
        ("one two third", "one two third", "Provisioner 2 (shell-local) ended well before: skipped"),
        (
            "one third",
            "one two third",
            "Provisioner 2 (shell-local) is new, or ended well before and was changed since: it runs",
        ),
    ] {
        let endpoint = with_names("one two three");
        Ran::from(build(&endpoint, &["-on-error=abort"]).output().unwrap()).expect(4);
        write_names(&endpoint, edited);
        endpoint.sandbox.file("mended", "");
        kiln(&endpoint, &["resume", &run_of(&endpoint)]).expect(0).says(told);
        assert_eq!(names(&endpoint), ran, "{edited}");
    }
}

#[test]
fn a_run_that_is_resumed_twice_knows_what_was_edited_in_between() {
    let endpoint = with_names("one two three");
    Ran::from(build(&endpoint, &["-on-error=abort"]).output().unwrap()).expect(4);
    let run = run_of(&endpoint);
    write_names(&endpoint, "zero two three");
    kiln(&endpoint, &["resume", &run]).expect(4).says("Provisioner 1 (shell-local) ended well before and was changed");
    write_names(&endpoint, "zero first two three");
    kiln(&endpoint, &["resume", &run]).expect(4);
    write_names(&endpoint, "first two one three");
    endpoint.sandbox.file("mended", "");
    kiln(&endpoint, &["resume", &run]).expect(0).says("Provisioner 3 (shell-local) ended well before: skipped");
    assert_eq!(names(&endpoint), "one two first three");
}

#[test]
fn provisioners_that_were_edited_too_late_are_told() {
    for when in ["before", "after"] {
        let endpoint = with_names("one two");
        endpoint.faults(&[json!({"action": "CreateImage", "kind": "hang", "when": when, "nth": [1]})]);
        let mut building = Watched::start(build(&endpoint, &[]), &endpoint.sandbox.path().join("build.log"));
        wait("CreateImage", || calls(&endpoint, "CreateImage") > 0 || building.has_ended());
        building.signal(Signal::SIGKILL);
        building.finish();
        endpoint.faults(&[]);
        write_names(&endpoint, "second four");
        let told = "was changed since: it is not run again";
        kiln(&endpoint, &["resume", &run_of(&endpoint)]).expect(0).says(told);
        assert_eq!(names(&endpoint), "one two");
    }
}
