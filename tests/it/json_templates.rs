//! JSON templates of the older form: read as they are, and upgraded to HCL that builds the same.

use std::io::Write as _;
use std::process::Stdio;

use crate::sandbox::{Ran, Sandbox, can_boot};

const NULL: &str = r#"{
  "_comment": "kept",
  "min_packer_version": "1.5.0",
  "description": "d",
  "variables": {"who": "world", "must": null, "home": "{{env `HOME`}}", "both": "{{user `who`}}+{{user `must`}}"},
  "sensitive-variables": ["must"],
  "builders": [
    {"type": "null", "name": "one", "communicator": "none"},
    {"type": "null", "name": "two", "communicator": "none"}
  ],
  "provisioners": [
    {"type": "shell-local", "inline": ["echo hi {{user `both`}} {{build_name}} {{build_type}} ID={{build `ID`}} '${x}'"]},
    {"type": "shell-local", "only": ["two"], "inline": "echo a,echo b",
     "override": {"two": {"inline": ["echo over-$PACKER_BUILD_NAME"]}}},
    {"type": "shell-local", "except": "two", "inline": ["echo {{if eq (user `who`) \"world\"}}yes{{else}}no{{end}}"]}
  ],
  "post-processors": [[
    {"type": "manifest", "output": "m.json", "custom_data": {"home": "{{user `home`}}", "flag": true}},
    {"type": "shell-local", "inline": ["echo after {{build_name}}"]}
  ]]
}"#;

/// What scripts wrote, sorted: the two builds run side by side.
fn said(ran: &Ran) -> Vec<String> {
    let mut lines: Vec<String> =
        ran.stdout.lines().filter(|line| line.starts_with("==> ")).map(str::to_owned).collect();
    lines.retain(|line| !["Running", "Wait completed", "Builds finished"].iter().any(|word| line.contains(word)));
    lines.sort();
    lines
}

