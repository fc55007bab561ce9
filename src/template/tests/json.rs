//! JSON templates of the older form.

use super::{file, inputs, kinds};
use crate::hcl::diagnostics::{Severity, render_line};
use crate::plan::Plan;
use crate::template::legacy::upgrade::{Annotations, upgrade};
use crate::template::{Inputs, Loaded, Mode, legacy};

fn json(text: &str) -> Inputs {
    Inputs { files: vec![file("t.json", text)], ..inputs("") }
}

fn load(change: impl FnOnce(&mut Inputs), text: &str) -> Loaded {
    let mut inputs = json(text);
    change(&mut inputs);
    legacy::load(&inputs)
}

#[track_caller]
fn plan(change: impl FnOnce(&mut Inputs), text: &str) -> Plan {
    let loaded = load(change, text);
    let found = findings(&loaded, Severity::Error);
    assert!(found.is_empty(), "{found:#?}");
    loaded.plan.unwrap()
}

fn findings(loaded: &Loaded, severity: Severity) -> Vec<String> {
    let found = loaded.diagnostics.iter().filter(|found| found.severity == severity);
    found.map(|found| format!("{} {:?}", render_line(found, &loaded.sources), found.hint)).collect()
}

fn option(plan: &Plan, build: usize, name: &str) -> String {
    plan.builds[build].source.get(name).and_then(|value| value.to_text()).unwrap_or_default()
}

