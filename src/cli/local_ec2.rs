//! Starts local EC2 inside this process, and runs the hidden verbs by which it re-executes itself.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::aws::access::LocalEndpoint;
use crate::local_ec2::instance::{self, Containers};
use crate::local_ec2::machine::{Machines, NoMachines};
use crate::local_ec2::profile::{Behind, Profile};
use crate::local_ec2::store::Store;
use crate::local_ec2::{self, Handle, Options, agent, shelf};
use crate::report::Reporter;

use super::settings::Settings;

/// What the flags of `kiln build --local` and `kiln ec2-local` say.
#[derive(Debug)]
pub struct Wishes<'a> {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The name of a profile, or the path of one.
    pub profile: &'a str,
    /// The faults file, when not the environment names one.
    pub faults: Option<&'a Path>,
    /// The request log, when not the environment names one.
    pub log: Option<&'a Path>,
}

impl Default for Wishes<'_> {
    /// A free port of loopback, no delays, and no faults but those that the environment names.
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), profile: "instant", faults: None, log: None }
    }
}

/// A running local EC2.
pub struct Local {
    handle: Handle,
    /// What boots; nothing where instances only change state.
    containers: Option<Arc<Containers>>,
    directory: PathBuf,
}

/// Runs a verb that only Kiln itself calls: in an instance, or to boot one.
pub fn hidden_verb(verb: &str, rest: &[String]) -> Option<ExitCode> {
    if verb == "agent" {
        return Some(agent::main(rest));
    }
    let words: Vec<OsString> = std::env::args_os().collect();
    instance::dispatch(&words)
}

/// Starts it. What people should know of it (which base plays which) is told once.
pub async fn start(settings: &Settings, wishes: Wishes<'_>, reporter: &Arc<Reporter>) -> Result<Local, String> {
    let profile = Profile::named(wishes.profile)?;
    let directory = settings.data.clone();
    let failed =
        |what: &str, e: &dyn std::fmt::Display| format!("start local EC2 in {}: {what}{e}", directory.display());
    let containers = match profile.machines() {
        Behind::Containers => Some(containers(&directory, reporter).map_err(|e| failed("", &e))?),
        Behind::None => None,
    };
    let machines: Arc<dyn Machines> = match &containers {
        Some(containers) => containers.clone(),
        None => Arc::new(NoMachines::default()),
    };
    let mut options = Options::new(state_directory(&directory), machines);
    profile.apply(&mut options);
    let file = |flag: Option<&Path>, variable| {
        flag.map(Path::to_owned).or_else(|| settings.variable(variable).map(PathBuf::from))
    };
    options.faults = file(wishes.faults, "KILN_LOCAL_FAULTS");
    options.log = file(wishes.log, "KILN_LOCAL_LOG");
    let handle = local_ec2::serve(wishes.listen, options).await.map_err(|e| failed("listen: ", &e))?;
    Ok(Local { handle, containers, directory })
}

/// The containers of that directory. What people should know of them is told.
fn containers(directory: &Path, reporter: &Arc<Reporter>) -> Result<Arc<Containers>, String> {
    let store = Store::open(&directory.join("store")).map_err(|e| crate::engine::chain(&e))?;
    let containers = Containers::new(&directory.join("instances"), store).map_err(|e| e.to_string())?;
    if let Some(mut notices) = containers.notices() {
        let reporter = reporter.clone();
        tokio::spawn(async move {
            while let Some(notice) = notices.recv().await {
                reporter.print(notice);
            }
        });
    }
    Ok(Arc::new(containers))
}

/// The store of local EC2 with all its images on the shelf.
pub fn open_store(directory: &Path) -> Result<Store, String> {
    let store = Store::open(&directory.join("store")).map_err(|e| crate::engine::chain(&e))?;
    shelf::reconcile(&state_directory(directory), &store).map_err(|e| crate::engine::chain(&e))?;
    Ok(store)
}

/// Where the endpoint keeps its state.
pub fn state_directory(directory: &Path) -> PathBuf {
    directory.join("ec2")
}

impl Local {
    /// Where calls go.
    pub fn endpoint(&self) -> LocalEndpoint {
        LocalEndpoint { url: format!("http://{}", self.handle.addr()), directory: self.directory.display().to_string() }
    }

    /// Ends all instances and the endpoint, and puts new images on the shelf.
    pub async fn stop(self) {
        self.handle.shutdown().await;
        if let Some(containers) = self.containers {
            containers.shutdown().await;
        }
        // What fails here is done again, and told, by the next `kiln local`.
        let _ = open_store(&self.directory);
    }
}
