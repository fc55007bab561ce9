//! Evaluating bodies and changing them.

use super::*;
use crate::hcl::diagnostics::{Sources, render_line};
use crate::hcl::parse::parse_body;

/// A body in short: `a=1 b(l){…}`.
fn short(body: &EvaluatedBody) -> String {
    let attributes = body.attributes.iter().map(|(name, attribute)| format!("{name}={:?}", attribute.value));
    let blocks = body.blocks.iter().map(|block| {
        let labels: String = block.labels.iter().map(|label| format!("({label})")).collect();
        format!("{}{labels}{{{}}}", block.kind, short(&block.body))
    });
    attributes.chain(blocks).collect::<Vec<_>>().join(" ")
}

fn evaluated(text: &str) -> (String, Vec<String>) {
    let mut sources = Sources::default();
    let file = sources.add("t", text);
    let body = parse_body(file, text).0.unwrap();
    let host = crate::hcl::eval::tests::host();
    let values = [
        ("l".to_owned(), Value::strings(["x", "y"])),
        (
            "m".to_owned(),
            Value::object([("b".to_owned(), Value::number(2_i64)), ("a".to_owned(), Value::number(1_i64))].into()),
        ),
        ("u".to_owned(), Value::unknown(Type::Dynamic)),
    ];
    let scope = Scope::new(&host, values.into());
    let (body, diagnostics) = evaluate_body(&body, &scope);
    (short(&body), diagnostics.iter().map(|diagnostic| render_line(diagnostic, &sources)).collect())
}

#[test]
fn plain() {
    let (body, errors) = evaluated("a = 1 + 1\nb \"c\" d {\n  e = l[0]\n}\nf = nope\ng = nope\n");
    assert_eq!(body, "a=2 f=<unknown> g=<unknown> b(c)(d){e=\"x\"}");
    assert_eq!(errors.len(), 2);
    assert!(errors[0].starts_with("t:5,5-9: Unknown variable"), "{errors:?}");
}

#[test]
fn dynamic_blocks() {
    let (body, errors) = evaluated(
        "dynamic \"b\" {\n for_each = m\n labels = [b.key]\n content {\n  v = b.value\n }\n}\nc {}\n\
         dynamic d {\n for_each = l\n iterator = it\n content {\n  dynamic \"e\" {\n   for_each = [1]\n   \
         content {\n    x = \"${it.key}${it.value}${e.value}\"\n   }\n  }\n }\n}\n",
    );
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(body, "b(a){v=1} b(b){v=2} c{} d{e{x=\"0x1\"}} d{e{x=\"1y1\"}}");
}

#[test]
fn unknown_dynamic_blocks() {
    let (body, errors) = evaluated("dynamic \"b\" {\n for_each = u\n content {\n  v = b.value.x\n  w = 1\n }\n}\n");
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(body, "b{v=<unknown> w=1}");
}

#[test]
fn wrong_dynamic_blocks() {
    let cases = [
        ("dynamic {\n}", "Missing block type for dynamic block"),
        ("dynamic \"b\" {\n content {}\n}", "Missing required argument"),
        ("dynamic \"b\" {\n for_each = []\n}", "Missing dynamic content block"),
        ("dynamic \"b\" {\n for_each = null\n content {}\n}", "Invalid dynamic for_each value"),
        ("dynamic \"b\" {\n for_each = \"x\"\n content {}\n}", "Invalid dynamic for_each value"),
        ("dynamic \"b\" {\n for_each = [1]\n iterator = \"x\"\n content {}\n}", "Invalid dynamic iterator name"),
        ("dynamic \"b\" {\n for_each = [1]\n labels = [null]\n content {}\n}", "Invalid dynamic block label"),
        ("dynamic \"b\" {\n for_each = [1]\n lables = []\n content {}\n}", "Unsupported argument"),
    ];
    for (text, want) in cases {
        let (_, errors) = evaluated(text);
        assert!(errors.first().is_some_and(|error| error.contains(want)), "{text}: {errors:?}");
    }
}

#[test]
fn changes() {
    let text = "a = [\"x\", \"y\"]\nb = { k = \"v\", m = 1 }\nc {\n  d = \"z\"\n}\ne = null\n";
    let file = Sources::default().add("t", text);
    let body = parse_body(file, text).0.unwrap();
    let (mut body, _) = evaluate_body(&body, &Scope::literal());
    let mut taken = body.take(&["b", "c"]);
    assert_eq!(short(&body), "a=[\"x\", \"y\"] e=null");
    taken.map_strings(&mut |name, text| Ok::<_, ()>(format!("{name}.{text}"))).unwrap();
    assert_eq!(short(&taken), "b={\"k\": \"b.v\", \"m\": 1} c{d=\"d.z\"}");
    let over = [
        ("a".to_owned(), Value::strings(["new"])),
        ("e".to_owned(), Value::number(1_i64)),
        ("f".to_owned(), Value::bool(true)),
    ];
    let place = Span::new(file, 0..0);
    body.replace(&over.into(), |_| (place.clone(), place.clone()));
    assert_eq!(short(&body), "a=[\"new\", \"y\"] e=1 f=true");
    assert!(body.get("e").is_some() && body.get("nope").is_none());
    assert!(body.take_attribute("f").is_some() && body.attribute("f").is_none());
}

#[test]
fn expanding_without_evaluating() {
    let text = "a \"l\" {\n  x = nope\n}\ndynamic \"b\" {\n  for_each = [1, 2]\n  iterator = it\n  labels   = [\"n${it.value}\"]\n  content {\n    y = it.key\n  }\n}\n";
    let file = Sources::default().add("t", text);
    let body = parse_body(file, text).0.unwrap();
    let (blocks, errors) = crate::hcl::dynamic::expand_blocks(&body, &Scope::literal());
    assert!(errors.is_empty());
    let shown: Vec<String> =
        blocks.iter().map(|e| format!("{} {} {:?}", e.block.kind, e.block.label(0).unwrap(), e.names)).collect();
    assert_eq!(
        shown,
        ["a l {}", "b n1 {\"it\": {\"key\": 0, \"value\": 1}}", "b n2 {\"it\": {\"key\": 1, \"value\": 2}}"]
    );
    let (body, errors) = evaluate_body(&blocks[2].block.body, &Scope::literal().child(blocks[2].names.clone()));
    assert!(errors.is_empty());
    assert_eq!(short(&body), "y=1");
}
