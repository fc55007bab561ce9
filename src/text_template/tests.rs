//! Templates with what they make, and with what they say of mistakes. The expectations are what Go's own engine answers.

use proptest::prelude::*;

use super::*;

fn data() -> Data {
    let inner = Data::map([("k", Data::from("v")), ("j", Data::map([("d", "deep")]))]);
    let list = Data::list([Data::from(1), "two".into(), 3.0.into(), Data::Nil, true.into()]);
    Data::map([
        ("a", Data::from("text")),
        ("n", 42.into()),
        ("f", 1.5.into()),
        ("l", list),
        ("m", inner),
        ("e", "".into()),
    ])
}

fn functions() -> Functions {
    let mut functions = Functions::new();
    let upper = |values: &[Data]| Ok(values[0].as_str().unwrap_or_default().to_uppercase().into());
    functions.insert("upper", Function::new(&[Parameter::String], upper));
    functions.insert("fail", Function::refusing("it failed"));
    functions
}

fn rendered(text: &str) -> Result<String, String> {
    let template = Template::parse("root", text, &functions()).map_err(|error| error.to_string())?;
    template.execute(&data()).map_err(|error| error.to_string())
}

fn makes(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(rendered(text).as_deref(), Ok(*expected), "{text}");
    }
}

fn fails(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(rendered(text).as_ref().err().map(String::as_str), Some(*expected), "{text}");
    }
}

#[test]
fn text_comments_and_trimming() {
    makes(&[
        ("plain } text", "plain } text"),
        ("a {{/* no\n */}} b", "a  b"),
        ("a {{- /* no */ -}} b", "ab"),
        ("a \n {{- .n -}} \t b", "a42b"),
        ("{{-1}}{{- 2}}", "-12"),
        ("{{ \"{{\" }} {{`{{.ID}}`}}", "{{ {{.ID}}"),
    ]);
}

#[test]
fn values() {
    makes(&[
        ("{{.a}} {{.n}} {{.f}} {{.missing}} {{.missing.deeper}}", "text 42 1.5 <no value> <no value>"),
        ("{{.l}} {{.m}}", "[1 two 3 <nil> true] map[j:map[d:deep] k:v]"),
        ("{{.m.j.d}} {{(index .m `j`).d}} {{$.a}}", "deep deep text"),
        ("{{1e3}} {{0x1F}} {{'a'}} {{1.50}} {{true}} {{\"a\\tb\"}}", "1000 31 97 1.5 true a\tb"),
    ]);
}

#[test]
fn variables_and_pipelines() {
    makes(&[
        ("{{$x := `v`}}{{with $x}}{{.}}{{end}}{{$x = `w`}}{{$x}}", "vw"),
        (
            "{{ $x := `v` }}{{ with $x }}{{ . }}{{ end }}{{ if eq $x `v` }}yes{{ else }}no{{ end }} {{ printf `%05d` 42 }} {{- ` end` }}",
            "vyes 00042 end",
        ),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1"),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{.a | upper | printf `%q`}}", "\"TEXT\""),
        ("{{printf `%s-%d` (upper `x`) 3}}", "X-3"),
    ]);
}

#[test]
fn clauses() {
    makes(&[
        ("{{if .e}}a{{else if .missing}}b{{else}}c{{end}}", "c"),
        ("{{with .e}}a{{else with .a}}{{.}}{{end}}", "text"),
        ("{{range .l}}<{{.}}>{{end}}", "<1><two><3><<no value>><true>"),
        (
            "{{range $i, $x := .l}}{{$i}}{{if eq $i 1}}{{continue}}{{end}}{{if eq $i 3}}{{break}}{{end}},{{end}}",
            "0,12,3",
        ),
        ("{{range $k, $v := .m}}{{$k}} {{end}}", "j k "),
        ("{{range 3}}{{.}}{{end}}{{range .missing}}x{{else}}none{{end}}", "012none"),
        ("{{define `t`}}[{{.}}{{$}}]{{end}}{{template `t` .n}}{{template `t`}}", "[4242][<no value><no value>]"),
        ("{{block `b` .m}}{{.k}}{{end}}", "v"),
    ]);
}

