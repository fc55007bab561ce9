//! Things that cannot be removed: told at once, waited for by nobody, listed with the remedy; and clean-ups that are interrupted.

use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use crate::endpoint::{Endpoint, Watched, wait};
use crate::sandbox::Ran;
use crate::world;

/// A build that fails when its instance is there.
fn failing() -> String {
    let source = "ami_name = \"kiln-it-refused\"\n  instance_type = \"t3.micro\"\n  communicator = \"none\"";
    world::template(source, "provisioner \"shell-local\" { inline = [\"exit 7\"] }")
}

fn endpoint() -> Endpoint {
    let endpoint = Endpoint::with_profile(&json!({"machines": "none"}));
    endpoint.sandbox.file("t.pkr.hcl", &failing());
    endpoint
}

fn start(endpoint: &Endpoint, state: &str, args: &[&str]) -> Watched {
    let mut command: Command = endpoint.kiln(state);
    command.args(args);
    Watched::start(command, &endpoint.sandbox.path().join(format!("{}.log", args[0])))
}

/// Runs it to its end; what waits for 20 minutes has failed.
#[track_caller]
fn run(endpoint: &Endpoint, state: &str, args: &[&str], code: i32) -> Ran {
    let mut watched = start(endpoint, state, args);
    let ended = watched.finish();
    let stdout = watched.output();
    assert_eq!(ended, Some(code), "{args:?}:\n{stdout}");
    Ran { stdout, stderr: String::new(), code }
}

fn calls(endpoint: &Endpoint, action: &str) -> usize {
    endpoint.requests(0).iter().filter(|request| request["action"] == action).count()
}

/// Leaves an instance and its group behind and gives the run's id.
fn left_behind(endpoint: &Endpoint) -> String {
    let told = run(endpoint, "state", &["build", "--lease", "1s", "-on-error=abort", "t.pkr.hcl"], 4).stdout;
    told.split("kiln cleanup ").nth(1).unwrap()[..36].to_owned()
}

/// Waits until clean-ups by tags see the end of the lease.
fn lease_has_ended(endpoint: &Endpoint) {
    wait("the end of the lease", || {
        let dry = endpoint.kiln("elsewhere").args(["cleanup", "--dry-run", "--region", "us-east-1"]).output().unwrap();
        Ran::from(dry).stdout.contains("instance i-")
    });
}

#[track_caller]
fn says_why(ran: &Ran) {
    let told = ran.stdout.lines().position(|line| line.contains("could not be removed: TerminateInstances i-"));
    let depends = ran.stdout.lines().position(|line| {
        line.contains("security-group sg-")
            && line.contains("could not be removed: instance i-")
            && line.contains("uses it and could not be terminated")
    });
    assert!(told.is_some() && told < depends, "{}", ran.stdout);
    assert!(ran.stdout.contains("kiln cleanup "), "{}", ran.stdout);
}

#[test]
fn an_instance_that_cannot_be_terminated_is_told_at_once_and_holds_nobody_up() {
    let refusals = [
        json!({"action": "TerminateInstances", "kind": "unauthorized"}),
        json!({"action": "TerminateInstances", "kind": "error", "code": "OperationNotPermitted", "status": 400,
            "message": "The instance may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."}),
    ];
    for refusal in refusals {
        let endpoint = endpoint();
        endpoint.faults(&[refusal]);
        let built = run(&endpoint, "state", &["build", "--lease", "1s", "t.pkr.hcl"], 4);
        says_why(&built);
        assert!(built.stdout.contains("2 resources are left behind"), "{}", built.stdout);
        assert!(built.last_line().contains("non-zero exit status: 7"), "the cause comes last:\n{}", built.stdout);

        let cleaned = run(&endpoint, "state", &["cleanup"], 4);
        says_why(&cleaned);
        assert_eq!(cleaned.stdout.matches(" is left: ").count(), 2, "{}", cleaned.stdout);
        lease_has_ended(&endpoint);
        says_why(&run(&endpoint, "elsewhere", &["cleanup", "--region", "us-east-1"], 4));
        assert!(calls(&endpoint, "DeleteSecurityGroup") < 60, "{}", calls(&endpoint, "DeleteSecurityGroup"));

        endpoint.faults(&[]);
        run(&endpoint, "state", &["cleanup"], 0);
        assert_eq!(endpoint.held(&["us-east-1"]).len(), 0);
    }
}

#[test]
fn a_group_that_cannot_go_holds_nothing_up() {
    let endpoint = endpoint();
    endpoint.faults(&[json!({"action": "DeleteSecurityGroup", "kind": "unauthorized"})]);
    let built = run(&endpoint, "state", &["build", "t.pkr.hcl"], 4);
    let told = "security-group sg-";
    assert!(built.stdout.contains("could not be removed: DeleteSecurityGroup sg-"), "{}", built.stdout);
    assert!(built.stdout.contains("1 resource is left behind") && built.stdout.contains(told), "{}", built.stdout);
    assert!(!endpoint.held(&["us-east-1"]).iter().any(|id| id.contains("instance ")));
}

