//! Data sources.

use super::*;
use crate::hcl::{Diagnostic, Diagnostics};

const CHAIN: &str = "locals {\n  l = \"${data.null.one.output}!\"\n}\ndata \"null\" \"one\" {\n  input = var.v\n}\n\
                     data \"null\" \"two\" {\n  input = local.l\n}\nlocals {\n  m = data.null.two.output\n}\nvariable \"v\" {\n  default = \"x\"\n}\n";

#[test]
fn data_and_locals_feed_each_other() {
    assert_eq!(locals(inputs(CHAIN)), ["l=\"x!\"", "m=\"x!\""]);
}

#[test]
fn skipped_data_is_unknown() {
    let text = format!("{CHAIN}source \"null\" \"a\" {{\n  x = local.m\n}}\nbuild {{\n  sources = [\"null.a\"]\n}}");
    let mut loading = Loading::start(inputs(&text));
    let mut asked = Vec::new();
    while let Some(request) = loading.next_data() {
        asked.push(request.name);
    }
    let loaded = loading.finish();
    assert_eq!((asked, lines(&loaded)), (vec!["one".to_owned(), "two".to_owned()], vec![]));
    let plan = loaded.plan.unwrap();
    assert!(plan.builds[0].source.get("x").unwrap().is_unknown());
}

#[test]
fn a_failure_asks_for_nothing_more() {
    let text = format!("{CHAIN}data \"null\" \"three\" {{}}\n{BUILD}");
    let mut loading = Loading::start(inputs(&text));
    let first = loading.next_data().unwrap();
    loading.supply(Err(Diagnostics::from(Diagnostic::error("no such thing", "").at(&first.span))));
    assert!(loading.next_data().is_none());
    let loaded = loading.finish();
    assert_eq!(lines(&loaded), ["t.pkr.hcl:4,1-18: no such thing"]);
    assert!(loaded.plan.is_none());
}

#[test]
fn what_must_be_known() {
    let text = "data \"null\" \"d\" {}\nsource \"null\" \"a\" {}\nbuild {\n  name = data.null.d.output\n  sources = [\"null.a\"]\n}\n";
    let loaded = Loading::start(inputs(text)).finish();
    assert!(
        lines(&loaded)[0]
            .starts_with("t.pkr.hcl:4,10-28: Unsuitable value type; Unsuitable value: value must be known")
    );
    assert_eq!(builds(inputs(text))[0].name, "none.null.a");
}

#[test]
fn faults_of_data() {
    let cases: [(&str, Vec<String>); 7] = [
        ("data \"null\" {}", vec!["t.pkr.hcl:1,1-12: Missing name for data".into()]),
        ("data \"null\" \"a b\" {}", vec!["t.pkr.hcl:1,13-18: Invalid data resource name".into()]),
        ("data \"null\" \"a\" {}\ndata \"null\" \"a\" {}", vec!["t.pkr.hcl:2,1-16: Duplicate data block".into()]),
        ("data \"nul\" \"a\" {}", vec!["t.pkr.hcl:1,1-15: Unknown data type nul".into()]),
        (
            "data \"null\" \"a\" {\n  input = data.null.b.output\n}",
            vec!["t.pkr.hcl:2,11-29: Undeclared data source; data.null.a needs data.null.b".into()],
        ),
        ("data \"null\" \"a\" {\n  dynamic \"x\" {\n  }\n}", vec!["t.pkr.hcl:2,3-14: Unsupported block type".into()]),
        (
            "data \"null\" \"a\" {}\nlocals {\n  l = data.null.a.nope\n}",
            vec!["t.pkr.hcl:3,19-23: Unsupported attribute".into()],
        ),
    ];
    for (text, want) in cases {
        let want: Vec<&str> = want.iter().map(String::as_str).collect();
        faults_before_build(text, &want);
    }
}

#[test]
fn data_of_other_clouds() {
    let text = "data \"azure\" \"x\" {}\nsource \"azure\" \"b\" {\n  image = data.azure.x.id\n}\nsource \"null\" \"a\" {}\n\
                build {\n  sources = [\"null.a\", \"azure.b\"]\n}\n";
    let plans = builds(Inputs { only: vec!["null.*".into()], ..inputs(text) });
    assert_eq!(plans.len(), 1);
    faults(text, &["t.pkr.hcl:7,24-33: Unknown source type azure"]);
}
