//! The image's own cloud-init: whether it will run, and how far it is.

use std::time::Duration;

use super::stand_in;
use crate::local_ec2::agent::console;
use crate::local_ec2::agent::paths::Paths;

/// How often the status file is read: no event tells that a stage is over, the file is replaced by renaming.
const PACE: Duration = Duration::from_millis(50);
/// How long the network stage may take before SSH is served without it. On EC2 it takes seconds, and minutes when no
/// metadata service answers.
const PATIENCE: Duration = Duration::from_secs(180);

/// Whether cloud-init is installed, enabled, and started by this boot.
pub fn runs_by_itself(paths: &Paths) -> bool {
    let program = paths.at("/usr/bin/cloud-init");
    let systemd = paths.at("/run/systemd/system").is_dir();
    // The generator leaves `disabled` when it finds no data source, an administrator leaves the file in /etc/cloud.
    let disabled = ["/run/cloud-init/disabled", "/etc/cloud/cloud-init.disabled"].iter().any(|f| paths.at(f).exists());
    program.exists() && !stand_in::is_ours(paths) && systemd && !disabled && has_enabled_unit(paths)
}

fn has_enabled_unit(paths: &Paths) -> bool {
    ["cloud-init.target.wants", "multi-user.target.wants"].iter().any(|target| {
        let entries = std::fs::read_dir(paths.at("/etc/systemd/system").join(target)).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("cloud-init"))
    })
}

/// Returns when the network stage is over: then the user, its key and the host keys are there.
pub async fn wait_for_network_stage(paths: &Paths) {
    let over = async {
        while !network_stage_is_over(paths) {
            tokio::time::sleep(PACE).await;
        }
    };
    if tokio::time::timeout(PATIENCE, over).await.is_err() {
        console::line("kiln-agent: cloud-init's network stage is not over after 180 s, serving SSH nevertheless");
    }
}

/// `v1.init` is the network stage, `v1.init-local` the one before the network.
fn network_stage_is_over(paths: &Paths) -> bool {
    if paths.at("/run/cloud-init/result.json").exists() {
        return true;
    }
    let Ok(text) = std::fs::read_to_string(paths.at("/run/cloud-init/status.json")) else { return false };
    let status: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    status["v1"]["init"]["finished"].as_f64().is_some_and(|at| at > 0.0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_runs_when_installed_enabled_and_not_disabled() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        assert!(!runs_by_itself(&paths));
        for directory in ["usr/bin", "run/systemd/system", "etc/cloud", "etc/systemd/system/cloud-init.target.wants"] {
            fs::create_dir_all(dir.path().join(directory)).unwrap();
        }
        fs::write(paths.at("/usr/bin/cloud-init"), "").unwrap();
        assert!(!runs_by_itself(&paths));
        fs::write(paths.at("/etc/systemd/system/cloud-init.target.wants/cloud-init.service"), "").unwrap();
        assert!(runs_by_itself(&paths));
        fs::write(paths.at("/etc/cloud/cloud-init.disabled"), "").unwrap();
        assert!(!runs_by_itself(&paths));
    }

    #[test]
    fn the_status_file_tells_the_stage() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        fs::create_dir_all(dir.path().join("run/cloud-init")).unwrap();
        let table = [
            (r#"{"v1":{"init":{"finished":null},"init-local":{"finished":1.5}}}"#, false),
            ("{", false),
            (r#"{"v1":{"init":{"finished":12.5}}}"#, true),
        ];
        for (text, over) in table {
            fs::write(paths.at("/run/cloud-init/status.json"), text).unwrap();
            assert_eq!(network_stage_is_over(&paths), over, "{text}");
        }
    }
}
