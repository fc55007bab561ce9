//! Decoding of bodies.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::hcl::body::evaluate_body;
use crate::hcl::diagnostics::{Sources, render_line};
use crate::hcl::duration::GoDuration;
use crate::hcl::eval::Scope;
use crate::hcl::parse::parse_body;
use crate::hcl::types::Type;
use crate::hcl::value::Value;

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
struct Options {
    text: Option<String>,
    #[serde(default)]
    flag: bool,
    port: Option<u16>,
    ratio: Option<f64>,
    #[serde(default)]
    list: Vec<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    timeout: Option<GoDuration>,
    mode: Option<Mode>,
    one: Option<Inner>,
    #[serde(default)]
    many: Vec<Inner>,
    any: Option<serde_json::Value>,
    #[schemars(extend("x-aliases" = ["old_name"]))]
    new_name: Option<String>,
    #[serde(flatten)]
    flat: Flat,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Fast.
    Fast,
    SlowAndSteady,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
struct Inner {
    key: String,
    size: Option<i64>,
    #[serde(default)]
    deeper: Vec<Deeper>,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
struct Deeper {
    x: bool,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
struct Flat {
    flat_time: Option<GoDuration>,
    flat_port: Option<u16>,
}

fn decoded_as<T: DeserializeOwned + JsonSchema + 'static>(text: &str) -> Result<T, Vec<String>> {
    let mut sources = Sources::default();
    let file = sources.add("t", text);
    let body = parse_body(file, text).0.unwrap();
    let host = crate::hcl::eval::tests::host();
    let values = [("u".to_owned(), Value::unknown(Type::Dynamic))];
    let scope = Scope::new(&host, values.into());
    let (body, diagnostics) = evaluate_body(&body, &scope);
    assert!(diagnostics.is_empty());
    decode::<T>(&body).map_err(|errors| errors.iter().map(|error| render_line(error, &sources)).collect())
}

fn decoded(text: &str) -> Result<Options, Vec<String>> {
    decoded_as(text)
}

#[test]
fn conversions() {
    let options = decoded(
        "text = 1\nflag = \"true\"\nport = \"22\"\nratio = 0.5\nlist = [1, true, \"x\"]\ntags = { a = 1, b = true }\n\
         timeout = \"1m\"\nmode = \"slow_and_steady\"\nany = { a = [1, 2.5] }\nold_name = \"o\"\nflat_time = \"2s\"\n\
         flat_port = \"80\"\none {\n  key = \"k\"\n}\nmany {\n  key = 1\n  size = \"3\"\n  deeper {\n    x = true\n  }\n}\n\
         many {\n  key = \"b\"\n}\n",
    )
    .unwrap();
    let inner = |key: &str| Inner { key: key.into(), ..Inner::default() };
    assert_eq!(
        options,
        Options {
            text: Some("1".into()),
            flag: true,
            port: Some(22),
            ratio: Some(0.5),
            list: vec!["1".into(), "true".into(), "x".into()],
            tags: [("a".into(), "1".into()), ("b".into(), "true".into())].into(),
            timeout: Some("1m".parse().unwrap()),
            mode: Some(Mode::SlowAndSteady),
            one: Some(inner("k")),
            many: vec![Inner { key: "1".into(), size: Some(3), deeper: vec![Deeper { x: true }] }, inner("b")],
            any: Some(serde_json::json!({"a": [1, 2.5]})),
            new_name: Some("o".into()),
            flat: Flat { flat_time: Some("2s".parse().unwrap()), flat_port: Some(80) },
        }
    );
}

#[test]
fn nulls_are_absent() {
    assert_eq!(decoded("text = null\nflag = null\nlist = null\ntags = null\nflat_time = null"), Ok(Options::default()));
    assert_eq!(decoded("list = [null]").unwrap().list, [""]);
}

#[test]
fn unknowns_are_placeholders() {
    let options =
        decoded("text = u\nflag = u\nport = u\nlist = u\ntags = { a = u }\ntimeout = u\nmode = u\nflat_time = u")
            .unwrap();
    assert_eq!(options.text.as_deref(), Some("<unknown>"));
    assert_eq!((options.flag, options.port, options.list.len()), (false, Some(0), 0));
    assert_eq!(options.tags["a"], "<unknown>");
    assert_eq!((options.timeout, options.mode, options.flat.flat_time), (None, None, None));
}

#[test]
fn problems() {
    let wrong = "Incorrect attribute value type; Inappropriate value for attribute";
    let cases = [
        ("txt = 1", "t:1,1-4: Unsupported argument; An argument named \"txt\" is not expected here.".to_owned()),
        ("text = [1]", format!("t:1,8-11: {wrong} \"text\": string required, but a list was given.")),
        ("flag = 1", format!("t:1,8-9: {wrong} \"flag\": bool required, but a number was given.")),
        ("list = \"a\"", format!("t:1,8-11: {wrong} \"list\": list of string required, but a string was given.")),
        ("list = [[]]", format!("t:1,8-12: {wrong} \"list\": element 0: string required, but a list was given.")),
        ("port = \"many\"", format!("t:1,8-14: {wrong} \"port\": a number is required, but this string is none.")),
        (
            "port = 70000",
            format!("t:1,8-13: {wrong} \"port\": value must be a whole number, between 0 and 65535 inclusive."),
        ),
        (
            "timeout = \"5\"",
            format!(
                "t:1,11-14: {wrong} \"timeout\": invalid duration \"5\": write numbers with units, such as \
                                    \"300ms\", \"90s\" or \"1h30m\"."
            ),
        ),
        (
            "flat_time = \"5\"",
            format!(
                "t:1,13-16: {wrong} \"flat_time\": invalid duration \"5\": write numbers with units, such \
                                      as \"300ms\", \"90s\" or \"1h30m\"."
            ),
        ),
        (
            "mode = \"x\"",
            format!("t:1,8-11: {wrong} \"mode\": unknown variant `x`, expected `fast` or `slow_and_steady`."),
        ),
        (
            "one = {}",
            "t:1,1-4: Unsupported argument; An argument named \"one\" is not expected here: one is a block.".into(),
        ),
        (
            "tags {}",
            "t:1,1-5: Unsupported block type; Blocks of type \"tags\" are not expected here: tags is an argument."
                .into(),
        ),
        ("blk {}", "t:1,1-4: Unsupported block type; Blocks of type \"blk\" are not expected here.".into()),
        (
            "many {}",
            "t:1,1-5: Missing required argument; The argument \"key\" is required, but no definition was found.".into(),
        ),
        (
            "one \"l\" {\n  key = 1\n}",
            "t:1,1-8: Extraneous label for one; No labels are expected for one blocks, but this one \
                                      has \"l\"."
                .into(),
        ),
        (
            "one {\n  key = 1\n}\none {\n  key = 2\n}",
            "t:4,1-4: Duplicate one block; Only one one block is allowed.".into(),
        ),
        (
            "new_name = 1\nold_name = 2",
            "t:2,1-9: Duplicate argument; The argument \"old_name\" was already set under another \
                                        of its names."
                .into(),
        ),
    ];
    for (text, want) in cases {
        assert_eq!(decoded(text).unwrap_err(), [want], "{text}");
    }
}

#[test]
fn all_problems_at_once() {
    let errors = decoded("x = 1\ntimeout = \"1\"\nflat_time = \"2\"\nmany {\n  key = []\n  y = 1\n}\nmode = \"z\"\n")
        .unwrap_err();
    assert_eq!(errors.len(), 6, "{errors:#?}");
}

#[test]
fn names() {
    let names = fields::<Options>();
    assert!(
        ["text", "many", "flat_time", "old_name"].iter().all(|name| names.iter().any(|own| own == name)),
        "{names:?}"
    );
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Empty {}

#[test]
fn empty_structs_refuse_everything() {
    assert!(decoded_as::<Empty>("").is_ok());
    assert_eq!(decoded_as::<Empty>("a = 1").unwrap_err().len(), 1);
}

#[test]
fn json_objects_are_blocks() {
    let text = r#"{"text": "a", "one": {"//": "x", "key": "k"}, "many": [{"key": 1}, {"key": "b", "size": "3"}], "tags": {"a": 1}}"#;
    let file = Sources::default().add("t", text);
    let (body, errors) =
        crate::hcl::parse::parse_json(file, text, &crate::hcl::parse::OPEN, crate::hcl::parse::Strings::Templates);
    assert!(errors.is_empty());
    let (body, _) = evaluate_body(&body.unwrap(), &Scope::literal());
    let options = decode::<Options>(&body).unwrap();
    assert_eq!(options.one.unwrap().key, "k");
    assert_eq!(options.many.iter().map(|inner| inner.size).collect::<Vec<_>>(), [None, Some(3)]);
    assert_eq!(options.tags["a"], "1");
}
