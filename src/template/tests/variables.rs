//! Variables and locals.

use super::*;

fn value(text: &str, change: impl FnOnce(&mut Inputs)) -> Vec<String> {
    let mut given = inputs(&format!("{text}\nlocals {{\n  l = var.v\n}}\n"));
    change(&mut given);
    locals(given)
}

#[test]
fn later_values_win() {
    let text = "variable \"v\" {\n  default = \"default\"\n}";
    let environment = |inputs: &mut Inputs| _ = inputs.env.insert("v".into(), "env".into());
    let automatic = |inputs: &mut Inputs| {
        inputs.auto_var_files =
            vec![file("a.auto.pkrvars.hcl", "v = \"a\""), file("b.auto.pkrvars.json", r#"{"v": "b"}"#)];
    };
    let files =
        |inputs: &mut Inputs| inputs.var_files = vec![file("1.hcl", "v = \"1\""), file("2.json", r#"{"v": "${2}"}"#)];
    let argument = |inputs: &mut Inputs| inputs.vars = vec![("v".into(), "first".into()), ("v".into(), "x=y".into())];
    assert_eq!(value(text, |_| ()), ["l=\"default\""]);
    assert_eq!(value(text, environment), ["l=\"env\""]);
    let up_to_automatic = |inputs: &mut Inputs| (environment(inputs), automatic(inputs)).0;
    assert_eq!(value(text, up_to_automatic), ["l=\"b\""]);
    let up_to_files = |inputs: &mut Inputs| (up_to_automatic(inputs), files(inputs)).0;
    assert_eq!(value(text, up_to_files), ["l=\"${2}\""]);
    assert_eq!(value(text, |inputs| (up_to_files(inputs), argument(inputs)).0), ["l=\"x=y\""]);
}

#[test]
fn types_of_raw_values() {
    let cases = [
        ("type = string", "42", "\"42\""),
        ("type = number", "42", "42"),
        ("", "[\"a\"]", "\"[\\\"a\\\"]\""),
        ("type = any", "true", "\"true\""),
        ("type = bool", "true", "true"),
        ("type = list(string)", "[\"a\", 1]", "[\"a\", \"1\"]"),
        ("type = map(string)", "{k=\"v\"}", "{\"k\": \"v\"}"),
        ("type = object({ a = optional(number, 1) })", "{}", "{\"a\": 1}"),
        ("default = []", "x", "\"x\""),
        ("default = [1]", "[\"2\"]", "[2]"),
        ("default = null", "x", "\"x\""),
    ];
    for (declaration, raw, want) in cases {
        let text = format!("variable \"v\" {{\n{declaration}\n}}");
        let found = value(&text, |inputs| inputs.vars = vec![("v".into(), raw.into())]);
        assert_eq!(found, [format!("l={want}")], "{declaration} {raw}");
    }
}

#[test]
fn wrong_raw_values() {
    let cases = [
        ("type = number", "x", "-var v=:1,1-2: Invalid value for a variable from -var"),
        ("type = bool", "1", "-var v=:1,1-2: Invalid value for a variable from -var"),
        ("type = bool", "yes", "-var v=:1,1-4: Variables not allowed"),
        ("default = [1]", "[1, 2]", "-var v=:1,1-7: Invalid value for a variable from -var"),
        ("type = list(string)", "", "-var v=:1,1-1: Missing expression"),
        ("type = list(string)\nsensitive = true", "secret", "-var v=:1,1-7: Variables not"),
    ];
    for (declaration, raw, want) in cases {
        let text = format!("variable \"v\" {{\n{declaration}\n}}");
        let loaded = load(Inputs { vars: vec![("v".into(), raw.into())], ..inputs(&text) });
        assert!(lines(&loaded)[0].starts_with(want), "{:?}", lines(&loaded));
        assert!(!raw.contains("secret") || loaded.sources.iter().all(|(_, _, text)| !text.contains("secret")));
    }
    let loaded = load(Inputs {
        env: [("v".into(), "x".into()), ("other".into(), String::new())].into(),
        ..inputs("variable \"v\" {\ntype = number\n}")
    });
    assert!(lines(&loaded)[0].starts_with("PKR_VAR_v:1,1-2: Invalid value for a variable from the environment"));
    let loaded = load(Inputs { vars: vec![("w".into(), "x".into())], ..inputs("variable \"v\" {}") });
    assert!(lines(&loaded)[0].starts_with("<arguments>:1,6-7: Undefined -var variable"));
}

#[test]
fn variable_files() {
    let declared = format!("variable \"v\" {{\n  type = number\n  default = 1\n}}\n{BUILD}");
    let cases = [
        ("", vec![]),
        ("w = 1", vec!["warning: Undefined variable"]),
        ("v = \"x\"", vec!["f.hcl:1,5-8: Invalid value for variable"]),
        ("v = f(1)", vec!["f.hcl:1,5-6: Function calls not allowed"]),
        ("variable \"v\" {}", vec!["f.hcl:1,1-13: Variable declaration in a .pkrvar file"]),
        ("locals {}", vec!["f.hcl:1,1-7: Unexpected \"locals\" block"]),
        ("v = 1\nv = 2", vec!["f.hcl:2,1-2: Attribute redefined"]),
    ];
    for (text, want) in cases {
        let loaded = load(Inputs { var_files: vec![file("f.hcl", text)], ..inputs(&declared) });
        let found = lines(&loaded);
        let fits = found.len() == want.len() && found.iter().zip(&want).all(|(found, want)| found.starts_with(want));
        assert!(fits, "{text}: {found:?}");
    }
    let quiet = Inputs { undeclared: Undeclared::Ignore, var_files: vec![file("f.hcl", "w = 1")], ..inputs(&declared) };
    assert!(load(quiet).diagnostics.is_empty());
}

#[test]
fn declarations() {
    let cases: [(&str, &[&str]); 15] = [
        ("variable \"my-var_X9\" {\ndefault = 1\n}", &[]),
        ("variables {\n  a = 1\n  b = -1 > 0 ? [] : null\n}", &[]),
        ("variable \"v\" {\ndefault = 1\n}\nvariables {\n  v = 1\n}", &["t.pkr.hcl:5,3-4: Duplicate variable"]),
        ("variable \"9\" {\ndefault = 1\n}", &["t.pkr.hcl:1,10-13: Invalid variable name"]),
        ("variable \"v\" {\ntype = \"string\"\ndefault = 1\n}", &["t.pkr.hcl:2,8-16: Invalid type specification"]),
        (
            "variable \"v\" {\ntype = number\ndefault = \"x\"\n}",
            &["t.pkr.hcl:3,11-14: Invalid default value for variable"],
        ),
        (
            "variable \"v\" {\ntype = number\ndefault = \"x\"\nsensitive = true\n}",
            &["t.pkr.hcl:1,1-13: Invalid default value for variable"],
        ),
        ("variable \"v\" {\ndefault = local.x\n}", &["t.pkr.hcl:2,11-18: Variables not allowed"]),
        ("variable \"v\" {\ndefault = timestamp()\n}", &["t.pkr.hcl:2,11-20: Function not allowed here"]),
        ("variable \"v\" {\nsensitive = null\ndefault = 1\n}", &["t.pkr.hcl:2,13-17: Unsuitable value type"]),
        ("variable \"v\" {\ndefualt = 1\n}", &["t.pkr.hcl:2,1-8: Unsupported argument"]),
        ("variable \"v\" {\ndefault {\n}\n}", &["t.pkr.hcl:2,1-8: Unsupported block type"]),
        ("variable \"v\" {}", &["t.pkr.hcl:1,1-13: Unset variable \"v\""]),
        ("locals {\n  a = 1\n}\nlocal \"a\" {\n  expression = 1\n}", &["t.pkr.hcl:4,7-10: Duplicate local definition"]),
        (
            "local \"a b\" {\n  expression = 1\n  type = 1\n}",
            &["t.pkr.hcl:3,3-7: Unsupported argument", "t.pkr.hcl:1,7-12: Invalid local name"],
        ),
    ];
    for (text, want) in cases {
        faults_before_build(text, want);
    }
}

#[test]
fn validations() {
    let rule = |condition: &str, message: &str| {
        format!(
            "variable \"v\" {{\n  default = \"ab\"\n  validation {{\n    condition = {condition}\n    error_message = {message}\n  }}\n}}"
        )
    };
    let cases: [(String, &[&str]); 11] = [
        (rule("var.v == \"ab\"", "\"Bad.\""), &[]),
        (rule("var.v != \"ab\"", "\"Bad.\""), &["t.pkr.hcl:2,13-17: Invalid value for the variable \"v\"; Bad."]),
        (rule("true", "\"Bad.\""), &["t.pkr.hcl:4,17-21: Invalid variable validation condition"]),
        (rule("var.v == var.w", "\"Bad.\""), &["t.pkr.hcl:4,26-31: Invalid reference in variable validation"]),
        (rule("var.v", "\"Bad.\""), &["t.pkr.hcl:4,17-22: Invalid variable validation result"]),
        (rule("var.v == \"\" ? true : null", "\"Bad.\""), &["t.pkr.hcl:4,17-42: Invalid variable validation result"]),
        (rule("var.v != 1", "\"bad.\""), &["t.pkr.hcl:5,21-27: Invalid validation error message"]),
        (rule("var.v != 1", "\"Bad\""), &["t.pkr.hcl:5,21-26: Invalid validation error message"]),
        (rule("var.v != 1", "\" \""), &["t.pkr.hcl:5,21-24: Invalid validation error message"]),
        (rule("var.v != 1", "var.v"), &["t.pkr.hcl:5,21-26: Variables not allowed"]),
        (rule("can(var.v.x)", "\"Bad?\""), &["t.pkr.hcl:2,13-17: Invalid value for the variable \"v\"; Bad?"]),
    ];
    for (text, want) in cases {
        faults_before_build(&text, want);
    }
    let given = Inputs { vars: vec![("v".into(), "x".into())], ..inputs(&rule("var.v == \"ab\"", "\"Bad.\"")) };
    assert!(lines(&load(given))[0].starts_with("-var v=:1,1-2: Invalid value for the variable \"v\""));
}

#[test]
fn locals_in_any_order() {
    let text = "locals {\n  a = \"${local.b}!\"\n  b = local.c.x\n}\nlocals {\n  c = { x = 1 }\n}\nlocal \"d\" {\n  expression = path.cwd\n}";
    assert_eq!(locals(inputs(text)), ["a=\"1!\"", "b=1", "c={\"x\": 1}", "d=\"/work\""]);
}

#[test]
fn faults_of_locals() {
    let cases: [(&str, String); 8] = [
        ("a = local.a", "t.pkr.hcl:2,5-12: Reference to itself; local.a needs itself".into()),
        (
            "a = local.b\nb = local.c\nc = local.a",
            "t.pkr.hcl:4,5-12: Circular reference; Each of these needs the next one: local.a, local.b, local.c, local.a.".into(),
        ),
        ("a = local.nope\nb = local.a", "t.pkr.hcl:2,5-15: Undeclared local; local.a needs local.nope".into()),
        ("a = var.nope", "t.pkr.hcl:2,9-13: Undeclared variable".into()),
        ("a = build.ID", "t.pkr.hcl:2,11-13: Unknown build value".into()),
        ("a = env(\"USER\")", "t.pkr.hcl:2,5-8: Function not allowed here".into()),
        ("a = 1 + \"x\"\nb = local.a.x[\"y\"]", "t.pkr.hcl:2,9-12: Invalid operand".into()),
        ("a {\n}\n", "t.pkr.hcl:2,1-2: Unexpected \"a\" block".into()),
    ];
    for (text, want) in cases {
        faults_before_build(&format!("locals {{\n{text}\n}}"), &[&want]);
    }
}

#[test]
fn secrets() {
    let text = "variable \"v\" {\n  default = { a = [\"one\\ntwo\"], b = 5 }\n  sensitive = true\n}\nlocal \"l\" {\n  expression = \"three\"\n  \
                sensitive = true\n}\nlocals {\n  m = \"not ${local.l}\"\n}\n";
    let loaded = load(inputs(&format!("{text}{BUILD}")));
    assert_eq!(loaded.sensitive, ["one\ntwo", "one", "two", "three"]);
    let plan = loaded.plan.unwrap();
    assert_eq!(plan.sensitive, loaded.sensitive);
    assert!(plan.overview.locals.iter().all(|(_, value)| value.has_sensitive()));
}
