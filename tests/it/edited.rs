//! What happens to a template, to its machines and on the way to EC2 between a run's beginning and its `kiln resume` or `kiln cleanup`: nothing finished is lost, and
//! nothing unfinished is published.

use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use crate::endpoint::{Endpoint, Watched, wait};
use crate::sandbox::Ran;
use crate::world;

const REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];

/// A template of a machine that nobody logs into, with more in its source and in its build.
fn template(name: &str, source: &str, build: &str) -> String {
    let own = format!("ami_name = \"{name}\"\n  instance_type = \"t3.micro\"\n  communicator = \"none\"\n  {source}");
    world::template(&own, build).replace("  ssh_username = \"admin\"\n", "")
}

fn endpoint() -> Endpoint {
    Endpoint::with_profile(&json!({"machines": "none"}))
}

fn kiln(endpoint: &Endpoint, args: &[&str]) -> Ran {
    Ran::from(endpoint.kiln("state").args(args).output().unwrap())
}

fn build(endpoint: &Endpoint, args: &[&str]) -> Command {
    let mut command = endpoint.kiln("state");
    command.arg("build").args(args).arg("t.pkr.hcl");
    command
}

/// A bake that is killed when `action` has been asked for once more, and its run.
fn killed_at(endpoint: &Endpoint, action: &str) -> String {
    let before = calls(endpoint, action);
    let mut build = Watched::start(build(endpoint, &[]), &endpoint.sandbox.path().join("build.log"));
    wait(action, || calls(endpoint, action) > before || build.has_ended());
    build.signal(Signal::SIGKILL);
    build.finish();
    endpoint.faults(&[]);
    last_run(endpoint)
}

fn last_run(endpoint: &Endpoint) -> String {
    let listed = kiln(endpoint, &["runs", "--json"]).expect(0).stdout;
    let run: Json = serde_json::from_str(listed.trim().lines().last().unwrap()).unwrap();
    run["run"].as_str().unwrap().to_owned()
}

fn calls(endpoint: &Endpoint, action: &str) -> usize {
    endpoint.requests(0).iter().filter(|request| request["action"] == action).count()
}

/// Ids of the images of that name.
fn images(endpoint: &Endpoint, region: &str, name: &str) -> Vec<String> {
    let query = format!("Action=DescribeImages&Owner.1=self&Filter.1.Name=name&Filter.1.Value.1={name}");
    world::elements(&endpoint.ec2(region, &query), "imageId")
}

fn hang(action: &str, when: &str) -> Json {
    json!({"action": action, "kind": "hang", "when": when, "nth": [1]})
}

fn denied(action: &str) -> Json {
    let (code, message) = ("UnauthorizedOperation", "You are not authorized.");
    json!({"action": action, "kind": "error", "when": "before", "code": code, "message": message, "status": 403})
}

#[test]
fn clean_up_leaves_the_image_of_a_resumed_run_alone() {
    let endpoint = endpoint();
    endpoint.sandbox.file("t.pkr.hcl", &template("kept", "", ""));
    endpoint.faults(&[hang("CreateImage", "before")]);
    let run = killed_at(&endpoint, "CreateImage");
    kiln(&endpoint, &["resume", &run]).expect(0);
    kiln(&endpoint, &["cleanup"]).expect(0).says("Nothing is left");
    assert_eq!(images(&endpoint, "us-east-1", "kept").len(), 1);
}

#[test]
fn a_name_that_is_another_one_each_time_is_the_same_when_the_run_goes_on() {
    let endpoint = endpoint();
    endpoint.sandbox.file("t.pkr.hcl", &template("n-${uuidv4()}", "ami_regions = [\"us-west-2\"]", ""));
    endpoint.faults(&[hang("CopyImage", "after")]);
    let run = killed_at(&endpoint, "CopyImage");
    kiln(&endpoint, &["resume", &run]).expect(0);
    assert_eq!((calls(&endpoint, "CreateImage"), calls(&endpoint, "RunInstances")), (1, 1));
    let [east, west] = REGIONS.map(|region| images(&endpoint, region, "n-*").len());
    assert_eq!((east, west), (1, 1));
}

