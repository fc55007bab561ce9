//! Templates as text, and what comes of them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{File, FileKind, Inputs, KindTable, Loaded, Loading, Mode, Order, Role, Undeclared};
use crate::hcl::diagnostics::{Severity, render_line};
use crate::hcl::functions::{Host, HttpGet, PathKind};
use crate::hcl::{Type, Value};
use crate::plan::{BuildPlan, OnFailure};

mod builds;
mod data;
mod json;
mod plugins;
mod selection;
mod variables;

/// A host with one environment variable and no files.
struct Nowhere;

impl Host for Nowhere {
    fn root(&self) -> &Path {
        Path::new("root")
    }

    fn cwd(&self) -> &Path {
        Path::new("/work")
    }

    fn home(&self) -> Option<PathBuf> {
        None
    }

    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn kind(&self, _: &Path) -> io::Result<PathKind> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<(String, PathKind)>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn started(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn env(&self, name: &str) -> Option<String> {
        (name == "USER").then(|| "ann".to_owned())
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn http_get(&self, _: &HttpGet<'_>) -> Result<String, String> {
        Err("no network".into())
    }

    fn aws_secret(&self, _: &str) -> Result<String, String> {
        Err("no network".into())
    }
}

fn kinds() -> KindTable {
    let components = [
        (Role::Source, "null"),
        (Role::Source, "file"),
        (Role::Provisioner, "shell"),
        (Role::Provisioner, "shell-local"),
        (Role::PostProcessor, "manifest"),
        (Role::PostProcessor, "checksum"),
    ];
    let components = components.map(|(role, name)| (role, name.to_owned())).into();
    let plugins = vec![("github.com/hashicorp/null".to_owned(), "1.8.3".to_owned())];
    KindTable { components, data: vec![("null".into(), Type::object([("output", Type::String)]))], plugins }
}

fn file(name: &str, text: &str) -> File {
    let kind = if name.ends_with(".json") { FileKind::Json } else { FileKind::Hcl };
    File { name: name.into(), text: text.into(), kind }
}

/// The inputs of a template in one file, and nothing else.
fn inputs(text: &str) -> Inputs {
    Inputs {
        files: vec![file("t.pkr.hcl", text)],
        auto_var_files: Vec::new(),
        var_files: Vec::new(),
        vars: Vec::new(),
        env: BTreeMap::new(),
        root: "root".into(),
        cwd: "/work".into(),
        version: "1.16.0".into(),
        only: Vec::new(),
        except: Vec::new(),
        host: Arc::new(Nowhere),
        undeclared: Undeclared::Warn,
        mode: Mode::Full,
        order: Order::ByDependency,
        kinds: Arc::new(kinds()),
    }
}

/// Loads; `null` data sources give their input.
fn load(inputs: Inputs) -> Loaded {
    let mut loading = Loading::start(inputs);
    while let Some(request) = loading.next_data() {
        let output = request.body.get("input").cloned().unwrap_or(Value::string("none"));
        loading.supply(Ok(Value::object([("output".to_owned(), output)].into())));
    }
    loading.finish()
}

/// The diagnostics, a line each, errors without a word and warnings with one.
fn lines(loaded: &Loaded) -> Vec<String> {
    let line = |diagnostic| render_line(diagnostic, &loaded.sources);
    let word = |severity| if severity == Severity::Warning { "warning: " } else { "" };
    loaded.diagnostics.iter().map(|diagnostic| format!("{}{}", word(diagnostic.severity), line(diagnostic))).collect()
}

/// The builds of a template without faults.
fn builds(inputs: Inputs) -> Vec<BuildPlan> {
    let loaded = load(inputs);
    assert_eq!(lines(&loaded), Vec::<String>::new());
    loaded.plan.unwrap().builds
}

/// A template without faults whose locals are these.
fn locals(inputs: Inputs) -> Vec<String> {
    let loaded = load(Inputs { mode: Mode::Overview, ..inputs });
    assert_eq!(lines(&loaded), Vec::<String>::new());
    loaded.plan.unwrap().overview.locals.iter().map(|(name, value)| format!("{name}={value:?}")).collect()
}

/// Checks that a template has exactly these faults, each named by its place and summary.
fn faults(text: &str, want: &[&str]) {
    let loaded = load(inputs(text));
    let found = lines(&loaded);
    let fits = found.len() == want.len() && found.iter().zip(want).all(|(found, want)| found.starts_with(want));
    assert!(fits, "{text}\nwant {want:#?}\ngot {found:#?}");
    assert!(loaded.plan.is_none() || want.iter().all(|want| want.starts_with("warning")));
}

/// Like [`faults`], with a build that has no fault behind it.
fn faults_before_build(text: &str, want: &[&str]) {
    faults(&format!("{text}\n{BUILD}"), want);
}

const BUILD: &str = "source \"null\" \"a\" {}\nbuild {\n  sources = [\"null.a\"]\n}\n";

#[test]
fn top_level() {
    faults_before_build("variabel \"x\" {}", &["t.pkr.hcl:1,1-13: Unsupported block type"]);
    faults_before_build("a = 1", &["t.pkr.hcl:1,1-2: Unsupported argument"]);
    faults_before_build("provisioner \"shell\" {}", &["t.pkr.hcl:1,1-20: Unsupported block type"]);
    faults_before_build("source \"null\" {}", &["t.pkr.hcl:1,1-14: Missing name for source"]);
    faults_before_build("variable \"a\" \"b\" {}", &["t.pkr.hcl:1,14-17: Extraneous label for variable"]);
    faults_before_build("communicator \"ssh\" \"x\" {\n  a = 1\n}\nlocals {}", &[]);
    faults("", &["Missing build block"]);
    faults("build {", &["t.pkr.hcl:1,1-8: Unclosed configuration block"]);
}

#[test]
fn unreadable_text() {
    let mut latin = inputs("");
    latin.files[0].text = b"# caf\xe9\nlocals {\n  a = \"caf\xe9\"\n}\n".to_vec();
    assert!(lines(&load(latin))[0].starts_with("t.pkr.hcl:3,11-12: Invalid character encoding"));
    let mut marked = inputs("");
    marked.files[0].text = format!("\u{feff}{BUILD}").into_bytes();
    assert_eq!(builds(marked).len(), 1);
}

#[test]
fn packer_blocks() {
    let packer = |body: &str| format!("packer {{\n{body}\n}}");
    for good in ["required_version = \">= 1.7, < 2\"", "required_version = null", "required_plugins {}"] {
        faults_before_build(&packer(good), &[]);
    }
    let plugin = |body: &str| packer(&format!("required_plugins {{\n{body}\n}}"));
    faults_before_build(&plugin("a = { version = \">=v1.0.0\", source = \"github.com/hashicorp/amazon\" }"), &[]);
    let source = "source = \"github.com/hashicorp/amazon\"";
    let cases = [
        (packer("required_version = \">= 99\""), "t.pkr.hcl:2,20-27: Unsupported Packer Core version"),
        (packer("required_version = 1"), "t.pkr.hcl:2,20-21: Unsupported Packer Core version"),
        (packer("required_version = \"x\""), "t.pkr.hcl:2,20-23: Invalid version constraint"),
        (packer("required_version = var.v"), "t.pkr.hcl:2,20-25: Variables not allowed"),
        (packer("verison = 1"), "t.pkr.hcl:2,1-8: Unsupported argument"),
        (plugin("a = \"1.0\""), "t.pkr.hcl:3,5-10: Invalid plugin requirement"),
        (plugin(&format!("a = {{ {source} }}")), "t.pkr.hcl:3,5-47: No version constraint was set"),
        (plugin("a = { version = \"1\" }"), "t.pkr.hcl:3,5-22: No source was set"),
        (plugin(&format!("a = {{ version = \"1-beta\", {source} }}")), "t.pkr.hcl:3,17-25: Invalid version constraint"),
        (plugin(&format!("a--b = {{ version = \"1\", {source} }}")), "t.pkr.hcl:3,1-5: Invalid plugin local name"),
        (plugin("a = { version = \"1\", source = 5 }"), "t.pkr.hcl:3,31-32: Invalid source"),
        (plugin("a = { version = \"1\", source = \"https://x/y/z\" }"), "t.pkr.hcl:3,31-46: Failed to parse source"),
        (
            plugin(&format!("a = {{ version = \"1\", {source}, mirror = 1 }}")),
            "t.pkr.hcl:3,71-72: Invalid required_plugins object",
        ),
    ];
    for (text, want) in cases {
        faults_before_build(&text, &[want]);
    }
}

#[test]
fn registries() {
    let registry = "hcp_packer_registry {\n  bucket_name = \"x\"\n}\n";
    faults_before_build(registry, &["warning: t.pkr.hcl:1,1-20: hcp_packer_registry has no effect"]);
    faults_before_build(
        &registry.repeat(2),
        &[
            "t.pkr.hcl:4,1-20: Only one hcp_packer_registry",
            "warning: t.pkr.hcl:1,1-20: hcp_packer_registry has no effect",
        ],
    );
}

#[test]
fn json_templates() {
    let text = r#"{
      "//": "a comment",
      "variable": { "v": { "type": "list(string)", "default": ["x", "y"] } },
      "locals": { "l": "${var.v[1]}-${path.root}" },
      "source": { "null": { "a": { "communicator": "none" } } },
      "build": [ {
        "sources": ["null.a"],
        "provisioner": [ { "shell": { "inline": ["echo ${local.l}"], "max_retries": 2 } } ],
        "post-processors": [ { "post-processor": { "manifest": { "keep_input_artifact": true } } } ]
      } ]
    }"#;
    let plans = builds(Inputs { files: vec![file("t.pkr.json", text)], ..inputs("") });
    let [plan] = plans.as_slice() else { panic!("one build") };
    assert_eq!((plan.name.as_str(), plan.provisioners[0].max_retries), ("null.a", 2));
    let (options, problems) = plan.provisioners[0].options.evaluate(&BTreeMap::new(), &[]);
    assert!(problems.is_empty());
    assert_eq!(format!("{:?}", options.get("inline").unwrap()), r#"["echo y-root"]"#);
    assert_eq!(plan.post_processors[0][0].keep_input, Some(true));
}

#[test]
fn modes() {
    let text = "variable \"v\" {}\nlocals {\n  a = nope\n  b = 1\n}\nbuild {\n  sources = [\"null.zzz\"]\n}\n";
    let syntax = load(Inputs { mode: Mode::SyntaxOnly, ..inputs(text) });
    assert!(syntax.plan.is_some() && syntax.diagnostics.is_empty());
    let overview = load(Inputs { mode: Mode::Overview, ..inputs(text) });
    assert!(overview.diagnostics.is_empty());
    let shown = overview.plan.unwrap().overview;
    assert_eq!(format!("{:?} {:?}", **shown.variables, **shown.locals), r#"{"v": <unknown>} {}"#);
    assert_eq!(shown.builds[0].sources, ["null.zzz"]);
    faults(
        text,
        &[
            "t.pkr.hcl:1,1-13: Unset variable \"v\"",
            "t.pkr.hcl:3,7-11: Unknown variable",
            "t.pkr.hcl:7,14-24: Unknown source null.zzz",
        ],
    );
    let broken = load(Inputs { mode: Mode::Overview, ..inputs("build {\n") });
    assert!(broken.plan.is_none() && broken.diagnostics.has_errors());
}

#[test]
fn all_inputs_cut_anywhere_are_survived() {
    let text = "variable \"v\" {\n  type = list(string)\n  default = [\"a\"]\n}\nlocals {\n  l = [for x in var.v : \"${x}\"]\n}\n\
                source \"null\" \"a\" {}\nbuild {\n  sources = [\"null.a\"]\n  dynamic \"provisioner\" {\n    for_each = local.l\n    \
                labels = [\"shell\"]\n    content {\n      inline = [provisioner.value]\n    }\n  }\n}\n";
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        load(inputs(&text[..end]));
    }
    assert_eq!(builds(inputs(text))[0].provisioners.len(), 1);
}
