//! The API over real HTTP: raw query bodies on loopback, no client library.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast;

use super::{Handle, Options, serve};
use crate::local_ec2::machine::{
    LaunchSpec, Launched, LayerSet, MachineError, MachineEvent, MachineEventKind, Machines, NoMachines,
};

mod disks;
mod faults;
mod iam;
mod options;
mod restart;
mod spot;

/// A server on a directory, and a client for it.
struct Ec2 {
    handle: Handle,
}

/// One answer: status and body; status 0 when the connection was closed without one.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The text of the first element with this name.
    fn text(&self, name: &str) -> &str {
        self.texts(name).first().copied().unwrap_or_default()
    }

    fn texts(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        self.body.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0)).collect()
    }

    fn code(&self) -> (u16, &str) {
        (self.status, self.text("Code"))
    }
}

impl Ec2 {
    async fn start(dir: &Path, machines: Arc<dyn Machines>, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(dir.join("state"), machines);
        change(&mut options);
        Self { handle: serve(SocketAddr::from(([127, 0, 0, 1], 0)), options).await.unwrap() }
    }

    async fn plain(dir: &Path) -> Self {
        Self::start(dir, Arc::new(NoMachines::default()), |_| {}).await
    }

    async fn in_region(&self, region: &str, service: &str, key: &str, query: &str) -> Answer {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20261121/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let version = match service {
            "sts" => "2011-06-15",
            "iam" => "2010-05-08",
            _ => "2016-11-15",
        };
        let body = format!("Version={version}&Action={query}");
        let request = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        self.send(&request).await
    }

    async fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.handle.addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // A reset is an end like any other here.
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    async fn call(&self, query: &str) -> Answer {
        self.in_region("eu-west-1", "ec2", "AKIDTEST", query).await
    }

    /// Asks until an element has the text that is waited for.
    async fn until(&self, query: &str, element: &str, wanted: &str) -> Answer {
        for _ in 0..500 {
            let answer = self.call(query).await;
            if answer.text(element) == wanted {
                return answer;
            }
            // There is nothing but asking again; the machines in these tests need no time to speak of.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{query}: {element} never became {wanted}");
    }

    async fn image(&self) -> String {
        let query = "DescribeImages&Owner.1=amazon&Filter.1.Name=architecture&Filter.1.Value.1=x86_64";
        self.call(query).await.text("imageId").to_owned()
    }

    /// Launches and waits until it runs.
    async fn launch(&self, more: &str) -> String {
        let image = self.image().await;
        let query = format!("RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1{more}");
        let answer = self.call(&query).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.text("name"), "pending");
        let id = answer.text("instanceId").to_owned();
        self.until(&format!("DescribeInstances&InstanceId.1={id}"), "name", "running").await;
        id
    }
}

