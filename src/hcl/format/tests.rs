//! Small files, each with what it becomes, and what holds for any file.

use proptest::prelude::*;

use super::format;

fn becomes(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(format(text), *expected, "{text:?}");
        assert_eq!(format(expected), *expected, "again: {text:?}");
    }
}

#[test]
fn indentation() {
    becomes(&[
        ("a {\nb {\n    x=1\n}\n  }\n", "a {\n  b {\n    x = 1\n  }\n}\n"),
        // However many brackets a line opens, it indents by one level, and the line that closes them all takes it back.
        ("a = f({\nx = 1\n})\nb = [[\n1\n]]\n", "a = f({\n  x = 1\n})\nb = [[\n  1\n]]\n"),
        ("a = [[\n1 ],\n2 ]\n", "a = [[\n  1],\n2]\n"),
        ("a {\n \n\t\n}\n", "a {\n\n\n}\n"),
        ("  }\n}\na=1\n", "}\n}\na = 1\n"),
        ("a {\nx = <<E\n  {\nE\ny=1\n}\n", "a {\n  x = <<E\n  {\nE\n  y = 1\n}\n"),
    ]);
}

#[test]
fn spaces_in_expressions() {
    becomes(&[
        ("a=x?1:2\n", "a = x ? 1 : 2\n"),
        ("a=f ( 1,2 , x ... )\n", "a = f(1, 2, x...)\n"),
        ("a=b . c [ 0 ]\n", "a = b.c[0]\n"),
        ("a=[for x in[1]:x]\n", "a = [for x in [1] : x]\n"),
        ("a=1- -2\nb=-x\nc=(- 1)\nd=x==- 1\ne=x -1\n", "a = 1 - -2\nb = -x\nc = (-1)\nd = x == -1\ne = x - 1\n"),
        ("a=! x&&!y\n", "a = !x && !y\n"),
        ("a={x=1,y=2}\nb={ }\n", "a = { x = 1, y = 2 }\nb = {}\n"),
        ("a=ns :: f(1)\n", "a = ns::f(1)\n"),
        ("a {b = 1\n}\n", "a { b = 1\n}\n"),
    ]);
}

#[test]
fn templates() {
    becomes(&[
        ("a=\"  ${ x } $${ y }\"\n", "a = \"  ${x} $${ y }\"\n"),
        ("a=\"${{x=1}}\"\n", "a = \"${ { x = 1 } }\"\n"),
        ("a=\"${f(\"b\",\"${ c }\")}${ d }\"\n", "a = \"${f(\"b\", \"${c}\")}${d}\"\n"),
        ("a=\"%{ if x ~}y%{ endif }\"\n", "a = \"%{if x~}y%{endif}\"\n"),
        // A minus that opens an interpolation is not taken for a sign. It looks odd, but files in the wild have it.
        ("a=\"${-1}\"\n", "a = \"${- 1}\"\n"),
        ("a = <<-E\n   x  ${ y }\n\t# z\n  E \nb=1\n", "a = <<-E\n   x  ${y}\n\t# z\n  E \nb = 1\n"),
    ]);
}

#[test]
fn alignment() {
    becomes(&[
        ("a=1\nbbb=2\n\ncc=3\n", "a   = 1\nbbb = 2\n\ncc = 3\n"),
        // A value that goes on below the line stands alone, and parts what is above and below it.
        ("a=1\nbbbb=[\n1\n]\ncc=3\nd=4\n", "a = 1\nbbbb = [\n  1\n]\ncc = 3\nd  = 4\n"),
        ("a=1\nbbbb={x=1}\n", "a    = 1\nbbbb = { x = 1 }\n"),
        ("a=1\nbb=<<E\nE\nccc=2\n", "a   = 1\nbb  = <<E\nE\nccc = 2\n"),
        ("a=1 # x\nbb=22 // y\n# z\nc=3 # w\n", "a  = 1  # x\nbb = 22 // y\n# z\nc = 3 # w\n"),
        ("a { # x\nb=1 # y\n}\n", "a {     # x\n  b = 1 # y\n}\n"),
        ("/* x */ a=1\nb=2\n", "/* x */ a = 1\nb         = 2\n"),
        ("\u{e9}=1\nbb=2\n", "\u{e9}  = 1\nbb = 2\n"),
        (
            "a=\"\u{1f468}\u{200d}\u{1f469}\" # x\nb=\"yy\" # z\n",
            "a = \"\u{1f468}\u{200d}\u{1f469}\"  # x\nb = \"yy\" # z\n",
        ),
    ]);
}

#[test]
fn what_stays_as_it_is() {
    becomes(&[
        ("", ""),
        ("a=1", "a = 1"),
        ("a=1\r\nbb=2\r\n", "a  = 1\r\nbb = 2\r\n"),
        ("\n\n# c  d\n\n\n", "\n\n# c  d\n\n\n"),
        ("a = 1\n   ", "a = 1\n   "),
        ("/* a\n   b */\n", "/* a\n   b */\n"),
    ]);
}

/// Formatting takes time in proportion to the text: this would not end if it did not.
#[test]
fn hostile_files() {
    for piece in ["/*", "<<E\n", "\"${", "[", "}", "~}", "a=1#\n", "<<E\n${a}", "$", "\"\n"] {
        let text = piece.repeat(20_000);
        assert!(format(&text).len() >= text.len() / 2, "{piece:?}");
    }
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '\t')).collect()
}

/// Text made of the pieces that files are made of.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "a", "bb", " ", "\t", "\n", "\r\n", "=", "{", "}", "[", "]", "(", ")", "\"", "${", "%{", "~", "<<E\n",
        "<<-E\n", "E\n", "# c\n", "/* c */", ",", ".", "-", "!", "1", "1.5", "in", ":", "?", "\\", "\u{e9}", "$",
        "x y",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn only_blanks_change(text in soup()) {
        prop_assert_eq!(without_blanks(&format(&text)), without_blanks(&text));
    }

    #[test]
    fn only_blanks_change_in_any_text(text in any::<String>()) {
        prop_assert_eq!(without_blanks(&format(&text)), without_blanks(&text));
    }
}
