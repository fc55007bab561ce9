//! Options of `amazon-ebs` that change what is asked of EC2: spot instances, encryption and the like. What they do is read off the wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use crate::endpoint::{Endpoint, Watched, wait};
use crate::sandbox::{Ran, Sandbox, can_boot};
use crate::world::{self, resources};

/// A template with more in its source.
fn template(source: &str) -> String {
    world::template(&format!("ami_name = \"kiln-it-options\"\n  {source}"), "")
}

/// A place with a template, and rules of faults.
fn sandbox(source: &str, faults: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &template(source));
    sandbox.file("faults.json", &format!("{{\"rules\": [{faults}]}}"));
    sandbox
}

const BUILD: [&str; 7] = ["build", "--local", "--local-log", "wire.log", "--local-faults", "faults.json", "t.pkr.hcl"];

fn build(source: &str, faults: &str) -> (Sandbox, Ran) {
    let sandbox = sandbox(source, faults);
    let ran = sandbox.run(&BUILD);
    (sandbox, ran)
}

/// The parameters of all calls of an action that were made so far.
fn calls(sandbox: &Sandbox, action: &str) -> Vec<Json> {
    let log = std::fs::read_to_string(sandbox.path().join("wire.log")).unwrap_or_default();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    lines.filter(|line| line["action"] == action).map(|line| line["params"].clone()).collect()
}

/// One parameter of a call.
fn param<'a>(call: &'a Json, name: &str) -> &'a str {
    call[name].as_str().unwrap_or_default()
}

/// What is there after a bake, without the image's own parts.
fn left(sandbox: &Sandbox, region: &str) -> Vec<String> {
    let of_image = |id: &String| ["image ", "snapshot ", "tag ami-", "tag snap-"].iter().any(|p| id.starts_with(p));
    resources(sandbox, region).into_iter().filter(|id| !of_image(id)).collect()
}

