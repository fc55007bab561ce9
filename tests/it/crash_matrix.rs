//! Nothing is left behind, quantified over failure: a golden bake is recorded, then run again for each of its calls that change something, and each
//! way in which that call, or Kiln during it, can come to grief. Afterwards the endpoint must hold what it held before, and products that Kiln named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use crate::endpoint::{Endpoint, Watched};
use crate::sandbox::{Sandbox, can_boot};
use crate::ssh_server::{Shell, SshServer};

/// Where the bake makes something.
const REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];
/// Cells that run at once: most of a cell's time is waiting for late effects.
const WORKERS: usize = 8;
/// How long what was accepted may take to show: an instance that shuts down, for one.
const SETTLED: Duration = Duration::from_secs(8);

fn template(more: &str) -> String {
    format!(
        r#"variable "name" {{ type = string }}
source "amazon-ebs" "t" {{
  ami_name        = var.name
  ami_description = "golden"
  ami_regions     = ["us-west-2"]
  tags            = {{ Purpose = "golden" }}
  run_tags        = {{ Purpose = "temporary" }}
  snapshot_tags   = {{ Purpose = "golden" }}
  region          = "us-east-1"
  {more}
  source_ami_filter {{
    filters     = {{ name = "debian-12-amd64-*" }}
    owners      = ["136693071363"]
    most_recent = true
  }}
}}
build {{ sources = ["source.amazon-ebs.t"] }}
"#
    )
}

/// More of a source: an image that another account may use.
const SHARED: &str = r#"instance_type  = "t3.micro"
  ami_users      = ["111122223333"]
  snapshot_users = ["111122223333"]"#;

/// More of a source: an image that is encrypted, which is a copy, and a machine with permissions of its own.
const ENCRYPTED: &str = r#"instance_type = "t3.micro"
  encrypt_boot  = true
  temporary_iam_instance_profile_policy_document {
    Version = "2012-10-17"
    Statement {
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = ["*"]
    }
  }"#;

/// One call of the golden bake. Concurrent calls come in any order, so a call is known by what it does and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    action: String,
    region: String,
    occurrence: u64,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in {}", self.action, self.occurrence, self.region)
    }
}

/// How a call, or Kiln during it, comes to grief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grief {
    /// EC2 says no.
    Refused,
    /// EC2 fails; the call has no effect.
    FailsBefore,
    /// EC2 fails; the call has its effect.
    FailsAfter,
    /// The call has its effect and the connection is lost.
    LostReply,
    /// No answer comes, and this signal does. `before` or `after` the effect.
    Signal(Signal, &'static str),
}

const GRIEFS: [Grief; 10] = [
    Grief::Refused,
    Grief::FailsBefore,
    Grief::FailsAfter,
    Grief::LostReply,
    Grief::Signal(Signal::SIGINT, "before"),
    Grief::Signal(Signal::SIGINT, "after"),
    Grief::Signal(Signal::SIGTERM, "before"),
    Grief::Signal(Signal::SIGTERM, "after"),
    Grief::Signal(Signal::SIGKILL, "before"),
    Grief::Signal(Signal::SIGKILL, "after"),
];

impl Grief {
    fn rule(self, call: &Call, cell: &str) -> Json {
        let (kind, when) = match self {
            Self::Refused => ("error", "before"),
            Self::FailsBefore => ("internal", "before"),
            Self::FailsAfter => ("internal", "after"),
            Self::LostReply => ("lost_reply", "after"),
            Self::Signal(_, when) => ("hang", when),
        };
        // The text tells the rules of two cells apart, so that each counts from the start.
        let mut rule = json!({"action": call.action, "region": call.region, "nth": [call.occurrence], "kind": kind, "when": when,
                              "message": format!("You are not authorized ({cell}).")});
        if kind == "error" {
            rule["code"] = json!("UnauthorizedOperation");
            rule["status"] = json!(403);
        }
        rule
    }

    /// Faults that pass are no reason for a build to fail.
    fn passes(self) -> bool {
        matches!(self, Self::FailsBefore | Self::FailsAfter | Self::LostReply)
    }
}

/// A kind of bake, of which there is a golden one.
struct Bake {
    name: &'static str,
    /// More of its source.
    source: String,
    /// The profile of its endpoint.
    profile: Json,
}

/// One cell: a call and its grief.
struct Cell<'a> {
    number: usize,
    bake: &'a Bake,
    call: Call,
    grief: Grief,
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}: {} {:?}", self.number, self.bake.name, self.call, self.grief)
    }
}