#[tokio::test]
async fn a_whole_bake() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let group = ec2.call("CreateSecurityGroup&GroupName=g&GroupDescription=d").await.text("groupId").to_owned();
    let rule = format!(
        "AuthorizeSecurityGroupIngress&GroupId={group}&IpProtocol=tcp&FromPort=22&ToPort=22&CidrIp=127.0.0.1/32"
    );
    assert_eq!(ec2.call(&rule).await.text("return"), "true");
    let tag = "TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=kiln:run&TagSpecification.1.Tag.1.Value=r1";
    let id = ec2.launch(&format!("&SecurityGroupId.1={group}&{tag}")).await;
    let one = format!("DescribeInstances&InstanceId.1={id}");
    let running = ec2.call(&one).await;
    assert!(running.text("ipAddress").starts_with("127."));
    assert_eq!(running.text("privateIpAddress"), running.text("ipAddress"));
    assert_eq!(ec2.call(&format!("StopInstances&InstanceId.1={id}")).await.texts("name"), ["stopping", "running"]);
    ec2.until(&one, "name", "stopped").await;
    let tags = "TagSpecification.1.ResourceType=image&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b&\
                TagSpecification.2.ResourceType=snapshot&TagSpecification.2.Tag.1.Key=a&TagSpecification.2.Tag.1.Value=b";
    let image = ec2.call(&format!("CreateImage&InstanceId={id}&Name=baked&{tags}")).await.text("imageId").to_owned();
    let made = ec2.until(&format!("DescribeImages&ImageId.1={image}"), "imageState", "available").await;
    assert_eq!((made.text("name"), made.text("sourceInstanceId")), ("baked", id.as_str()));
    let snapshot = made.text("snapshotId").to_owned();
    let snapshots = ec2.call("DescribeSnapshots&Owner.1=self&Filter.1.Name=tag:a&Filter.1.Value.1=b").await;
    assert_eq!(snapshots.texts("snapshotId"), [snapshot.as_str()]);
    let query = format!("CopyImage&Name=baked&SourceRegion=eu-west-1&SourceImageId={image}");
    let copy = ec2.in_region("us-east-1", "ec2", "AKIDTEST", &query).await;
    assert!(copy.text("imageId").starts_with("ami-"));
    let busy = ec2.call(&format!("DeleteSecurityGroup&GroupId={group}")).await;
    assert_eq!(busy.code(), (400, "DependencyViolation"));
    ec2.call(&format!("TerminateInstances&InstanceId.1={id}")).await;
    ec2.until(&one, "name", "terminated").await;
    assert_eq!(ec2.call(&format!("DeleteSecurityGroup&GroupId={group}")).await.text("groupId"), group);
    assert!(ec2.call("DescribeVolumes").await.texts("volumeId").is_empty());
    ec2.handle.shutdown().await;
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let image = ec2.image().await;
    let run = |rest: &str| format!("RunInstances&MinCount=1&MaxCount=1&InstanceType=t3.micro&{rest}");
    let known = run(&format!("ImageId={image}"));
    for (query, status, code) in [
        ("Nope".to_owned(), 400, "InvalidAction"),
        ("DescribeVpcs&Bogus=1".to_owned(), 400, "UnknownParameter"),
        ("DescribeVpcs&Filter.1.Name=bogus&Filter.1.Value.1=x".to_owned(), 400, "InvalidParameterValue"),
        ("DescribeVpcs&DryRun=true".to_owned(), 412, "DryRunOperation"),
        ("DescribeImages&ImageId.1=banana".to_owned(), 400, "InvalidAMIID.Malformed"),
        ("DescribeImages&ImageId.1=ami-0123456789abcdef0".to_owned(), 400, "InvalidAMIID.NotFound"),
        (run("ImageId=ami-0123456789abcdef0"), 400, "InvalidAMIID.NotFound"),
        (run(""), 400, "MissingParameter"),
        (format!("{known}&KeyName=none"), 400, "InvalidKeyPair.NotFound"),
        (format!("{known}&SecurityGroupId.1=sg-0123456789abcdef0"), 400, "InvalidGroup.NotFound"),
        (format!("{known}&SubnetId=subnet-0123456789abcdef0"), 400, "InvalidSubnetID.NotFound"),
        (format!("{known}&IamInstanceProfile.Name=none"), 400, "InvalidParameterValue"),
        (format!("{known}&InstanceMarketOptions.MarketType=free"), 400, "InvalidParameterValue"),
        (format!("{known}&HibernationOptions.Configured=true"), 400, "UnsupportedHibernationConfiguration"),
        (format!("{known}&PrivateIpAddress=10.0.0.1"), 400, "InvalidParameterValue"),
        (format!("{known}&Placement.Tenancy=foo"), 400, "InvalidParameterValue"),
        (format!("{known}&Hypothesis=true"), 400, "UnknownParameter"),
        (format!("{known}&LaunchTemplate.LaunchTemplateName=none"), 400, "InvalidLaunchTemplateName.NotFoundException"),
        (format!("{known}&DryRun=true"), 412, "DryRunOperation"),
        ("TerminateInstances&InstanceId.1=i-0123456789abcdef0".to_owned(), 400, "InvalidInstanceID.NotFound"),
        ("CreateTags&ResourceId.1=banana&Tag.1.Key=a".to_owned(), 400, "InvalidID"),
    ] {
        assert_eq!(ec2.call(&query).await.code(), (status, code), "{query}");
    }
    assert!(ec2.call("DescribeInstances").await.texts("instanceId").is_empty(), "refused calls leave nothing");
    let unsigned = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\nConnection: close\r\n\r\nAction=DescribeVpcs";
    assert_eq!(ec2.send(unsigned).await.text("Code"), "MissingAuthenticationToken");
}