fn manifest(sandbox: &Sandbox) -> Vec<(String, serde_json::Value)> {
    let text = std::fs::read_to_string(sandbox.path().join("m.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let builds = manifest["builds"].as_array().unwrap().iter();
    let mut found: Vec<_> =
        builds.map(|build| (build["name"].as_str().unwrap().to_owned(), build["custom_data"].clone())).collect();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}

#[test]
fn a_json_template_builds_and_its_hcl_builds_the_same() {
    let (json, hcl) = (Sandbox::new(), Sandbox::new());
    json.file("t.json", NULL);
    json.run(&["validate", "-var", "must=s3cret-m", "t.json"]).expect(0).says("The configuration is valid.");
    let as_json = json.run(&["build", "-var", "must=s3cret-m", "t.json"]).expect(0);
    let lines = said(&as_json);
    for wanted in [
        "==> null.one: hi world+<sensitive> one null ID=Null ${x}",
        "==> null.one: yes",
        "==> null.two: over-two",
        "==> null.two: b",
        "==> null.one (shell-local): after one",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "no {wanted:?} in {lines:#?}");
    }

    hcl.file("t.json", NULL);
    hcl.run(&["hcl2_upgrade", "-with-annotations", "t.json"])
        .expect(0)
        .says("Successfully created t.json.pkr.hcl. Exit 0");
    let text = std::fs::read_to_string(hcl.path().join("t.json.pkr.hcl")).unwrap();
    assert!(text.starts_with("# kept\n") && text.contains(">= 1.5.0"), "{text}");
    let as_hcl = hcl.run(&["build", "-var", "must=s3cret-m", "t.json.pkr.hcl"]).expect(0);
    assert_eq!(lines, said(&as_hcl), "{text}");
    let without_home = |found: Vec<(String, serde_json::Value)>| {
        found.into_iter().map(|(name, data)| (name, data["flag"].clone(), data["home"].is_string())).collect::<Vec<_>>()
    };
    assert_eq!(without_home(manifest(&json)), without_home(manifest(&hcl)));
    let again = hcl.run(&["hcl2_upgrade", "t.json.pkr.hcl"]).expect(1).says("is HCL already");
    assert!(again.stdout.starts_with("Error: "));
}

#[test]
fn a_json_template_bakes_on_local_ec2_and_so_does_its_hcl() {
    if !can_boot("a_json_template_bakes_on_local_ec2_and_so_does_its_hcl") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.file("scripts/mark.sh", "#!/bin/sh\necho \"$WHO\" | sudo tee /etc/mark\n");
    sandbox.file(
        "bake.json",
        r#"{
  "variables": {"region": "us-east-1", "who": "ann", "size": ""},
  "builders": [{
    "type": "amazon-ebs", "region": "{{user `region`}}", "instance_type": "t3.micro", "ssh_username": "admin",
    "ami_name": "json {{ clean_resource_name `a:b` }} {{timestamp}}", "ami_regions": "us-east-1,us-west-2",
    "source_ami_filter": {"filters": {"name": "debian-12-amd64-*"}, "owners": "136693071363", "most_recent": "true"},
    "launch_block_device_mappings": [{"device_name": "/dev/xvda", "volume_size": "{{user `size`}}", "delete_on_termination": "1"}],
    "tags": {"Base": "{{ .SourceAMI }}", "Clean": "{{ clean_resource_name `c#d` }}", "Flag": true}
  }],
  "provisioners": [{
    "type": "shell", "environment_vars": ["WHO={{user `who`}} on {{build `SourceAMIName`}}"],
    "execute_command": "{{.Vars}} sh -eu {{.Path}}", "script": "{{template_dir}}/scripts/mark.sh"
  }],
  "post-processors": [{"type": "manifest", "output": "{{user `who`}}.json"}]
}"#,
    );
    sandbox.run(&["hcl2_upgrade", "-output-file", "bake.pkr.hcl", "bake.json"]).expect(0);
    for template in ["bake.json", "bake.pkr.hcl"] {
        let ran = sandbox.run(&["build", "--local", template]).expect(0).says("AMIs were created:");
        let ran = ran.says(": ann on debian-12-amd64").says("us-west-2: ami-");
        assert!(ran.stdout.contains("json a-b "), "{}", ran.stdout);
    }
    let manifest = std::fs::read_to_string(sandbox.path().join("ann.json")).unwrap();
    assert_eq!(manifest.matches("\"artifact_id\"").count(), 2, "{manifest}");
}

