//! What `kiln version` and `kiln validate` cost, from 1,000 to 100,000 lines. `cargo bench --bench validate`
//!
//! The microseconds that a line takes, start-up left out, must not grow with the number of lines: the last column tells how many
//! times those of the smallest configuration they are. Nothing is asserted: what a machine takes is no property of the program.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measures, or stops")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// Files that each configuration is spread over.
const FILES: usize = 20;
const LINES: [usize; 5] = [1_000, LIMITED, 20_000, 50_000, 100_000];
/// The lines of the configuration that people notice the cost of.
const LIMITED: usize = 5_000;
/// What it should cost, in milliseconds of CPU time.
const VALIDATE_LIMIT: f64 = 50.0;
/// The same for `version`.
const VERSION_LIMIT: f64 = 10.0;

/// A kind of configuration: the lines of its item of a number.
type Item = fn(usize) -> String;

const KINDS: [(&str, Item); 3] = [("locals", local), ("mixed", mixed), ("builds", build)];

/// Ten locals in a row refer to each other.
fn local(at: usize) -> String {
    match at % 10 {
        0 => format!("locals {{ v{at} = \"base-{at}\" }}\n"),
        _ => format!("locals {{ v{at} = \"${{local.v{}}}-{at}\" }}\n", at - 1),
    }
}

/// Objects, functions, `for` expressions, heredocs and conditionals.
fn mixed(at: usize) -> String {
    let before = |steps: usize| format!("local.v{}", at - steps);
    let value = match at % 6 {
        0 => format!("\"base-{at}\""),
        1 => format!("upper({})", before(1)),
        2 => format!("{{\n    a = {}\n    b = [1, \"two\", {}]\n  }}", before(1), before(2)),
        3 => format!("[for k, v in {} : \"${{k}}-x\" if k != \"b\"]", before(1)),
        4 => format!("<<-EOT\n    Hello ${{{}}}\n    and some more text\n  EOT", before(4)),
        _ => format!("{at} > 3 ? format(\"%s-%d\", {}, {at} * 2) : \"x\"", before(5)),
    };
    format!("locals {{\n  v{at} = {value}\n}}\n")
}

/// A source and a build that uses it, as long as real ones are.
fn build(at: usize) -> String {
    format!(
        r#"source "amazon-ebs" "s{at}" {{
  region        = "eu-west-1"
  instance_type = "t3.micro"
  ami_name      = "image-{at}-${{formatdate("YYYYMMDD", "2026-01-01T00:00:00Z")}}"
  ssh_username  = "ubuntu"
  source_ami_filter {{
    filters = {{
      name                = "ubuntu/images/*ubuntu-jammy-22.04-amd64-server-*"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }}
    most_recent = true
    owners      = ["099720109477"]
  }}
  tags = {{
    Name = "image-{at}"
  }}
}}
build {{
  name    = "b{at}"
  sources = ["source.amazon-ebs.s{at}"]
  provisioner "shell" {{
    environment_vars = ["AT={at}"]
    inline           = ["sudo apt-get update", "echo ${{source.name}} ${{build.ID}}"]
  }}
  post-processor "manifest" {{
    output = "manifest-{at}.json"
  }}
}}
"#
    )
}

/// Writes a configuration of about so many lines; gives the exact number.
fn generate(directory: &Path, item: Item, lines: usize) -> usize {
    let (mut at, mut written) = (0, 0);
    for file in 0..FILES {
        let mut text = String::new();
        let mut here = 0;
        while here < lines / FILES {
            let next = item(at);
            here += next.lines().count();
            text.push_str(&next);
            at += 1;
        }
        written += here;
        if file == 0 {
            write!(text, "source \"null\" \"a\" {{ communicator = \"none\" }}\nbuild {{ sources = [\"null.a\"] }}\n")
                .unwrap();
        }
        std::fs::write(directory.join(format!("{file:02}.pkr.hcl")), text).unwrap();
    }
    written
}

/// CPU time and wall time of one run, in milliseconds.
fn cost(args: &[&str]) -> (f64, f64) {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        Duration::from_micros((usage.user_time() + usage.system_time()).num_microseconds().unsigned_abs())
    };
    let (before, started) = (used(), Instant::now());
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
    let status = command.args(args).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "kiln {args:?} failed");
    ((used() - before).as_secs_f64() * 1e3, started.elapsed().as_secs_f64() * 1e3)
}

/// Of so many runs the cheapest counts: all else on the machine only adds.
fn cheapest(args: &[&str], runs: usize) -> (f64, f64) {
    let costs: Vec<_> = (0..runs).map(|_| cost(args)).collect();
    let least = |of: fn(&(f64, f64)) -> f64| costs.iter().map(of).fold(f64::INFINITY, f64::min);
    (least(|cost| cost.0), least(|cost| cost.1))
}

fn main() {
    let (start, wall) = cheapest(&["version"], 10);
    println!("version: {start:.1} ms CPU, {wall:.1} ms wall; it should stay below {VERSION_LIMIT} ms");
    println!("validate of {LIMITED} lines should stay below {VALIDATE_LIMIT} ms of CPU time\n");
    for (kind, item) in KINDS {
        println!("{kind:8} {:>9} {:>9} {:>9} {:>10}", "CPU ms", "wall ms", "µs a line", "× smallest");
        let mut smallest = None;
        for lines in LINES {
            let directory = tempfile::tempdir().unwrap();
            let written = generate(directory.path(), item, lines);
            let runs = if lines > LIMITED { 2 } else { 10 };
            let (cpu, wall) = cheapest(&["validate", directory.path().to_str().unwrap()], runs);
            let each = (cpu - start) * 1e3 / written as f64;
            let ratio = each / *smallest.get_or_insert(each);
            println!("{written:8} {cpu:9.1} {wall:9.1} {each:9.1} {ratio:10.2}");
        }
        println!();
    }
}
