//! Endurance: throttling without end, hundreds of bakes, and processes that must not grow meanwhile.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::endpoint::{Endpoint, Watched, wait};
use crate::sandbox::can_boot;
use crate::world::{cgroups, elements};

const REGION: [&str; 1] = ["us-east-1"];

/// A template of `n` sources whose machines nobody logs into.
fn template(n: usize, more: &str) -> String {
    let source = |i: usize| {
        format!(
            r#"source "amazon-ebs" "s{i}" {{
  ami_name      = "soak-{i}"
  communicator  = "none"
  instance_type = "t3.micro"
  region        = "us-east-1"
  {more}
  source_ami_filter {{
    filters     = {{ name = "debian-12-amd64-*" }}
    owners      = ["136693071363"]
    most_recent = true
  }}
}}
"#
        )
    };
    let names: Vec<String> = (0..n).map(|i| format!("\"source.amazon-ebs.s{i}\"")).collect();
    let sources: String = (0..n).map(source).collect();
    format!("{sources}build {{ sources = [{}] }}\n", names.join(", "))
}

fn build(endpoint: &Endpoint, more: &[&str]) -> Watched {
    let mut command = endpoint.kiln("state");
    command.arg("build").args(more).arg("t.pkr.hcl");
    Watched::start(command, &endpoint.sandbox.path().join("build.log"))
}

/// What is there besides images, their snapshots and their tags.
fn besides_images(endpoint: &Endpoint) -> BTreeSet<String> {
    let product = |id: &String| ["image", "snapshot", "tag"].contains(&id.split(' ').nth(1).unwrap_or_default());
    endpoint.held(&REGION).into_iter().filter(|id| !product(id)).collect()
}

fn images(endpoint: &Endpoint) -> usize {
    endpoint.held(&REGION).iter().filter(|id| id.contains(" image ")).count()
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Weight {
    files: usize,
    threads: usize,
    children: usize,
    mounts: usize,
    kilobytes: usize,
}

impl Weight {
    fn of(pid: u32) -> Self {
        let process = Path::new("/proc").join(pid.to_string());
        let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
        let number = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default()
        };
        let children = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)).unwrap_or_default();
            parent == pid.to_string()
        });
        Self {
            files: std::fs::read_dir(process.join("fd")).map_or(0, Iterator::count),
            threads: number("Threads:"),
            children: children.count(),
            mounts: std::fs::read_to_string(process.join("mountinfo")).unwrap_or_default().lines().count(),
            kilobytes: number("VmRSS:"),
        }
    }

    /// What is wrong with having become `later`, with room for connections that are about to be closed, and for what the process remembers on purpose.
    #[track_caller]
    fn has_not_grown(self, later: Self, room: usize) {
        let grown = later.files > self.files + room
            || later.threads > self.threads + room
            || later.children > self.children
            || later.mounts > self.mounts
            || later.kilobytes > self.kilobytes + 24 * 1024;
        println!("{self:?}\n{later:?}");
        assert!(!grown, "{self:?} has become {later:?}");
    }
}

#[test]
fn fifty_of_fifty_builds_succeed_with_a_third_of_all_calls_throttled() {
    let endpoint = Endpoint::with_profile(&json!({"machines": "none", "seed": 30}));
    endpoint.sandbox.file("t.pkr.hcl", &template(50, ""));
    let before = besides_images(&endpoint);
    endpoint.faults(&[json!({"kind": "throttle", "probability": 0.3})]);
    let mut build = build(&endpoint, &[]);
    let code = build.finish_within(std::time::Duration::from_secs(300));
    assert_eq!(code, Some(0), "{}", build.output());
    let throttled = endpoint.requests(0).iter().filter(|line| line["code"] == "RequestLimitExceeded").count();
    assert!(throttled > 100, "only {throttled} calls were throttled");
    endpoint.faults(&[]);
    assert_eq!(images(&endpoint), 50);
    wait("the end of all instances", || besides_images(&endpoint) == before);
}

#[test]
fn two_hundred_bakes_in_a_row_leave_the_endpoint_as_it_was() {
    let endpoint = Endpoint::with_profile(&json!({"machines": "none"}));
    endpoint.sandbox.file("t.pkr.hcl", &template(1, "force_deregister = true\n  force_delete_snapshot = true"));
    let before = besides_images(&endpoint);
    let mut weight = None;
    for n in 1..=200 {
        let mut build = build(&endpoint, &[]);
        assert_eq!(build.finish(), Some(0), "bake {n}: {}", build.output());
        if n == 20 {
            weight = Some(Weight::of(endpoint.pid()));
        }
    }
    wait("the end of the last instance", || besides_images(&endpoint) == before);
    assert_eq!(images(&endpoint), 1);
    weight.unwrap().has_not_grown(Weight::of(endpoint.pid()), 8);
}

#[test]
fn two_hundred_builds_in_one_process_do_not_make_it_grow() {
    let endpoint = Endpoint::with_profile(&json!({"machines": "none"}));
    endpoint.sandbox.file("t.pkr.hcl", &template(200, ""));
    let mut build = build(&endpoint, &["-parallel-builds=8"]);
    let mut after = |builds: usize| {
        wait("a build's end", || build.has_ended() || build.output().matches("' finished after").count() >= builds);
        Weight::of(build.pid())
    };
    let (early, late) = (after(30), after(170));
    assert_eq!(build.finish_within(std::time::Duration::from_secs(300)), Some(0), "{}", build.output());
    early.has_not_grown(late, 12);
    assert_eq!(images(&endpoint), 200);
}

#[test]
fn bakes_that_boot_leave_no_mounts_cgroups_or_processes() {
    if !can_boot("bakes_that_boot_leave_no_mounts_cgroups_or_processes") {
        return;
    }
    let endpoint = Endpoint::with_profile(&json!({}));
    endpoint.sandbox.file("t.pkr.hcl", &template(3, "force_deregister = true\n  force_delete_snapshot = true"));
    let before = besides_images(&endpoint);
    let bake = || {
        let mut build = build(&endpoint, &[]);
        assert_eq!(build.finish(), Some(0), "{}", build.output());
        wait("the end of the last instance", || besides_images(&endpoint) == before);
        Weight::of(endpoint.pid())
    };
    // The first one unpacks the base.
    bake();
    let early = bake();
    bake();
    bake();
    early.has_not_grown(bake(), 8);
    let answer = endpoint.ec2(REGION[0], "Action=DescribeInstances");
    let instances = elements(&answer, "instanceId");
    assert_eq!(instances.len(), 15);
    let left: Vec<String> = cgroups().into_iter().filter(|path| instances.iter().any(|id| path.contains(id))).collect();
    assert!(left.is_empty(), "{left:?}");
}