/// Builds until the first call of an action hangs after its effect, interrupts, and looks at what is there.
#[track_caller]
fn interrupted_at(source: &str, action: &str) {
    let sandbox = sandbox(source, &format!(r#"{{"action": "{action}", "kind": "hang", "when": "after", "nth": [1]}}"#));
    let running = sandbox.start(&BUILD);
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while calls(&sandbox, action).is_empty() {
        assert!(std::time::Instant::now() < limit, "no {action}:\n{}", running.output());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    running.signal(Signal::SIGINT);
    let ran = running.finish().expect(1);
    assert_eq!(resources(&sandbox, "us-east-1").len(), 0, "after {action}:\n{}", ran.stdout);
}

const SPOT: &str = r#"
  spot_instance_types      = ["t3.micro", "t3a.micro"]
  spot_price               = "0.02"
  spot_allocation_strategy = "lowest-price"
  spot_tags                = { from = "{{ .SourceAMIOwner }}" }
  fleet_tag {
    key   = "fleet"
    value = "one"
  }"#;

#[test]
fn a_spot_instance_is_launched_by_a_fleet() {
    if !can_boot("a_spot_instance_is_launched_by_a_fleet") {
        return;
    }
    // The first try finds no capacity, the second try's replies are lost.
    let faults = r#"
        {"action": "CreateLaunchTemplate", "kind": "lost_reply", "nth": [1]},
        {"action": "CreateFleet", "kind": "no_capacity", "nth": [1]},
        {"action": "CreateFleet", "kind": "lost_reply", "nth": [2]}"#;
    let (sandbox, ran) = build(SPOT, faults);
    ran.expect(0).says("Launching a spot AWS instance").says("Created Spot Fleet launch template: lt-");
    let templates = calls(&sandbox, "CreateLaunchTemplate");
    let data = |name: &str| param(&templates[0], &format!("LaunchTemplateData.{name}")).to_owned();
    assert_eq!(templates.len(), 1, "the lost reply is looked for");
    assert_eq!((data("InstanceMarketOptions.MarketType"), data("InstanceType")), ("spot".into(), String::new()));
    assert_eq!(data("InstanceMarketOptions.SpotOptions.MaxPrice"), "0.02");
    let text = templates[0].to_string();
    for wanted in ["\"spot-instances-request\"", "\"launch-template\"", "\"136693071363\"", "\"kiln:run\""] {
        assert!(text.contains(wanted), "no {wanted} in {text}");
    }
    let fleets = calls(&sandbox, "CreateFleet");
    assert_eq!(fleets.len(), 2, "one without capacity, one with the instance");
    assert_ne!(param(&fleets[0], "ClientToken"), param(&fleets[1], "ClientToken"));
    for (name, value) in [
        ("Type", "instant"),
        ("TargetCapacitySpecification.DefaultTargetCapacityType", "spot"),
        ("LaunchTemplateConfigs.1.Overrides.2.InstanceType", "t3a.micro"),
        ("SpotOptions.AllocationStrategy", "lowest-price"),
        ("TagSpecification.1.Tag.1.Key", "fleet"),
    ] {
        assert_eq!(param(&fleets[1], name), value, "{name}");
    }
    assert!(calls(&sandbox, "StopInstances").is_empty(), "EC2 stops no spot instance of this kind");
    assert_eq!(left(&sandbox, "us-east-1"), Vec::<String>::new());
}

#[test]
fn a_spot_instance_that_cannot_be_had_says_why() {
    if !can_boot("a_spot_instance_that_cannot_be_had_says_why") {
        return;
    }
    let (sandbox, ran) = build("instance_type = \"t3.micro\"\n  spot_price = \"0.0001\"", "");
    let ran = ran.expect(1);
    assert!(
        ran.last_line().contains("SpotMaxPriceTooLow") && ran.stdout.contains("raise spot_price"),
        "{}",
        ran.stdout
    );
    assert_eq!(resources(&sandbox, "us-east-1").len(), 0);
}

#[test]
fn an_interrupted_spot_launch_leaves_nothing() {
    if !can_boot("an_interrupted_spot_launch_leaves_nothing") {
        return;
    }
    for action in ["CreateLaunchTemplate", "CreateFleet", "DeleteLaunchTemplate"] {
        interrupted_at(SPOT, action);
    }
}

const ENCRYPTED: &str = r#"
  instance_type = "t3.micro"
  ami_regions   = ["us-west-2", "eu-west-1"]
  encrypt_boot  = true
  kms_key_id    = "alias/build"
  region_kms_key_ids = {
    us-west-2 = "alias/west"
    eu-west-1 = ""
  }"#;

/// How many images are there.
fn images(sandbox: &Sandbox, region: &str) -> usize {
    resources(sandbox, region).iter().filter(|id| id.starts_with("image ")).count()
}

#[test]
fn an_encrypted_image_is_a_copy_and_the_first_one_goes() {
    if !can_boot("an_encrypted_image_is_a_copy_and_the_first_one_goes") {
        return;
    }
    let (sandbox, ran) = build(ENCRYPTED, "");
    let ran = ran.expect(0).says("Deregistering the AMI and deleting unencrypted temporary AMIs and snapshots");
    let made = calls(&sandbox, "CreateImage");
    let first = param(&made[0], "Name");
    assert!(first.len() == 7 && first.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{first}");
    let copies = calls(&sandbox, "CopyImage");
    assert_eq!(copies.len(), 3);
    let mut keys: Vec<&str> = copies.iter().map(|copy| param(copy, "KmsKeyId")).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["", "alias/build", "alias/west"]);
    for copy in &copies {
        assert_eq!((param(copy, "Name"), param(copy, "Encrypted")), ("kiln-it-options", "true"));
    }
    for region in ["us-east-1", "us-west-2", "eu-west-1"] {
        assert_eq!(images(&sandbox, region), 1, "{region}");
        assert!(ran.stdout.contains(&format!("\n{region}: ami-")), "{}", ran.stdout);
        assert_eq!(left(&sandbox, region), Vec::<String>::new());
    }
}

#[test]
fn the_build_region_can_be_spared_its_image() {
    if !can_boot("the_build_region_can_be_spared_its_image") {
        return;
    }
    let source = "instance_type = \"t3.micro\"\n  skip_save_build_region = true";
    let (sandbox, ran) = build(&format!("{source}\n  ami_regions = [\"us-west-2\"]"), "");
    let ran = ran.expect(0);
    assert!(!ran.last_line().contains("us-east-1") && ran.stdout.contains("us-west-2: ami-"), "{}", ran.stdout);
    assert_eq!(calls(&sandbox, "CopyImage")[0]["Encrypted"], Json::Null);
    assert_eq!((resources(&sandbox, "us-east-1").len(), images(&sandbox, "us-west-2")), (0, 1));

    let (sandbox, ran) = build(source, "");
    ran.expect(1).says("no image would be left");
    assert!(calls(&sandbox, "RunInstances").is_empty());
}

#[test]
fn a_failed_or_interrupted_encryption_leaves_nothing() {
    if !can_boot("a_failed_or_interrupted_encryption_leaves_nothing") {
        return;
    }
    let (sandbox, ran) = build(ENCRYPTED, r#"{"action": "CopyImage", "region": "us-west-2", "kind": "fails_later"}"#);
    let ran = ran.expect(1);
    assert!(ran.last_line().contains("copy to us-west-2"), "{}", ran.stdout);
    for region in ["us-east-1", "us-west-2", "eu-west-1"] {
        assert_eq!(resources(&sandbox, region).len(), 0, "{region}");
    }
    let source = "instance_type = \"t3.micro\"\n  encrypt_boot = true";
    for action in ["CreateImage", "CopyImage"] {
        interrupted_at(source, action);
    }
}

const PROFILE: &str = r#"
  instance_type = "t3.micro"
  temporary_iam_instance_profile_policy_document {
    Statement {
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = ["*"]
    }
  }"#;

#[test]
fn a_temporary_profile_is_made_and_goes() {
    if !can_boot("a_temporary_profile_is_made_and_goes") {
        return;
    }
    // EC2 does not know the profile for two seconds, and two replies are lost.
    let sandbox = sandbox(
        PROFILE,
        r#"{"action": "CreateRole", "kind": "lost_reply", "nth": [1]},
           {"action": "AddRoleToInstanceProfile", "kind": "lost_reply", "nth": [1]}"#,
    );
    sandbox.file("profile.json", r#"{"timings": {"profile_visible": 2}}"#);
    let ran = sandbox.run(&[&BUILD[..2], &["--local-profile", "profile.json"], &BUILD[2..]].concat());
    let ran = ran.expect(0).says("Creating temporary instance profile for this instance: packer-");
    let policy = &calls(&sandbox, "PutRolePolicy")[0];
    let name = param(policy, "RoleName");
    let wanted =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["*"]}]}"#;
    assert_eq!(param(policy, "PolicyDocument"), wanted);
    let launches = calls(&sandbox, "RunInstances");
    assert!(launches.len() > 1, "EC2 does not know the profile at once:\n{}", ran.stdout);
    assert_eq!(param(&launches[0], "IamInstanceProfile.Name"), name);
    assert!(calls(&sandbox, "CreateRole")[0].to_string().contains("kiln:run"));
    assert_eq!(left(&sandbox, "us-east-1"), Vec::<String>::new());
}

#[test]
fn an_interrupted_profile_leaves_nothing() {
    if !can_boot("an_interrupted_profile_leaves_nothing") {
        return;
    }
    for action in ["CreateInstanceProfile", "CreateRole", "PutRolePolicy", "AddRoleToInstanceProfile"] {
        interrupted_at(PROFILE, action);
    }
}

#[test]
fn a_profile_that_is_not_there_is_found_missing_before_anything_is_made() {
    if !can_boot("a_profile_that_is_not_there_is_found_missing_before_anything_is_made") {
        return;
    }
    let (sandbox, ran) = build("instance_type = \"t3.micro\"\n  iam_instance_profile = \"nobodys\"", "");
    ran.expect(1).says("Couldn't find specified instance profile: nobodys");
    assert!(calls(&sandbox, "ImportKeyPair").is_empty());
    let source = "instance_type = \"t3.micro\"\n  iam_instance_profile = \"nobodys\"\n  skip_profile_validation = true";
    let (sandbox, ran) = build(source, "");
    ran.expect(1);
    assert!(calls(&sandbox, "GetInstanceProfile").is_empty());
    assert_eq!(param(&calls(&sandbox, "RunInstances")[0], "IamInstanceProfile.Name"), "nobodys");
}

#[test]
fn reservations_licences_and_enclaves_are_asked_for() {
    if !can_boot("reservations_licences_and_enclaves_are_asked_for") {
        return;
    }
    let launch = |source: &str, code: i32| {
        let (sandbox, ran) = build(&format!("skip_create_ami = true\n{source}"), "");
        ran.expect(code);
        calls(&sandbox, "RunInstances").remove(0)
    };
    let preference = "CapacityReservationSpecification.CapacityReservationPreference";
    assert_eq!(param(&launch("instance_type = \"t3.micro\"", 0), preference), "none");
    let call = launch(
        r#"
  instance_type                   = "m5.xlarge"
  capacity_reservation_preference = "open"
  enable_nitro_enclave            = true
  license_specifications {
    license_configuration_request {
      license_configuration_arn = "arn:aws:license-manager:us-east-1:123456789012:license-configuration:lic-1"
    }
  }"#,
        0,
    );
    assert_eq!((param(&call, preference), param(&call, "EnclaveOptions.Enabled")), ("open", "true"));
    assert!(param(&call, "LicenseSpecification.1.LicenseConfigurationArn").ends_with("lic-1"), "{call}");
    // Local EC2 has neither dedicated hosts nor reservations; the question counts.
    let call = launch(
        r#"
  instance_type           = "m5.large"
  capacity_reservation_id = "cr-0123456789abcdef0"
  placement {
    host_id = "h-0123456789abcdef0"
    tenancy = "host"
  }"#,
        1,
    );
    let target = "CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId";
    assert_eq!(param(&call, target), "cr-0123456789abcdef0");
    assert_eq!(param(&call, "Placement.HostId"), "h-0123456789abcdef0");
}

#[test]
fn a_refusal_is_decoded_when_the_template_asks_for_it() {
    if !can_boot("a_refusal_is_decoded_when_the_template_asks_for_it") {
        return;
    }
    let refused = r#"{"action": "RunInstances", "kind": "unauthorized"}"#;
    let source = "instance_type = \"t3.micro\"";
    let (_, ran) = build(source, refused);
    ran.expect(1).says("Encoded authorization failure message: ");
    let (_, ran) = build(&format!("{source}\n  decode_authorization_messages = true"), refused);
    let ran = ran.expect(1).says("Authorization failure message: '{");
    assert!(!ran.stdout.contains("Encoded authorization"), "{}", ran.stdout);
    let unable = format!("{refused}, {{\"action\": \"DecodeAuthorizationMessage\", \"kind\": \"unauthorized\"}}");
    let (sandbox, ran) = build(&format!("{source}\n  decode_authorization_messages = true"), &unable);
    ran.expect(1).says("it could not be decoded: DecodeAuthorizationMessage");
    assert_eq!(resources(&sandbox, "us-east-1").len(), 0);
}

/// A certificate that nobody vouches for, for 127.0.0.1 until 2126, and its key: DER in base64.
const CERTIFICATE: &str = "MIIBmzCCAUGgAwIBAgIUb7mEnSstwvAiJa0GYBRuMbF02TUwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTIxMzEzM1oYDzIxMjYxMDI4MjEzMTMzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASEBeRfze38ncc2vszVnI8l/Ie5weEMMRISxMEUKfI2gIbscutPabm436yhg48sKq7Lco9KLiUYx5NTYHsXgmkTo28wbTAdBgNVHQ4EFgQUutYF+oBw7n6Q7+Wv3y6DP+2NuP0wHwYDVR0jBBgwFoAUutYF+oBw7n6Q7+Wv3y6DP+2NuP0wDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0EAwIDSAAwRQIgSzRIVIOmZRsmIo7YNKurSuAD5MuvcuQxX2WtE0ezYf0CIQDd4nhJ86dsgyK6BTNeN0wSO+9yNVazvOec1K6+Z0dVDQ==";
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgC2xKjGCxlqXzSWeIKYKPVPPQA0LY8fMQWTf0Mxurv6OhRANCAASEBeRfze38ncc2vszVnI8l/Ie5weEMMRISxMEUKfI2gIbscutPabm436yhg48sKq7Lco9KLiUYx5NTYHsXgmkT";

/// An endpoint with that certificate that refuses everything; its port.
fn unknown_endpoint() -> u16 {
    use std::io::{Read as _, Write as _};
    use std::sync::Arc;

    let der = |text: &str| STANDARD.decode(text).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(der(KEY));
    let config = config.with_no_client_auth().with_single_cert(vec![der(CERTIFICATE).into()], key.into()).unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::Stream::new(&mut session, &mut stream);
            let mut asked = [0; 4096];
            // Who does not trust us hangs up.
            if tls.read(&mut asked).is_err() {
                continue;
            }
            let body = "<Response><Errors><Error><Code>AuthFailure</Code><Message>never seen you</Message></Error></Errors><RequestID>1</RequestID></Response>";
            let head =
                format!("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = tls.write_all(format!("{head}{body}").as_bytes());
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    });
    port
}

#[test]
fn a_certificate_that_nobody_vouches_for_counts_only_when_none_is_checked() {
    let port = unknown_endpoint();
    let source = |insecure: bool| {
        format!(
            "instance_type = \"t3.micro\"\n  custom_endpoint_ec2 = \"https://127.0.0.1:{port}\"\n  max_retries = 1\n  \
             access_key = \"a\"\n  secret_key = \"b\"\n  skip_credential_validation = true\n  insecure_skip_tls_verify = {insecure}"
        )
    };
    for (insecure, text) in [(false, "certificate"), (true, "AuthFailure: never seen you")] {
        let sandbox = sandbox(&source(insecure), "");
        let ran = sandbox.run(&["build", "t.pkr.hcl"]).expect(1);
        assert!(ran.stdout.contains(text), "{insecure}:\n{}", ran.stdout);
    }
}

/// An endpoint with a template, and a build on it that is killed when the first call of an action has had its effect.
fn killed_at(source: &str, action: &str) -> Endpoint {
    let endpoint = Endpoint::start(&[]);
    endpoint.sandbox.file("t.pkr.hcl", &template(source));
    endpoint.faults(&[json!({"action": action, "kind": "hang", "when": "after", "nth": [1]})]);
    let mut build = endpoint.kiln("state");
    build.args(["build", "--lease", "2s", "t.pkr.hcl"]);
    let mut build = Watched::start(build, &endpoint.sandbox.path().join("build.log"));
    wait(action, || endpoint.requests(0).iter().any(|request| request["action"] == action));
    build.signal(Signal::SIGKILL);
    build.finish();
    endpoint.faults(&[]);
    endpoint
}

#[test]
fn what_dead_runs_left_of_these_is_found_by_tags() {
    if !can_boot("what_dead_runs_left_of_these_is_found_by_tags") {
        return;
    }
    for (source, action, kinds) in [
        (SPOT, "CreateLaunchTemplate", &["launch-template lt-"][..]),
        (PROFILE, "PutRolePolicy", &["role packer-", "instance-profile packer-"][..]),
    ] {
        let endpoint = killed_at(source, action);
        // Another machine: it has no journal of the run.
        let clean = |args: &[&str]| {
            let mut command = endpoint.kiln("elsewhere");
            Ran::from(command.args(["cleanup", "--region", "us-east-1"]).args(args).output().unwrap())
        };
        wait("the end of the lease", || {
            let told = clean(&["--dry-run"]).stdout;
            kinds.iter().all(|kind| told.contains(kind))
        });
        clean(&[]).expect(0).says("Removed");
        assert_eq!(endpoint.held(&["us-east-1"]).len(), 0, "{action}");
    }
}

#[test]
fn a_killed_bake_goes_on_with_what_it_asked_for() {
    if !can_boot("a_killed_bake_goes_on_with_what_it_asked_for") {
        return;
    }
    let encrypted = "instance_type = \"t3.micro\"\n  encrypt_boot = true";
    for (source, action) in [(SPOT, "CreateFleet"), (encrypted, "CreateImage"), (encrypted, "CopyImage")] {
        let endpoint = killed_at(source, action);
        let run = Ran::from(endpoint.kiln("state").args(["runs", "--json"]).output().unwrap()).expect(0).stdout;
        let run: Json = serde_json::from_str(run.trim()).unwrap();
        let ran = endpoint.kiln("state").args(["resume", run["run"].as_str().unwrap()]).output().unwrap();
        let ran = Ran::from(ran).expect(0);
        let made = endpoint.requests(0).iter().filter(|request| request["action"] == action).count();
        assert_eq!(made, 1, "{action} is not made again:\n{}", ran.stdout);
        let is_image = |id: &String| [" image ", " snapshot ", " ami-", " snap-"].iter().any(|kind| id.contains(kind));
        wait("the end of what is temporary", || endpoint.held(&["us-east-1"]).iter().all(is_image));
        let images = endpoint.held(&["us-east-1"]).iter().filter(|id| id.contains(" image ")).count();
        assert_eq!(images, 1, "{action}:\n{}", ran.stdout);
    }
}
