//! What `kiln version` and `kiln validate` cost, from 1,000 to 100,000 lines. `cargo bench --bench validate`
//!
//! The microseconds a line take must not grow with the number of lines.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measures, or stops")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// Files that each configuration is spread over.
const FILES: usize = 20;
const LINES: [usize; 5] = [1_000, 5_000, 20_000, 50_000, 100_000];
/// Of so many runs the cheapest counts: all else on the machine only adds.
const RUNS: usize = 3;
/// What a configuration of 5,000 lines and `version` may cost.
const LIMITS: [(&str, f64); 2] = [("validate of 5,000 lines", 50.0), ("version", 10.0)];

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

/// A source and a build that uses it.
fn build(at: usize) -> String {
    format!(
        "source \"null\" \"s{at}\" {{\n  communicator = \"none\"\n}}\nbuild {{\n  sources = [\"source.null.s{at}\"]\n  \
         provisioner \"shell-local\" {{\n    inline = [\"echo ${{source.name}}\"]\n  }}\n}}\n"
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

fn cheapest(args: &[&str], runs: usize) -> (f64, f64) {
    let costs: Vec<_> = (0..runs).map(|_| cost(args)).collect();
    let least = |of: fn(&(f64, f64)) -> f64| costs.iter().map(of).fold(f64::INFINITY, f64::min);
    (least(|cost| cost.0), least(|cost| cost.1))
}

fn main() {
    let (cpu, wall) = cheapest(&["version"], 10);
    println!("version: {cpu:.1} ms CPU, {wall:.1} ms wall; limit {} ms: {:.2} of it", LIMITS[1].1, cpu / LIMITS[1].1);
    println!("{:8} {:>8} {:>10} {:>10}   µs of CPU a line", "kind", "lines", "CPU ms", "wall ms");
    for (kind, item) in KINDS {
        for lines in LINES {
            let directory = tempfile::tempdir().unwrap();
            let written = generate(directory.path(), item, lines);
            let runs = if lines > 20_000 { 1 } else { RUNS };
            let (cpu, wall) = cheapest(&["validate", directory.path().to_str().unwrap()], runs);
            let each = cpu * 1e3 / written as f64;
            let curve = "#".repeat(each.round() as usize);
            println!("{kind:8} {written:8} {cpu:10.1} {wall:10.1} {each:6.1} {curve}");
            if lines == 5_000 {
                println!("{:28} {}: {:.2} of its limit of {} ms", "", LIMITS[0].0, cpu / LIMITS[0].1, LIMITS[0].1);
            }
        }
    }
}