#[test]
fn what_a_build_holds_that_the_template_has_no_more_is_named_in_the_end() {
    let endpoint = endpoint();
    let broken = "provisioner \"shell-local\" { inline = [\"test -e ok\"] }";
    endpoint.sandbox.file("t.pkr.hcl", &template("renamed", "", broken));
    Ran::from(build(&endpoint, &["-on-error=abort"]).output().unwrap()).expect(4);
    endpoint.sandbox.file("ok", "");
    let edited = template("renamed", "", broken).replace("\"t\"", "\"u\"").replace("ebs.t", "ebs.u");
    endpoint.sandbox.file("t.pkr.hcl", &edited);
    let run = last_run(&endpoint);
    kiln(&endpoint, &["resume", &run])
        .expect(4)
        .says("amazon-ebs.t is not built any more")
        .says(&format!("cleanup {run}"));
    kiln(&endpoint, &["cleanup"]).expect(0);
    assert_eq!(images(&endpoint, "us-east-1", "renamed").len(), 1, "the other build's image is no leftover");
}

#[test]
fn another_region_is_refused_and_touches_nothing() {
    let endpoint = endpoint();
    endpoint.sandbox.file("t.pkr.hcl", &template("moved", "", ""));
    endpoint.faults(&[hang("CreateImage", "after")]);
    let run = killed_at(&endpoint, "CreateImage");
    let held = endpoint.held(&REGIONS);
    endpoint.sandbox.file("t.pkr.hcl", &template("moved", "", "").replace("us-east-1", "us-west-2"));
    kiln(&endpoint, &["resume", &run]).expect(4).says("the build's region is us-west-2 now").says("us-east-1");
    assert_eq!(endpoint.held(&REGIONS), held);
}

#[test]
fn builds_of_one_name_have_machines_of_their_own() {
    let endpoint = endpoint();
    let one = template("first", "", "");
    let second = "build {\n  source \"source.amazon-ebs.t\" { ami_name = \"second\" }\n}\n";
    let first = "build {\n  source \"source.amazon-ebs.t\" { ami_name = \"first\" }\n}\n";
    let source = one.split("build {").next().unwrap().replace("ami_name = \"first\"", "");
    endpoint.sandbox.file("t.pkr.hcl", &format!("{source}{first}{second}"));
    endpoint.faults(&[json!({"action": "CreateImage", "kind": "hang", "when": "before", "nth": [1, 2]})]);
    let run = killed_at(&endpoint, "CreateImage");
    kiln(&endpoint, &["resume", &run]).expect(0);
    let asked = endpoint.requests(0);
    let made = asked.iter().filter(|request| request["action"] == "CreateImage" && request["status"] == 200);
    let machines: std::collections::BTreeSet<String> = made.map(|r| r["params"]["InstanceId"].to_string()).collect();
    assert_eq!((machines.len(), calls(&endpoint, "RunInstances")), (2, 2));
    assert_eq!(["first", "second"].map(|name| images(&endpoint, "us-east-1", name).len()), [1, 1]);
}

#[test]
fn a_machine_that_somebody_stopped_is_started_again() {
    let endpoint = endpoint();
    let broken = "provisioner \"shell-local\" { inline = [\"test -e ok\"] }";
    endpoint.sandbox.file("t.pkr.hcl", &template("woken", "", broken));
    Ran::from(build(&endpoint, &["-on-error=abort"]).output().unwrap()).expect(4);
    endpoint.sandbox.file("ok", "");
    let held = endpoint.held(&["us-east-1"]);
    let id = held.iter().find_map(|id| id.strip_prefix("us-east-1 instance ")).unwrap();
    endpoint.ec2("us-east-1", &format!("Action=StopInstances&InstanceId.1={id}"));
    kiln(&endpoint, &["resume", &last_run(&endpoint)]).expect(0).says("is stopped: it is started");
    assert_eq!((calls(&endpoint, "RunInstances"), calls(&endpoint, "StartInstances")), (1, 1));
}

