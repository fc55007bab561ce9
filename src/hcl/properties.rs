//! What holds for every text, every expression and every value, tried on generated ones.
//!
//! `KILN_FUZZ=100000 cargo test --lib hcl::properties` tries more of them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use regex::Regex;

use super::ast::Body;
use super::diagnostics::{FileId, Sources};
use super::eval::{Scope, evaluate, tests::host};
use super::format::format;
use super::parse::{OPEN, Strings, parse_body, parse_expr, parse_json, parse_template};
use super::value::Value;

/// Pieces of the language, in no order.
const TOKENS: &[&str] = &[
    "a",
    "b",
    "local",
    "for",
    "in",
    "if",
    "else",
    "endif",
    "endfor",
    "null",
    "true",
    "x.y",
    "1",
    "0.5e3",
    "1e999",
    "-",
    "!",
    "+",
    "*",
    "/",
    "%",
    "==",
    "=",
    "=>",
    "&&",
    "||",
    "?",
    ":",
    "...",
    ".",
    "*.",
    "[*]",
    ",",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\"s\"",
    "${",
    "%{",
    "~}",
    "~",
    "$${",
    "\\n",
    "\\u00e9",
    "<<E\n",
    "<<-E\n",
    "\nE\n",
    "E",
    "\n",
    "\r\n",
    " ",
    "\t",
    "  ",
    "# c\n",
    "// c\n",
    "/* c */",
    "é",
    "e\u{301}",
    "\u{feff}",
    "\0",
    "'",
    ";",
    "block \"l\" {\n",
    "a = 1\n",
    "upper(",
    "try(",
    "%{ if ",
    "%{ for a in ",
    "%{ endif }",
    "%{ endfor }",
];

/// Pieces of JSON, in no order.
const JSON_TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"a\"",
    "\"${b}\"",
    "\"//\"",
    "\"dynamic\"",
    "\"content\"",
    "1",
    "-",
    "1e999",
    "true",
    "nul",
    " ",
    "\n",
    "\"\\u00\"",
    "\"\\ud800\"",
    "\"",
    "{\"a\":",
    "[{",
    "é",
];

fn cases() -> ProptestConfig {
    let cases = std::env::var("KILN_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn id() -> FileId {
    Sources::default().add("t", "")
}

fn soup(tokens: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::collection::vec(select(tokens), 0..60).prop_map(|tokens| tokens.concat())
}

/// The templates that come with Kiln.
static SHIPPED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut texts = Vec::new();
    let mut left: Vec<PathBuf> = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")];
    while let Some(directory) = left.pop() {
        for path in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|ending| ending == "hcl") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(!texts.is_empty());
    texts
});

/// A shipped template with a few slips of the hand.
fn mutated() -> impl Strategy<Value = String> {
    let slip = (any::<Index>(), 0..80_usize, select(TOKENS), 0..4_u8);
    (any::<Index>(), proptest::collection::vec(slip, 0..6)).prop_map(|(which, slips)| {
        let mut text: Vec<char> = which.get(&SHIPPED).chars().collect();
        for (at, length, token, kind) in slips {
            let at = at.index(text.len() + 1);
            let end = (at + length).min(text.len());
            match kind {
                0 => _ = text.drain(at..end),
                1 => _ = text.splice(at..at, token.chars()),
                2 => _ = text.splice(at..end, token.chars()),
                _ => {
                    let part: Vec<char> = text[at..end].to_vec();
                    text.splice(at..at, part);
                }
            }
        }
        text.into_iter().collect()
    })
}

