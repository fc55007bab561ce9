//! Journals that a crash or a full disk has damaged: what they still say is removed, and nothing is made that could not be recorded.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use crate::endpoint::{Endpoint, Watched, wait};
use crate::sandbox::Sandbox;

const REGION: [&str; 1] = ["us-east-1"];

const TEMPLATE: &str = r#"source "amazon-ebs" "t" {
  ami_name                = "kiln-it-journal"
  communicator            = "ssh"
  ssh_host                = "127.0.0.1"
  ssh_port                = 9
  ssh_username            = "nobody"
  instance_type           = "t3.micro"
  region                  = "us-east-1"
  source_ami_filter {
    filters     = { name = "debian-12-amd64-*" }
    owners      = ["136693071363"]
    most_recent = true
  }
}
build { sources = ["source.amazon-ebs.t"] }
"#;

/// A bake that is killed when it has a key, a group and an instance. Its run, and the bytes of its two files.
fn killed(endpoint: &Endpoint) -> (String, Vec<u8>, Vec<u8>) {
    endpoint.sandbox.file("t.pkr.hcl", TEMPLATE);
    let mut command = endpoint.kiln("state");
    command.args(["build", "t.pkr.hcl"]);
    let mut build = Watched::start(command, &endpoint.sandbox.path().join("build.log"));
    wait("the session", || build.output().contains("Waiting for SSH") || build.has_ended());
    build.signal(Signal::SIGKILL);
    build.finish();
    let runs = endpoint.sandbox.path().join("state/runs");
    let files = std::fs::read_dir(&runs).unwrap().map(|entry| entry.unwrap().path());
    let journal = files.into_iter().find(|path| path.extension().is_some_and(|e| e == "journal")).unwrap();
    let run = journal.file_stem().unwrap().to_str().unwrap().to_owned();
    let read = |path: &Path| std::fs::read(path).unwrap();
    (run, read(&journal), read(&journal.with_extension("continuation")))
}

/// The claims that the whole lines of a journal's beginning hold: kind and id, or kind and name where there is no id (yet).
fn owed(beginning: &[u8]) -> Vec<(String, Option<String>, String)> {
    let whole = beginning.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut claims: Vec<(u64, String, Option<String>, String)> = Vec::new();
    for line in beginning[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let entry: Json = serde_json::from_slice(line).unwrap();
        let claim = entry["claim"].as_u64().unwrap_or_default();
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        match entry["entry"].as_str().unwrap() {
            "intent" => {
                let intent = &entry["intent"];
                claims.push((claim, text(&intent["kind"]), None, text(&intent["name"])));
            }
            "made" => {
                claims.iter_mut().filter(|one| one.0 == claim).for_each(|one| one.2 = Some(text(&entry["id"])));
            }
            _ => {}
        }
    }
    claims.into_iter().map(|(_, kind, id, name)| (kind, id, name)).collect()
}

