//! Whose account a run works in: whoever cleans up or goes on must come to the same one, since in another nothing would be found and all be taken for gone.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::endpoint::{Endpoint, Watched, wait};
use crate::sandbox::Ran;
use crate::world;

/// A bake that is killed while it waits for SSH, for an account that these lines of the template choose.
fn killed(endpoint: &Endpoint, lines: &str) {
    let own =
        "ami_name = \"kiln-it-accounts\"\n  instance_type = \"t3.micro\"\n  ssh_host = \"127.0.0.1\"\n  ssh_port = 9";
    endpoint.sandbox.file("t.pkr.hcl", &world::template(&format!("{own}\n  {lines}"), ""));
    let mut command = endpoint.kiln("state");
    command.args(["build", "t.pkr.hcl"]);
    let mut build = Watched::start(command, &endpoint.sandbox.path().join("build.log"));
    wait("the session", || build.output().contains("Waiting for SSH") || build.has_ended());
    assert!(!build.has_ended(), "{}", build.output());
    build.signal(Signal::SIGKILL);
    build.finish();
}

/// Calls that would remove something.
fn removals(endpoint: &Endpoint) -> usize {
    let of = ["Terminate", "Delete", "Deregister"];
    endpoint
        .requests(0)
        .iter()
        .filter(|r| of.iter().any(|verb| r["action"].as_str().unwrap().starts_with(verb)))
        .count()
}

#[test]
fn in_another_account_nothing_is_taken_for_gone() {
    let endpoint = Endpoint::with_profile(&json!({"machines": "none"}));
    let before = endpoint.held(&["us-east-1"]);
    killed(&endpoint, "");
    let as_other = |args: &[&str]| {
        let mut command = endpoint.kiln("state");
        Ran::from(command.env("AWS_ACCESS_KEY_ID", "222233334444").args(args).output().unwrap())
    };
    let run = as_other(&["runs", "--json"]).expect(0).stdout;
    let run: serde_json::Value = serde_json::from_str(run.trim()).unwrap();
    let run = run["run"].as_str().unwrap();
    as_other(&["cleanup"]).expect(4).says("the credentials are of account").says("AWS_PROFILE");
    as_other(&["resume", run]).expect(4).says("the credentials are of account");
    assert_eq!(removals(&endpoint), 0);
    let cleaned = Ran::from(endpoint.kiln("state").arg("cleanup").output().unwrap()).expect(0);
    cleaned.says("nothing is left");
    wait("the end of the machine", || endpoint.held(&["us-east-1"]) == before);
}

#[test]
fn the_templates_own_credentials_clean_up_after_it() {
    let endpoint = Endpoint::with_profile(&json!({"machines": "none"}));
    let keys = "access_key = \"222233334444\"\n  secret_key = \"s3cr3t-of-the-template\"";
    killed(&endpoint, keys);
    let cleaned = Ran::from(endpoint.kiln("state").arg("cleanup").output().unwrap()).expect(0);
    assert!(removals(&endpoint) >= 3 && cleaned.stdout.contains("nothing is left"), "{}", cleaned.stdout);
    for file in std::fs::read_dir(endpoint.sandbox.path().join("state/runs")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("s3cr3t-of-the-template"), "{text}");
    }
}
