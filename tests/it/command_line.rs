//! The command line: verbs, flags in both spellings, exit codes.

use crate::sandbox::Sandbox;

const NULL: &str = r#"
source "null" "a" { communicator = "none" }
build {
  sources = ["null.a"]
  provisioner "shell-local" { inline = ["echo hello $((40 + 2))"] }
}
"#;

#[test]
fn version_in_all_its_spellings() {
    for args in [&["version"][..], &["-v"], &["--version"]] {
        Sandbox::new().run(args).expect(0).says("Kiln v0.1.0");
    }
    let machine = Sandbox::new().run(&["-machine-readable", "version"]).expect(0);
    assert!(machine.stdout.contains(",,version,0.1.0"), "{}", machine.stdout);
}

#[test]
fn every_verb_has_help() {
    for verb in ["build", "validate", "inspect", "version", "cleanup", "ec2-local", "local"] {
        for flag in ["--help", "-h", "-help"] {
            Sandbox::new().run(&[verb, flag]).expect(0).says("Usage: kiln");
        }
    }
}

#[test]
fn unknown_and_missing_commands_are_127() {
    Sandbox::new().run(&[]).expect(127).says("Usage: kiln");
    Sandbox::new().run(&["bakery"]).expect(127).says("bakery");
    Sandbox::new().run(&["build", "-no-such-flag", "x"]).expect(1).says("--no-such-flag");
}

#[test]
fn flags_work_with_one_dash_and_with_two() {
    let sandbox = Sandbox::new();
    let template = r#"
variable "who" { default = "nobody" }
source "null" "a" { communicator = "none" }
source "null" "b" { communicator = "none" }
build {
  sources = ["null.a", "null.b"]
  provisioner "shell-local" { inline = ["echo I am ${var.who} in ${source.name}"] }
}
"#;
    sandbox.file("t.pkr.hcl", template);
    for args in [
        ["build", "-var", "who=me", "-only=null.a", "t.pkr.hcl"],
        ["build", "--var", "who=me", "--only=null.a", "t.pkr.hcl"],
    ] {
        let ran = sandbox.run(&args).expect(0).says("I am me in a");
        assert!(!ran.stdout.contains("in b"), "{}", ran.stdout);
    }
}

#[test]
fn a_null_build_needs_nothing() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", NULL);
    let ran = sandbox.run(&["build", "."]).expect(0).says("==> null.a: hello 42");
    assert_eq!(ran.last_line(), "--> null.a: Did not export anything. This is the null builder");
}

#[test]
fn json_is_one_object_a_line() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", NULL);
    let ran = sandbox.run(&["build", "--json", "t.pkr.hcl"]).expect(0);
    let lines: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 4 && lines.iter().all(|line| line["v"] == 1), "{}", ran.stdout);
    assert!(ran.stdout.contains("hello 42"));
}

#[test]
fn machine_readable_has_packers_records() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", NULL);
    let ran = sandbox.run(&["build", "-machine-readable", "t.pkr.hcl"]).expect(0);
    for record in [",,ui,say,==> null.a: hello 42", ",null.a,artifact-count,1", ",null.a,artifact,0,id,Null"] {
        assert!(ran.stdout.contains(record), "no {record} in:\n{}", ran.stdout);
    }
}

#[test]
fn validate_and_inspect_only_read() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", NULL);
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(0).says("The configuration is valid.");
    sandbox.run(&["inspect", "t.pkr.hcl"]).expect(0).says("> builds:").says("null.a").says("shell-local");
    assert!(sandbox.journals().is_empty());
}

#[test]
fn sensitive_values_are_masked_in_output() {
    let sandbox = Sandbox::new();
    let template = r#"
variable "password" {
  default   = "s3cr3t-value"
  sensitive = true
}
source "null" "a" { communicator = "none" }
build {
  sources = ["null.a"]
  provisioner "shell-local" { inline = ["echo the password is ${var.password}"] }
}
"#;
    sandbox.file("t.pkr.hcl", template);
    let ran = sandbox.run(&["build", "t.pkr.hcl"]).expect(0).says("the password is <sensitive>");
    assert!(!ran.stdout.contains("s3cr3t"), "{}", ran.stdout);
}

#[test]
fn a_failing_post_processor_fails_the_build_but_keeps_the_artifact_of_others() {
    let sandbox = Sandbox::new();
    let template = r#"
source "null" "a" { communicator = "none" }
build {
  sources = ["null.a"]
  post-processor "shell-local" { inline = ["exit 7"] }
  post-processor "manifest" { output = "m.json" }
}
"#;
    sandbox.file("t.pkr.hcl", template);
    sandbox.run(&["build", "t.pkr.hcl"]).expect(1).says("non-zero exit status: 7");
    let manifest = std::fs::read_to_string(sandbox.path().join("m.json")).unwrap();
    assert!(manifest.contains(r#""artifact_id": "Null""#), "{manifest}");
}

#[test]
fn a_breakpoint_without_a_terminal_fails_and_a_disabled_one_does_not() {
    let sandbox = Sandbox::new();
    let template = |disable: &str| {
        format!(
            r#"
source "null" "a" {{ communicator = "none" }}
build {{
  sources = ["null.a"]
  provisioner "breakpoint" {{
    note    = "look"
    disable = {disable}
  }}
}}
"#
        )
    };
    sandbox.file("t.pkr.hcl", &template("true"));
    sandbox.run(&["build", "t.pkr.hcl"]).expect(0).says("Breakpoint provisioner with note \"look\" disabled");
    sandbox.file("t.pkr.hcl", &template("false"));
    sandbox.run(&["build", "t.pkr.hcl"]).expect(1).says("Pausing at breakpoint provisioner with note \"look\".");
}