#[tokio::test]
async fn answers_have_one_root_and_one_request_id() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let answer = ec2.call("DescribeVpcs").await;
    assert!(
        answer.body.contains("<DescribeVpcsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>")
    );
    assert!(answer.head.contains(&format!("x-amzn-requestid: {}", answer.text("requestId"))));
    let sts = ec2.in_region("eu-west-1", "sts", "111122223333", "GetCallerIdentity").await;
    assert_eq!(sts.text("Account"), "111122223333");
    assert!(sts.body.contains("<GetCallerIdentityResult><Arn>"));
    let error = ec2.call("DescribeVpcs&VpcId.1=vpc-0123456789abcdef0").await;
    assert!(error.body.contains("<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code>"));
}

#[tokio::test]
async fn tokens_answer_repeats_and_dry_runs_do_not_use_them() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let image = ec2.image().await;
    let query = format!("RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1&ClientToken=t");
    assert_eq!(ec2.call(&format!("{query}&DryRun=true")).await.code(), (412, "DryRunOperation"));
    let first = ec2.call(&query).await.text("instanceId").to_owned();
    let again = ec2.call(&query).await;
    assert_eq!(again.text("instanceId"), first);
    assert_eq!(ec2.call(&format!("{query}&KeyName=")).await.text("Code"), "IdempotentParameterMismatch");
    ec2.call(&format!("TerminateInstances&InstanceId.1={first}")).await;
    assert_eq!(ec2.call(&query).await.code(), (400, "IdempotentInstanceTerminated"));
}

#[tokio::test]
async fn state_is_shared_and_outlives_its_server() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (Ec2::plain(dir.path()).await, Ec2::plain(dir.path()).await);
    one.call("CreateSecurityGroup&GroupName=g&GroupDescription=d").await;
    assert_eq!(two.call("DescribeSecurityGroups&GroupName.1=g").await.texts("groupName"), ["g"]);
    let first = one.launch("").await;
    // The other server has no machine of this id: the one that runs it must carry this out.
    two.call(&format!("TerminateInstances&InstanceId.1={first}")).await;
    one.until(&format!("DescribeInstances&InstanceId.1={first}"), "name", "terminated").await;
    let second = one.launch("").await;
    one.handle.shutdown().await;
    let gone = two.call(&format!("DescribeInstances&InstanceId.1={second}")).await;
    assert_eq!(gone.text("name"), "terminated");
    assert!(two.call("DescribeVolumes").await.texts("volumeId").is_empty());
}

#[tokio::test]
async fn regions_and_accounts_are_apart() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let group = ec2.call("CreateSecurityGroup&GroupName=g&GroupDescription=d").await.text("groupId").to_owned();
    let query = format!("DescribeSecurityGroups&GroupId.1={group}");
    for (region, key) in [("us-east-1", "AKIDTEST"), ("eu-west-1", "111122223333")] {
        let answer = ec2.in_region(region, "ec2", key, &query).await;
        assert_eq!(answer.text("Code"), "InvalidGroup.NotFound", "{region} {key}");
    }
    assert_eq!(ec2.in_region("mars-1", "ec2", "AKIDTEST", "DescribeVpcs").await.text("Code"), "AuthFailure");
}

#[tokio::test]
async fn faults_hit_the_calls_they_name() {
    let dir = tempfile::tempdir().unwrap();
    let (faults, log) = (dir.path().join("faults.json"), dir.path().join("log.jsonl"));
    let ec2 = Ec2::start(dir.path(), Arc::new(NoMachines::default()), |options| {
        options.faults = Some(faults.clone());
        options.log = Some(log.clone());
    })
    .await;
    std::fs::write(
        &faults,
        r#"{"rules":[{"effect":"writes","kind":"lost_reply","nth":[1]},{"action":"DescribeVpcs","kind":"throttle"},
            {"action":"DescribeSubnets","kind":"reset"},{"action":"DescribeInstances","kind":"error","code":"UnauthorizedOperation"}]}"#,
    )
    .unwrap();
    let create = "CreateSecurityGroup&GroupName=g&GroupDescription=d";
    assert_eq!(ec2.call(create).await.status, 0, "the reply is lost");
    assert_eq!(ec2.call(create).await.text("Code"), "InvalidGroup.Duplicate", "the effect is there");
    assert_eq!(ec2.call("DescribeVpcs").await.code(), (503, "RequestLimitExceeded"));
    assert_eq!(ec2.call("DescribeSubnets").await.status, 0);
    assert_eq!(ec2.call("DescribeInstances").await.code(), (403, "UnauthorizedOperation"));
    let lines: Vec<serde_json::Value> =
        std::fs::read_to_string(log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<&str> = lines.iter().filter_map(|line| line["code"].as_str()).collect();
    assert_eq!(
        codes,
        ["LostReply", "InvalidGroup.Duplicate", "RequestLimitExceeded", "Reset", "UnauthorizedOperation"]
    );
    assert_eq!(lines[0]["writes"], true);
    assert_eq!(lines[0]["params"]["GroupName"], "g");
}

