//! Which files make a template, in which encoding, and where values of variables come from.

use std::os::unix::fs::symlink;

use crate::sandbox::{Ran, Sandbox};

/// The smallest template that is valid.
const BUILD: &str =
    "source \"null\" \"x\" {\n  communicator = \"none\"\n}\nbuild {\n  sources = [\"source.null.x\"]\n}\n";

/// A sandbox with a template in the working directory.
fn with(rest: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", &format!("{BUILD}{rest}"));
    sandbox
}

/// A file of any bytes.
fn bytes(sandbox: &Sandbox, name: &str, content: &[u8]) {
    std::fs::write(sandbox.path().join(name), content).unwrap();
}

/// The lines of `inspect` that give values.
#[track_caller]
fn values(ran: Ran) -> Vec<String> {
    let ran = ran.expect(0);
    let lines = ran.stdout.lines().filter(|line| line.starts_with("var.") || line.starts_with("local."));
    lines.map(str::to_owned).collect()
}

#[test]
fn links_are_followed_and_broken_ones_are_errors() {
    let sandbox = Sandbox::new();
    sandbox.file("real/build.pkr.hcl", &format!("{BUILD}variable \"v\" {{}}\nlocals {{\n  r = path.root\n}}\n"));
    sandbox.file("shared/values.hcl", "v = \"shared\"\n");
    std::fs::create_dir(sandbox.path().join("t")).unwrap();
    symlink("../real/build.pkr.hcl", sandbox.path().join("t/a.pkr.hcl")).unwrap();
    symlink("../shared/values.hcl", sandbox.path().join("t/v.auto.pkrvars.hcl")).unwrap();
    // A folder is not read as a file, nor what an editor leaves beside a file that is open.
    symlink("../shared", sandbox.path().join("t/folder.pkr.hcl")).unwrap();
    symlink("ann@host.1:2", sandbox.path().join("t/.#a.pkr.hcl")).unwrap();
    symlink("t", sandbox.path().join("linked")).unwrap();
    assert_eq!(values(sandbox.run(&["inspect", "linked"])), ["var.v: \"shared\"", "local.r: \"linked\""]);
    symlink("gone", sandbox.path().join("t/b.pkr.hcl")).unwrap();
    sandbox.run(&["validate", "t"]).expect(1).says("Error: t/b.pkr.hcl: it is a link to gone, which does not exist");
}

#[test]
fn folders_with_the_name_of_a_template() {
    let sandbox = Sandbox::new();
    sandbox.file("x.pkr.hcl/a.pkr.hcl", BUILD);
    sandbox.run(&["validate", "x.pkr.hcl"]).expect(0);
    sandbox.file("t.pkr.hcl", BUILD);
    sandbox.file("x.pkr.hcl/a.pkr.hcl", "not read {");
    std::fs::create_dir(sandbox.path().join("y.auto.pkrvars.hcl")).unwrap();
    sandbox.run(&["validate", "."]).expect(0);
}

#[test]
fn hidden_files_count_and_backups_do_not() {
    let sandbox = Sandbox::new();
    sandbox.file(".hidden.pkr.hcl", BUILD);
    for name in ["t.pkr.hcl~", "t.pkr.hcl.bak", "#t.pkr.hcl#", "values.pkrvars.hcl", "sub/t.pkr.hcl"] {
        sandbox.file(name, "not read {");
    }
    sandbox.run(&["validate", "."]).expect(0);
}

#[test]
fn carriage_returns_stay_in_heredocs_only() {
    let sandbox = Sandbox::new();
    let text = format!(
        "{BUILD}locals {{\n  a = <<EOF\nx\nEOF\n  b = \"q\" # comment\n  c = [\n    1,\n  ]\n}}\n/* two\nlines */"
    );
    sandbox.file("t.pkr.hcl", &text.replace('\n', "\r\n"));
    let wanted = ["local.a: \"x\\r\\n\"", "local.b: \"q\"", "local.c: \"[\\n  1,\\n]\""];
    assert_eq!(values(sandbox.run(&["inspect", "."])), wanted);
}

#[test]
fn byte_order_marks_are_skipped() {
    let sandbox = Sandbox::new();
    bytes(&sandbox, "t.pkr.hcl", format!("\u{feff}{BUILD}variable \"a\" {{}}\nvariable \"b\" {{}}\n").as_bytes());
    bytes(&sandbox, "v.auto.pkrvars.hcl", "\u{feff}a = 1\n".as_bytes());
    bytes(&sandbox, "v.auto.pkrvars.json", "\u{feff}{\"b\": 2}".as_bytes());
    assert_eq!(values(sandbox.run(&["inspect", "."])), ["var.a: \"1\"", "var.b: \"2\""]);
}

