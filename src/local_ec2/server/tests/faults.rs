//! Faults that end calls in other ways than with an error, and the lines that the log has of them.

use super::*;

struct Faulty {
    ec2: Ec2,
    log: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

impl Faulty {
    async fn start(rules: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log.jsonl");
        let rules = serde_json::from_str(rules).unwrap();
        let ec2 = Ec2::start(dir.path(), Arc::new(NoMachines::default()), |options| {
            options.rules = rules;
            options.log = Some(log.clone());
        })
        .await;
        Self { ec2, log, _dir: dir }
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Makes a call that never ends, and gives its line of the log as soon as it is there.
    async fn hang(&self, query: &str) -> serde_json::Value {
        let call = self.ec2.call(query);
        let line = async {
            loop {
                if let Some(line) = self.lines().into_iter().find(|line| line["code"] == "Hang") {
                    return line;
                }
                // A test of a client would look in the same way: nobody tells when a file grows.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = call => panic!("{query} was answered"),
            line = line => line,
        }
    }
}

#[tokio::test]
async fn delays_count_beside_other_faults_and_are_in_the_log() {
    let faulty = Faulty::start(
        r#"[{"kind":"delay","window_seconds":0.2,"action":"Describe*"},{"action":"DescribeVpcs","kind":"throttle"}]"#,
    )
    .await;
    for (query, status) in [("DescribeVpcs", 503), ("DescribeSubnets", 200)] {
        let begun = std::time::Instant::now();
        assert_eq!(faulty.ec2.call(query).await.status, status, "{query}");
        // A lower bound only: a slow machine makes it longer.
        assert!(begun.elapsed() >= Duration::from_millis(200), "{query}");
    }
    let faults: Vec<_> = faulty.lines().iter().map(|line| line["fault"].as_str().unwrap_or("").to_owned()).collect();
    assert_eq!(faults, ["delay, error before", "delay"]);
}

#[tokio::test]
async fn young_key_pairs_are_unknown_by_id_and_name_but_can_be_deleted() {
    let faulty = Faulty::start(r#"[{"kind":"not_found","resource":"key","window_seconds":600}]"#).await;
    let id = faulty.ec2.call("CreateKeyPair&KeyName=k&KeyType=ed25519").await.text("keyPairId").to_owned();
    for query in [format!("DescribeKeyPairs&KeyPairId.1={id}"), "DescribeKeyPairs&KeyName.1=k".to_owned()] {
        assert_eq!(faulty.ec2.call(&query).await.code(), (400, "InvalidKeyPair.NotFound"), "{query}");
    }
    let image = faulty.ec2.image().await;
    let run = format!("RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1&KeyName=k");
    assert_eq!(faulty.ec2.call(&run).await.text("Message"), "The key pair &apos;k&apos; does not exist");
    assert_eq!(faulty.ec2.call("CreateKeyPair&KeyName=k").await.text("Code"), "InvalidKeyPair.Duplicate");
    assert_eq!(faulty.ec2.call(&format!("DeleteKeyPair&KeyPairId={id}")).await.text("keyPairId"), id);
}

#[tokio::test]
async fn volumes_fail_late() {
    let faulty = Faulty::start(r#"[{"action":"CreateVolume","kind":"fails_later","nth":[1]}]"#).await;
    let ec2 = &faulty.ec2;
    let create = "CreateVolume&AvailabilityZone=eu-west-1a&Size=1";
    let [bad, good] = [ec2.call(create).await, ec2.call(create).await].map(|made| made.text("volumeId").to_owned());
    let seen = |id: &str| format!("DescribeVolumes&VolumeId.1={id}");
    ec2.until(&seen(&good), "status", "available").await;
    ec2.until(&seen(&bad), "status", "error").await;
    assert_eq!(ec2.call(&format!("CreateSnapshot&VolumeId={bad}")).await.text("Code"), "IncorrectState");
    assert_eq!(ec2.call(&format!("DeleteVolume&VolumeId={bad}")).await.status, 200);
    assert_eq!(ec2.call(&seen(&bad)).await.text("Code"), "InvalidVolume.NotFound");
}

const CREATE: &str = "CreateSecurityGroup&GroupName=g&GroupDescription=d";

#[tokio::test]
async fn the_log_tells_the_moment_of_a_hang() {
    for (when, there) in [("before", 0), ("after", 1)] {
        let rule = format!(r#"[{{"effect":"writes","kind":"hang","when":"{when}","nth":[2]}}]"#);
        let faulty = Faulty::start(&rule).await;
        faulty.ec2.call("CreateKeyPair&KeyName=k").await;
        let line = faulty.hang(CREATE).await;
        assert_eq!(line["fault"], format!("hang {when}"));
        assert_eq!(
            (line["action"].as_str(), line["params"]["GroupName"].as_str()),
            (Some("CreateSecurityGroup"), Some("g"))
        );
        let groups = faulty.ec2.call("DescribeSecurityGroups&Filter.1.Name=group-name&Filter.1.Value.1=g").await;
        assert_eq!(groups.texts("groupId").len(), there, "{when}");
    }
}

#[tokio::test]
async fn answers_are_cut_and_proxies_answer_for_it() {
    let faulty = Faulty::start(
        r#"[{"action":"CreateSecurityGroup","kind":"truncated"},{"action":"DescribeVpcs","kind":"bad_gateway"},
            {"action":"DescribeSubnets","kind":"unauthorized"}]"#,
    )
    .await;
    let cut = faulty.ec2.call(CREATE).await;
    assert_eq!(cut.status, 200);
    assert!(
        cut.body.starts_with("<?xml") && !cut.body.ends_with('>')
            || !cut.body.contains("</CreateSecurityGroupResponse>")
    );
    assert_eq!(faulty.ec2.call("DescribeSecurityGroups&GroupName.1=g").await.texts("groupId").len(), 1);
    let page = faulty.ec2.call("DescribeVpcs").await;
    assert!(page.status == 502 && page.head.contains("text/html") && page.body.contains("Bad Gateway"));
    let denied = faulty.ec2.call("DescribeSubnets").await;
    assert_eq!(denied.code(), (403, "UnauthorizedOperation"));
    let blob = denied.text("Message").rsplit(' ').next().unwrap().to_owned();
    let query = format!("DecodeAuthorizationMessage&EncodedMessage={blob}");
    let decoded = faulty.ec2.in_region("eu-west-1", "sts", "AKIDTEST", &query).await;
    assert!(decoded.text("DecodedMessage").contains("ec2:DescribeSubnets"), "{}", decoded.body);
    let bad = faulty.ec2.in_region("eu-west-1", "sts", "AKIDTEST", "DecodeAuthorizationMessage&EncodedMessage=x").await;
    assert_eq!(bad.text("Code"), "InvalidAuthorizationMessageException");
    let faults: Vec<String> =
        faulty.lines().iter().filter_map(|line| Some(line["fault"].as_str()?.to_owned())).collect();
    assert_eq!(faults, ["truncated after", "bad_gateway before", "error before"]);
}

#[tokio::test]
async fn instances_die_and_copies_fail_in_one_region() {
    let faulty = Faulty::start(
        r#"[{"action":"RunInstances","kind":"interrupted","window_seconds":0.3},
            {"action":"CopyImage","region":"us-east-1","kind":"fails_later","message":"Copy image failed with an internal error"}]"#,
    )
    .await;
    let ec2 = &faulty.ec2;
    let steady = ec2.launch("").await;
    let image = ec2.image().await;
    let spot = format!(
        "RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1&InstanceMarketOptions.MarketType=spot"
    );
    let spot = ec2.call(&spot).await.text("instanceId").to_owned();
    let ended = ec2.until(&format!("DescribeInstances&InstanceId.1={spot}"), "name", "terminated").await;
    assert!(ended.body.contains("Server.SpotInstanceTermination"));
    let request = ec2.call("DescribeSpotInstanceRequests").await;
    assert_eq!((request.text("state"), request.text("code")), ("closed", "instance-terminated-no-capacity"));
    assert_eq!(ec2.call(&format!("DescribeInstances&InstanceId.1={steady}")).await.text("name"), "running");

    let image = ec2.call(&format!("CreateImage&InstanceId={steady}&Name=img")).await.text("imageId").to_owned();
    ec2.until(&format!("DescribeImages&ImageId.1={image}"), "imageState", "available").await;
    for (region, state) in [("us-east-1", "failed"), ("us-west-2", "available")] {
        let query = format!("CopyImage&Name=img&SourceRegion=eu-west-1&SourceImageId={image}");
        let copy = ec2.in_region(region, "ec2", "AKIDTEST", &query).await;
        let seen = format!("DescribeImages&ImageId.1={}", copy.text("imageId"));
        assert_eq!(ec2.in_region(region, "ec2", "AKIDTEST", &seen).await.text("imageState"), state, "{region}");
    }
}

#[tokio::test]
async fn buckets_throttle_as_ec2_does() {
    let dir = tempfile::tempdir().unwrap();
    // Time passes a million times slower, so that nothing refills during the test.
    let ec2 = Ec2::start(dir.path(), Arc::new(NoMachines::default()), |options| options.buckets = Some(1e6)).await;
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(ec2.call("StartInstances&InstanceId.1=i-0123456789abcdef0").await.text("Code").to_owned());
    }
    assert_eq!(codes[4], "InvalidInstanceID.NotFound");
    assert_eq!(codes[5], "RequestLimitExceeded");
}

#[tokio::test]
async fn machines_are_told_what_is_wrong_with_their_link() {
    let dir = tempfile::tempdir().unwrap();
    let machines = Scripted::new(false);
    let rules = r#"[{"action":"RunInstances","kind":"ssh_late","window_seconds":2},{"action":"RunInstances","kind":"ssh_cut","window_seconds":3}]"#;
    let rules = serde_json::from_str(rules).unwrap();
    let ec2 = Ec2::start(dir.path(), Arc::clone(&machines) as Arc<dyn Machines>, |options| options.rules = rules).await;
    ec2.launch("").await;
    let link = machines.specs.lock().unwrap()[0].link;
    assert_eq!((link.opens_after, link.cut_after), (Duration::from_secs(2), Some(Duration::from_secs(3))));
}
