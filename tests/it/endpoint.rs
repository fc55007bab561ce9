//! A local EC2 of its own process, so that it outlives whatever becomes of the builds that use it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value as Json;

use crate::sandbox::Sandbox;
use crate::world::held;

/// How long anything may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(90);

/// A running `kiln ec2-local`, with its faults file and its request log. It ends with the value.
pub struct Endpoint {
    pub sandbox: Sandbox,
    server: Child,
    port: u16,
}

impl Endpoint {
    /// Starts one; `more` are flags.
    pub fn start(more: &[&str]) -> Self {
        Self::start_in(Sandbox::new(), more)
    }

    /// Starts one with the fields of a profile.
    pub fn with_profile(profile: &Json) -> Self {
        let sandbox = Sandbox::new();
        sandbox.file("profile.json", &profile.to_string());
        Self::start_in(sandbox, &["--profile", "profile.json"])
    }

    fn start_in(sandbox: Sandbox, more: &[&str]) -> Self {
        let told = sandbox.path().join("server.log");
        let log = std::fs::File::create(&told).unwrap();
        let mut command = sandbox.kiln();
        command.args(["ec2-local", "--listen", "127.0.0.1:0", "--faults", "faults.json", "--log", "requests.log"]);
        let server = command.args(more).stdout(log).spawn().unwrap();
        let told = || std::fs::read_to_string(&told).unwrap();
        wait("the endpoint", || told().contains("AWS_ENDPOINT_URL=http://127.0.0.1:"));
        let text = told();
        let rest = text.split("AWS_ENDPOINT_URL=http://127.0.0.1:").nth(1).unwrap();
        let port = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        Self { sandbox, server, port }
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    /// The binary as a client of it, with the journals of `state`.
    pub fn kiln(&self, state: &str) -> Command {
        let mut command = self.sandbox.kiln();
        command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port));
        command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
        command.env("KILN_STATE_DIR", self.sandbox.path().join(state));
        command
    }

    /// One call of its API.
    pub fn ec2(&self, region: &str, query: &str) -> String {
        crate::sandbox::ec2(self.port, region, query)
    }

    /// Replaces all rules of what goes wrong. The same rule counts on where it was, unless it has another `message`.
    pub fn faults(&self, rules: &[Json]) {
        let path = self.sandbox.path().join("faults.json");
        let beside = path.with_extension("new");
        std::fs::write(&beside, serde_json::json!({ "rules": rules }).to_string()).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    /// The requests from line `first` on.
    pub fn requests(&self, first: usize) -> Vec<Json> {
        let text = std::fs::read_to_string(self.sandbox.path().join("requests.log")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().skip(first).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What it holds in these regions, as `region kind id`.
    pub fn held(&self, regions: &[&str]) -> BTreeSet<String> {
        let of = |region: &&str| {
            let region = (*region).to_owned();
            held(self.port, &region).into_iter().map(move |id| format!("{region} {id}"))
        };
        regions.iter().flat_map(of).collect()
    }

    /// Ids of the snapshots of an image.
    pub fn snapshots(&self, region: &str, image: &str) -> Vec<String> {
        let answer = self.ec2(region, &format!("Action=DescribeImages&ImageId.1={image}"));
        crate::world::elements(&answer, "snapshotId")
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        signal(&self.server, Signal::SIGTERM);
        let _ = self.server.wait();
    }
}

/// Sends a signal to a child that has not been waited for.
pub fn signal(child: &Child, signal: Signal) {
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    let _ = nix::sys::signal::kill(pid, signal);
}

/// Waits until it is so.
#[track_caller]
pub fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let limit = Instant::now() + LIMIT;
    while !until() {
        assert!(Instant::now() < limit, "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A command whose output goes to a file.
pub struct Watched {
    child: Child,
    log: PathBuf,
}

impl Watched {
    /// Starts it.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let out = std::fs::File::create(log).unwrap();
        let child = command.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
        Self { child, log: log.to_owned() }
    }

    /// What it has said so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends it a signal.
    pub fn signal(&self, number: Signal) {
        signal(&self.child, number);
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end and gives its exit code (-1 after a signal); `None` when it hangs, and then it is ended.
    pub fn finish(&mut self) -> Option<i32> {
        self.finish_within(LIMIT)
    }

    /// The same for what takes its time.
    pub fn finish_within(&mut self, limit: Duration) -> Option<i32> {
        let limit = Instant::now() + limit;
        while Instant::now() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status.code().unwrap_or(-1));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        None
    }
}
