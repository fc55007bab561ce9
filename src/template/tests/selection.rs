//! `-only` and `-except`.

use super::*;

const TEXT: &str = "source \"null\" \"a\" {}\nsource \"null\" \"b\" {}\nsource \"azure\" \"c\" {\n  x = nope\n}\nbuild {\n  name = \"img\"\n  \
                    sources = [\"null.a\", \"null.b\"]\n  post-processors {\n    post-processor \"checksum\" {}\n    post-processor \"manifest\" {}\n    \
                    post-processor \"checksum\" {\n      name = \"last\"\n    }\n  }\n}\nbuild {\n  sources = [\"azure.c\"]\n  provisioner \"chef\" {}\n}\n";

fn selected(only: &[&str], except: &[&str]) -> (Vec<String>, Vec<String>) {
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let loaded = load(Inputs { only: strings(only), except: strings(except), ..inputs(TEXT) });
    let summaries = loaded.diagnostics.iter().map(|diagnostic| diagnostic.summary.clone()).collect();
    let builds = loaded.plan.map(|plan| plan.builds).unwrap_or_default();
    let shown = |plan: &BuildPlan| {
        let kinds: Vec<_> = plan.post_processors.iter().flatten().map(|spec| spec.kind.as_str()).collect();
        format!("{} {}", plan.name, kinds.join(","))
    };
    (builds.iter().map(shown).collect(), summaries)
}

#[test]
fn selecting() {
    let all = "checksum,manifest,checksum";
    let ok = |names: &[&str], chain: &str| {
        let shown = names
            .iter()
            .map(|name| format!("{name} {chain}").trim_end().to_owned() + if chain.is_empty() { " " } else { "" });
        (shown.collect::<Vec<_>>(), Vec::<String>::new())
    };
    assert_eq!(selected(&["img.*"], &[]), ok(&["img.null.a", "img.null.b"], all));
    assert_eq!(selected(&["img.*"], &["*.b"]), ok(&["img.null.a"], all));
    assert_eq!(selected(&[], &["azure.c"]), ok(&["img.null.a", "img.null.b"], all));
    assert_eq!(selected(&["img.null.?"], &["manifest"]), ok(&["img.null.a", "img.null.b"], "checksum"));
    assert_eq!(selected(&["img.null.a"], &["last"]), ok(&["img.null.a"], "checksum,manifest"));
    assert_eq!(selected(&["img.null.a"], &["checksum"]), ok(&["img.null.a"], ""));
}

#[test]
fn warnings_and_errors() {
    let only = "an 'only' option was passed, but not all matches were found for the given build.";
    let except = "an 'except' option was passed, but did not match any build.";
    assert_eq!(selected(&["zzz"], &[]).1, [only]);
    assert_eq!(selected(&["img.null.a", ""], &["zzz"]).1, [only, except]);
    assert_eq!(selected(&["[a"], &[]).1[0], "Invalid -only pattern [a: a [ is not closed");
    let all = selected(&[], &[]).1;
    assert_eq!(all, ["Unknown source type azure"]);
}
