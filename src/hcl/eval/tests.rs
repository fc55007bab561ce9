//! Expressions without library functions.

use super::*;
use crate::hcl::diagnostics::{Sources, render_line};
use crate::hcl::functions::Allowed;
use crate::hcl::parse::parse_expr;
use crate::hcl::print::print;
use crate::hcl::value::Data;

/// A host where nothing is.
pub(crate) fn host() -> impl crate::hcl::functions::Host {
    nowhere::Nowhere
}

fn result(text: &str) -> Result<Value, String> {
    let mut sources = Sources::default();
    let file = sources.add("t", text);
    let host = host();
    let values = [
        ("s".to_owned(), Value::string("text")),
        ("secret".to_owned(), Value::string("pw").sensitive()),
        ("l".to_owned(), Value::strings(["a", "b"])),
        ("u".to_owned(), Value::unknown(Type::Dynamic)),
        ("us".to_owned(), Value::unknown(Type::String)),
        ("o".to_owned(), Value::object([("k".to_owned(), Value::number(1_i64))].into())),
        ("secrets".to_owned(), Value::strings(["x", "y"]).sensitive()),
    ];
    let scope = Scope::new(&host, values.into());
    parse_expr(file, text)
        .and_then(|expr| evaluate(&expr, &scope))
        .map_err(|errors| errors.iter().map(|error| render_line(error, &sources)).collect::<Vec<_>>().join(" | "))
}

fn shown(text: &str) -> String {
    match result(text) {
        Ok(value) => print(&value).replace('\n', " "),
        Err(error) => format!("! {error}"),
    }
}

#[test]
fn values() {
    let cases = [
        ("1 + 2 * 3", "7"),
        ("\"a\" == \"a\" && !false", "true"),
        ("true ? 1 : \"x\"", "1"),
        ("\"${s}-${1e21}\"", "text-1000000000000000000000"),
        ("\"n=${-0}\"", "n=-0"),
        ("[for i, x in l : \"${i}${x}\" if x != \"a\"]", "[   \"1b\", ]"),
        ("{ for x in [\"a\", \"b\", \"a\"] : x => 1... }.a", "[   1,   1, ]"),
        ("[{ a = [1, 2] }, { a = [3] }].*.a[0]", "[   1,   2, ]"),
        ("[{ a = [1, 2] }, { a = [3] }][*].a[0]", "[   1,   3, ]"),
        ("null[*]", "[]"),
        ("try(nope, [1][5], \"c\")", "c"),
        ("can(nope())", "false"),
        ("convert([1, \"a\"], list(any))[0]", "1"),
        ("false && nope", "false"),
        ("{ null = 1, true = 2 }.true", "2"),
        ("\"%{ for x in l ~}\\n${x}\\n%{ endfor ~}\\n\"", "a b "),
        ("\"a ${~ 1 ~} b\"", "a1b"),
    ];
    for (text, want) in cases {
        assert_eq!(shown(text), want, "{text}");
    }
}

#[test]
fn faults_have_their_place() {
    let cases = [
        ("1 + nope", "t:1,5-9: Unknown variable; There is no variable named \"nope\"."),
        ("o.x", "t:1,3-4: Unsupported attribute; o does not have an attribute named \"x\"."),
        (
            "l[5]",
            "t:1,3-4: Invalid index; The given key does not identify an element in this collection value: the \
                  index is 5, but there are 2 elements, counted from 0.",
        ),
        (
            "a + b",
            "t:1,1-2: Unknown variable; There is no variable named \"a\". | t:1,5-6: Unknown variable; There is no \
                   variable named \"b\".",
        ),
        (
            "\"x${null}y\"",
            "t:1,5-9: Invalid template interpolation value; The expression result is null. Cannot include a \
                          null value in a string template.",
        ),
        ("foo(1)", "t:1,1-4: Call to unknown function; There is no function named \"foo\"."),
        (
            "true ? 1 : true",
            "t:1,1-16: Inconsistent conditional result types; The true and false result expressions must \
                             have consistent types. The 'true' value is number, but the 'false' value is bool.",
        ),
        ("0 / 0", "t:1,1-6: Operation failed; The result of 0 and 0 here is not a number."),
        ("s.x", "t:1,3-4: Unsupported attribute; Can't access attributes on a primitive-typed value (string)."),
    ];
    for (text, want) in cases {
        assert_eq!(shown(text), format!("! {want}"), "{text}");
    }
}

#[test]
fn unknowns_spread() {
    for text in [
        "u",
        "u.a.b[0]",
        "\"x${us}\"",
        "u + 1",
        "u == 1",
        "[for x in u : x]",
        "u ? 1 : 2",
        "try(u, 1)",
        "can(u)",
        "u[*].a",
        "{ (us) = 1 }",
        "convert(u, number)",
        "!u",
        "u && true",
        "\"%{ if u }a%{ endif }\"",
        "l[us == \"x\" ? 0 : 1]",
    ] {
        assert_eq!(shown(text), "<unknown>", "{text}");
    }
    assert_eq!(shown("u && false"), "false");
    assert_eq!(shown("[u, 1][1]"), "1");
    let conditional = result("us == \"x\" ? 1 : 2").unwrap();
    assert!(matches!(conditional.data(), Data::Unknown(Type::Number)));
}

#[test]
fn secrets_spread() {
    for text in [
        "secret",
        "\"a${secret}\"",
        "secret == \"x\"",
        "secret == \"x\" ? 1 : 2",
        "secrets[0]",
        "[for x in secrets : 1]",
        "secrets[*]",
        "{ (secret) = 1 }",
        "\"%{ if secret == \"x\" }a%{ endif }\"",
        "convert(secrets, set(string))",
        "\"%{ for x in secrets }a%{ endfor }\"",
        "[for x in l : x if secret == \"pw\"]",
    ] {
        assert!(result(text).unwrap().is_sensitive(), "{text}");
    }
    let list = result("[secret, 1]").unwrap();
    assert!(!list.is_sensitive() && list.has_sensitive());
    assert!(!result("[secret, 1][1]").unwrap().is_sensitive());
}

#[test]
fn restricted_scopes() {
    let check = |text: &str, scope: &Scope<'_>| {
        let file = Sources::default().add("t", text);
        let errors = parse_expr(file, text).and_then(|expr| evaluate(&expr, scope)).unwrap_err();
        errors.iter().next().unwrap().summary.clone()
    };
    assert_eq!(check("a", &Scope::literal()), "Variables not allowed");
    assert_eq!(check("upper(\"a\")", &Scope::literal()), "Function calls not allowed");
    let host = host();
    let allowed = Allowed::Only(vec!["env"]);
    let scope = Scope::new(&host, std::collections::BTreeMap::new()).with_functions(&allowed);
    assert_eq!(check("try(1)", &scope), "Function not allowed here");
    assert_eq!(check("tri(1)", &scope), "Call to unknown function");
}