#[test]
fn a_journal_torn_at_any_byte_says_what_its_whole_lines_say() {
    let endpoint = Endpoint::with_profile(&json!({"machines": "none"}));
    let (run, journal, continuation) = killed(&endpoint);
    assert_eq!(owed(&journal).len(), 3, "{}", String::from_utf8_lossy(&journal));
    // One machine with as many runs as there are places to tear at; each in front of a piece of the other file, too.
    let runs = endpoint.sandbox.path().join("torn/runs");
    std::fs::create_dir_all(&runs).unwrap();
    let name = |cut: usize| format!("{}-{cut:012x}", &run[..23]);
    for cut in 0..=journal.len() {
        std::fs::write(runs.join(name(cut) + ".journal"), &journal[..cut]).unwrap();
        let piece = &continuation[..cut.min(continuation.len())];
        std::fs::write(runs.join(name(cut) + ".continuation"), piece).unwrap();
    }
    let shown = endpoint.kiln("torn").args(["cleanup", "--dry-run"]).output().unwrap();
    let (shown, told) = (String::from_utf8(shown.stdout).unwrap(), String::from_utf8(shown.stderr).unwrap());
    assert!(!shown.contains("Warning"), "{shown}\n{told}");
    for cut in 0..=journal.len() {
        let heading = format!("Run {}:\n", name(cut));
        let part = shown.split(&heading).nth(1).map(|rest| rest.split("\nRun ").next().unwrap());
        let wanted = owed(&journal[..cut]);
        assert_eq!(part.is_some(), !wanted.is_empty(), "cut at {cut}");
        for (kind, id, name) in wanted {
            let named = id.unwrap_or(name);
            assert!(part.unwrap().contains(&format!("{kind} {named}")), "cut at {cut}: no {kind} {named} in {part:?}");
        }
    }
    let mut kept = Command::new("ls");
    let listed = String::from_utf8(kept.arg(&runs).output().unwrap().stdout).unwrap();
    assert_eq!(listed.lines().count(), 2 * (journal.len() + 1), "looking changes nothing");
}

/// Cleans up with the beginnings of a journal, each on a machine of its own that knows as much of the run.
fn clean_up_after(endpoint: &Endpoint, (run, journal, continuation): &(String, Vec<u8>, Vec<u8>), cuts: &[usize]) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(cut) = cuts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let state = format!("state-{run}-{cut}");
            let runs = endpoint.sandbox.path().join(&state).join("runs");
            std::fs::create_dir_all(&runs).unwrap();
            std::fs::write(runs.join(format!("{run}.journal")), &journal[..*cut]).unwrap();
            std::fs::write(runs.join(format!("{run}.continuation")), &continuation[..continuation.len() / 2]).unwrap();
            let mut command = endpoint.kiln(&state);
            command.arg("cleanup");
            let mut cleanup = Watched::start(command, &endpoint.sandbox.path().join(format!("{state}.log")));
            assert_eq!(cleanup.finish(), Some(0), "cut at {cut}: {}", cleanup.output());
            let (claims, held) = (owed(&journal[..*cut]), endpoint.held(&REGION));
            for (kind, id, name) in &claims {
                let named = |one: &String| !name.is_empty() && one.ends_with(name);
                let known = |one: &String| id.as_ref().is_some_and(|id| one.ends_with(id));
                let is_left = |one: &String| one.contains(&format!(" {kind} ")) && (named(one) || known(one));
                assert!(!held.iter().any(is_left), "cut at {cut}: {kind} is left of {held:?}");
            }
            let has_keys = runs.join(format!("{run}.continuation")).exists();
            assert!(
                claims.is_empty() || !has_keys,
                "cut at {cut}: the keys of a run of which nothing is left are kept"
            );
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(work);
        }
    });
}

#[test]
fn what_a_torn_journal_still_says_is_removed() {
    let endpoint = Endpoint::with_profile(&json!({"machines": "none"}));
    let before = endpoint.held(&REGION);
    // At the end of each line, and in the middle of the next one.
    let cuts = |journal: &[u8]| -> Vec<usize> {
        let ends = (0..journal.len()).filter(|at| journal[*at] == b'\n').map(|at| at + 1);
        ends.flat_map(|end| [end, end + 20]).filter(|cut| *cut <= journal.len()).collect()
    };
    let knows_instance = |journal: &[u8], cut: usize| owed(&journal[..cut]).iter().any(|(kind, ..)| kind == "instance");

    // An instance that the journal does not know of any more ends by its own deadline. Until then its group is in use.
    let early = killed(&endpoint);
    let instance = endpoint.held(&REGION).into_iter().find(|one| one.contains(" instance ")).unwrap();
    let id = instance.rsplit(' ').next().unwrap();
    endpoint.ec2(REGION[0], &format!("Action=TerminateInstances&InstanceId.1={id}"));
    let part: Vec<usize> = cuts(&early.1).into_iter().filter(|cut| !knows_instance(&early.1, *cut)).collect();
    clean_up_after(&endpoint, &early, &part);

    std::fs::remove_dir_all(endpoint.sandbox.path().join("state")).unwrap();
    let late = killed(&endpoint);
    let part: Vec<usize> = cuts(&late.1).into_iter().filter(|cut| knows_instance(&late.1, *cut)).collect();
    assert!(part.len() > 2, "{part:?}");
    clean_up_after(&endpoint, &late, &part);
    let left: BTreeSet<String> = endpoint.held(&REGION).difference(&before).cloned().collect();
    assert_eq!(left, BTreeSet::new());
}

