//! The command line: verbs, flags in both spellings, exit codes.

use crate::sandbox::{Ran, Sandbox};

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
    let verbs = [
        "build",
        "cleanup",
        "console",
        "ec2-local",
        "fmt",
        "init",
        "inspect",
        "local",
        "plugins",
        "plugins install",
        "plugin required",
        "validate",
        "version",
    ];
    for verb in verbs {
        for flag in ["--help", "-h", "-help"] {
            let args: Vec<&str> = verb.split(' ').chain([flag]).collect();
            Sandbox::new().run(&args).expect(0).says("Usage: kiln");
        }
    }
    for verb in ["build", "validate"] {
        Sandbox::new().run(&[verb, "-var", "a=b", "t.pkr.hcl", "-h"]).expect(0).says("Usage: kiln");
    }
}

#[test]
fn unknown_and_missing_commands_are_127() {
    Sandbox::new().run(&[]).expect(127).says("Usage: kiln");
    Sandbox::new().run(&["bakery"]).expect(127).says("bakery");
    Sandbox::new().run(&["bakery"]).expect(127).says("validate");
    Sandbox::new().run(&["build", "-no-such-flag", "x"]).expect(1).says("Error: there is no flag --no-such-flag");
    Sandbox::new().run(&["-syntax-only", "validate", "x"]).expect(1);
}

#[test]
fn flags_end_at_the_first_path() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", NULL);
    sandbox.run(&["validate", "t.pkr.hcl", "-syntax-only"]).expect(1).says("flags come before the paths");
    sandbox.run(&["validate", "t.pkr.hcl", "t.pkr.hcl"]).expect(1).says("unexpected argument t.pkr.hcl");
    sandbox.run(&["validate", "--", "t.pkr.hcl"]).expect(0);
    sandbox.run(&["validate", "-config-type", "hcl2", "t.pkr.hcl"]).expect(0);
    for verb in ["build", "validate", "fmt", "init", "console"] {
        let code = sandbox.run(&[verb]).code;
        assert_eq!(code, i32::from(verb != "console"), "{verb}");
    }
}

#[test]
fn flags_are_read_as_go_reads_them() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", NULL);
    for flag in ["-syntax-only", "--syntax-only", "-syntax-only=t", "-syntax-only=TRUE", "--syntax-only=1"] {
        sandbox.run(&["validate", flag, "t.pkr.hcl"]).expect(0).says("Syntax-only check passed.");
    }
    // The last one counts.
    let last = ["validate", "-syntax-only", "-syntax-only=false", "t.pkr.hcl"];
    sandbox.run(&last).expect(0).says("The configuration is valid.");
    sandbox.run(&["validate", "-syntax-only=maybe", "t.pkr.hcl"]).expect(1).says("parse error");
    sandbox.run(&["validate", "-config-type=yaml", "t.pkr.hcl"]).expect(1);
    sandbox.run(&["validate", "-var", "x", "t.pkr.hcl"]).expect(1).says("No '=' value in arg: x");
    sandbox.run(&["validate", "-var", "-only=x", "t.pkr.hcl"]).expect(1).says("Undefined -var variable");
    sandbox.run(&["validate", "--machine-readable", "t.pkr.hcl"]).expect(1);
    sandbox.run(&["validate", "t.pkr.hcl", "-machine-readable"]).expect(0).says(",,ui,say,The configuration is valid.");
}

#[test]
fn every_flag_of_packer_is_known() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", NULL);
    let shared = ["-var-file=v.hcl", "-only=*", "-except=x", "-config-type=hcl2"];
    sandbox.file("v.hcl", "");
    let flags: [(&str, &[&str]); 7] = [
        (
            "build",
            &[
                "-color=false",
                "-timestamp-ui",
                "-machine-readable=true",
                "-parallel-builds=1",
                "-on-error=abort",
                "-warn-on-undeclared-var",
                "-ignore-prerelease-plugins",
                "-use-sequential-evaluation",
                "-skip-enforcement",
                "-force",
                "-debug=false",
            ],
        ),
        (
            "validate",
            &[
                "-no-warn-undeclared-var",
                "-evaluate-datasources",
                "-ignore-prerelease-plugins",
                "-use-sequential-evaluation",
            ],
        ),
        ("inspect", &["-use-sequential-evaluation"]),
        ("console", &["-use-sequential-evaluation"]),
        ("init", &["-upgrade", "-force"]),
        ("fmt", &["-check", "-diff", "-write=false", "-recursive"]),
        ("plugins required", &[]),
    ];
    for (verb, own) in flags {
        let args: Vec<&str> = verb.split(' ').chain(shared).chain(own.iter().copied()).chain(["t.pkr.hcl"]).collect();
        sandbox.run(&args).expect(0);
    }
    let ran = sandbox.run(&["build", "-skip-enforcement", "t.pkr.hcl"]).expect(0);
    ran.says("Skipping HCP Packer enforced provisioners (--skip-enforcement flag set)");
}