/// The exit code of a run that could not remove something.
const LEFTOVERS: i32 = 4;

/// What a cell found wrong.
#[derive(Default)]
struct Findings {
    wrong: Vec<String>,
    leftovers: usize,
    told: String,
}

impl Findings {
    fn left(&mut self, when: &str, left: &BTreeSet<String>) {
        self.leftovers += left.len();
        self.wrong.extend(left.iter().map(|one| format!("left {when}: {one}")));
    }

    fn expect(&mut self, holds: bool, text: impl Into<String>) {
        if !holds {
            self.wrong.push(text.into());
        }
    }
}

/// Runs one cell on an endpoint that nobody else uses meanwhile.
fn run(cell: &Cell<'_>, endpoint: &Endpoint) -> Findings {
    let state = format!("state-{}", cell.number);
    let before = endpoint.held(&REGIONS);
    let first = endpoint.requests(0).len();
    endpoint.faults(&[cell.grief.rule(&cell.call, &state)]);
    let mut found = Findings::default();
    let mut build = start(endpoint, &state, &cell.bake.source);
    if let Grief::Signal(number, _) = cell.grief {
        let is_reached = || endpoint.requests(first).iter().any(|line| line["code"] == "Hang");
        let limit = Instant::now() + Duration::from_secs(60);
        while !is_reached() && !build.has_ended() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(10));
        }
        found.expect(is_reached(), "the call was never made");
        build.signal(number);
    }
    let code = build.finish();
    let told = build.output();
    let products = products(endpoint, &told);
    let left = |products: &BTreeSet<String>| left(endpoint, &before, products);
    match (cell.grief, code) {
        (_, None) => found.wrong.push("the build hangs".into()),
        (Grief::Signal(Signal::SIGKILL, _), _) => {}
        (grief, Some(code)) => {
            found.expect(!grief.passes() || code == 0, format!("a fault that passes ends the build with {code}"));
            found
                .expect(code != 0 || products.iter().filter(|id| id.contains(" image ")).count() == 2, "no two images");
            // What EC2 refuses to remove is said to be left, with what removes it.
            let said = grief == Grief::Refused && code == LEFTOVERS && told.contains("kiln cleanup");
            if !said {
                found.left("by the build", &left(&products));
            }
        }
    }
    endpoint.faults(&[]);
    let mut cleanup = endpoint.kiln(&state);
    cleanup.arg("cleanup");
    let mut cleanup = Watched::start(cleanup, &endpoint.sandbox.path().join(format!("{state}.cleanup")));
    let code = cleanup.finish();
    found.expect(code == Some(0), format!("cleanup ends with {code:?}"));
    found.left("after cleanup", &left(&products));
    found.told = format!("{told}\n--- cleanup\n{}", cleanup.output());
    found
}

fn start(endpoint: &Endpoint, state: &str, more: &str) -> Watched {
    let template = format!("{state}.pkr.hcl");
    endpoint.sandbox.file(&template, &self::template(more));
    let mut command = endpoint.kiln(state);
    command.args(["build", "-var", &format!("name=matrix-{state}"), &template]);
    Watched::start(command, &endpoint.sandbox.path().join(format!("{state}.log")))
}

/// The images that Kiln says it made, or says it keeps, with their snapshots and tags.
fn products(endpoint: &Endpoint, told: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for region in REGIONS {
        let artifact = format!("{region}: ami-");
        for line in told.lines().filter(|line| line.contains("it is kept") || line.contains(&artifact)) {
            let ids =
                line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| word.starts_with("ami-"));
            for image in ids {
                all.extend([format!("{region} image {image}"), format!("{region} tag {image}")]);
                let snapshots = endpoint.snapshots(region, image);
                all.extend(
                    snapshots.iter().flat_map(|id| [format!("{region} snapshot {id}"), format!("{region} tag {id}")]),
                );
            }
        }
    }
    let held = endpoint.held(&REGIONS);
    all.retain(|id| held.contains(id));
    all
}