/// An expression that can be parsed. `x` and `y` are variables.
fn expression(functions: &'static [(&'static str, usize)]) -> impl Strategy<Value = String> {
    let leaf = select(&["x", "y", "1", "-2.5", "\"a\"", "\"a$${b}\\n\"", "true", "null", "[]", "{}", "\"é\""][..]);
    leaf.prop_map(str::to_owned).prop_recursive(5, 40, 4, move |inner| {
        let two = (inner.clone(), inner.clone());
        let operators = ["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||"];
        prop_oneof![
            (two.clone(), select(operators.to_vec())).prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            (two.clone(), inner.clone()).prop_map(|((a, b), c)| format!("({a} ? {b} : {c})")),
            inner.clone().prop_map(|a| format!("(-({a}))")),
            inner.clone().prop_map(|a| format!("(!({a}))")),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            two.clone().prop_map(|(a, b)| format!("{{ a = {a}, \"b\" = {b} }}")),
            two.clone().prop_map(|(a, b)| format!("{{ ({a}) = {b} }}")),
            two.clone().prop_map(|(a, b)| format!("({a})[{b}]")),
            inner.clone().prop_map(|a| format!("({a}).a")),
            inner.clone().prop_map(|a| format!("({a})[*].a")),
            inner.clone().prop_map(|a| format!("({a}).*.b[0]")),
            two.clone().prop_map(|(a, b)| format!("[for k, v in {a} : [k, v] if {b}]")),
            two.clone().prop_map(|(a, b)| format!("{{for k, v in {a} : k => {b}...}}")),
            two.clone().prop_map(|(a, b)| format!("{{for v in {a} : v => {b}}}")),
            two.clone().prop_map(|(a, b)| format!("\"p-${{{a}}}-${{ {b} ~}} \"")),
            inner.clone().prop_map(|a| format!("\"${{{a}}}\"")),
            two.prop_map(|(a, b)| format!("\"%{{ if {a} ~}} yes %{{ else }}${{{b}}}%{{ endif }}\"")),
            inner.clone().prop_map(|a| format!("\"%{{ for q in {a} }}${{q}},%{{ endfor }}\"")),
            (select(functions), proptest::collection::vec(inner, 3))
                .prop_map(|((name, count), arguments)| { format!("{name}({})", arguments[..count].join(", ")) }),
        ]
    })
}

/// Functions whose result depends on nothing but their arguments, with how many to give.
const PURE: &[(&str, usize)] = &[
    ("upper", 1),
    ("length", 1),
    ("concat", 2),
    ("merge", 2),
    ("keys", 1),
    ("values", 1),
    ("lookup", 3),
    ("contains", 2),
    ("element", 2),
    ("flatten", 1),
    ("distinct", 1),
    ("reverse", 1),
    ("join", 2),
    ("split", 2),
    ("replace", 3),
    ("jsonencode", 1),
    ("coalesce", 2),
    ("max", 2),
    ("abs", 1),
    ("zipmap", 2),
    ("setunion", 2),
    ("setproduct", 2),
    ("index", 2),
    ("substr", 3),
    ("chunklist", 2),
    ("format", 2),
    ("compact", 1),
    ("sort", 1),
    ("slice", 3),
    ("trimspace", 1),
    ("formatlist", 2),
    ("strrev", 1),
];

/// The same, and those that look at whether their argument can be evaluated.
const ALL: &[(&str, usize)] = &[
    ("try", 2),
    ("can", 1),
    ("upper", 1),
    ("concat", 2),
    ("merge", 2),
    ("lookup", 3),
    ("jsondecode", 1),
    ("yamldecode", 1),
    ("yamlencode", 1),
    ("regex", 2),
    ("regexall", 2),
    ("regex_replace", 3),
    ("range", 3),
    ("cidrsubnet", 3),
    ("timeadd", 2),
    ("formatdate", 2),
    ("parseint", 2),
    ("base64decode", 1),
    ("csvdecode", 1),
    ("setproduct", 3),
    ("pow", 2),
    ("log", 2),
    ("format", 3),
    ("indent", 2),
    ("urlencode", 1),
    ("signum", 1),
    ("title", 1),
    ("chunklist", 2),
    ("substr", 3),
    ("cidrhost", 2),
    ("strcontains", 2),
    ("base64gzip", 1),
    ("sum", 1),
];

fn value(text: &str, x: &Value, y: &Value) -> Option<Value> {
    let host = host();
    let names = [("x".to_owned(), x.clone()), ("y".to_owned(), y.clone())];
    evaluate(&parse_expr(id(), text).unwrap(), &Scope::new(&host, names.into())).ok()
}

