//! All functions, called as templates call them, with a world that is made up.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{Allowed, Host, HttpGet, PathKind, lookup, names};
use crate::hcl::diagnostics::Sources;
use crate::hcl::eval::{Scope, evaluate};
use crate::hcl::parse::parse_expr;
use crate::hcl::print::print;
use crate::hcl::types::Type;
use crate::hcl::value::Value;

/// A world with a few files, one moment and one random number.
struct World;

const FILES: [(&str, &str); 5] = [
    ("root/a.txt", "a\n"),
    ("root/sub/b.txt", "b"),
    ("root/greet.tmpl", "Hello, ${upper(name)}!"),
    ("root/again.tmpl", "${templatefile(\"greet.tmpl\", { name = name })}"),
    ("/home/me/notes", "mine"),
];

impl Host for World {
    fn root(&self) -> &Path {
        Path::new("root")
    }

    fn cwd(&self) -> &Path {
        Path::new("/work")
    }

    fn home(&self) -> Option<PathBuf> {
        Some("/home/me".into())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = FILES.iter().find(|(name, _)| Path::new(name) == path);
        file.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn kind(&self, path: &Path) -> io::Result<PathKind> {
        if FILES.iter().any(|(name, _)| Path::new(name) == path) {
            return Ok(PathKind::File);
        }
        let below = FILES.iter().any(|(name, _)| Path::new(name).starts_with(path));
        if below { Ok(PathKind::Directory) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<(String, PathKind)>> {
        let inside = FILES.iter().filter_map(|(name, _)| Path::new(name).strip_prefix(path).ok());
        let names: BTreeMap<String, PathKind> = inside
            .filter_map(|inside| {
                let mut parts = inside.components();
                let first = parts.next()?.as_os_str().to_str()?.to_owned();
                Some((first, if parts.next().is_some() { PathKind::Directory } else { PathKind::File }))
            })
            .collect();
        Ok(names.into_iter().collect())
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::constant(1_706_933_106, 900_000_000)
    }

    fn started(&self) -> jiff::Timestamp {
        jiff::Timestamp::constant(1_706_933_000, 0)
    }

    fn env(&self, name: &str) -> Option<String> {
        let set = [("SET", "value"), ("VAULT_TOKEN", "t0ken"), ("VAULT_ADDR", "https://vault:8200/")];
        set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0xab);
    }

    fn http_get(&self, request: &HttpGet<'_>) -> Result<String, String> {
        match request.url {
            "http://127.0.0.1:8500/v1/kv/app/name" => Ok(r#"[{"Value": "a2lsbg=="}]"#.into()),
            "https://vault:8200/v1/secret/data/app" if request.headers.contains(&("X-Vault-Token", "t0ken".into())) => {
                Ok(r#"{"data": {"data": {"password": "s3cret", "port": 1}}}"#.into())
            }
            url => Err(format!("404 from {url}")),
        }
    }

    fn aws_secret(&self, name: &str) -> Result<String, String> {
        match name {
            "plain" => Ok("text".into()),
            "one" => Ok(r#"{"k": "v"}"#.into()),
            "two" => Ok(r#"{"k": "v", "port": 5432, "list": []}"#.into()),
            _ => Err("no such secret".into()),
        }
    }
}

fn value(text: &str) -> Result<Value, String> {
    let mut sources = Sources::default();
    let file = sources.add("test", text);
    let variables = BTreeMap::from([
        ("unknown".to_owned(), Value::unknown(Type::String)),
        ("secret".to_owned(), Value::string("s3cret").sensitive()),
    ]);
    let allowed = Allowed::Except(Vec::new());
    let scope = Scope::new(&World, variables).with_functions(&allowed);
    let first = |diagnostics: crate::hcl::Diagnostics| {
        diagnostics.iter().map(|diagnostic| diagnostic.detail.clone()).next().unwrap_or_default()
    };
    parse_expr(file, text).and_then(|expr| evaluate(&expr, &scope)).map_err(first)
}

/// The value on one line, or the error.
fn shown(text: &str) -> String {
    match value(text) {
        Ok(value) => print(&value).split_whitespace().collect::<Vec<_>>().join(" "),
        Err(message) => format!("! {message}"),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (text, want) in cases {
        assert_eq!(shown(text), *want, "{text}");
    }
}

#[test]
fn the_table_is_whole() {
    assert_eq!(names().count(), 101);
    for name in names() {
        assert_eq!(lookup(name).map(|function| function.name), Some(name));
    }
    for absent in ["tostring", "uuid", "strftime", "templatestring", "sensitive", "try", "can", "convert"] {
        assert!(lookup(absent).is_none(), "{absent}");
    }
}

#[test]
fn files() {
    check(&[
        (r#"file("a.txt")"#, "a"),
        (r#"file("~/notes")"#, "mine"),
        (r#"file("none")"#, "! Invalid value for \"path\" parameter: no file exists at root/none."),
        (
            r#"templatefile("root/greet.tmpl", {})"#,
            "! Invalid value for \"path\" parameter: no file exists at root/root/greet.tmpl; relative paths start from the \
             template's folder, root: leave the folder out, or use abspath(path.root).",
        ),
        (r#"fileexists("sub/b.txt")"#, "true"),
        (r#"fileexists("none")"#, "false"),
        (r#"fileexists("sub")"#, "! Invalid value for \"path\" parameter: root/sub is a directory, not a file."),
        (r#"filebase64("../root/a.txt")"#, "! Invalid value for \"path\" parameter: no file exists at /root/a.txt."),
        (r#"join(" ", fileset(".", "**/*.txt"))"#, "a.txt sub/b.txt"),
        (r#"join(" ", fileset("sub", "../*.{txt,tmpl}"))"#, "../a.txt ../again.tmpl ../greet.tmpl"),
        (r#"fileset("none", "*")"#, "[]"),
        (r#"templatefile("greet.tmpl", { name = "kiln" })"#, "Hello, KILN!"),
        (r#"can(templatefile("again.tmpl", { name = "kiln" }))"#, "false"),
        (r#"can(templatefile("greet.tmpl", {}))"#, "false"),
        (r#"pathexpand("~/x")"#, "/home/me/x"),
        (r#"abspath("x")"#, "/work/x"),
    ]);
}

#[test]
fn the_world_outside() {
    check(&[
        ("timestamp()", "2024-02-03T04:05:06Z"),
        ("legacy_isotime()", "2024-02-03T04:03:20Z"),
        (r#"legacy_strftime("%H:%M")"#, "04:03"),
        (r#"env("SET")"#, "value"),
        (r#"env("UNSET")"#, ""),
        ("uuidv4()", "abababab-abab-4bab-abab-abababababab"),
        (r#"consul_key("app/name")"#, "kiln"),
        (r#"vault("secret/data/app", "password")"#, "s3cret"),
        (r#"can(vault("secret/data/app", "port"))"#, "false"),
        (r#"can(vault("secret/data/other", "password"))"#, "false"),
        (r#"aws_secretsmanager_raw("one")"#, r#"{"k": "v"}"#),
        (r#"aws_secretsmanager("plain", null)"#, "text"),
        (r#"aws_secretsmanager("one", null)"#, "v"),
        (r#"aws_secretsmanager("two", "port")"#, "5432"),
        (r#"can(aws_secretsmanager("two", null))"#, "false"),
        (r#"can(aws_secretsmanager("two", "list"))"#, "false"),
    ]);
}

#[test]
fn unknown_parts() {
    check(&[
        ("length([unknown, 1])", "2"),
        ("keys({ a = unknown })", "[ \"a\", ]"),
        ("element([unknown, 1], 1)", "1"),
        ("lookup({ a = unknown, b = 1 }, \"b\", 0)", "1"),
        ("merge({ a = unknown }, { b = 1 }).b", "1"),
        ("concat([unknown], [2])[1]", "2"),
        ("reverse([unknown, 1])[0]", "1"),
        ("slice([unknown, 1], 1, 2)", "[ 1, ]"),
        ("contains([\"a\", unknown], \"a\")", "true"),
        ("contains([\"b\", unknown], \"a\")", "<unknown>"),
        ("anytrue([true, unknown])", "true"),
        ("alltrue([unknown, false])", "<unknown>"),
        ("coalesce(unknown, \"a\")", "<unknown>"),
        ("coalesce(\"a\", unknown)", "a"),
        ("upper(unknown)", "<unknown>"),
        ("format(\"%s\", null)", "<unknown>"),
        ("yamldecode(\"null\")", "<unknown>"),
    ]);
}

#[test]
fn marks() {
    let cases = [
        ("upper(secret)", true),
        ("sha256(secret)", true),
        ("jsonencode({ a = secret })", true),
        ("format(\"%s-%s\", \"a\", secret)", true),
        ("join(\",\", [\"a\", secret])", true),
        ("merge({ a = secret }, { b = 1 }).a", true),
        ("merge({ a = secret }, { b = 1 }).b", false),
        ("element([secret, \"a\"], 1)", false),
        ("element([secret, \"a\"], 0)", true),
        ("concat([secret], [1])[1]", false),
        ("length([secret])", false),
        ("length(secret)", true),
        ("keys({ a = secret })", false),
        ("templatefile(\"greet.tmpl\", { name = secret })", true),
        ("sort([\"b\", secret])", true),
        ("flatten([[secret], \"a\"])[1]", false),
        ("flatten([[secret], \"a\"])[0]", true),
    ];
    for (text, want) in cases {
        assert_eq!(value(text).map(|value| value.has_sensitive()), Ok(want), "{text}");
    }
}

#[test]
fn collections() {
    check(&[
        ("coalesce(null, \"\", 0)", "0"),
        ("concat(convert([\"1\"], list(string)), convert([2], list(number)))", "[ \"1\", \"2\", ]"),
        ("concat(convert([\"1\"], list(string)), [2])", "[ \"1\", 2, ]"),
        ("distinct([\"b\", \"a\", \"b\"])", "[ \"b\", \"a\", ]"),
        ("element([\"a\", \"b\"], 3)", "b"),
        ("flatten([[], [[1], 2]])", "[ 1, 2, ]"),
        ("range(10, 0, -4)", "[ 10, 6, 2, ]"),
        ("setproduct([\"a\"], [1, 2])", "[ [ \"a\", 1, ], [ \"a\", 2, ], ]"),
        ("setunion([1], [\"1\", \"2\"])", "[ \"1\", \"2\", ]"),
        ("sum([1, \"2\"])", "3"),
        ("zipmap([\"a\", \"a\"], [1, 2])", "{ \"a\" = 2 }"),
        ("substr(\"hello\", -3, 0)", "llo"),
        ("lookup(convert({ a = 1 }, map(number)), \"b\", \"2\")", "2"),
        ("merge(null, { a = 1 })", "{ \"a\" = 1 }"),
        ("chunklist([1, 2, 3], 2)", "[ [ 1, 2, ], [ 3, ], ]"),
    ]);
}

proptest::proptest! {
    /// Whatever text a function is given, it answers or says why not.
    #[test]
    fn no_text_is_too_odd(text in r#"[ -~\n\t'\[\]{}()\\%$é日😀]{0,24}"#) {
        let quoted: String = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        let calls = [
            "regex(T, T)", "regex_replace(T, \"a|$\", T)", "regexall(T, \"ab\")", "format(T, 1, 2)", "formatlist(T, [1])",
            "formatdate(T, \"2024-02-03T04:05:06Z\")", "timeadd(T, T)", "rfc3339_parse(T)", "fileset(T, T)", "title(T)",
            "csvdecode(T)", "jsondecode(T)", "yamldecode(T)", "yamlencode([T, { (T) = T }])", "base64decode(T)",
            "cidrsubnets(T, 1)", "cidrhost(T, 1)", "uuidv5(T, T)", "parseint(T, 10)", "substr(T, -2, 3)", "strrev(T)",
            "rsadecrypt(T, T)", "dirname(T)", "basename(T)", "pathexpand(T)", "textencodebase64(T, \"IBM437\")",
        ];
        for call in calls {
            let _ = value(&call.replace('T', &format!("\"{quoted}\"")));
        }
        let encoded = value(&format!("jsondecode(jsonencode(\"{quoted}\")) == \"{quoted}\""));
        proptest::prop_assert_eq!(encoded.map(|value| value.as_bool()), Ok(Some(true)));
        let encoded = value(&format!("yamldecode(yamlencode({{ k = \"{quoted}\" }})).k == \"{quoted}\""));
        proptest::prop_assert_eq!(encoded.map(|value| value.as_bool()), Ok(Some(true)));
    }
}