/// What there is more than before, once everything that was accepted has shown.
fn left(endpoint: &Endpoint, before: &BTreeSet<String>, products: &BTreeSet<String>) -> BTreeSet<String> {
    let limit = Instant::now() + SETTLED;
    loop {
        let left: BTreeSet<String> =
            endpoint.held(&REGIONS).into_iter().filter(|id| !before.contains(id) && !products.contains(id)).collect();
        if left.is_empty() || Instant::now() > limit {
            return left;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The calls of a bake to which nothing happens that change something.
fn golden(bake: &Bake) -> Vec<Call> {
    let endpoint = Endpoint::with_profile(&bake.profile);
    let before = endpoint.held(&REGIONS);
    let mut build = start(&endpoint, "golden", &bake.source);
    let code = build.finish();
    assert_eq!(code, Some(0), "{}", build.output());
    assert_eq!(left(&endpoint, &before, &products(&endpoint, &build.output())), BTreeSet::new());
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    let writes = endpoint.requests(0).into_iter().filter(|line| line["writes"] == true);
    writes
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            let (action, region) = (text("action"), text("region"));
            let occurrence = counts.entry((action.clone(), region.clone())).or_default();
            *occurrence += 1;
            Call { action, region, occurrence: *occurrence }
        })
        .collect()
}

/// All cells of these bakes, or those that `KILN_MATRIX` names a part of. What an earlier bake calls is not tried again with a later one.
fn cells<'a>(bakes: &'a [Bake], griefs: &[Grief]) -> Vec<Cell<'a>> {
    let part = std::env::var("KILN_MATRIX").unwrap_or_default();
    let (mut cells, mut seen) = (Vec::new(), BTreeSet::new());
    for bake in bakes {
        for call in golden(bake).into_iter().filter(|call| seen.insert(call.clone())) {
            for grief in griefs {
                let cell = Cell { number: cells.len(), bake, call: call.clone(), grief: *grief };
                if cell.to_string().contains(&part) {
                    cells.push(cell);
                }
            }
        }
    }
    cells
}

/// Runs all cells, a few at a time, each worker on endpoints of its own.
fn check(cells: &[Cell<'_>]) {
    let (next, bad, leftovers) = (AtomicUsize::new(0), Mutex::new(Vec::new()), AtomicUsize::new(0));
    let work = || {
        let mut endpoints: BTreeMap<&str, Endpoint> = BTreeMap::new();
        while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
            let endpoint =
                endpoints.entry(cell.bake.name).or_insert_with(|| Endpoint::with_profile(&cell.bake.profile));
            let start = Instant::now();
            let found = run(cell, endpoint);
            leftovers.fetch_add(found.leftovers, Ordering::Relaxed);
            println!("{cell}: {:.1} s", start.elapsed().as_secs_f64());
            if !found.wrong.is_empty() {
                bad.lock().unwrap().push(format!("{cell}: {}\n{}", found.wrong.join("; "), found.told));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(cells.len()) {
            scope.spawn(work);
        }
    });
    let (bad, leftovers) = (bad.into_inner().unwrap(), leftovers.into_inner());
    println!("crash matrix: {} cells, {leftovers} leftovers", cells.len());
    assert!(bad.is_empty(), "{} of {} cells are bad:\n{}", bad.len(), cells.len(), bad.join("\n\n"));
}

/// Instances only change state, and an SSH server of this host stands for all of them: what is at stake is what EC2 holds.
#[test]
fn nothing_is_left_wherever_a_bake_comes_to_grief() {
    let sandbox = Sandbox::new();
    let Some(server) = SshServer::start(sandbox.path(), &Shell::Idle) else { return };
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name;
    let login = format!("ssh_username = \"{user}\"\n  ssh_host = \"127.0.0.1\"\n  ssh_port = {}", server.port);
    let bake = |name, source: &str| {
        let profile = json!({"machines": "none"});
        Bake { name, source: format!("{login}\n  {source}"), profile }
    };
    let bakes = [
        bake("on demand", SHARED),
        bake("spot", "spot_instance_types = [\"t3.micro\", \"t3a.micro\"]\n  spot_price = \"0.02\""),
        bake("encrypted, with a profile", ENCRYPTED),
    ];
    check(&cells(&bakes, &GRIEFS));
}

/// The calls that need a machine, with machines that boot.
#[test]
fn nothing_is_left_wherever_a_bake_with_machines_is_killed() {
    if !can_boot("nothing_is_left_wherever_a_bake_with_machines_is_killed") {
        return;
    }
    let source = "ssh_username = \"admin\"\n  instance_type = \"t3.micro\"".to_owned();
    let bakes = [Bake { name: "booting", source, profile: json!({}) }];
    let griefs = [Grief::Signal(Signal::SIGINT, "after"), Grief::Signal(Signal::SIGKILL, "after")];
    let mut cells = cells(&bakes, &griefs);
    let machine = ["RunInstances", "StopInstances", "CreateImage", "TerminateInstances"];
    cells.retain(|cell| machine.contains(&cell.call.action.as_str()));
    check(&cells);
}
