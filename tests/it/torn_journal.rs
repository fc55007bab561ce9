//! A journal that has lost whole lines: what the run made is found by its tags, removed by `kiln cleanup` and gone on with by `kiln resume`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::endpoint::{Endpoint, Watched, wait};
use crate::sandbox::Ran;
use crate::world;

const REGION: [&str; 1] = ["us-east-1"];
const VERBS: [&str; 2] = ["cleanup", "resume"];

/// A bake of its own that is killed when EC2 has made an image and not answered. Its run's journal.
fn killed(endpoint: &Endpoint, name: &str) -> PathBuf {
    let mut command = endpoint.kiln(name);
    command.args(["build", "-var", &format!("name={name}"), "t.pkr.hcl"]);
    let mut build = Watched::start(command, &endpoint.sandbox.path().join(format!("{name}.log")));
    let asked = || endpoint.requests(0).iter().any(|r| r["action"] == "CreateImage" && r["params"]["Name"] == name);
    wait("the image", || asked() || build.has_ended());
    assert!(!build.has_ended(), "{}", build.output());
    build.signal(Signal::SIGKILL);
    build.finish();
    let runs = endpoint.sandbox.path().join(name).join("runs");
    let mut files = std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|e| e == "journal")).unwrap()
}

/// Where a journal is cut: behind `lines` of its lines, and in the middle of the next one.
fn cut(journal: &PathBuf, lines: usize) {
    let text = std::fs::read_to_string(journal).unwrap();
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    let torn = all.get(lines).map_or("", |next| &next[..next.len() / 2]);
    std::fs::write(journal, all[..lines].concat() + torn).unwrap();
}

/// Does `work` for all numbers below `end`, six at a time.
fn side_by_side(end: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < end) {
                    work(number);
                }
            });
        }
    });
}

#[test]
fn what_no_line_names_any_more_is_removed_or_gone_on_with() {
    let endpoint = Endpoint::with_profile(&json!({"machines": "none"}));
    let own = "ami_name = var.name\n  instance_type = \"t3.micro\"\n  communicator = \"none\"";
    let template = world::template(own, "").replace("  ssh_username = \"admin\"\n", "");
    endpoint.sandbox.file("t.pkr.hcl", &format!("variable \"name\" {{}}\n{template}"));
    endpoint.faults(&[json!({"action": "CreateImage", "kind": "hang", "when": "after"})]);
    let before = endpoint.held(&REGION);

    let lines = std::fs::read_to_string(killed(&endpoint, "whole")).unwrap().lines().count();
    assert!(lines > 10, "{lines}");
    let name = |number: usize| format!("torn-{}-{}", VERBS[number % 2], number / 2);
    side_by_side(2 * lines, |number| cut(&killed(&endpoint, &name(number)), number / 2));
    endpoint.faults(&[]);
    let whole = Ran::from(endpoint.kiln("whole").arg("cleanup").output().unwrap()).expect(0);
    assert!(!whole.stdout.contains("by its tag"), "{}", whole.stdout);

    side_by_side(2 * lines, |number| {
        let (name, verb) = (name(number), VERBS[number % 2]);
        let runs = std::fs::read_dir(endpoint.sandbox.path().join(&name).join("runs")).unwrap();
        let run = runs.map(|file| file.unwrap().path()).next().unwrap();
        let run = run.file_stem().unwrap().to_str().unwrap();
        let shown = Ran::from(endpoint.kiln(&name).args(["cleanup", "--dry-run"]).output().unwrap()).expect(0);
        for kind in ["security-group ", "instance ", "image "] {
            assert!(shown.stdout.contains(kind), "{name}: no {kind} in {}", shown.stdout);
        }
        let mut command = endpoint.kiln(&name);
        command.args([verb, run]);
        let mut ended = Watched::start(command, &endpoint.sandbox.path().join(format!("{name}.end")));
        assert_eq!(ended.finish(), Some(0), "{name}: {}", ended.output());
    });
    let asked = endpoint.requests(0);
    let calls = |action: &str| asked.iter().filter(|request| request["action"] == action).count();
    assert_eq!((calls("RunInstances"), calls("CreateImage")), (2 * lines + 1, 2 * lines + 1));
    let left = || endpoint.held(&REGION).difference(&before).cloned().collect::<Vec<_>>();
    wait("the end of all machines", || left().iter().all(|id| !id.contains(" instance ")));
    let images = left().iter().filter(|id| id.contains(" image ")).count();
    let others =
        left().into_iter().filter(|id| !id.contains(" image ") && !id.contains("snap") && !id.contains(" ami-"));
    assert_eq!((images, others.collect::<Vec<_>>()), (lines, Vec::new()));
}
