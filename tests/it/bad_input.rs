//! Bad input: one clear message with file and line or id, the right exit code, nothing left.

use crate::sandbox::{Sandbox, can_boot};
use crate::world::{assert_host_clean, resources};

/// A bake with something to break.
fn template(source: &str, build: &str) -> String {
    format!(
        r#"source "amazon-ebs" "t" {{
  ami_name      = "kiln-it"
  instance_type = "t3.micro"
  region        = "us-east-1"
  ssh_username  = "admin"
  {source}
}}
build {{
  sources = ["source.amazon-ebs.t"]
  {build}
}}
"#
    )
}

const DEBIAN: &str = r#"source_ami_filter {
    filters     = { name = "debian-12-amd64-*" }
    owners      = ["136693071363"]
    most_recent = true
  }"#;

#[test]
fn mistakes_in_templates_name_file_line_and_remedy() {
    for (text, wanted) in [
        ("source \"null\" \"a\" {", &["t.pkr.hcl line 1"][..]),
        ("source \"null\" \"a\" { communicator = \"none\" }\nbuild { sources = [\"null.b\"] }", &["line 2", "null.b"]),
        (
            "source \"null\" \"a\" {\n  communicatr = \"none\"\n}\nbuild { sources = [\"null.a\"] }",
            &["line 2", "communicatr", "did you mean", "communicator"],
        ),
        (
            "locals { a = var.nope }\nsource \"null\" \"a\" { communicator = \"none\" }\nbuild { sources = [\"null.a\"] }",
            &["line 1", "nope"],
        ),
        ("source \"null\" \"a\" {}\nbuild { sources = [\"null.a\"] }", &["line 1", "ssh_username"]),
        (
            "variable \"v\" {}\nsource \"null\" \"a\" { communicator = \"none\" }\nbuild { sources = [\"null.a\"] }",
            &["\"v\""],
        ),
        (
            "source \"null\" \"a\" { communicator = \"none\" }\nbuild {\n  sources = [\"null.a\"]\n  provisioner \"shell\" { script = \"nope.sh\" }\n}",
            &["line 4", "nope.sh"],
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.file("t.pkr.hcl", text);
        for verb in ["validate", "build"] {
            let ran = sandbox.run(&[verb, "t.pkr.hcl"]).expect(1);
            assert!(ran.stdout.starts_with("Error: "), "{text}\n{}", ran.stdout);
            let lower = ran.stdout.to_lowercase();
            for part in wanted {
                assert!(lower.contains(&part.to_lowercase()), "no {part:?} in:\n{}\nfor:\n{text}", ran.stdout);
            }
        }
        assert!(sandbox.journals().is_empty());
    }
}

#[test]
fn a_missing_template_is_named() {
    Sandbox::new().run(&["build", "no-such.pkr.hcl"]).expect(1).says("no-such.pkr.hcl: no such file or directory");
    Sandbox::new().run(&["build", "."]).expect(1).says("Could not find any config file in .");
}

#[test]
fn a_missing_region_is_named() {
    let sandbox = Sandbox::new();
    let text = template("source_ami = \"ami-1\"", "").replace("region        = \"us-east-1\"\n", "\n");
    sandbox.file("t.pkr.hcl", &text);
    let mut command = sandbox.kiln();
    command.args(["build", "t.pkr.hcl"]).env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
    let ran: crate::sandbox::Ran = command.output().unwrap().into();
    ran.expect(1).says("region");
}

#[test]
fn missing_credentials_are_named() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &template("source_ami = \"ami-1\"", ""));
    let ran = sandbox.run(&["build", "t.pkr.hcl"]).expect(1);
    assert!(ran.stdout.to_lowercase().contains("credentials"), "{}", ran.stdout);
    assert!(!sandbox.journals()[0].contains("intent"), "nothing may be created:\n{}", sandbox.journals()[0]);
}

#[test]
fn an_unreachable_endpoint_is_named() {
    let sandbox = Sandbox::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    sandbox.file("t.pkr.hcl", &template("source_ami = \"ami-1\"\n  max_retries = 1", ""));
    let mut command = sandbox.kiln();
    command.args(["build", "t.pkr.hcl"]).env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
    let ran: crate::sandbox::Ran = command.env("AWS_ENDPOINT_URL", &url).output().unwrap().into();
    let ran = ran.expect(1);
    assert!(ran.stdout.to_lowercase().contains("refused"), "{}", ran.stdout);
}

/// Somebody waits at a terminal and nothing has been made, so it is told that AWS does not answer, and soon given up.
#[test]
fn waiting_for_an_endpoint_that_is_not_there_is_told_and_ends() {
    let sandbox = Sandbox::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let data = "data \"amazon-ami\" \"a\" {\n  region = \"us-east-1\"\n  owners = [\"self\"]\n  filters = { name = \"x\" }\n}\n";
    let build = "source \"null\" \"a\" {\n  communicator = \"none\"\n}\nbuild {\n  name = data.amazon-ami.a.id\n  sources = [\"source.null.a\"]\n}\n";
    sandbox.file("t.pkr.hcl", &format!("{data}{build}"));
    let mut command = sandbox.kiln();
    command.args(["validate", "-evaluate-datasources", "t.pkr.hcl"]);
    command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
    command.env("AWS_ENDPOINT_URL", &url).env("AWS_MAX_ATTEMPTS", "7");
    let ran: crate::sandbox::Ran = command.output().unwrap().into();
    let ran = ran.expect(1);
    let told = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(told.matches("no answer from AWS yet, trying again for at most 20 s").count(), 1, "{told}");
    assert!(told.contains("refused") && told.contains("given up after"), "{told}");
}

#[test]
fn failing_bakes_leave_nothing() {
    if !can_boot("failing_bakes_leave_nothing") {
        return;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = format!("{DEBIAN}\n  ssh_host = \"127.0.0.1\"\n  ssh_port = {port}\n  ssh_timeout = \"2s\"");
    let no_match = DEBIAN.replace("debian-12-amd64-*", "no-such-image-*");
    for (source, build, wanted) in [
        (no_match.as_str(), "", "No AMI was found matching filters: name = no-such-image-*"),
        ("source_ami = \"ami-0123456789abcdef0\"", "", "ami-0123456789abcdef0"),
        (DEBIAN, "provisioner \"shell\" { inline = [\"exit 3\"] }", "non-zero exit status: 3"),
        (&silent, "", "127.0.0.1"),
        (
            DEBIAN,
            "provisioner \"file\" {\n    content = \"x\"\n    destination = \"/no/such/place/x\"\n  }",
            "/no/such/place/x",
        ),
        (&format!("{DEBIAN}\n  subnet_id = \"subnet-0123456789abcdef0\""), "", "subnet-0123456789abcdef0"),
        (&format!("{DEBIAN}\n  security_group_id = \"sg-0123456789abcdef0\""), "", "sg-0123456789abcdef0"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.file("t.pkr.hcl", &template(source, build));
        let ran = sandbox.run(&["build", "--local", "t.pkr.hcl"]).expect(1).says(wanted);
        assert!(ran.last_line().contains(wanted), "the cause must be the last line:\n{}", ran.stdout);
        assert_eq!(resources(&sandbox, "us-east-1").into_iter().collect::<Vec<_>>(), Vec::<String>::new(), "{wanted}");
        assert_host_clean(&sandbox);
    }
}