#[test]
fn other_encodings_are_refused_but_in_comments() {
    let sandbox = Sandbox::new();
    bytes(&sandbox, "t.pkr.hcl", &[b"# caf\xe9 \x96 1998\n", BUILD.as_bytes()].concat());
    sandbox.run(&["validate", "."]).expect(0);
    bytes(&sandbox, "t.pkr.hcl", &[BUILD.as_bytes(), b"locals {\n  a = \"caf\xe9\"\n}\n"].concat());
    sandbox.run(&["validate", "."]).expect(1).says("t.pkr.hcl line 8, column 11").says("save the file as UTF-8");
    let utf16: Vec<u8> = format!("\u{feff}{BUILD}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes(&sandbox, "t.pkr.hcl", &utf16);
    sandbox.run(&["validate", "."]).expect(1).says("The file is UTF-16").says("save the file as UTF-8");
    bytes(&sandbox, "t.pkr.hcl", &[BUILD.as_bytes(), b"\0"].concat());
    let ran = sandbox.run(&["validate", "."]).expect(1).says("line 7, column 1").says("U+0000");
    assert!(!ran.stdout.contains('\0'));
}

#[test]
fn empty_files_add_nothing() {
    let sandbox = with("");
    sandbox.file("empty.pkr.hcl", "");
    sandbox.file("empty.auto.pkrvars.hcl", "");
    sandbox.run(&["validate", "."]).expect(0);
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", "# nothing\n");
    sandbox.run(&["validate", "."]).expect(1).says("Error: Missing build block");
}

#[test]
fn json_beside_hcl() {
    let sandbox = with("");
    sandbox.file(
        "b.pkr.json",
        r#"{ "//": "a comment", "variable": { "j": { "type": "list(string)", "default": ["a"] } }, "locals": { "l": "${upper(var.j[0])}" } }"#,
    );
    assert_eq!(values(sandbox.run(&["inspect", "."])), ["var.j: \"[\\n  \\\"a\\\",\\n]\"", "local.l: \"A\""]);
    // Text in a JSON variable file is text, even if it looks like a template.
    sandbox.file("v.auto.pkrvars.json", r#"{ "//": "a comment", "j": ["${nope}"] }"#);
    let found = values(sandbox.run(&["inspect", "."]));
    assert_eq!(found, ["var.j: \"[\\n  \\\"${nope}\\\",\\n]\"", "local.l: \"${NOPE}\""]);
}

#[test]
fn later_sources_of_values_win() {
    let sandbox = with(
        &["a", "b", "c", "d", "e", "f"]
            .map(|name| format!("variable \"{name}\" {{\n  default = \"default\"\n}}\n"))
            .concat(),
    );
    sandbox.file("z.auto.pkrvars.hcl", "b = \"hcl\"\nc = \"hcl\"\nd = \"hcl\"\ne = \"hcl\"\nf = \"hcl\"\n");
    sandbox.file(".a.auto.pkrvars.json", r#"{ "c": "json", "d": "json", "e": "json", "f": "json" }"#);
    sandbox.file("one.json", r#"{ "d": "one", "e": "one", "f": "one" }"#);
    sandbox.file("two.vars.pkr.hcl", "e = \"two\"\nf = \"two\"\n");
    let files = ["-var-file=one.json", "-var-file=two.vars.pkr.hcl", "-var", "f=argument"];
    let run = |template: &str| {
        let mut command = sandbox.kiln();
        command.arg("inspect").args(files).arg(template);
        // What `-var-file` names may lie in the folder, but must not be taken for a template.
        command.envs([("PKR_VAR_a", "environment"), ("PKR_VAR_b", "environment"), ("PKR_VAR_nobody", "x")]);
        values(command.output().unwrap().into())
    };
    std::fs::create_dir(sandbox.path().join("dir")).unwrap();
    for name in ["t.pkr.hcl", "z.auto.pkrvars.hcl", ".a.auto.pkrvars.json"] {
        std::fs::copy(sandbox.path().join(name), sandbox.path().join("dir").join(name)).unwrap();
    }
    let names = ["environment", "hcl", "json", "one", "two", "argument"];
    let wanted = |names: [&str; 6]| -> Vec<String> {
        ["a", "b", "c", "d", "e", "f"]
            .iter()
            .zip(names)
            .map(|(name, value)| format!("var.{name}: \"{value}\""))
            .collect()
    };
    assert_eq!(run("dir"), wanted(names));
    // Of a single file the folder is not searched.
    assert_eq!(run("t.pkr.hcl"), wanted(["environment", "environment", "default", "one", "two", "argument"]));
}

#[test]
fn values_of_every_type_from_the_environment() {
    let sandbox = with(
        "variable \"a\" {\n  type = map(list(string))\n}\nvariable \"b\" {\n  type = bool\n}\nvariable \"c\" {\n  type = number\n}\n\
         variable \"d\" {}\nvariable \"e\" {\n  type = object({ a = string, b = optional(list(number), [1]) })\n}\n\
         variable \"f\" {\n  type = set(string)\n}\n",
    );
    let given = [
        ("a", "{ x = [\"1\", 2] }"),
        ("b", "true"),
        ("c", "42"),
        ("d", "[\"x\"]"),
        ("e", "{ a = \"z\" }"),
        ("f", "[\"b\", \"a\", \"b\"]"),
    ];
    let wanted = [
        r#"var.a: "{\n  \"x\" = [\n    \"1\",\n    \"2\",\n  ]\n}""#,
        r#"var.b: "true""#,
        r#"var.c: "42""#,
        // Without a type the text is the value.
        r#"var.d: "[\"x\"]""#,
        r#"var.e: "{\n  \"a\" = \"z\"\n  \"b\" = [\n    1,\n  ]\n}""#,
        r#"var.f: "[\n  \"a\",\n  \"b\",\n]""#,
    ];
    let mut command = sandbox.kiln();
    command.args(["inspect", "."]).envs(given.map(|(name, value)| (format!("PKR_VAR_{name}"), value)));
    assert_eq!(values(command.output().unwrap().into()), wanted);
    let mut command = sandbox.kiln();
    command.arg("inspect").args(given.map(|(name, value)| format!("-var={name}={value}"))).arg(".");
    assert_eq!(values(command.output().unwrap().into()), wanted);
}

#[test]
fn unfit_values_name_the_variable_and_where_they_come_from() {
    for (value, said) in [
        ("{ x = 1", "Unexpected end"),
        ("[\"a\"]", "type map(list(string))"),
        ("{ a = \"b\" }", "element \"a\": list"),
        ("x", "Variables not allowed"),
        ("{ x = upper(\"a\") }", "Function calls not allowed"),
        ("", "Missing expression"),
    ] {
        let sandbox = with("variable \"v\" {\n  type = map(list(string))\n}\n");
        let mut command = sandbox.kiln();
        command.args(["validate", "."]).env("PKR_VAR_v", value);
        Ran::from(command.output().unwrap()).expect(1).says(said).says("on PKR_VAR_v line 1");
        let ran = sandbox.run(&["validate", &format!("-var=v={value}"), "."]).expect(1);
        ran.says(said).says("on -var v= line 1");
    }
}

#[test]
fn faults_of_variable_files() {
    let sandbox = with("variable \"v\" {\n  type    = list(string)\n  default = []\n}\n");
    for (name, text, said) in [
        ("v.hcl", "v = \"[]\"\n", "on v.hcl line 1, column 5:"),
        ("v.hcl", "v = [var.x]\n", "on v.hcl line 1, column 6:"),
        ("v.hcl", "variable \"v\" {}\n", "Error: Variable declaration in a .pkrvar file"),
        ("v.hcl", "v = []\nv = []\n", "on v.hcl line 2, column 1:"),
        ("v.json", "{ \"v\": [\"x\" \"y\"] }", "on v.json line 1, column 13:"),
        ("v.json", "{\n  \"v\": {}\n}", "on v.json line 2, column 8:"),
        ("v.tfvars", "v = []\n", "ends in .hcl or .json"),
    ] {
        sandbox.file(name, text);
        sandbox.run(&["validate", &format!("-var-file={name}"), "."]).expect(1).says(said);
    }
    std::fs::create_dir(sandbox.path().join("d.hcl")).unwrap();
    for (path, said) in [
        ("gone/v.hcl", "Error: Failed to read variable file \"gone/v.hcl\": no such file or directory"),
        ("gone/v.hcl", "starts from the working directory"),
        ("/gone", "Error: Failed to read variable file \"/gone\": no such file or directory"),
        ("d.hcl", "Error: Failed to read variable file \"d.hcl\": it is a directory"),
    ] {
        sandbox.run(&["validate", &format!("-var-file={path}"), "."]).expect(1).says(said);
    }
}

#[test]
fn a_variable_file_taken_for_a_template_says_so() {
    let sandbox = with("");
    sandbox.file("common.vars.pkr.hcl", "region = \"eu-west-1\"\n");
    sandbox.run(&["validate", "."]).expect(1).says("common.vars.pkr.hcl line 1").says("-var-file");
}

#[test]
fn paths_with_blanks_and_paths_above_the_template() {
    let sandbox = Sandbox::new();
    sandbox.file("v.txt", "above");
    let name = "an app/t.pkr.hcl";
    sandbox.file(
        name,
        &format!("{BUILD}locals {{\n  r = path.root\n  a = abspath(path.root) == \"${{path.cwd}}/an app\"\n  f = file(\"../v.txt\")\n}}\n"),
    );
    let wanted =
        |root: &str| ["local.a: \"true\"".to_owned(), "local.f: \"above\"".to_owned(), format!("local.r: \"{root}\"")];
    for (argument, root) in [("an app", "an app"), ("an app/", "an app/"), (name, "an app")] {
        assert_eq!(values(sandbox.run(&["inspect", argument])), wanted(root));
    }
    // As in Packer, a relative path.root in front of a path counts twice; the message tells the way out.
    sandbox.file(name, &format!("{BUILD}locals {{\n  f = file(\"${{path.root}}/../v.txt\")\n}}\n"));
    sandbox.run(&["validate", "an app"]).expect(1).says("leave the folder out");
}
