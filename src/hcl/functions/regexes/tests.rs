//! Tests of the regular expressions.

use super::*;

fn replaced(text: &str, pattern: &str, replacement: &str) -> String {
    let args = [text, pattern, replacement].map(Value::string);
    let pattern = Pattern::new(&args, 1).unwrap();
    let expanded = |captures: &Captures<'_>| {
        let mut out = String::new();
        expand(&pattern, replacement, captures, &mut out);
        out
    };
    pattern.regex.replace_all(text, expanded).into_owned()
}

#[test]
fn replacements() {
    let cases = [
        ("john smith", r"(\w+) (\w+)", "$2, $1", "smith, john"),
        ("ab", "(a)", "$1x", "b"),
        ("ab", "(a)", "${1}x", "axb"),
        ("ab", "(?P<n>a)", "<$n>", "<a>b"),
        ("a", "a", "$$ $ ${ ${a-b} $", "$ $ ${ ${a-b} $"),
        ("a", "(a)", "$01|$2|$9999999999", "||"),
        ("ab", "(?P<n>x)|(?P<n>a)", "<$n>", "<a>b"),
        ("baac", "a*", "-", "-b-c-"),
    ];
    for (text, pattern, replacement, want) in cases {
        assert_eq!(replaced(text, pattern, replacement), want, "{pattern} {replacement}");
    }
}

fn found(pattern: &str, text: &str) -> Option<String> {
    let pattern = Pattern::new(&[Value::string(pattern)], 0).ok()?;
    Some(pattern.regex.find(text).map_or("<none>", |found| found.as_str()).to_owned())
}

#[test]
fn syntax_is_that_of_re2() {
    let cases = [
        (r"\Qa.b\E+", "aXb a.bbb", Some("a.bbb")),
        (r"\Q\", r"a\b", Some("\\")),
        (r"\d+", "٣٤5", Some("5")),
        (r"\w+", "éa_1", Some("a_1")),
        (r"\bfoo\b", "éfooé", Some("foo")),
        (r"o\Bo", "foo", Some("oo")),
        (r"a{,2}", "a{,2}", Some("a{,2}")),
        (r"x{", "x{", Some("x{")),
        (r"a{2}{3}", "", None),
        (r"a**", "", None),
        (r"a{1001}", "", None),
        (r"(?:a{40}){40}", "", None),
        (r"(?:a{30}){30}", "b", Some("<none>")),
        (r"[]a]+", "]a", Some("]a")),
        (r"[a[b]+", "[ab", Some("[ab")),
        (r"[a&&b]+", "&a", Some("&a")),
        (r"[\w-]+", "a-b", Some("a-b")),
        (r"[^\d\s]+", "1 ab", Some("ab")),
        (r"[\D]+", "1ab", Some("ab")),
        (r"[[:alpha:]-]+", "1a-b", Some("a-b")),
        (r"[[:nope:]]", "", None),
        (r"[z-a]", "", None),
        (r"[a-\d]", "", None),
        (r"\<", "a<", Some("<")),
        (r"\_\'\@\/", "_'@/", Some("_'@/")),
        (r"\101\x42\x{43}", "ABC", Some("ABC")),
        (r"(a)\1", "", None),
        (r"(?P<1a>b)", "b", Some("b")),
        (r"(?P<a>b)(?P<a>c)", "bc", Some("bc")),
        (r"(?<x>b)", "b", Some("b")),
        (r"a(?=b)", "", None),
        (r"(?x) a", "", None),
        (r"(?i:A)b", "ab", Some("ab")),
        (r"\pN+\p{Greek}\P{Greek}\p{^Greek}", "1αbc", Some("1αbc")),
        (r"\p{Alphabetic}", "", None),
        (r"\Z", "", None),
        (r"(a", "", None),
        (r"a)", "", None),
        (r"a\", "", None),
        ("[a", "", None),
        (r"^*a", "a", Some("a")),
        ("(?m)^b$", "a\nb", Some("b")),
        ("é|\\.", "é", Some("é")),
    ];
    for (pattern, text, want) in cases {
        assert_eq!(found(pattern, text).as_deref(), want, "{pattern}");
    }
}