#[test]
fn a_run_that_a_process_works_on_is_nobody_elses() {
    let endpoint = endpoint();
    let slow = "provisioner \"shell-local\" { inline = [\"echo at-work; test -e ok || sleep 60\"] }";
    endpoint.sandbox.file("t.pkr.hcl", &template("alone", "", slow));
    let mut live = Watched::start(build(&endpoint, &[]), &endpoint.sandbox.path().join("build.log"));
    wait("the provisioner", || live.output().contains("at-work") || live.has_ended());
    // Whoever looks from a container sees other processes, or another one of that number.
    let mut command = Command::new("unshare");
    let own = endpoint.kiln("state");
    command.args(["--pid", "--fork", "--mount-proc", "--uts", "sh", "-c", "hostname elsewhere; exec \"$0\" cleanup"]);
    command.arg(own.get_program()).env_clear().envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let elsewhere = Ran::from(command.output().unwrap());
    if !elsewhere.stderr.contains("unshare:") {
        elsewhere.expect(0).says("still going on");
    }
    kiln(&endpoint, &["resume", &last_run(&endpoint)]).expect(1).says("another process works on run");
    live.signal(Signal::SIGTERM);
    assert_eq!(live.finish(), Some(1), "{}", live.output());
}

/// A first image of the name, and a template that replaces it, with more in its source.
fn with_an_older_image(endpoint: &Endpoint, source: &str) -> String {
    endpoint.sandbox.file("t.pkr.hcl", &template("replaced", "", ""));
    Ran::from(build(endpoint, &[]).output().unwrap()).expect(0);
    let force = format!("force_deregister = true\n  force_delete_snapshot = true\n  {source}");
    endpoint.sandbox.file("t.pkr.hcl", &template("replaced", &force, ""));
    images(endpoint, "us-east-1", "replaced").remove(0)
}

#[test]
fn an_older_image_stays_when_the_new_one_cannot_be_finished() {
    let endpoint = endpoint();
    let older = with_an_older_image(&endpoint, "ami_users = [\"111122223333\"]");
    endpoint.faults(&[denied("ModifyImageAttribute")]);
    Ran::from(build(&endpoint, &[]).output().unwrap()).expect(1).says("You are not authorized");
    assert_eq!(images(&endpoint, "us-east-1", "*"), [older]);
}

#[test]
fn a_new_image_stays_when_the_older_one_may_be_gone() {
    for fault in [denied("DeregisterImage"), denied("RegisterImage"), denied("DeleteSnapshot")] {
        let endpoint = endpoint();
        with_an_older_image(&endpoint, "");
        endpoint.faults(&[fault]);
        let failed = Ran::from(build(&endpoint, &[]).output().unwrap());
        assert!(!failed.stdout.contains("AMIs were created"), "{}", failed.stdout);
        endpoint.faults(&[]);
        kiln(&endpoint, &["cleanup"]).expect(0);
        let beside = images(&endpoint, "us-east-1", &format!("replaced-{}", last_run(&endpoint)));
        let named = images(&endpoint, "us-east-1", "replaced");
        assert!(!beside.is_empty() || !named.is_empty(), "no image is left");
        for image in beside.iter().chain(&named) {
            assert!(!endpoint.snapshots("us-east-1", image).is_empty(), "{image}: no snapshot");
        }
        // What stays is a product: no lease is left on it.
        let leases = endpoint.held(&["us-east-1"]).into_iter().filter(|id| id.contains(" lease ")).collect::<Vec<_>>();
        assert_eq!(leases, Vec::<String>::new());
    }
}

#[test]
fn killed_while_an_older_image_goes_a_run_loses_neither() {
    let endpoint = endpoint();
    with_an_older_image(&endpoint, "");
    endpoint.faults(&[hang("DeregisterImage", "after")]);
    let run = killed_at(&endpoint, "DeregisterImage");
    kiln(&endpoint, &["cleanup"]).expect(0);
    let new = images(&endpoint, "us-east-1", &format!("replaced-{run}"));
    let kept = endpoint.held(&["us-east-1"]).into_iter().filter(|id| id.contains(" snapshot ")).count();
    assert_eq!((new.len(), kept), (1, 1), "the new image with its snapshot, and no other one");
}

#[test]
fn a_first_call_that_nobody_answers_is_asked_again() {
    let endpoint = endpoint();
    endpoint.sandbox.file("t.pkr.hcl", &template("unanswered", "", ""));
    endpoint.faults(&[hang("GetCallerIdentity", "before"), hang("DescribeImages", "before")]);
    Ran::from(build(&endpoint, &[]).output().unwrap()).expect(0);
}
