//! What a bake adds to the time that EC2 itself needs. `cargo bench --bench bake` (as root: instances boot; three minutes)
//!
//! Local EC2 takes as long for everything as was measured on EC2 (the medians of its `realistic` profile). Its changes of state on the critical path (run,
//! stop, image) are its own; so are the few calls that no client can leave out or put beside another one. The rest of the wall time is the bake's own,
//! log-in and the noticing of states included.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measures, or stops")]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Seconds of what is on the longest chain, by the names of a profile.
const TIMINGS: [(&str, f64); 6] =
    [("read_call", 0.12), ("write_call", 0.6), ("launch_call", 2.0), ("run", 12.0), ("stop", 31.0), ("image", 75.0)];

/// Changes of state on the critical path. Each begins when its call arrives, so that the call's own time is in it.
const STATES: [&str; 3] = ["run", "stop", "image"];

/// Calls between them: a look at what is there, a security group (with a key beside it), and at the end the instance's end (with the image's hand-over beside it).
const CALLS: [&str; 3] = ["read_call", "write_call", "write_call"];

/// What a bake may add, in seconds.
const LIMIT: f64 = 2.0;

const TEMPLATE: &str = r#"
source "amazon-ebs" "bench" {
  region        = "us-east-1"
  ami_name      = "bench-{{timestamp}}"
  instance_type = "t3.micro"
  ssh_username  = "admin"
  source_ami_filter {
    filters     = { name = "debian-12-amd64-*" }
    owners      = ["136693071363"]
    most_recent = true
  }
}
build {
  sources = ["source.amazon-ebs.bench"]
  provisioner "shell" { inline = ["echo ready"] }
}
"#;

fn seconds(name: &str) -> f64 {
    TIMINGS.iter().find(|(own, _)| *own == name).unwrap().1
}

/// One bake with a profile: its seconds of wall time, and what it said.
fn bake(directory: &Path, profile: &str) -> (f64, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
    command.args(["build", "--local", "--local-profile", profile, "t.pkr.hcl"]).current_dir(directory);
    command.env("KILN_STATE_DIR", directory.join("state")).env("KILN_DATA_DIR", directory.join("data"));
    let started = Instant::now();
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    (started.elapsed().as_secs_f64(), text)
}

fn main() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("t.pkr.hcl"), TEMPLATE).unwrap();
    let timings: Vec<String> = TIMINGS.iter().map(|(name, seconds)| format!("{name:?}: {seconds}")).collect();
    let profile = format!(r#"{{"base": "instant", "timings": {{{}}}}}"#, timings.join(", "));
    std::fs::write(directory.path().join("medians.json"), profile).unwrap();

    let (instant, _) = bake(directory.path(), "instant");
    println!("EC2 answers at once:     {instant:7.2} s");
    let (wall, told) = bake(directory.path(), "medians.json");
    let sum = |names: &[&str]| names.iter().map(|name| seconds(name)).sum::<f64>();
    let (states, calls) = (sum(&STATES), sum(&CALLS));
    let added = wall - states - calls;
    println!(
        "EC2 as slow as measured: {wall:7.2} s, of which EC2's states {states:.2} s and {calls:.2} s of calls that must be"
    );
    println!("the bake adds:           {added:7.2} s; limit {LIMIT} s: {:.2} of it", added / LIMIT);
    let table = told.lines().skip_while(|line| !line.contains("Where the time went"));
    table.take_while(|line| !line.trim().is_empty()).for_each(|line| println!("{line}"));
}
