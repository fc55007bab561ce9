//! `kiln fmt`: which files, what is printed, what is written.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Stdio;

use crate::sandbox::{Ran, Sandbox};

const MESSY: &str = "a=1\nbbb = 2\n";
const TIDY: &str = "a   = 1\nbbb = 2\n";

fn text(sandbox: &Sandbox, name: &str) -> String {
    std::fs::read_to_string(sandbox.path().join(name)).unwrap()
}

fn piped(args: &[&str], input: &[u8]) -> Ran {
    let sandbox = Sandbox::new();
    let mut child = sandbox.kiln().args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn names_and_writes_what_changes() {
    let sandbox = Sandbox::new();
    sandbox.file("a.pkr.hcl", MESSY);
    sandbox.file("v.pkrvars.hcl", TIDY);
    assert_eq!(sandbox.run(&["fmt", "a.pkr.hcl", "v.pkrvars.hcl"]).expect(0).stdout, "a.pkr.hcl\n");
    assert_eq!(text(&sandbox, "a.pkr.hcl"), TIDY);
    assert_eq!(sandbox.run(&["fmt", "."]).expect(0).stdout, "");
}

#[test]
fn check_and_write_false_write_nothing() {
    let sandbox = Sandbox::new();
    sandbox.file("a.pkr.hcl", MESSY);
    assert_eq!(sandbox.run(&["fmt", "-check", "."]).expect(3).stdout, "a.pkr.hcl\n");
    assert_eq!(sandbox.run(&["fmt", "-write=false", "."]).expect(0).stdout, "a.pkr.hcl\n");
    assert_eq!(text(&sandbox, "a.pkr.hcl"), MESSY);
    // An error is graver than an unformatted file.
    sandbox.run(&["fmt", "-check", ".", "nope.pkr.hcl"]).expect(1).says("nope.pkr.hcl: no such file or directory");
}

#[test]
fn differences_are_shown() {
    let sandbox = Sandbox::new();
    sandbox.file("sub/a.pkr.hcl", MESSY);
    let expected =
        "sub/a.pkr.hcl\n--- old/sub/a.pkr.hcl\n+++ new/sub/a.pkr.hcl\n@@ -1,2 +1,2 @@\n-a=1\n+a   = 1\n bbb = 2\n";
    assert_eq!(sandbox.run(&["fmt", "-diff", "-check", "sub/"]).expect(3).stdout, expected);
    let without = sandbox.kiln().args(["fmt", "-diff", "sub"]).env("PATH", "/nonexistent").output().unwrap();
    Ran::from(without).expect(1).says("install diffutils");
    assert_eq!(text(&sandbox, "sub/a.pkr.hcl"), TIDY);
}

#[test]
fn directories_are_searched_as_deep_as_asked() {
    let sandbox = Sandbox::new();
    let files = ["b.pkr.hcl", "a/x.pkr.hcl", "c/d/y.pkrvars.hcl", ".h/z.pkr.hcl", "e~/z.pkr.hcl", "#f#/z.pkr.hcl"];
    files.iter().chain(&[".z.pkr.hcl", "z.hcl", "z.pkr.json"]).for_each(|name| drop(sandbox.file(name, MESSY)));
    symlink("a", sandbox.path().join("link")).unwrap();
    let found = |args: &[&str]| sandbox.run(args).expect(3).stdout;
    assert_eq!(found(&["fmt", "-check", "."]), "b.pkr.hcl\n");
    assert_eq!(found(&["fmt", "-check", "-recursive", "./"]), "a/x.pkr.hcl\nb.pkr.hcl\nc/d/y.pkrvars.hcl\n");
    // What is named is not skipped by its name.
    assert_eq!(found(&["fmt", "-check", ".h", "link"]), ".h/z.pkr.hcl\nlink/x.pkr.hcl\n");
}

#[test]
fn standard_input() {
    assert_eq!(piped(&["fmt", "-"], MESSY.as_bytes()).expect(0).stdout, TIDY);
    assert_eq!(piped(&["fmt", "-check", "-"], MESSY.as_bytes()).expect(3).stdout, "");
    assert_eq!(piped(&["fmt", "-check", "-"], TIDY.as_bytes()).expect(0).stdout, TIDY);
    assert_eq!(piped(&["fmt", "-write=false", "-"], MESSY.as_bytes()).expect(0).stdout, "");
    piped(&["fmt", "-"], b"x {\n").expect(1).says("<stdin> line 1");
}

#[test]
fn line_ends_and_the_byte_order_mark_stay() {
    let sandbox = Sandbox::new();
    sandbox.file("a.pkr.hcl", "\u{feff}a=1\r\nbbb = 2\r\n");
    sandbox.run(&["fmt", "a.pkr.hcl"]).expect(0);
    assert_eq!(text(&sandbox, "a.pkr.hcl"), "\u{feff}a   = 1\r\nbbb = 2\r\n");
}

#[test]
fn what_is_no_template_stays_untouched_and_the_rest_is_done() {
    let sandbox = Sandbox::new();
    sandbox.file("bad.pkr.hcl", "x {\n  a=1\n");
    sandbox.file("good.pkr.hcl", MESSY);
    sandbox.file("t.txt", MESSY);
    std::fs::write(sandbox.path().join("latin.pkr.hcl"), b"a=\"\xff\"\n").unwrap();
    let ran = sandbox.run(&["fmt", ".", "t.txt"]).expect(1);
    let ran = ran.says("on bad.pkr.hcl line 1").says("on latin.pkr.hcl line 1, column 4").says("t.txt is no template");
    assert!(ran.stdout.starts_with("good.pkr.hcl\nError: "), "{}", ran.stdout);
    assert_eq!(text(&sandbox, "good.pkr.hcl"), TIDY);
    assert_eq!(text(&sandbox, "bad.pkr.hcl"), "x {\n  a=1\n");
    assert_eq!(std::fs::read(sandbox.path().join("latin.pkr.hcl")).unwrap(), b"a=\"\xff\"\n");
}

#[test]
fn modes_and_links_stay() {
    let sandbox = Sandbox::new();
    let path = sandbox.file("real/a.txt", MESSY);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real/a.txt", sandbox.path().join("a.pkr.hcl")).unwrap();
    let hard = sandbox.file("h.pkr.hcl", MESSY);
    std::fs::hard_link(&hard, sandbox.path().join("other")).unwrap();
    sandbox.run(&["fmt", "."]).expect(0);
    assert!(std::fs::symlink_metadata(sandbox.path().join("a.pkr.hcl")).unwrap().is_symlink());
    let meta = std::fs::metadata(&path).unwrap();
    assert_eq!((meta.mode() & 0o777, text(&sandbox, "real/a.txt").as_str()), (0o640, TIDY));
    assert_eq!(text(&sandbox, "other"), TIDY);
    // Nothing temporary is left.
    assert_eq!(std::fs::read_dir(sandbox.path().join("real")).unwrap().count(), 1);
}
