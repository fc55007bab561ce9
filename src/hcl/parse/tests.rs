//! Parsing, repairs and recovery.

use super::*;
use crate::hcl::ast::Key;
use crate::hcl::diagnostics::{Severity, Sources, render_line};

fn problems(text: &str) -> Vec<String> {
    let mut sources = Sources::default();
    let file = sources.add("t", text);
    let (_, diagnostics) = parse_body(file, text);
    diagnostics.iter().map(|diagnostic| render_line(diagnostic, &sources)).collect()
}

fn body(text: &str) -> Body {
    let mut sources = Sources::default();
    let file = sources.add("t", text);
    let (body, diagnostics) = parse_body(file, text);
    assert!(!diagnostics.has_errors(), "{:?}", problems(text));
    body.unwrap()
}

fn string(text: &str) -> String {
    let body = body(text);
    match &body.attributes[0].expr.kind {
        ExprKind::Literal(value) => value.as_str().unwrap().to_owned(),
        kind => panic!("{kind:?}"),
    }
}

#[test]
fn layouts_found_in_the_wild() {
    let texts = [
        "",
        "\n",
        "\u{feff}a = 1",
        "a = 1\r\nb {\r\n  c = [\r\n 1, # x\r\n 2 ]\r\n}\r\n",
        "# only a comment",
        "x \"a\" b {}",
        "x { y = 1 }",
        "x {}",
        "a = {\n b: 1, c = 2\n \"tag:Name\": 3 }",
        "a = { Name= \"x\" }",
        "/* head */\na = 1 // b\n/* x {\n} */",
        "x {\n\t  a = 1\n}",
        "a = b-c.d-e",
        "a = <<EOF\n  x\n   EOF  \nb = 1\n",
        "a = [<<E\nx <<ANS\nE\n]",
        "a = [for x in l: x if x != 1]",
        "a = \"│ → é\"",
    ];
    for text in texts {
        assert_eq!(problems(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn spans_are_places_in_the_source() {
    let text = "\u{feff}aé = 1\nblk \"l\" m {\n  x = y.z + 2\n}\n";
    let body = body(text);
    assert_eq!(&text[body.attributes[0].name_span.range.clone()], "aé");
    let block = &body.blocks[0];
    assert_eq!(&text[block.header.range.clone()], "blk \"l\" m");
    assert_eq!(block.labels.iter().map(|l| l.text.as_str()).collect::<Vec<_>>(), ["l", "m"]);
    assert_eq!(&text[block.body.span.range.clone()], "{\n  x = y.z + 2\n}");
    let ExprKind::Chain(chain) = &block.body.attributes[0].expr.kind else { panic!() };
    assert_eq!(&text[chain.first.span.range.clone()], "y.z");
    assert_eq!(&text[chain.rest[0].1.span.range.clone()], "2");
}

#[test]
fn repeated_keys_warn_and_stay_in_order() {
    let text = "a = { k = 1, k = 2, \"q r\" = 3, \"q r\" = 4, k = 5, \"k\" = 6 }";
    assert_eq!(problems(text).len(), 4);
    assert!(problems(text)[0].starts_with("t:1,14-15: Duplicate object key; The object has the key \"k\""));
    let body = body(text);
    let ExprKind::Object(items) = &body.attributes[0].expr.kind else { panic!() };
    let names: Vec<String> = items
        .iter()
        .map(|(key, _)| match key {
            Key::Name(member) => member.name.clone(),
            Key::Expr(Expr { kind: ExprKind::Literal(value), .. }) => value.to_text().unwrap(),
            Key::Expr(_) => panic!(),
        })
        .collect();
    assert_eq!(names, ["k", "k", "q r", "q r", "k", "k"]);
}

#[test]
fn repeated_attributes_are_errors() {
    let found = problems("a = 1\nb = 2\na = 3\n");
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("t:3,1-2: Attribute redefined; The argument \"a\" was already set on line 1."),
        "{found:?}"
    );
}

#[test]
fn several_syntax_errors_at_once() {
    let text = "a \"x\" {\n  b = \n}\n\nok {\n  c = 1\n}\n\nd {\n  e = 'x'\n}\nf {}\n";
    let found = problems(text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("t:2,"), "{found:?}");
    assert!(found[1].contains("Single quotes"), "{found:?}");
    let (_, diagnostics) = parse_body(Sources::default().add("t", text), text);
    assert!(diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Error));
}

#[test]
fn unclosed_blocks_are_named() {
    let found = problems("a {\n  b = 1\n}\nc \"d\" {\n  e = 1\n\nf {\n}\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("t:4,1-8: Unclosed configuration block"), "{found:?}");
}

#[test]
fn depth_is_limited() {
    let deep = format!("a = {}1{}", "[".repeat(100), "]".repeat(100));
    assert!(problems(&deep)[0].contains("Too many nested levels"), "{:?}", problems(&deep));
    let blocks = format!("{}{}", "a {\n".repeat(1_000), "}\n".repeat(1_000));
    assert!(problems(&blocks)[0].contains("nested levels"), "{:?}", problems(&blocks));
}

#[test]
fn long_chains_are_limited() {
    for link in [".a", "[0]", "[*]", ".*"] {
        let text = format!("a = b{}", link.repeat(2_000));
        assert!(problems(&text)[0].contains("Expression too long"), "{link}");
    }
    let sum = format!("a = 1{}", " + 1".repeat(1_000));
    assert!(problems(&sum)[0].contains("Expression too long"));
}

#[test]
fn operators_bind_as_they_should() {
    let shown = |text: &str| {
        let body = body(&format!("a = {text}"));
        fn show(expr: &Expr) -> String {
            match &expr.kind {
                ExprKind::Chain(chain) => {
                    let rest = chain.rest.iter().map(|(_, right)| format!(" {}", show(right)));
                    format!("({}{})", show(&chain.first), rest.collect::<String>())
                }
                ExprKind::Conditional(parts) => {
                    format!("[{} {} {}]", show(&parts.condition), show(&parts.yes), show(&parts.no))
                }
                ExprKind::Unary(_, inner) => format!("-{}", show(inner)),
                ExprKind::Parenthesis(inner) => format!("<{}>", show(inner)),
                ExprKind::Attribute(inner, member) => format!("{}.{}", show(inner), member.name),
                ExprKind::Variable(name) => name.clone(),
                kind => format!("{kind:?}"),
            }
        }
        show(&body.attributes[0].expr)
    };
    for (text, wanted) in [
        ("a + b - c", "(a b c)"),
        ("a + b * c + d", "(a (b c) d)"),
        ("a * b + c * d", "((a b) (c d))"),
        ("a || b && c == d < e + f", "(a (b (c (d (e f)))))"),
        ("a + f * e < d == c && b || a", "(((((a (f e)) d) c) b) a)"),
        ("(a + b) + c", "(<(a b)> c)"),
        ("-a.b + !c", "(-a.b -c)"),
        ("a ? b : c ? d : e || f", "[a b [c d (e f)]]"),
    ] {
        assert_eq!(shown(text), wanted, "{text}");
    }
}

#[test]
fn every_error_of_a_block_at_its_place() {
    let mut wrong = Vec::new();
    for (text, wanted) in [
        ("a {\n  b = = 1\n  c = 2\n  d = [1,, 2]\n}\ne {\n  f = )\n}\n", &["2,7-8: I", "4,10-11: I", "7,7-8: I"][..]),
        ("a {\n  b = [1, 2\n  c = 3\n  d = 'x'\n}\n", &["3,3-4: Missing item separator", "4,7-8: Invalid character"]),
        (
            "a {\n  b = {\n    c = \n    d = 1\n  }\n  e = ;\n}\n",
            &["3,9-9: Missing expression", "6,7-8: Invalid character"],
        ),
        ("locals {\n  x = \"abc\n}\n", &["2,7-11: Unterminated string"]),
        (
            "a {\n  x = \"abc\n  y = \"${b\"\n  z = 1 & 2\n}\n",
            &["2,7-11: Unterm", "3,7-12: Unclosed", "4,9-10: Unsupported operator"],
        ),
        ("x = ", &["1,5-5: Missing expression"]),
        ("a {\n  x = \n", &["2,7-7: Missing expression"]),
        ("a {\n  x = [1,\n", &["2,7-8: Unexpected end"]),
        ("a {\n  \"x\" = 1\n  y = ,\n}\n", &["2,3-6: Invalid argument name", "3,7-8: Invalid expression"]),
        (
            "a {\n  b = ;\n}\nc \"d {\n  e = 1\n  f = ;\n}\n",
            &["2,7-8: Inv", "4,3-7: Unterminated string", "6,7-8: Inv"],
        ),
        ("a { b = 1 c = 2 }\nd = ;\n", &["1,11-12: Missing line break", "2,5-6: Inv"]),
        ("a { b = 1\n  c = ;\n}\n", &["1,10-10: Missing closing brace", "2,7-8: Inv"]),
        ("a {\n  b = 1 }\nc = ;\n", &["2,9-10: Missing line break", "3,5-6: Inv"]),
        ("a\n{\n  b = ;\n}\n", &["1,2-2: Invalid block definition", "3,7-8: Inv"]),
        ("}\na = 1\n", &["1,1-2: Unexpected closing brace"]),
        ("a {\n  b {\n    c = 1\n}\nd {\n  e = ;\n}\n", &["2,3-6: Unclosed configuration block", "6,7-8: Inv"]),
        ("a {\n  b = {\n    c = 1\n}\nd {\n}\n", &["2,7-8: Unclosed object"]),
        ("a {\n  b = <<E\n  ${c d}\n  E\n  e = ;\n}\n", &["3,7-8: Invalid syntax", "5,7-8: Inv"]),
        ("a {\n  b = \"\\q\\w\"\n  c = \"\\\"\n}\n", &["2,8-9: Invalid escape", "3,7-10: Unterm"]),
        ("a = 1 /* b\nc = 2\n", &["1,7-11: Unterminated comment"]),
        (
            "a = 10GB\nb = 0x1F\nc = x and y\n",
            &["1,7-9: Invalid number", "2,6-9: Invalid number", "3,7-10: Invalid expression"],
        ),
        (
            "a = {\n  b: 1\n  c => 2\n}\nd = \u{201c}x\u{201d}\n",
            &["3,6-7: Invalid expression", "5,5-6: Invalid character"],
        ),
        (
            "a = \"%{ endif }\"\nb = \"%{ if x }\"\nc = \"%{ foo }\"\n",
            &["1,6-7: Invalid template", "2,6-7: Invalid template", "3,9-12: Invalid syntax"],
        ),
    ] {
        let found = problems(text);
        let fits = |(found, wanted): (&String, &&str)| found.starts_with(&format!("t:{wanted}"));
        if found.len() != wanted.len() || !found.iter().zip(wanted).all(fits) {
            wrong.push(format!("{text}\n{found:#?}\n{wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn repeated_names_of_long_bodies() {
    let lines: String = (0..40).map(|at| format!("a{at} = {at}\n")).collect();
    let found = problems(&format!("{lines}a3 = 1\na30 = 1\n"));
    assert!(found.len() == 2 && found[0].contains("\"a3\" was already set on line 4."), "{found:?}");
    assert!(found[1].contains("\"a30\" was already set on line 31."), "{found:?}");
}

#[test]
fn huge_numbers() {
    let body = body("a = 1e400\nb = -1e309");
    let ExprKind::Literal(value) = &body.attributes[0].expr.kind else { panic!() };
    assert_eq!(value.to_text().unwrap().len(), 401);
    assert!(problems("a = 1e9999999")[0].contains("Invalid number"));
}

#[test]
fn heredocs() {
    let cases = [
        ("a = <<E\n  x\n y\n  E\n", "  x\n y\n"),
        ("a = <<-E\n    x\n\n      y\n  E\n", "x\n\n  y\n"),
        ("a = <<-E\n\t\tx\n\t y\n\tE\n", "x\ny\n"),
        ("a = <<E\n\\n $${x} %%{y} $z\nE\n", "\\n ${x} %{y} $z\n"),
        ("a = <<E\nE\n", ""),
        // The word ends it only where it stands alone.
        ("a = <<E\nE x\n  E)\nE2\n E \n", "E x\n  E)\nE2\n"),
    ];
    for (text, want) in cases {
        assert_eq!(string(text), want, "{text}");
    }
}

#[test]
fn heredocs_without_end() {
    for text in ["a = <<E\nx\n", "a = [<<E\nx\nE, 1]\n", "a = f(<<E\nE)\n"] {
        assert!(problems(text)[0].contains("Unterminated heredoc"), "{text} {:?}", problems(text));
    }
}

#[test]
fn lone_expressions() {
    let mut sources = Sources::default();
    for text in ["1", " 1 # c", "/* c */ 1 + 2", "\n[1,\n2]\n", "1 // x", "a.b[0].c"] {
        let file = sources.add("e", text);
        assert!(parse_expr(file, text).is_ok(), "{text}");
    }
    for text in ["", "  ", "# c", "1 2", "1)(2", ")", "(", "a = 1", "1;", "1 +", "<<EOT", "\"x", "1)+(2"] {
        let file = sources.add("e", text);
        let errors = parse_expr(file, text).unwrap_err();
        assert!(errors.iter().all(|error| error.span.as_ref().unwrap().range.end <= text.len()), "{text}");
    }
    let file = sources.add("e", "a.b");
    assert_eq!(parse_expr(file, "a.b").unwrap().span.range, 0..3);
}

#[test]
fn long_words_are_cut_between_characters() {
    assert!(problems(&format!("a = 1 b{}", "é".repeat(50)))[0].contains("found \"bé"));
}

#[test]
fn never_panics() {
    let pieces = [
        "{", "}", "\"", "${", "%{if", "~}", "<<E\n", "E\n", "é", "a", "=", "[", "*", ".", "1e", "\\", "\r\n",
        "\u{feff}",
    ];
    for a in pieces {
        for b in pieces {
            for c in pieces {
                let text = format!("{a}{b}{c}");
                let _ = problems(&text);
                let _ = problems(&format!("x {{\n  {text}\n}}\n"));
                let file = Sources::default().add("e", text.as_str());
                let _ = parse_expr(file, &text);
                let _ = parse_template(file, &text);
            }
        }
    }
}

static LEAF: JsonBody = JsonBody { blocks: &[], expressions: &["type"] };
static ROOT: JsonBody = JsonBody {
    blocks: &[
        JsonBlock { kind: "leaf", labels: 1, body: &LEAF },
        JsonBlock { kind: "thing", labels: 2, body: &OPEN },
        JsonBlock { kind: "plain", labels: 0, body: &LEAF },
    ],
    expressions: &[],
};

fn json(text: &str) -> (Option<Body>, Vec<String>) {
    let mut sources = Sources::default();
    let file = sources.add("t", text);
    let (body, diagnostics) = parse_json(file, text, &ROOT, Strings::Templates);
    (body, diagnostics.iter().map(|diagnostic| render_line(diagnostic, &sources)).collect())
}

#[test]
fn json_bodies() {
    let text = r#"{"//": "note", "leaf": {"a": {"type": "list(string)", "x": "${upper(\"b\")}-\u00e9\ud83d\ude00"}, "b": {}},
        "thing": {"t": {"n": [{"k": {"z": 1e400}}, {"dynamic": {"d": {"for_each": [1], "iterator": "it", "content": {"v": 1}}}}]}},
        "plain": [{}, {}], "top": {"a": [null, true]}}"#;
    let (body, errors) = json(text);
    assert_eq!(errors, Vec::<String>::new());
    let body = body.unwrap();
    let headers: Vec<String> = body
        .blocks
        .iter()
        .map(|block| block.labels.iter().fold(block.kind.clone(), |all, label| format!("{all} {}", label.text)))
        .collect();
    assert_eq!(headers, ["leaf a", "leaf b", "thing t n", "thing t n", "plain", "plain"]);
    let leaf = &body.blocks[0].body;
    assert!(matches!(leaf.attribute("type").unwrap().expr.kind, ExprKind::Call(_)));
    assert!(matches!(leaf.attribute("x").unwrap().expr.kind, ExprKind::Template(_)));
    assert_eq!(&text[leaf.attribute("x").unwrap().name_span.range.clone()], "\"x\"");
    assert_eq!(body.blocks[3].body.blocks[0].body.blocks[0].kind, "content");
    assert!(body.attribute("top").is_some() && body.attribute("//").is_none());
}

#[test]
fn json_faults() {
    let cases = [
        ("{\"x\": [}", "t:1,8-8: Invalid JSON; A JSON value must start"),
        ("{\"x\": 1", "t:1,8-8: Invalid JSON; A comma or a closing brace"),
        ("{x: 1}", "t:1,2-2: Invalid JSON; An object's property name"),
        ("[1]", "t:1,2-3: Root value must be object"),
        ("{\"x\": \"${\"}", "t:1,7-11: "),
        ("{\"x\": 01}", "t:1,7-7: Invalid JSON; This is not a JSON number"),
        ("{\"x\": nil}", "t:1,7-7: Invalid JSON; \"nil\" is not a JSON keyword"),
        ("{\"x\": \"\\q\"}", "t:1,7-7: Invalid JSON; The string has"),
        ("{\"plain\": 1}", "t:1,11-12: Incorrect JSON value type"),
        ("{\"x\": 1, \"x\": 2}", "t:1,10-13: Attribute redefined"),
        ("", "t:1,1-1: Invalid JSON; The JSON data ends"),
    ];
    for (text, want) in cases {
        let (_, errors) = json(text);
        assert!(errors.first().is_some_and(|error| error.starts_with(want)), "{text}: {errors:?}");
    }
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    assert!(json(&deep).1[0].contains("at most 64 levels"));
}
