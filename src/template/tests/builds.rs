//! Sources and builds.

use std::time::Duration;

use super::*;

/// A build with this in its block, of a source with this in its.
fn build(source: &str, body: &str) -> Inputs {
    inputs(&format!("source \"null\" \"a\" {{\n{source}\n}}\nbuild {{\n{body}\n}}\n"))
}

fn option(plan: &BuildPlan, at: usize, name: &str) -> String {
    let (body, problems) = plan.provisioners[at].options.evaluate(&BTreeMap::new(), &[]);
    assert!(problems.is_empty(), "{problems:?}");
    format!("{:?}", body.get(name).unwrap())
}

#[test]
fn names() {
    let text = "source \"null\" \"a\" {}\nsource \"file\" \"f\" {}\nlocals {\n  all = [\"x.null.a\"]\n}\nbuild {\n  name = \"b\"\n  sources = concat\n}";
    let text = text.replace("concat", "[for s in [\"source.null.a\", \"file.f\"] : s]");
    let plans = builds(inputs(&format!(
        "{text}\nbuild {{\n  sources = local.all\n  source \"sources.file.f\" {{\n    name = 5\n  }}\n}}\n"
    )));
    let names: Vec<_> =
        plans.iter().map(|plan| (plan.name.as_str(), plan.source_name.as_str(), plan.use_name.as_str())).collect();
    assert_eq!(names, [("b.null.a", "a", "a"), ("b.file.f", "f", "f"), ("null.a", "a", "a"), ("file.5", "f", "5")]);
}

#[test]
fn builds_add_to_sources() {
    let body = "source \"null.a\" {\n  name = \"n\"\n  y = source.name\n  block {\n    v = 2\n  }\n}";
    let plans = builds(build("x = source.type\nblock {\n  v = 1\n}", body));
    let source = &plans[0].source;
    assert_eq!((source.get("x").unwrap(), source.get("y").unwrap()), (&Value::string("null"), &Value::string("n")));
    assert_eq!(source.blocks.len(), 2);
    assert!(source.get("name").is_none());
    let loaded = load(build("x = 1", "source \"null.a\" {\n  x = 2\n}"));
    assert!(lines(&loaded)[0].starts_with("t.pkr.hcl:6,3-4: Duplicate argument"));
}