/// Runs the bake with its journal on a disk of that size, which nobody else sees. `None` where that is not possible.
fn on_small_disk(endpoint: &Endpoint, state: &str, bytes: usize) -> Option<(Option<i32>, String)> {
    let directory = endpoint.sandbox.path().join(state);
    std::fs::create_dir_all(&directory).unwrap();
    let kiln = endpoint.kiln(state);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c"]);
    // What was on the disk is copied out of the namespace for `kiln cleanup`, which must not depend on it.
    let script = "mount -t tmpfs -o size=$0 tmpfs \"$1\" && { \"$2\" build t.pkr.hcl; code=$?; cp -r \"$1/runs\" \"$3\"; exit $code; }";
    command.arg(script).arg(bytes.to_string()).arg(&directory).arg(kiln.get_program());
    command.arg(endpoint.sandbox.path().join(format!("{state}.runs")));
    command.env_clear().envs(kiln.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(endpoint.sandbox.path());
    let mut build = Watched::start(command, &endpoint.sandbox.path().join(format!("{state}.log")));
    let code = build.finish();
    let output = build.output();
    if output.contains("mount:") || output.contains("unshare:") {
        println!("skipped, no mount namespace here: {output}");
        return None;
    }
    Some((code, output))
}

#[test]
fn a_full_disk_is_said_to_be_so_before_anything_is_made_that_could_not_be_recorded() {
    let endpoint = Endpoint::with_profile(&json!({"machines": "none"}));
    let login = "  ssh_host                = \"127.0.0.1\"\n";
    let quick = TEMPLATE.replace("\"ssh\"", "\"none\"").replace(login, "");
    // The name is in every line of the journal.
    let quick =
        quick.replace("  ssh_port                = 9\n", "").replace("\"t\"", &format!("\"{}\"", "t".repeat(300)));
    endpoint.sandbox.file("t.pkr.hcl", &quick.replace("amazon-ebs.t", &format!("amazon-ebs.{}", "t".repeat(300))));
    let before = endpoint.held(&REGION);
    let (mut failed, page) = (0, 4096);
    for pages in 1..9 {
        let state = format!("small-{pages}");
        let Some((code, output)) = on_small_disk(&endpoint, &state, pages * page) else { return };
        if code == Some(0) {
            break;
        }
        failed += 1;
        assert_eq!(code, Some(1), "{pages} pages: {output}");
        assert!(output.contains("No space left on device"), "{pages} pages: {output}");
        let ended = || endpoint.held(&REGION) == before;
        wait(&format!("the end of what was made with {pages} pages of journal\n{output}"), ended);
    }
    assert!(failed > 0, "no disk was small enough");
}

#[test]
fn a_journal_that_cannot_be_made_is_said_to_be_so() {
    let sandbox = Sandbox::new();
    sandbox.file("state", "a file where a directory should be");
    sandbox.file(
        "t.pkr.hcl",
        "source \"null\" \"a\" {\n  communicator = \"none\"\n}\nbuild { sources = [\"source.null.a\"] }\n",
    );
    let ran = sandbox.run(&["build", "t.pkr.hcl"]).expect(1);
    assert!(ran.stdout.contains("nothing was created") && ran.stdout.contains("state"), "{}", ran.stdout);
}