#[test]
fn built_in_functions() {
    makes(&[
        ("{{and 1 0 2}} {{or 0 `` 2}} {{not 1}} {{or true fail}}", "0 2 false true"),
        ("{{len `four`}} {{len .l}} {{index .l 1}} {{index .m `j` `d`}} {{slice `abcd` 1 3}}", "4 5 two deep bc"),
        (
            "{{eq 1 2 1}} {{ne `a` `b`}} {{lt 1 2}} {{le 2 2}} {{gt 1.5 1.0}} {{ge `a` `b`}}",
            "true true true true true false",
        ),
        (
            "{{html `<a href=\"x\">`}} {{js `it's <b>`}} {{urlquery `a b&c`}}",
            "&lt;a href=&#34;x&#34;&gt; it\\'s \\u003Cb\\u003E a+b%26c",
        ),
        ("{{print 1 2 `x` 3}}{{println `a` 1}}", "1 2x3a 1\n"),
    ]);
}

#[test]
fn parse_errors() {
    fails(&[
        ("{{foo}}", "template: root:1: function \"foo\" not defined"),
        ("a\n{{upper", "template: root:2: unclosed action"),
        ("{{upper\n", "template: root:2: unclosed action started at root:1"),
        ("{{/* x", "template: root:1: unclosed comment"),
        ("{{}}", "template: root:1: missing value for command"),
        ("{{if}}{{end}}", "template: root:1: missing value for if"),
        ("{{if true}}", "template: root:1: unexpected EOF"),
        ("{{end}}", "template: root:1: unexpected {{end}}"),
        ("{{else}}", "template: root:1: unexpected {{else}}"),
        ("{{if 1}}{{else}}{{else}}{{end}}", "template: root:1: expected end; found {{else}}"),
        ("{{break}}", "template: root:1: {{break}} outside {{range}}"),
        ("{{$x}}", "template: root:1: undefined variable \"$x\""),
        ("{{.a}}{{\"x}}", "template: root:1: unterminated quoted string"),
        ("{{`x}}", "template: root:1: unterminated raw quoted string"),
        ("{{(.a}}", "template: root:1: unclosed left paren"),
        ("{{.a)}}", "template: root:1: unexpected right paren"),
        ("{{.a | 1}}", "template: root:1: non executable command in pipeline stage 2"),
        ("{{1 == 2}}", "template: root:1: unexpected \"=\" in operand"),
        ("{{template x}}", "template: root:1: unexpected \"x\" in template clause"),
        ("{{1x}}", "template: root:1: bad number syntax: \"1x\""),
        ("{{.a&}}", "template: root:1: bad character U+0026 '&'"),
        ("{{\u{7f}}}", "template: root:1: unrecognized character in action: U+007F"),
        (
            "{{define `t`}}a{{end}}{{define `t`}}b{{end}}",
            "template: root:1: template: multiple definition of template \"t\"",
        ),
    ]);
}

#[test]
fn execution_errors() {
    let at = |rest: &str| format!("template: root:1:{rest}");
    for (text, rest) in [
        ("{{.a.b}}", "4: executing \"root\" at <.a.b>: can't evaluate field b in type string"),
        ("{{fail}}", "2: executing \"root\" at <fail>: error calling fail: it failed"),
        ("{{.a | fail}}", "7: executing \"root\" at <fail>: error calling fail: it failed"),
        ("{{upper 1}}", "8: executing \"root\" at <1>: expected string; found 1"),
        ("{{upper .n}}", "8: executing \"root\" at <.n>: wrong type for value; expected string; got int"),
        ("{{upper .x}}", "8: executing \"root\" at <.x>: invalid value; expected string"),
        ("{{upper}}", "2: executing \"root\" at <upper>: wrong number of args for upper: want 1 got 0"),
        ("{{range .n.x}}{{end}}", "10: executing \"root\" at <.n.x>: can't evaluate field x in type int"),
        ("{{range .f}}{{end}}", "8: executing \"root\" at <.f>: range can't iterate over 1.5"),
        (
            "{{eq 1 `a`}}",
            "2: executing \"root\" at <eq 1 `a`>: error calling eq: incompatible types for comparison: int and string",
        ),
        ("{{index .l 9}}", "2: executing \"root\" at <index .l 9>: error calling index: index out of range: 9"),
        ("{{template `t`}}", "11: executing \"root\" at <{{template \"t\"}}>: template \"t\" not defined"),
        ("{{.a 1}}", "2: executing \"root\" at <.a>: a is not a method but has arguments"),
        ("{{1 2}}", "2: executing \"root\" at <1>: can't give argument to non-function 1"),
        ("{{nil}}", "2: executing \"root\" at <nil>: nil is not a command"),
    ] {
        assert_eq!(rendered(text).unwrap_err(), at(rest), "{text}");
    }
    let nested = "\n{{define `t`}}\n {{fail}}{{end}}{{template `t`}}";
    let message = "template: root:3:3: executing \"t\" at <fail>: error calling fail: it failed";
    assert_eq!(rendered(nested).unwrap_err(), message);
}