#[tokio::test]
async fn a_guest_that_powers_off_stops_or_ends() {
    let dir = tempfile::tempdir().unwrap();
    let machines = Arc::new(NoMachines::default());
    let ec2 = Ec2::start(dir.path(), Arc::clone(&machines) as Arc<dyn Machines>, |_| {}).await;
    for (more, kind, state, code) in [
        ("", MachineEventKind::PoweredOff, "stopped", "Client.InstanceInitiatedShutdown"),
        (
            "&InstanceInitiatedShutdownBehavior=terminate",
            MachineEventKind::PoweredOff,
            "terminated",
            "Client.InstanceInitiatedShutdown",
        ),
        ("", MachineEventKind::Died("killed".into()), "terminated", "Server.InternalError"),
    ] {
        let id = ec2.launch(more).await;
        machines.emit(&id, kind);
        let answer = ec2.until(&format!("DescribeInstances&InstanceId.1={id}"), "name", state).await;
        assert!(answer.body.contains(code), "{state}: {}", answer.body);
    }
}

/// Machines that write down what they are asked, and can be told to hang while booting.
struct Scripted {
    calls: Mutex<Vec<String>>,
    specs: Mutex<Vec<LaunchSpec>>,
    hangs: AtomicBool,
    events: broadcast::Sender<MachineEvent>,
}

impl Scripted {
    fn new(hangs: bool) -> Arc<Self> {
        let events = broadcast::channel(4).0;
        Arc::new(Self { calls: Mutex::default(), specs: Mutex::default(), hangs: AtomicBool::new(hangs), events })
    }