#[test]
fn a_template_is_a_file_or_a_directory() {
    let sandbox = Sandbox::new();
    sandbox.file("d/t.pkr.hcl", NULL);
    sandbox.file("t.hcl", NULL);
    sandbox.run(&["validate", "d"]).expect(0);
    sandbox.run(&["validate", "d/"]).expect(0);
    sandbox.run(&["validate", "-config-type=hcl2", "t.hcl"]).expect(1).says("Could not find any config file in t.hcl");
    sandbox.run(&["validate", "nope"]).expect(1).says("no such file or directory");
    sandbox.run(&["validate", "-config-type=hcl2", "-"]).expect(1).says("can't be read from standard input");
    sandbox.file("empty/x.txt", "");
    sandbox.run(&["validate", "empty"]).expect(1).says("Could not find any config file in empty");
    std::os::unix::fs::symlink("../d/t.pkr.hcl", sandbox.path().join("empty/l.pkr.hcl")).unwrap();
    sandbox.run(&["validate", "empty"]).expect(0);
}

#[test]
fn the_old_order_of_evaluation_is_there() {
    let sandbox = Sandbox::new();
    let text = format!(
        "{NULL}\ndata \"null\" \"n\" {{\n  input = \"x\"\n}}\nlocals {{\n  l = data.null.n.output\n}}\ndata \"null\" \"m\" {{\n  input = local.l\n}}\n"
    );
    sandbox.file("t.pkr.hcl", &text);
    sandbox.run(&["validate", "-evaluate-datasources", "t.pkr.hcl"]).expect(0);
    let args = ["validate", "-evaluate-datasources", "-use-sequential-evaluation", "t.pkr.hcl"];
    sandbox.run(&args).expect(1).says("Undeclared local");
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

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", NULL);
    sandbox.file("wide.pkr.hcl", "locals {\n  a   = 1\n}\n");
    let run =
        |args: &[&str], out: std::fs::File| -> Ran { sandbox.kiln().args(args).stdout(out).output().unwrap().into() };
    for args in [
        &["fmt", "-check", "wide.pkr.hcl"][..],
        &["schema"],
        &["docs"],
        &["inspect", "t.pkr.hcl"],
        &["validate", "t.pkr.hcl"],
        &["build", "t.pkr.hcl"],
        &["version"],
        &["plugins", "installed"],
        &["build", "--help"],
        &["build", "--no-such-flag"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = run(args, full);
        let wanted = "Error: write to standard output: No space left on device\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (1, wanted), "{args:?}");
    }
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let sandbox = Sandbox::new();
    for args in [&["schema"][..], &["docs"], &["version"], &["build", "--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran: Ran = sandbox.kiln().args(args).stdout(writer).output().unwrap().into();
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn a_variable_without_a_name_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", NULL);
    for verb in ["build", "validate", "inspect"] {
        sandbox
            .run(&[verb, "-var", "=x", "t.pkr.hcl"])
            .expect(1)
            .says("the name in front of the equals sign is missing");
    }
}

#[test]
fn a_file_name_that_is_not_utf_8_is_said_to_be_so() {
    use std::os::unix::ffi::OsStrExt as _;
    let sandbox = Sandbox::new();
    let name = std::ffi::OsStr::from_bytes(b"bad\xffname.pkr.hcl");
    std::fs::write(sandbox.path().join(name), NULL).unwrap();
    for argument in [name, std::ffi::OsStr::new(".")] {
        let ran: Ran = sandbox.kiln().arg("validate").arg(argument).output().unwrap().into();
        ran.expect(1).says("name.pkr.hcl: the name is not UTF-8");
    }
}
