//! `required_plugins` against what is built in, and the old order of evaluation.

use super::*;

fn template(version: &str, builds: &str) -> String {
    format!(
        "packer {{\n  required_plugins {{\n    null = {{ source = \"github.com/hashicorp/null\", version = \"{version}\" }}\n    \
         paint = {{ source = \"github.com/acme/paint\", version = \"~> 1.0\" }}\n  }}\n}}\nsource \"null\" \"a\" {{}}\n\
         source \"file\" \"f\" {{}}\nsource \"paint-wall\" \"p\" {{}}\nbuild {{\n  sources = [{builds}]\n}}\n"
    )
}

fn problems(version: &str, builds: &str, only: &str) -> Vec<String> {
    let text = template(version, builds);
    let only = only.split(',').filter(|pattern| !pattern.is_empty()).map(str::to_owned).collect();
    let loaded = load(Inputs { only, ..inputs(&text) });
    loaded.diagnostics.iter().map(|diagnostic| format!("{}: {}", diagnostic.summary, diagnostic.detail)).collect()
}

#[test]
fn a_built_in_plugin_must_fit_where_it_is_used() {
    for version in [">= 1.0.0", "~> 1", "1.8.3", ">= 1.2, < 2"] {
        assert_eq!(problems(version, "\"null.a\"", ""), Vec::<String>::new(), "{version}");
    }
    let found = problems(">= 2", "\"null.a\"", "");
    assert!(found.len() == 1 && found[0].starts_with("Unsupported version of the plugin \"null\""), "{found:?}");
    assert_eq!(problems(">= 2", "\"file.f\"", ""), Vec::<String>::new());
    assert_eq!(problems(">= 2", "\"file.f\", \"null.a\"", "file.f"), Vec::<String>::new());
}

#[test]
fn a_missing_plugin_matters_to_builds_that_use_it() {
    assert_eq!(problems("~> 1", "\"null.a\", \"paint-wall.p\"", "null.a"), Vec::<String>::new());
    let found = problems("~> 1", "\"null.a\", \"paint-wall.p\"", "");
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("Unknown source type paint-wall: ") && found[0].contains("github.com/acme/paint"),
        "{found:?}"
    );
}

#[test]
fn requirements_are_listed() {
    let text = template(">= 1, < 3", "\"null.a\"");
    let loaded = load(Inputs { mode: Mode::SyntaxOnly, ..inputs(&text) });
    let shown: Vec<_> = loaded
        .requirements
        .iter()
        .map(|one| format!("{} {} {} {}", one.name, one.source, one.constraint, one.allows("2.1.0-dev")))
        .collect();
    assert_eq!(shown, ["null github.com/hashicorp/null >= 1, < 3 true", "paint github.com/acme/paint ~> 1.0 false"]);
}

#[test]
fn data_sources_can_come_first() {
    let text = "data \"null\" \"n\" {\n  input = \"x\"\n}\nlocals {\n  l = data.null.n.output\n  m = local.l\n}\n";
    let sequential = |text: &str| Inputs { order: Order::DataFirst, ..inputs(text) };
    assert_eq!(locals(sequential(text)), ["l=\"x\"", "m=\"x\""]);
    let between = format!("{text}data \"null\" \"o\" {{\n  input = local.l\n}}\n");
    let loaded = load(sequential(&between));
    assert!(lines(&loaded).iter().any(|line| line.contains("Undeclared local")), "{:?}", lines(&loaded));
    assert!(!lines(&load(inputs(&between))).iter().any(|line| line.contains("Undeclared local")));
}