/// Terminating hangs: nobody knows what became of it.
fn hangs() -> Json {
    json!({"action": "TerminateInstances", "kind": "hang"})
}

#[test]
fn a_clean_up_that_is_interrupted_says_what_is_left() {
    for by_tags in [false, true] {
        let endpoint = endpoint();
        let id = left_behind(&endpoint);
        lease_has_ended(&endpoint);
        endpoint.faults(&[hangs()]);
        let (state, args): (_, &[&str]) =
            if by_tags { ("elsewhere", &["cleanup", "--region", "us-east-1"]) } else { ("state", &["cleanup"]) };
        let mut cleanup = start(&endpoint, state, args);
        wait("the calls", || calls(&endpoint, "TerminateInstances") > 0 && calls(&endpoint, "DeleteSecurityGroup") > 1);
        cleanup.signal(Signal::SIGINT);
        let code = cleanup.finish();
        let told = cleanup.output();
        assert_eq!(code, Some(4), "{told}");
        let line = |what: &str| told.lines().find(|line| line.contains(" is left: ") && line.contains(what)).unwrap();
        assert!(line("instance i-").contains("not confirmed before the interruption"), "{told}");
        assert!(!line("instance i-").contains("DependencyViolation"), "that is about the group:\n{told}");
        assert!(line("security-group sg-").contains("DependencyViolation"), "the last known reason:\n{told}");
        assert!(line("instance i-").contains(&id), "{told}");
        assert!(told.trim_end().ends_with("run it again to go on"), "{told}");
        endpoint.faults(&[]);
        run(&endpoint, state, args, 0);
        assert_eq!(endpoint.held(&["us-east-1"]).len(), 0);
    }
}

#[test]
fn runs_that_an_interruption_finds_waiting_are_told_too() {
    let endpoint = endpoint();
    let ids = [left_behind(&endpoint), left_behind(&endpoint)];
    endpoint.faults(&[hangs()]);
    let mut cleanup = start(&endpoint, "state", &["cleanup"]);
    wait("the call", || calls(&endpoint, "TerminateInstances") > 0);
    cleanup.signal(Signal::SIGTERM);
    let code = cleanup.finish();
    let told = cleanup.output();
    assert_eq!(code, Some(4), "{told}");
    for id in ids {
        assert!(told.contains(&format!("(kiln cleanup {id})")), "{told}");
    }
    assert!(told.contains("interrupted before it was asked for"), "{told}");
}

#[test]
fn a_signal_in_a_clean_up_is_answered() {
    let endpoint = endpoint();
    endpoint.faults(&[hangs()]);
    let mut build = start(&endpoint, "state", &["build", "t.pkr.hcl"]);
    wait("the call", || calls(&endpoint, "TerminateInstances") > 0);
    build.signal(Signal::SIGINT);
    wait("an answer", || build.output().contains("a second Ctrl-C leaves without waiting"));
    let told = build.output();
    let answer = told.lines().find(|line| line.contains("waiting for: ")).unwrap();
    assert!(answer.contains("instance i-") && answer.contains("security-group sg-"), "{told}");
    build.signal(Signal::SIGINT);
    let code = build.finish();
    assert_eq!(code, Some(4), "{}", build.output());
}

#[test]
fn the_beginning_of_an_id_that_is_not_one_runs_removes_nothing() {
    let endpoint = endpoint();
    let ids = [left_behind(&endpoint), left_behind(&endpoint)];
    lease_has_ended(&endpoint);
    wait("the end of both leases", || {
        let dry = endpoint.kiln("elsewhere").args(["cleanup", "--dry-run", "--region", "us-east-1"]).output().unwrap();
        ids.iter().all(|id| Ran::from(dry.clone()).stdout.contains(id.as_str()))
    });
    let held = endpoint.held(&["us-east-1"]);
    // Ids begin with the time.
    let common = &ids[0][..6];
    for state in ["state", "elsewhere"] {
        let region: &[&str] = if state == "state" { &[] } else { &["--region", "us-east-1"] };
        let cleanup = |id: &str, code| run(&endpoint, state, &[&["cleanup", id], region].concat(), code).stdout;
        let told = cleanup(common, 1);
        assert!(told.contains("2 runs begin with") && ids.iter().all(|id| told.contains(id.as_str())), "{told}");
        assert!(cleanup("", 1).contains("an empty run id"));
        assert_eq!(endpoint.held(&["us-east-1"]), held, "nothing is removed");
    }
    run(&endpoint, "state", &["cleanup", &ids[0]], 0);
    run(&endpoint, "elsewhere", &["cleanup", "--region", "us-east-1", &ids[1][..35]], 0);
    assert_eq!(endpoint.held(&["us-east-1"]).len(), 0);
}