    fn note(&self, call: &str) {
        self.calls.lock().unwrap().push(call.to_owned());
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl Machines for Scripted {
    async fn launch(&self, spec: LaunchSpec) -> Result<Launched, MachineError> {
        self.note("launch");
        self.specs.lock().unwrap().push(spec);
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(Launched { boot: Duration::ZERO })
    }
    async fn stop(&self, _id: &str) -> Result<(), MachineError> {
        self.note("stop");
        Ok(())
    }
    async fn start(&self, _id: &str) -> Result<(), MachineError> {
        self.note("start");
        Ok(())
    }
    async fn reboot(&self, _id: &str) -> Result<(), MachineError> {
        self.note("reboot");
        Ok(())
    }
    async fn terminate(&self, _id: &str) -> Result<(), MachineError> {
        self.note("terminate");
        Ok(())
    }
    fn console(&self, _id: &str) -> Vec<u8> {
        b"login:".to_vec()
    }
    async fn snapshot(&self, _id: &str) -> Result<LayerSet, MachineError> {
        self.note("snapshot");
        Ok(LayerSet { base: "debian".into(), layers: vec!["sha256:1".into()], size_bytes: 7 })
    }
    fn watch(&self) -> broadcast::Receiver<MachineEvent> {
        self.events.subscribe()
    }
}

#[tokio::test]
async fn machines_are_asked_in_order_and_images_carry_their_layers() {
    let dir = tempfile::tempdir().unwrap();
    let machines = Scripted::new(false);
    let ec2 = Ec2::start(dir.path(), Arc::clone(&machines) as Arc<dyn Machines>, |_| {}).await;
    let id = ec2
        .launch("&UserData=aGVsbG8=&MetadataOptions.HttpTokens=optional&MetadataOptions.InstanceMetadataTags=enabled")
        .await;
    assert_eq!(ec2.call(&format!("GetConsoleOutput&InstanceId={id}")).await.text("output"), "bG9naW46");
    let image = ec2.call(&format!("CreateImage&InstanceId={id}&Name=abc")).await.text("imageId").to_owned();
    // Asked right after: the image must still get its content.
    ec2.call(&format!("TerminateInstances&InstanceId.1={id}")).await;
    ec2.until(&format!("DescribeImages&ImageId.1={image}"), "imageState", "available").await;
    ec2.until(&format!("DescribeInstances&InstanceId.1={id}"), "name", "terminated").await;
    assert_eq!(machines.calls(), ["launch", "stop", "snapshot", "start", "terminate"]);
    let query = format!("RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1");
    let child = ec2.call(&query).await.text("instanceId").to_owned();
    ec2.until(&format!("DescribeInstances&InstanceId.1={child}"), "name", "running").await;
    let specs = machines.specs.lock().unwrap().clone();
    assert!(specs[0].image.base.starts_with("wish:amzn:"));
    assert_eq!((specs[0].login_user.as_str(), specs[0].user_data.as_deref()), ("ec2-user", Some(b"hello".as_slice())));
    assert_eq!(specs[0].metadata.tree["meta-data/instance-id"], id);
    assert_eq!(specs[1].image.layers, ["sha256:1"]);
    assert_eq!((specs[1].login_user.as_str(), specs[1].image.base.as_str()), ("ec2-user", "debian"));
    assert_ne!(specs[0].mac, specs[1].mac);
}

#[tokio::test]
async fn an_instance_is_pending_until_it_booted_and_terminate_overtakes_a_boot() {
    let dir = tempfile::tempdir().unwrap();
    let machines = Scripted::new(true);
    let ec2 = Ec2::start(dir.path(), Arc::clone(&machines) as Arc<dyn Machines>, |_| {}).await;
    let image = ec2.image().await;
    let query = format!("RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1");
    let id = ec2.call(&query).await.text("instanceId").to_owned();
    let one = format!("DescribeInstances&InstanceId.1={id}");
    for _ in 0..100 {
        if !machines.calls().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ec2.call(&one).await.text("name"), "pending");
    assert_eq!(ec2.call(&format!("StopInstances&InstanceId.1={id}")).await.code(), (400, "IncorrectInstanceState"));
    ec2.call(&format!("TerminateInstances&InstanceId.1={id}")).await;
    ec2.until(&one, "name", "terminated").await;
    assert_eq!(machines.calls(), ["launch", "terminate"]);
}

#[tokio::test]
async fn a_root_volume_that_stays_keeps_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let machines = Scripted::new(false);
    let ec2 = Ec2::start(dir.path(), Arc::clone(&machines) as Arc<dyn Machines>, |_| {}).await;
    let mapping = "&BlockDeviceMapping.1.DeviceName=/dev/xvda&BlockDeviceMapping.1.Ebs.DeleteOnTermination=false";
    let id = ec2.launch(mapping).await;
    ec2.call(&format!("TerminateInstances&InstanceId.1={id}")).await;
    ec2.until(&format!("DescribeInstances&InstanceId.1={id}"), "name", "terminated").await;
    assert_eq!(machines.calls(), ["launch", "snapshot", "terminate"]);
    let volume = ec2.call("DescribeVolumes").await;
    assert_eq!(volume.text("status"), "available");
    let query = format!("CreateSnapshot&VolumeId={}", volume.text("volumeId"));
    assert_eq!(ec2.call(&query).await.text("status"), "pending");
    let done = ec2.until("DescribeSnapshots&Owner.1=self", "status", "completed").await;
    assert_eq!(done.text("fullSnapshotSizeInBytes"), "7");
}

#[tokio::test]
async fn accounts_by_key_and_sessions_by_role() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::start(dir.path(), Arc::new(NoMachines::default()), |options| {
        options.accounts = BTreeMap::from([("AKIDOTHER".to_owned(), "222233334444".to_owned())]);
    })
    .await;
    let who = "GetCallerIdentity";
    assert_eq!(ec2.in_region("eu-west-1", "sts", "AKIDOTHER", who).await.text("Account"), "222233334444");
    let query = "AssumeRole&RoleArn=arn:aws:iam::333344445555:role/r&RoleSessionName=me";
    let assumed = ec2.in_region("eu-west-1", "sts", "AKIDOTHER", query).await;
    let identity = ec2.in_region("eu-west-1", "sts", assumed.text("AccessKeyId"), who).await;
    assert_eq!(identity.text("Arn"), "arn:aws:sts::333344445555:assumed-role/r/me");
}