#[test]
fn variables_come_from_defaults_files_and_arguments() {
    let text = r#"{
        "_comment": "x", "_comment": ["y"],
        "variables": {
            "who": "{{env `USER`}}", "nobody": "{{env `NOPE`}}", "greeting": "hi {{user `who`}}{{user `more`}}",
            "more": "!", "flag": true, "size": 8, "must": null, "other": "{{isotime `2006`}}"
        },
        "builders": [{
            "type": "null", "a": "{{user `greeting`}}/{{ user `must` | upper }}", "b": "{{ user `flag` }}{{ user `size` }}",
            "c": ["{{user `other`}}", {"k": "{{ template_dir }}"}], "d": "{{user `nobody`}}", "e": "${x} {{ isotime }}"
        }]
    }"#;
    let given = |inputs: &mut Inputs| {
        inputs.vars = vec![("must".into(), "{{ done }}".into())];
        inputs.var_files = vec![file("v.json", r#"{"more": 1, "must": "never"}"#)];
    };
    let plan = plan(given, text);
    assert_eq!(option(&plan, 0, "a"), r#"{{"hi ann1"}}/{{ "{{ done }}" | upper }}"#);
    assert_eq!(option(&plan, 0, "b"), r#"{{ "1" }}{{ "8" }}"#);
    assert_eq!(option(&plan, 0, "d"), r#"{{""}}"#);
    assert_eq!(option(&plan, 0, "e"), "${x} {{ isotime }}");
    let nested = format!("{:?}", plan.builds[0].source.get("c").unwrap());
    assert!(nested.contains("1970") && nested.contains("/work/root"), "{nested}");
}

#[test]
fn builds_are_named_ordered_and_selected() {
    let text = r#"{
        "variables": {"n": "b"}, "sensitive-variables": ["n"],
        "builders": [{"type": "null"}, {"type": "null", "name": "{{user `n`}}"}, {"type": "file", "name": "a"}],
        "provisioners": [
            {"type": "shell", "inline": ["x"], "only": ["b"], "pause_before": "1s", "max_retries": "2", "timeout": "1m"},
            {"type": "shell-local", "inline": "y", "except": "a", "override": {"b": {"inline": ["z"]}}}
        ],
        "error-cleanup-provisioner": {"type": "shell-local", "inline": ["c"]},
        "post-processors": ["manifest", [{"type": "checksum", "name": "sum", "only": ["a"]}, "manifest"],
            {"type": "manifest", "keep_input_artifact": true}]
    }"#;
    let all = plan(|_| {}, text);
    assert_eq!(all.builds.iter().map(|build| build.name.as_str()).collect::<Vec<_>>(), ["file.a", "null.b", "null"]);
    assert_eq!(all.sensitive, ["b"]);
    let of = |at: usize| all.builds[at].provisioners.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>();
    assert_eq!((of(0), of(1), of(2)), (vec![], vec!["shell", "shell-local"], vec!["shell-local"]));
    let shell = &all.builds[1].provisioners[0];
    assert_eq!((shell.pause_before.as_secs(), shell.max_retries, shell.timeout.unwrap().as_secs()), (1, 2, 60));
    assert!(all.builds[1].provisioners[1].options.replaced.is_some() && all.builds[1].error_cleanup.is_some());
    let chains = |at: usize| {
        let names = |chain: &Vec<crate::plan::PostProcessorSpec>| chain.iter().map(|one| one.name.clone()).collect();
        all.builds[at].post_processors.iter().map(names).collect::<Vec<Vec<String>>>().concat().join(" ")
    };
    assert_eq!((chains(0), chains(1)), ("manifest sum manifest manifest".into(), "manifest manifest manifest".into()));
    assert_eq!(all.builds[0].post_processors[2][0].keep_input, Some(true));

    let some = plan(|inputs| inputs.only = vec!["b".into(), "null".into()], text);
    assert_eq!(some.builds.len(), 2);
    let some = plan(|inputs| inputs.except = vec!["b".into(), "sum".into()], text);
    assert_eq!((some.builds.len(), some.builds[0].post_processors.len()), (2, 2));
    let loaded = load(|inputs| inputs.only = vec!["null.b".into()], text);
    assert!(findings(&loaded, Severity::Warning)[0].contains("-only null.b fits nothing"));
}

#[test]
fn mistakes_have_a_place_and_a_remedy() {
    for (text, wanted) in [
        ("{\"builders\": [", &["t.json:1,15", "*.pkr.hcl"][..]),
        ("[]", &["t.json:1,1", "JSON object"]),
        (r#"{"builder": []}"#, &["t.json:1,2", "builder", "did you mean \\\"builders\\\""]),
        (r#"{"source": {}}"#, &["Unknown root level key", "*.pkr.json"]),
        (r#"{"builders": []}"#, &["at least one builder"]),
        (r#"{"builders": [{"name": "x"}]}"#, &["t.json:1,15", "type"]),
        (r#"{"builders": ["null"]}"#, &["t.json:1,15", "object"]),
        (r#"{"builders": [{"type": "nul"}]}"#, &["t.json:1,16", "\"nul\"", "did you mean \\\"null\\\""]),
        (r#"{"builders": [{"type": "null"}, {"type": "null"}]}"#, &["t.json:1,34", "more than one", "'null'"]),
        (r#"{"builders": [{"type": "null"}], "variables": {"a": null}}"#, &["t.json:1,48", "\"a\"", "-var a=VALUE"]),
        (r#"{"builders": [{"type": "null"}], "variables": {"a": []}}"#, &["t.json:1,53", "commas"]),
        (
            r#"{"builders": [{"type": "null"}], "variables": {"a": "{{user `a`}}"}}"#,
            &["t.json:1,53", "variable a not set", "itself"],
        ),
        (r#"{"builders": [{"type": "null"}], "variables": {"a": "{{ x }}"}}"#, &["t.json:1,53", "not defined"]),
        (
            r#"{"builders": [{"type": "null"}], "provisioners": [{"type": "shell", "only": ["nul"]}]}"#,
            &["t.json:1,78", "\"nul\"", "did you mean"],
        ),
        (r#"{"builders": [{"type": "null"}], "provisioners": [{"type": "shel"}]}"#, &["did you mean \\\"shell\\\""]),
        (
            r#"{"builders": [{"type": "null"}], "provisioners": [{"type": "shell", "pause_before": "soon"}]}"#,
            &["t.json:1,85", "pause_before"],
        ),
        (r#"{"builders": [{"type": "null"}], "min_packer_version": "9.0.0"}"#, &["t.json:1,56", "9.0.0"]),
        (r#"{"builders": [{"type": "null"}], "min_packer_version": "new"}"#, &["version number"]),
    ] {
        let loaded = load(|_| {}, text);
        let found = findings(&loaded, Severity::Error).join("\n");
        wanted.iter().for_each(|part| assert!(found.contains(part), "no {part} in {found}\nfor {text}"));
        assert!(loaded.plan.is_none());
    }
}

#[test]
fn warnings_do_not_stop_a_build() {
    let text =
        r#"{"builders": [{"type": "null", "x": "{{user `nam`}}", "x": "{{user `nam`}}"}], "variables": {"name": ""}}"#;
    let loaded = load(|inputs| inputs.vars = vec![("nme".into(), String::new())], text);
    let found = findings(&loaded, Severity::Warning).join("\n");
    for part in ["more than once", "Undeclared variable nam", "Undeclared variable nme", "did you mean \\\"name\\\""] {
        assert!(found.contains(part), "no {part} in {found}");
    }
    assert!(loaded.plan.is_some());
}

#[test]
fn an_overview_needs_no_values() {
    let text = r#"{"description": "d", "variables": {"a": null, "b": "{{env `X`}}"}, "builders": [
        {"type": "nothing"}, {"type": "null", "name": "{{user `a`}}"}], "provisioners": [{"type": "shell"}]}"#;
    let plan = plan(|inputs| inputs.mode = Mode::Overview, text);
    let json = plan.overview.json.unwrap();
    assert_eq!((json.description.as_str(), json.required), ("d", vec!["a".to_owned()]));
    assert_eq!(json.optional, [("b".to_owned(), "{{env `X`}}".to_owned())]);
    assert_eq!(json.builders[1], ("{{user `a`}}".to_owned(), "null".to_owned()));
    let only_syntax = load(|inputs| inputs.mode = Mode::SyntaxOnly, text);
    assert!(only_syntax.plan.is_some() && only_syntax.diagnostics.is_empty());
}

#[test]
fn templates_become_expressions() {
    let upgraded = |option: &str| {
        let text = format!(
            r#"{{"variables": {{"v": "1", "l": "{{{{timestamp}}}}"}}, "builders": [{{"type": "null", "name": "n", "o": {option}}}]}}"#
        );
        let upgraded = upgrade(&file("t.json", &text), &kinds(), Annotations::None);
        let text = upgraded.text.unwrap();
        text.lines().find_map(|line| line.strip_prefix("  o = ").map(str::to_owned)).unwrap_or(text)
    };
    for (option, expected) in [
        ("\"${x} %{y} {{`{{`}}\"", r#""$${x} %%{y} {{`{{`}}""#),
        ("\"{{user `v`}}\"", "var.v"),
        ("\"a{{ user `l` }}\"", r#""a${local.l}""#),
        ("\"{{user `none`}}\"", "var.none"),
        ("\"{{ upper (user `v`) }}-{{ user `v` | lower }}\"", r#""${upper(var.v)}-${lower(var.v)}""#),
        ("\"{{ replace_all `.` `-` (user `v`) }}\"", r#"replace(var.v, ".", "-")"#),
        ("\"{{ split (user `v`) `,` 1 }}\"", r#"split(",", var.v)[1]"#),
        ("\"{{ replace `a` `b` 1 `aa` }}\"", r#""{{ replace `a` `b` 1 `aa` }}""#),
        ("\"{{ env `A` }}\"", "var.env_A"),
        ("\"{{ isotime }} {{ strftime `%Y` }}\"", r#""${timestamp()} ${legacy_strftime("%Y")}""#),
        ("\"{{ template_dir }}/x {{ pwd }}\"", r#""${path.root}/x ${path.cwd}""#),
        ("\"{{ build_name }} {{ build_type }}\"", r#""${source.name} ${source.type}""#),
        ("\"{{ if eq (user `v`) `1` }}y{{ end }}\"", "\"{{ if eq (${jsonencode(var.v)}) `1` }}y{{ end }}\""),
        ("\"{{ .Vars }}\"", r#""{{ .Vars }}""#),
        ("[1, true, \"x\"]", r#"[1, true, "x"]"#),
    ] {
        assert_eq!(upgraded(option), expected, "{option}");
    }
}
