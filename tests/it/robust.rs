//! Hostile and gigantic input: a clear error or the right answer, in little time and memory.

use std::fmt::Write as _;
use std::process::Command;

use crate::sandbox::{Ran, Sandbox};

/// Address space that a run may have, in KiB.
const MEMORY: usize = 6 << 20;
/// CPU time that a run may take, in seconds: far more than any of these needs, so that only a hang meets it.
const TIME: usize = 120;
/// What makes a set of locals a template.
const BUILD: &str = "\nsource \"null\" \"a\" { communicator = \"none\" }\nbuild { sources = [\"null.a\"] }\n";

/// `kiln validate` with little memory and time.
fn validate(sandbox: &Sandbox, path: &str) -> Ran {
    let kiln = sandbox.kiln();
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {MEMORY}; ulimit -t {TIME}; exec \"$0\" validate \"$1\"");
    command.args(["-c", &script]).arg(kiln.get_program()).arg(path);
    command.env_clear().envs(kiln.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran: Ran = command.current_dir(sandbox.path()).stdin(std::process::Stdio::null()).output().unwrap().into();
    assert!(matches!(ran.code, 0 | 1), "{path} ended with {}:\n{}\n{}", ran.code, ran.stdout, ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{path}:\n{}", ran.stderr);
    ran
}

/// The answer to a template of this text.
fn answer(text: &str) -> Ran {
    let sandbox = Sandbox::new();
    sandbox.file("t.pkr.hcl", text);
    validate(&sandbox, "t.pkr.hcl")
}

/// The template is refused, with this word and the line of the fault.
#[track_caller]
fn refused(what: &str, text: &str, word: &str, line: usize) {
    let ran = answer(text);
    let shown: String = ran.stdout.chars().take(2000).collect();
    assert_eq!(ran.code, 1, "{what}:\n{shown}");
    assert!(ran.stdout.starts_with("Error: ") && ran.stdout.contains(word), "{what}: no {word:?} in:\n{shown}");
    assert!(ran.stdout.contains(&format!("t.pkr.hcl line {line},")), "{what}: no line {line} in:\n{shown}");
}

#[track_caller]
fn valid(what: &str, text: &str) {
    let ran = answer(text);
    assert_eq!(ran.code, 0, "{what}:\n{}", ran.stdout.chars().take(2000).collect::<String>());
}

/// A lone local and what makes it a template.
fn local(expr: &str) -> String {
    format!("locals {{\n  a = {expr}\n}}{BUILD}")
}

#[test]
fn nesting() {
    for levels in [1_000, 100_000] {
        let nested = |open: &str, inner: &str, close: &str| {
            local(&format!("{}{inner}{}", open.repeat(levels), close.repeat(levels)))
        };
        for (what, text) in [
            ("parentheses", nested("(", "1", ")")),
            ("lists", nested("[", "1", "]")),
            ("objects", nested("{ a = ", "1", " }")),
            ("templates", nested("\"${", "1", "}\"")),
            ("calls", nested("upper(", "\"a\"", ")")),
            ("negation", nested("-", "1", "")),
            ("not", nested("!", "true", "")),
            ("conditionals", nested("true ? 1 : ", "1", "")),
            ("indexes", nested("[1][", "0", "]")),
            ("directives", nested("\"%{ if true }", "", "%{ endif }\"")),
        ] {
            refused(&format!("{levels} {what}"), &text, "evels", 2);
        }
        refused("a chain of operators", &local(&format!("1{}", " + 1".repeat(levels))), "operators", 2);
        refused("a chain of attributes", &local(&format!("local{}", ".a".repeat(levels))), "in a row", 2);
        let blocks = format!("{}{}", "a {\n".repeat(levels), "}\n".repeat(levels));
        refused("blocks", &blocks, "evels", 65);
        let heredocs = format!("locals {{\n  a = {}1\n{}}}{BUILD}", "<<E\n${".repeat(levels), "}\nE\n".repeat(levels));
        assert_eq!(answer(&heredocs).code, 1, "heredocs in templates");
    }
}

#[test]
fn nothing_is_closed() {
    for piece in [
        "(",
        "[",
        "{",
        "{ a = ",
        "\"${",
        "\"%{ if ",
        "<<E\n",
        "<<E\n${",
        "a {\n",
        "f(",
        "/*",
        "a ? ",
        "[for x in ",
        "\"",
    ] {
        for count in [1, 10, 60, 5_000] {
            let ran = answer(&local(&piece.repeat(count)));
            assert_eq!(ran.code, 1, "{piece:?} {count} times");
            assert!(ran.stdout.starts_with("Error: ") && ran.stdout.contains("t.pkr.hcl line "), "{}", ran.stdout);
        }
    }
}

/// Locals that each hold the one before it several times.
fn growing(first: &str, next: &str, count: usize) -> String {
    let mut text = format!("locals {{\n  v0 = {first}\n");
    for at in 1..count {
        let line = next.replace('@', &format!("local.v{}", at - 1));
        writeln!(text, "  v{at} = {line}").unwrap();
    }
    format!("{text}}}{BUILD}")
}

#[test]
fn values_without_end() {
    for (what, text, word) in [
        ("text", growing("\"0123456789\"", "\"${@}${@}${@}${@}\"", 60), "too large"),
        ("lists", growing("[1, 2, 3]", "[@, @, @, @]", 60), "too large"),
        ("objects", growing("{ a = 1 }", "{ a = @, b = @ }", 60), "too large"),
        ("concat", growing("[1, 2, 3]", "concat(@, @, @, @)", 60), "too large"),
        ("join", growing("\"0123456789\"", "join(@, [@, @, @])", 60), "too large"),
        ("replace", growing("\"aaaaaaaaaa\"", "replace(@, \"a\", \"aaaaaaaaaa\")", 60), "too large"),
        ("format", growing("\"0123456789\"", "format(\"%s%s%s%s\", @, @, @, @)", 60), "too large"),
        ("jsonencode", growing("\"\\\\\\\\\"", "jsonencode([@, @])", 60), "too large"),
        ("depth", growing("[1]", "[@]", 5_000), "too deep"),
        ("object depth", growing("{}", "{ a = @ }", 5_000), "too deep"),
    ] {
        let ran = answer(&text);
        let shown: String = ran.stdout.chars().take(1000).collect();
        assert_eq!(ran.code, 1, "{what}:\n{shown}");
        assert!(ran.stdout.contains(word) && ran.stdout.contains("t.pkr.hcl line "), "{what}:\n{shown}");
    }
}

#[test]
fn functions_that_blow_up() {
    let thousand = "[for i in range(1000) : i]";
    let million = format!("flatten([for i in range(1000) : {thousand}])");
    for (what, expr) in [
        ("a wide format", "format(\"%999999999d\", 1)".to_owned()),
        ("a precise format", "format(\"%.999999999f\", 1)".to_owned()),
        ("a long range", "range(1000000000)".to_owned()),
        ("a range without end", "range(0, 1, 1e-9)".to_owned()),
        ("setproduct", format!("setproduct({thousand}, {thousand}, {thousand}, {thousand})")),
        ("nested for", format!("[for a in {million} : [for b in {million} : b]]")),
        (
            "nested for that keeps nothing",
            format!("[for a in {million} : 1 if length([for b in {million} : b if false]) > 0]"),
        ),
        (
            "a template in a template",
            format!("\"%{{ for a in {million} }}%{{ for b in {million} }}x%{{ endfor }}%{{ endfor }}\""),
        ),
        ("indent", "indent(1000000000, \"a\\nb\")".to_owned()),
        ("a regular expression", "regex(\"(((a{1000}){1000}){1000})\", \"a\")".to_owned()),
        ("a huge number", "1e999999999".to_owned()),
        ("a huge product", "1e400000 * 1e999999999".to_owned()),
        ("a number in text", "1 + \"1e999999999\"".to_owned()),
    ] {
        let ran = answer(&local(&expr));
        let shown: String = ran.stdout.chars().take(1000).collect();
        assert_eq!(ran.code, 1, "{what}:\n{shown}");
        assert!(ran.stdout.starts_with("Error: ") && ran.stdout.contains("t.pkr.hcl line 2,"), "{what}:\n{shown}");
    }
    for (what, expr) in [
        ("backtracking", format!("can(regex(\"(a*)*(a*)*b\", \"{}\"))", "a".repeat(10_000))),
        ("jsondecode", format!("try(jsondecode(\"{}\"), 1)", "[".repeat(100_000))),
        ("yamldecode", format!("try(yamldecode(\"{}\"), 1)", "[".repeat(100_000))),
        (
            "yaml aliases",
            format!("try(yamldecode(\"a: &a [1,1]\\n{}\"), 1)", {
                let name = |at: usize| char::from(b'a' + u8::try_from(at).unwrap());
                (1..26)
                    .map(|at| format!("{0}: &{0} [*{1},*{1},*{1},*{1}]\\n", name(at), name(at - 1)))
                    .collect::<String>()
            }),
        ),
        ("timeadd", "try(timeadd(\"2020-01-01T00:00:00Z\", \"999999999999h\"), 1)".to_owned()),
    ] {
        valid(what, &local(&expr));
    }
}

#[test]
fn many_things() {
    let many = |head: &str, line: &dyn Fn(usize) -> String, count: usize| {
        let lines: String = (0..count).map(line).collect();
        format!("{head}{lines}")
    };
    let variables = many("", &|at| format!("variable \"v{at}\" {{\n default = {at}\n}}\n"), 100_000);
    valid("100,000 variables", &format!("{variables}{BUILD}"));
    let chain = many("locals {\n v0 = 0\n", &|at| format!(" v{} = local.v{at} + 1\n", at + 1), 100_000);
    valid("a chain of 100,000 locals", &format!("{chain}}}{BUILD}"));
    let missing = many("locals {\n", &|at| format!(" v{at} = local.w{at}\n"), 20_000);
    refused("20,000 missing locals", &format!("{missing}}}{BUILD}"), "Undeclared local", 2);
    let wrong = many("locals {\n", &|at| format!(" v{at} = var.w{at}\n"), 20_000);
    let wrong =
        format!("{}{wrong}}}{BUILD}", many("", &|at| format!("variable \"v{at}\" {{ default = 1 }}\n"), 20_000));
    refused("20,000 wrong names", &wrong, "20", 20_002);
    let sources = many("", &|at| format!("source \"null\" \"s{at}\" {{ communicator = \"none\" }}\n"), 5_000);
    let builds = many("", &|at| format!("build {{ sources = [\"null.s{at}\"] }}\n"), 5_000);
    valid("5,000 sources and builds", &format!("{sources}{builds}"));
    let items = many("", &|at| format!("x{at}, "), 20_000);
    refused("a list of wrong names", &local(&format!("[{items}]")), "x0", 2);
    let dynamic = "source \"null\" \"a\" { communicator = \"none\" }\nbuild {\n  sources = [\"null.a\"]\n  dynamic \"provisioner\" {\n    \
                   for_each = setproduct(range(600), range(600))\n    labels = [\"shell-local\"]\n    content {\n      inline = [\"a\"]\n    }\n  }\n}\n";
    refused("hundreds of thousands of generated blocks", dynamic, "too expensive", 5);
}

#[test]
fn cycles_are_listed() {
    let text = format!("locals {{\n  a = local.b\n  b = local.c\n  c = [local.a]\n}}{BUILD}");
    refused("three locals", &text, "next one: local.a, local.b, local.c, local.a", 4);
    refused("itself", &local("local.a"), "local.a needs itself", 2);
    let mut ring: String = (0..5_000).map(|at| format!("  v{at} = local.v{}\n", (at + 1) % 5_000)).collect();
    ring = format!("locals {{\n{ring}}}{BUILD}");
    assert!(answer(&ring).stdout.contains("local.v0, local.v1"));
    let mutual = "variable \"a\" {\n  default = 1\n  validation {\n    condition = var.b == 1\n    error_message = \"No.\"\n  }\n}\n\
                  variable \"b\" {\n  default = 1\n  validation {\n    condition = var.a == 1\n    error_message = \"No.\"\n  }\n}\n";
    refused("rules about each other", &format!("{mutual}{BUILD}"), "can only refer to var.a itself", 4);
}

#[test]
fn bytes_that_are_no_text() {
    for (bytes, code) in [
        (&b"locals { a = \"\xff\" }"[..], 1),
        (b"locals {\n a = \"\0\"\n}", 0),
        (b"\0", 1),
        (b"\xef\xbb\xbflocals {\r\n  a = 1\r\n}\r\n", 0),
        (b"\xff\xfel\0o\0", 1),
        (b"locals {\r a = 1\r}", 1),
    ] {
        let sandbox = Sandbox::new();
        let all = [bytes, BUILD.as_bytes()].concat();
        std::fs::write(sandbox.path().join("t.pkr.hcl"), all).unwrap();
        let ran = validate(&sandbox, "t.pkr.hcl");
        assert_eq!(ran.code, code, "{:?}:\n{}", String::from_utf8_lossy(bytes), ran.stdout);
        assert!(code == 0 || ran.stdout.contains("t.pkr.hcl line 1,"), "{}", ran.stdout);
    }
}

#[test]
fn large_files() {
    valid("10 MB of comments", &format!("{}{BUILD}", "# a comment that says nothing at all\n".repeat(280_000)));
    valid("a text of 10 MB", &local(&format!("\"{}\"", "x".repeat(10 << 20))));
    valid("a heredoc of 10 MB", &local(&format!("<<E\n{}E\n", "some words in a line\n".repeat(500_000))));
    let sandbox = Sandbox::new();
    let huge = std::fs::File::create(sandbox.path().join("t.pkr.hcl")).unwrap();
    huge.set_len(100 << 30).unwrap();
    let ran = validate(&sandbox, "t.pkr.hcl");
    assert!(ran.code == 1 && ran.stdout.contains("t.pkr.hcl") && ran.stdout.contains("64 MiB"), "{}", ran.stdout);
}

#[test]
fn files_that_are_no_files() {
    let sandbox = Sandbox::new();
    let path = |name: &str| sandbox.path().join(name);
    std::fs::create_dir(path("dir.pkr.hcl")).unwrap();
    std::os::unix::fs::symlink("loop.pkr.hcl", path("loop.pkr.hcl")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", path("zero.pkr.hcl")).unwrap();
    nix::unistd::mkfifo(&path("pipe.pkr.hcl"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (name, word) in [
        ("dir.pkr.hcl", "Could not find any config file"),
        ("loop.pkr.hcl", "loop.pkr.hcl: "),
        ("zero.pkr.hcl", "64 MiB"),
        ("pipe.pkr.hcl", "nothing was written"),
    ] {
        let ran = validate(&sandbox, name);
        assert!(ran.code == 1 && ran.stdout.contains(word), "{name}:\n{}", ran.stdout);
    }
}

#[test]
fn functions_that_read() {
    for (expr, word) in [
        ("file(\"/dev/zero\")", "64 MiB"),
        ("filebase64(\"/dev/zero\")", "64 MiB"),
        ("templatefile(\"/dev/zero\", {})", "64 MiB"),
        ("file(\"/\")", "directory"),
        ("file(\"pipe\")", "nothing was written"),
        ("file(\"loop\")", "loop"),
        ("file(\"no\\u0000thing\")", "line 2,"),
        ("templatefile(\"again.tpl\", {})", "templatefile"),
        ("filesha256(\"/dev/zero\")", "line 2,"),
    ] {
        let sandbox = Sandbox::new();
        std::os::unix::fs::symlink("loop", sandbox.path().join("loop")).unwrap();
        nix::unistd::mkfifo(&sandbox.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        sandbox.file("again.tpl", "${templatefile(\"again.tpl\", {})}");
        sandbox.file("t.pkr.hcl", &local(expr));
        let ran = validate(&sandbox, "t.pkr.hcl");
        let flat = ran.stdout.replace('\n', " ");
        assert!(ran.code == 1 && flat.contains(word), "{expr}:\n{}", ran.stdout);
    }
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path().join("a/b")).unwrap();
    std::os::unix::fs::symlink("..", sandbox.path().join("a/up")).unwrap();
    std::os::unix::fs::symlink("self", sandbox.path().join("a/self")).unwrap();
    sandbox.file("t.pkr.hcl", &local("fileset(\".\", \"**\")"));
    assert_eq!(validate(&sandbox, "t.pkr.hcl").code, 0);
}