/// Two values of one type.
fn pairs() -> impl Strategy<Value = (Value, Value)> {
    let text = |text: &str| Value::string(text);
    let object = |a: Value, b: Value| Value::object([("a".to_owned(), a), ("b".to_owned(), b)].into());
    select(vec![
        (text("a"), text("other")),
        (text("1"), text("2")),
        (Value::number(0_i64), Value::number(1_i64)),
        (Value::bool(true), Value::bool(false)),
        (Value::strings(["a", "b"]), Value::strings(["b", "c"])),
        (Value::strings(["a"]), Value::strings(["a", "b"])),
        (object(text("p"), Value::bool(true)), object(text("q"), Value::bool(false))),
    ])
}

/// A body without its places.
fn shape(body: &Body) -> String {
    static PLACE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"Span \{ file: FileId\(\d+\), range: \d+\.\.\d+ \}").unwrap());
    PLACE.replace_all(&format!("{body:?}"), "").into_owned()
}

fn parse_all(text: &str) {
    let _ = parse_body(id(), text);
    let _ = parse_expr(id(), text);
    let _ = parse_template(id(), text);
    let _ = parse_json(id(), text, &OPEN, Strings::Templates);
}

/// Formatting is done once, and keeps the meaning of what has one.
fn check_format(text: &str) -> Result<(), TestCaseError> {
    let formatted = format(text);
    prop_assert_eq!(&format(&formatted), &formatted);
    if let (Some(body), problems) = parse_body(id(), text)
        && !problems.has_errors()
    {
        let (again, problems) = parse_body(id(), &formatted);
        prop_assert!(!problems.has_errors(), "{}\n{:?}", formatted, problems);
        prop_assert_eq!(shape(&body), shape(&again.unwrap()), "{}", formatted);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        parse_all(&text);
        let _ = format(&text);
    }

    #[test]
    fn tokens_never_panic(text in soup(TOKENS)) {
        parse_all(&text);
        let _ = format(&text);
        let text = format!("a {{\n  b = {text}\n}}\n");
        parse_all(&text);
        let _ = format(&text);
    }

    #[test]
    fn json_never_panics(text in soup(JSON_TOKENS)) {
        let (body, problems) = parse_json(id(), &text, &OPEN, Strings::Templates);
        prop_assert!(body.is_some() || problems.has_errors());
    }

    #[test]
    fn slips_never_panic(text in mutated()) {
        let (body, problems) = parse_body(id(), &text);
        prop_assert!(body.is_some() || problems.has_errors());
        let _ = format(&text);
    }

    #[test]
    fn expressions_are_formatted_and_evaluated(text in expression(ALL), (x, y) in pairs()) {
        let body = format!("a {{\n  b = {text}\n  long_name=[\n{text},\n]\n}}\n");
        prop_assert!(!parse_body(id(), &body).1.has_errors(), "{}", body);
        check_format(&body)?;
        let _ = value(&text, &x, &y);
    }

    /// Who sees only what is not marked learns nothing of a secret.
    #[test]
    fn secrets_stay_secret(text in expression(PURE), (first, second) in pairs()) {
        let y = Value::string("y");
        let results = [&first, &second].map(|secret| value(&text, &secret.clone().sensitive(), &y));
        if let [Some(one), Some(other)] = results && !one.has_sensitive() {
            prop_assert_eq!(&one, &other, "{}", text);
        }
        // A mark changes no value.
        let (plain, marked) = (value(&text, &first, &y), value(&text, &first.clone().sensitive(), &y));
        prop_assert_eq!(plain, marked, "{}", text);
    }

    /// What is known while something is unknown stays true when it becomes known.
    #[test]
    fn unknowns_promise_nothing(text in expression(PURE), (first, second) in pairs()) {
        let y = Value::string("y");
        if let Some(early) = value(&text, &Value::unknown(first.ty()), &y) && early.is_wholly_known() {
            for late in [first, second] {
                if let Some(late) = value(&text, &late, &y) {
                    prop_assert_eq!(&early, &late, "{}", text);
                }
            }
        }
    }
}

#[test]
fn shipped_templates_keep_their_meaning() {
    SHIPPED.iter().for_each(|text| check_format(text).unwrap());
}
