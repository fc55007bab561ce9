//! `source "file"`: the artifact is a file, provisioners run against nothing.

use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::Sandbox;

fn template(options: &str, rest: &str) -> String {
    format!("source \"file\" \"f\" {{\n{options}\n}}\nbuild {{\n  sources = [\"file.f\"]\n{rest}\n}}\n")
}

#[test]
fn text_of_the_template_becomes_a_private_file() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &template("content = \"hello\\n\"\ntarget = \"out/deep/f.txt\"", ""));
    let ran = sandbox.run(&["build", "t.pkr.hcl"]).expect(0);
    assert_eq!(ran.last_line(), "--> file.f: Stored file: out/deep/f.txt");
    let path = sandbox.path().join("out/deep/f.txt");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "hello\n");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_copy_says_how_much_it_copied() {
    let sandbox = Sandbox::new();
    sandbox.file("orig", "123456789");
    sandbox.file("t.pkr.hcl", &template("source = \"orig\"\ntarget = \"copy\"", ""));
    let ran = sandbox.run(&["build", "t.pkr.hcl"]).expect(0);
    ran.says("==> file.f: Copying orig to copy\n==> file.f: Copied 9 bytes\n");
    assert_eq!(std::fs::read_to_string(sandbox.path().join("copy")).unwrap(), "123456789");
}

#[test]
fn a_copy_that_cannot_be_made_names_both_files() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &template("source = \"nope\"\ntarget = \"copy\"", ""));
    sandbox.run(&["validate", "t.pkr.hcl"]).expect(0);
    sandbox.run(&["build", "t.pkr.hcl"]).expect(1).says("copy `nope` to `copy`: No such file or directory");
    sandbox.file("nope", "precious");
    sandbox.file("t.pkr.hcl", &template("source = \"nope\"\ntarget = \"./nope\"", ""));
    sandbox.run(&["build", "t.pkr.hcl"]).expect(1).says("onto itself");
    assert_eq!(std::fs::read_to_string(sandbox.path().join("nope")).unwrap(), "precious");
}

#[test]
fn an_empty_file_is_warned_of() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &template("target = \"e\"", ""));
    let warning =
        "Warning: Both source file and contents are blank; target will have no content\n\n  on t.pkr.hcl line 1:\n";
    sandbox.run(&["build", "t.pkr.hcl"]).expect(0).says(warning);
    assert_eq!(std::fs::read(sandbox.path().join("e")).unwrap(), b"");
}

#[test]
fn what_is_wrong_is_found_before_the_build() {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &template("content = \"x\"\nsource = \"t.pkr.hcl\"", ""));
    let ran = sandbox.run(&["validate", "t.pkr.hcl"]).expect(1);
    ran.says("Error: target required").says("Error: Cannot specify source file AND content");
}

#[test]
fn provisioners_run_against_nothing_and_there_is_nothing_to_clean_up() {
    let sandbox = Sandbox::new();
    let provisioners = r#"
  provisioner "shell" { inline = ["exit 3"] }
  provisioner "file" {
    source      = "t.pkr.hcl"
    destination = "/nowhere/"
  }
  provisioner "shell-local" { inline = ["cat f.txt", "exit 4"] }
  error-cleanup-provisioner "shell-local" { inline = ["echo cleaning"] }
"#;
    sandbox.file("t.pkr.hcl", &template("content = \"made first\\n\"\ntarget = \"f.txt\"", provisioners));
    for on_error in ["cleanup", "abort", "run-cleanup-provisioner"] {
        let ran = sandbox.run(&["build", &format!("-on-error={on_error}"), "t.pkr.hcl"]).expect(1);
        let ran = ran.says("Uploading t.pkr.hcl => /nowhere/").says("==> file.f: made first").says("status: 4");
        assert!(!ran.stdout.contains("cleaning") && !ran.stdout.contains("Step \"\""), "{}", ran.stdout);
    }
}
