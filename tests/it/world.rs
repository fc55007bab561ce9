//! What local EC2 and the host hold: asked from outside, after the fact.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::sandbox::{Sandbox, aws, ec2};

/// A template for local EC2: a source with these lines, and a build with those.
pub fn template(source: &str, build: &str) -> String {
    format!(
        r#"source "amazon-ebs" "t" {{
  region       = "us-east-1"
  ssh_username = "admin"
  {source}
  source_ami_filter {{
    filters     = {{ name = "debian-12-amd64-*" }}
    owners      = ["136693071363"]
    most_recent = true
  }}
}}
build {{
  sources = ["source.amazon-ebs.t"]
  {build}
}}
"#
    )
}

/// Resources of local EC2, as `kind id`, that are not gone.
pub fn resources(sandbox: &Sandbox, region: &str) -> BTreeSet<String> {
    let mut server = sandbox.start(&["ec2-local", "--listen", "127.0.0.1:0"]);
    server.wait_for("export AWS_ENDPOINT_URL=");
    let output = server.output();
    let port = output.split("AWS_ENDPOINT_URL=http://127.0.0.1:").nth(1).unwrap().trim().parse().unwrap();
    let found = held(port, region);
    server.signal(Signal::SIGTERM);
    server.finish();
    found
}

/// The same of an endpoint that runs.
pub fn held(port: u16, region: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (kind, query, element) in [
        ("key-pair", "Action=DescribeKeyPairs", "keyName"),
        (
            "instance",
            "Action=DescribeInstances&Filter.1.Name=instance-state-name&Filter.1.Value.1=pending&Filter.1.Value.2=running&Filter.1.Value.3=stopping&Filter.1.Value.4=stopped&Filter.1.Value.5=shutting-down",
            "instanceId",
        ),
        ("volume", "Action=DescribeVolumes", "volumeId"),
        ("image", "Action=DescribeImages&Owner.1=self", "imageId"),
        ("snapshot", "Action=DescribeSnapshots&Owner.1=self", "snapshotId"),
        ("security-group", "Action=DescribeSecurityGroups", "groupName"),
        ("launch-template", "Action=DescribeLaunchTemplates", "launchTemplateName"),
        (
            "spot-request",
            "Action=DescribeSpotInstanceRequests&Filter.1.Name=state&Filter.1.Value.1=open&Filter.1.Value.2=active",
            "spotInstanceRequestId",
        ),
        ("tag", "Action=DescribeTags&Filter.1.Name=key&Filter.1.Value.1=kiln:run", "resourceId"),
        (
            "lease",
            "Action=DescribeTags&Filter.1.Name=key&Filter.1.Value.1=kiln:expires&Filter.2.Name=value&Filter.2.Value.1=20*",
            "resourceId",
        ),
    ] {
        let answer = ec2(port, region, query);
        assert!(answer.starts_with("HTTP/1.1 200"), "{query}: {answer}");
        found.extend(elements(&answer, element).into_iter().map(|id| format!("{kind} {id}")));
    }
    for (kind, query, element) in [
        ("role", "Action=ListRoles&Version=2010-05-08", "RoleName"),
        ("instance-profile", "Action=ListInstanceProfiles&Version=2010-05-08", "InstanceProfileName"),
    ] {
        let answer = aws(port, "us-east-1", "iam", query);
        assert!(answer.starts_with("HTTP/1.1 200"), "{query}: {answer}");
        found.extend(elements(&answer, element).into_iter().map(|id| format!("{kind} {id}")));
    }
    // Every VPC has a default group; it is nobody's. A terminated instance shows its tags for an hour, as on EC2.
    let is_mark = |id: &str| id.starts_with("tag ") || id.starts_with("lease ");
    let of_gone = |id: &str| is_mark(id) && [" i-", " sir-"].iter().any(|kind| id.contains(kind));
    found.retain(|id| id != "security-group default" && !of_gone(id));
    found
}

/// The texts of all elements of that name.
pub fn elements(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| Some(rest.split(&close).next()?.to_owned())).collect()
}

/// What of ours the host has: mounts, cgroups, processes, network devices.
pub fn on_host(sandbox: &Sandbox) -> Vec<String> {
    let own = sandbox.path().display().to_string();
    let mut found = Vec::new();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    found.extend(mounts.lines().filter(|line| line.contains(&own)).map(|line| format!("mount {line}")));
    for process in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Ok(command) = std::fs::read(process.path().join("cmdline")) else { continue };
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&own) {
            found.push(format!("process {}", command));
        }
    }
    let devices = std::fs::read_to_string("/proc/net/dev").unwrap();
    found.extend(devices.lines().filter(|line| line.contains("tap") || line.contains("kiln")).map(str::to_owned));
    found
}

/// Waits until the host has nothing of ours; processes need a moment to be reaped.
#[track_caller]
pub fn assert_host_clean(sandbox: &Sandbox) {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        let found = on_host(sandbox);
        if found.is_empty() {
            return;
        }
        assert!(Instant::now() < limit, "left on the host: {found:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Cgroups of instances, by path.
pub fn cgroups() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Ok(hierarchies) = std::fs::read_dir("/sys/fs/cgroup") else { return found };
    let mut roots: Vec<_> = hierarchies.filter_map(Result::ok).map(|entry| entry.path().join("kiln")).collect();
    roots.push("/sys/fs/cgroup/kiln".into());
    for root in roots {
        let Ok(entries) = std::fs::read_dir(root) else { continue };
        let directories = entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
        found.extend(directories.map(|entry| entry.path().display().to_string()));
    }
    found
}