#[test]
fn provisioners() {
    let body = "name = \"b\"\nsource \"null.a\" {}\nsource \"null.a\" {\n  name = \"n\"\n}\n\
                provisioner \"shell\" {\n  name = \"setup\"\n  pause_before = build.name == \"b\" ? \"1m30s\" : \"1s\"\n  timeout = \"5m\"\n  \
                max_retries = \"3\"\n  continue_on_error = true\n  inline = [source.name, build.ID, build.name]\n  \
                override = {\n    n = { inline = [\"z\"], extra = 1 }\n  }\n}\n\
                provisioner \"shell-local\" {\n  only = [\"null.n\"]\n  x = 1\n}\nprovisioner \"shell-local\" {\n  except = [\"null.n\"]\n  only = null\n}\n\
                error-cleanup-provisioner \"shell\" {}\n";
    let plans = builds(build("", body));
    let [first, second] = plans.as_slice() else { panic!("two builds") };
    let shell = &first.provisioners[0];
    assert_eq!((shell.kind.as_str(), shell.name.as_str(), shell.max_retries), ("shell", "setup", 3));
    assert_eq!((shell.pause_before, shell.timeout), (Duration::from_secs(90), Some(Duration::from_secs(300))));
    assert_eq!(shell.on_failure, OnFailure::Continue);
    assert_eq!(option(first, 0, "inline"), r#"["a", "<unknown>", "b"]"#);
    assert_eq!(option(second, 0, "inline"), r#"["z", "<unknown>", "b"]"#);
    assert_eq!(option(second, 0, "extra"), "1");
    let kinds =
        |plan: &BuildPlan| plan.provisioners.iter().map(|spec| spec.options.body.attributes.len()).collect::<Vec<_>>();
    assert_eq!((kinds(first), kinds(second)), (vec![1, 0], vec![1, 1]));
    assert!(first.error_cleanup.is_some());
}

#[test]
fn post_processors() {
    let body = "sources = [\"null.a\"]\npost-processor \"manifest\" {\n  name = \"m\"\n  keep_input_artifact = \"true\"\n}\npost-processors {\n  \
                post-processor \"checksum\" {}\n  post-processor \"manifest\" {\n    only = [\"null.b\"]\n  }\n}\npost-processors {}\n";
    let plans = builds(build("", body));
    let shown: Vec<Vec<_>> = plans[0]
        .post_processors
        .iter()
        .map(|chain| chain.iter().map(|spec| (spec.kind.as_str(), spec.keep_input)).collect())
        .collect();
    assert_eq!(shown, [vec![("manifest", Some(true))], vec![("checksum", None)]]);
    let loaded = load(Inputs { mode: Mode::Overview, ..build("", body) });
    let overview = &loaded.plan.unwrap().overview.builds[0];
    assert_eq!(overview.post_processors, [vec!["manifest.m"], vec!["checksum", "manifest"]]);
}

#[test]
fn dynamic_blocks() {
    let body = "dynamic \"source\" {\n  for_each = { one = 1 }\n  labels = [\"null.a\"]\n  content {\n    name = source.key\n    v = source.value\n  }\n}\n\
                dynamic \"provisioner\" {\n  for_each = [\"shell\", \"shell-local\"]\n  iterator = it\n  labels = [it.value]\n  content {\n    \
                name = \"n${it.key}\"\n    inline = [\"${it.value} ${source.name}\"]\n  }\n}\n\
                dynamic \"post-processors\" {\n  for_each = [7]\n  content {\n    post-processor \"manifest\" {\n      name = \"p${post-processors.value}\"\n    }\n  }\n}\n";
    let plans = builds(build("", body));
    assert_eq!((plans[0].name.as_str(), plans[0].source.get("v").unwrap()), ("null.one", &Value::number(1_i64)));
    let names: Vec<_> = plans[0].provisioners.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!((names, option(&plans[0], 1, "inline")), (vec!["n0", "n1"], r#"["shell-local one"]"#.to_owned()));
    assert_eq!(plans[0].post_processors[0][0].name, "p7");
}

#[test]
fn faults_of_builds() {
    let with_source = |body: &str| format!("source \"null\" \"a\" {{}}\nbuild {{\n{body}\n}}\n");
    let provisioner =
        |body: &str| with_source(&format!("sources = [\"null.a\"]\nprovisioner \"shell\" {{\n{body}\n}}"));
    let cases = [
        (with_source(""), "t.pkr.hcl:2,1-6: Missing source reference"),
        (with_source("sources = null"), "t.pkr.hcl:2,1-6: Missing source reference"),
        (with_source("sources = [1]"), "t.pkr.hcl:3,12-13: Invalid source reference"),
        (with_source("sources = [\"null.b\"]"), "t.pkr.hcl:3,12-20: Unknown source null.b"),
        (with_source("sources = [\"nul.a\"]"), "t.pkr.hcl:3,12-19: Unknown source type nul"),
        (with_source("source \"a\" {}"), "t.pkr.hcl:3,8-11: Invalid source reference"),
        (with_source("source \"null.a\" {\nname = var.x\n}"), "t.pkr.hcl:4,8-13: Variables not allowed"),
        (with_source("sources = [\"null.a\"]\nname = null"), "t.pkr.hcl:4,8-12: Unsuitable value type"),
        (with_source("sources = [\"null.a\"]\nregion = 1"), "t.pkr.hcl:4,1-7: Unsupported argument"),
        (with_source("sources = [\"null.a\"]\nprovision \"x\" {}"), "t.pkr.hcl:4,1-14: Unsupported block type"),
        (with_source("sources = [\"null.a\"]\nprovisioner {}"), "t.pkr.hcl:4,1-12: Missing type for provisioner"),
        (
            with_source("sources = [\"null.a\"]\nprovisioner \"shel\" {}"),
            "t.pkr.hcl:4,1-19: Unknown provisioner type \"shel\"",
        ),
        (
            with_source("sources = [\"null.a\"]\nerror-cleanup-provisioner \"x\" {}"),
            "t.pkr.hcl:4,1-30: Unknown error-cleanup-provisioner type \"x\"",
        ),
        (
            with_source("sources = [\"null.a\"]\npost-processor \"x\" {}"),
            "t.pkr.hcl:4,1-19: Unknown post-processor type \"x\"",
        ),
        (with_source("sources = [\"null.a\"]\npost-processors {\na = 1\n}"), "t.pkr.hcl:5,1-2: Unsupported argument"),
        (
            provisioner("only = [\"x\"]\nexcept = [\"y\"]"),
            "t.pkr.hcl:6,1-15: only one of 'only' or 'except' may be specified",
        ),
        (provisioner("only = \"x\""), "t.pkr.hcl:5,8-11: Unsuitable value type"),
        (provisioner("pause_before = 10"), "t.pkr.hcl:5,16-18: Failed to parse pause_before duration"),
        (provisioner("timeout = \"soon\""), "t.pkr.hcl:5,11-17: Failed to parse timeout duration"),
        (provisioner("max_retries = 1.5"), "t.pkr.hcl:5,15-18: Unsuitable value type"),
        (provisioner("override = \"x\""), "t.pkr.hcl:5,12-15: provisioner's override block must be an HCL object"),
        (
            provisioner("override = { a = 1 }"),
            "t.pkr.hcl:5,12-21: provisioner's override.'a' block must be an HCL object",
        ),
        (format!("{BUILD}source \"null\" \"a\" {{}}"), "t.pkr.hcl:5,1-18: Duplicate source block"),
    ];
    for (text, want) in cases {
        faults(&text, &[want]);
    }
}