#[test]
fn the_deepest_nesting_allowed_fits_the_stack() {
    let parentheses = format!("{{{{{}`x`{}}}}}", "(".repeat(99), ")".repeat(99));
    assert_eq!(rendered(&parentheses).as_deref(), Ok("x"));
    let clauses = "{{with 1}}".repeat(98) + "x" + &"{{end}}".repeat(98);
    assert_eq!(rendered(&clauses).as_deref(), Ok("x"));
    let recursion =
        format!("{{{{define `t`}}}}{}{{{{end}}}}{{{{template `t`}}}}", clauses.replace('x', "{{template `t`}}"));
    assert!(rendered(&recursion).is_err());
}

#[test]
fn what_would_never_end_is_an_error() {
    for (text, part) in [
        ("{{range 1000000000}}{{end}}", "steps"),
        ("{{define `t`}}{{template `t` .}}{{end}}{{template `t` .}}", "exceeded maximum template depth"),
        ("{{$x := `aaaaaaaa`}}{{range 40}}{{$x = print $x $x}}{{end}}", "larger than"),
        ("{{range 100000}}{{printf `%1000d` 1}}{{end}}", "larger than"),
    ] {
        assert!(rendered(text).unwrap_err().contains(part), "{text}");
    }
    let deep = format!("{{{{{}1{}}}}}", "(".repeat(5000), ")".repeat(5000));
    assert!(rendered(&deep).unwrap_err().contains("nested deeper"));
    let deep = "{{if 1}}".repeat(5000);
    assert!(rendered(&deep).unwrap_err().contains("nested deeper"));
}

/// Text made of the pieces that templates are made of, so that most of it gets past the lexer.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "{{",
        "}}",
        "{{- ",
        " -}}",
        "if ",
        "else",
        "end",
        "range ",
        "with ",
        "define ",
        "template ",
        "block ",
        "break",
        "$x",
        ":=",
        "=",
        "|",
        "(",
        ")",
        ".",
        ".a",
        ".l",
        ".m.k",
        "`t`",
        "\"s\"",
        "1",
        "-1",
        "1.5",
        "'c'",
        "nil",
        "true",
        "printf ",
        "index ",
        "slice ",
        "eq ",
        " ",
        ",",
        "/*",
        "*/",
        "\n",
        "\u{e9}",
        "%5.3[2]v",
        "x",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_rendered_or_refused(text in "\\PC*") {
        let _ = rendered(&text);
    }

    #[test]
    fn any_soup_is_rendered_or_refused(text in soup()) {
        let _ = rendered(&text);
    }

    #[test]
    fn any_action_is_rendered_or_refused(body in "[\\PC\n]{0,20}") {
        let _ = rendered(&format!("{{{{{body}}}}}"));
    }

    #[test]
    fn any_format_is_carried_out(format in "[%+# 0-9.*\\[\\]a-zA-Z\u{e9}-]{0,24}") {
        let _ = rendered(&format!("{{{{printf `{format}` .a .n .f .l .m .missing}}}}"));
    }

    #[test]
    fn text_without_actions_stays(text in "[^{]*") {
        prop_assert_eq!(rendered(&text), Ok(text));
    }

    #[test]
    fn any_layout_and_any_time(layout in "\\PC*", seconds in any::<i64>(), offset in any::<i32>(), nanoseconds in any::<u32>()) {
        let moment = Moment { unix_seconds: seconds, nanoseconds, offset_seconds: offset };
        let _ = go_time::format(moment, &layout);
        let _ = strftime::format(moment, &layout);
    }
}