#[test]
fn a_template_may_come_through_a_pipe() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.kiln();
    let mut child =
        command.args(["validate", "-var", "must=1", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(NULL.as_bytes()).unwrap();
    Ran::from(child.wait_with_output().unwrap()).expect(0).says("The configuration is valid.");
    sandbox.run(&["validate", "-"]).expect(1).says("on <stdin> line 1").says("*.pkr.hcl");
}

#[test]
fn inspect_shows_a_json_template_as_it_is_written() {
    let sandbox = Sandbox::new();
    sandbox.file("t.json", NULL);
    let ran = sandbox.run(&["inspect", "t.json"]).expect(0);
    let ran = ran.says("Packer Inspect: JSON mode").says("Required variables:\n\n  must\n");
    ran.says("  both = {{user `who`}}+{{user `must`}}").says("  one (null)").says("Provisioners:\n\n  shell-local\n");
}

#[test]
fn variables_come_from_files_and_secrets_do_not_come_out() {
    let sandbox = Sandbox::new();
    sandbox.file("t.json", NULL);
    sandbox.file("v", r#"{"must": "s3cret-m", "who": 7}"#);
    let ran = sandbox.run(&["build", "-only", "one", "-var-file", "v", "t.json"]).expect(0).says("hi 7+<sensitive>");
    assert!(!ran.stdout.contains("s3cret") && !ran.stdout.contains("null.two"), "{}", ran.stdout);
    sandbox.run(&["build", "-only=tow", "-var", "must=1", "t.json"]).expect(1).says("did you mean \"two\"");
}

#[test]
fn mistakes_in_json_templates_name_file_line_and_remedy() {
    for (text, wanted) in [
        ("{\n \"builders\": [\n", &["t.json line 3"][..]),
        ("{\n \"builders\": [],\n}", &["t.json line 3, column 1", "comma"]),
        ("{\n // old\n \"builders\": []}", &["t.json line 2, column 2", "comments"]),
        ("builders:\n - type: null\n", &["t.json line 1", "*.pkr.hcl"]),
        ("{\"builder\": []}", &["line 1, column 2", "did you mean \"builders\""]),
        ("{\"source\": {\"null\": {}}}", &["*.pkr.json"]),
        ("{\"builders\": [{\"type\": \"null\",\n\"communicatr\": \"none\"}]}", &["line 2, column 1", "communicator"]),
        (
            "{\"builders\": [{\"type\": \"null\",\n\"communicator\": \"{{ nope }}\"}]}",
            &["line 2", "communicator", "nope"],
        ),
        (
            "{\"variables\": {\n\"v\": null}, \"builders\": [{\"type\": \"null\"}]}",
            &["line 2, column 1", "-var v=VALUE"],
        ),
        (
            "{\"builders\": [{\"type\": \"null\", \"communicator\": \"none\"}], \"provisioners\": [\n{\"type\": \"shell\", \"script\": \"nope.sh\"}]}",
            &["line 2", "nope.sh"],
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.file("t.json", text);
        for verb in ["validate", "build"] {
            let ran = sandbox.run(&[verb, "t.json"]).expect(1);
            assert!(ran.stdout.starts_with("Error: "), "{}", ran.stdout);
            wanted.iter().for_each(|part| assert!(ran.stdout.contains(part), "no {part:?} in:\n{}", ran.stdout));
        }
    }
    let sandbox = Sandbox::new();
    sandbox.file("t.json", "{\"builders\": [{\"type\": \"googlecompute\", \"zone\": \"z\"}]}");
    sandbox.run(&["fix", "-validate=false", "t.json"]).expect(1).says("kiln hcl2_upgrade t.json");
    sandbox
        .run(&["hcl2_upgrade", "t.json"])
        .expect(1)
        .says("googlecompute")
        .says("Successfully created t.json.pkr.hcl. Exit 1");
}

#[test]
fn only_and_except_together_are_refused() {
    let sandbox = Sandbox::new();
    let text = r#"{"builders":[{"type":"null","communicator":"none","name":"a"},{"type":"null","communicator":"none","name":"b"}],
        "provisioners":[{"type":"shell-local","inline":["true"],"only":["a"],"except":["b"]}]}"#;
    sandbox.file("t.json", text);
    sandbox.run(&["validate", "t.json"]).expect(1).says("only one of 'only' or 'except' may be specified");
    sandbox.file("t.json", &text.replace("[\"b\"]}]", "[]}]"));
    sandbox.run(&["validate", "t.json"]).expect(0);
}

#[test]
fn values_with_any_sign_in_them_survive_the_upgrade() {
    let sandbox = Sandbox::new();
    let text = r#"{"variables":{"v":"a`b\"c\\d<e>\n"},
        "builders":[{"type":"file","target":"o","content":"{{if user `v`}}{{ printf `%s` (user `v`) }}{{end}}"}]}"#;
    sandbox.file("t.json", text);
    sandbox.run(&["build", "-force", "t.json"]).expect(0);
    let before = std::fs::read_to_string(sandbox.path().join("o")).unwrap();
    assert_eq!(before, "a`b\"c\\d<e>\n");
    sandbox.run(&["hcl2_upgrade", "-output-file=t.pkr.hcl", "t.json"]).expect(0);
    std::fs::remove_file(sandbox.path().join("o")).unwrap();
    sandbox.run(&["build", "-force", "t.pkr.hcl"]).expect(0);
    assert_eq!(std::fs::read_to_string(sandbox.path().join("o")).unwrap(), before);
}
