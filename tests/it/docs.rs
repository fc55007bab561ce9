//! `docs` and `schema`: the reference of every component, from its option structs.

use serde_json::Value;

use crate::sandbox::Sandbox;

#[test]
fn a_page_tells_types_defaults_and_blocks() {
    let ran = Sandbox::new().run(&["docs", "amazon-ebs"]).expect(0);
    for text in [
        "source amazon-ebs\n",
        "\nami_name (string, required)\n    Name of the AMI",
        "\nssh_timeout (duration, default `5m`)\n",
        "\nsource_ami_filter (block)\n",
        "\n    owners (list of string, required)\n        Accounts",
        "\nssh_pty (bool, default `false`)\n",
    ] {
        assert!(ran.stdout.contains(text), "no {text:?} in:\n{}", ran.stdout);
    }
    assert!(!ran.stdout.contains('\u{1b}'), "a pipe gets plain text");
}

#[test]
fn options_and_functions_are_found_by_name() {
    for (words, wanted) in [
        (&["docs", "shell", "inline"][..], "provisioner.shell inline\n\ninline (list of string)\n"),
        (&["docs", "amazon-ebs", "source_ami_filter.owners"], "owners (list of string, required)"),
        (&["docs", "null"], "data null\n"),
        (&["docs", "data.amazon-ami"], "Gives "),
        (&["docs", "provisioner.shell-local", "pause_before"], "pause_before (duration, default `0s`)"),
        (&["docs", "join"], "function join(separator string, "),
        (&["docs"], "Post-processors\n\n"),
    ] {
        Sandbox::new().run(words).expect(0).says(wanted);
    }
}

#[test]
fn a_name_of_two_components_shows_both_and_how_to_ask_for_one() {
    let ran = Sandbox::new().run(&["docs", "shell-local"]).expect(0);
    let ran = ran.says("provisioner shell-local\n").says("\npost-processor shell-local\n");
    ran.says("kiln docs post-processor.shell-local");
    let one = Sandbox::new().run(&["docs", "post-processor.shell-local"]).expect(0);
    assert!(!one.stdout.contains("provisioner shell-local"), "{}", one.stdout);
}

#[test]
fn unknown_names_get_a_hint() {
    for (words, wanted) in [
        (&["docs", "amazon-eb"][..], "did you mean \"amazon-ebs\"?"),
        (&["docs", "manifst"], "did you mean \"manifest\"?"),
        (&["docs", "shell", "inlin"], "did you mean \"inline\"?"),
        (&["docs", "shell", "zzzzzz"], "inline_shebang, max_retries, name, only, "),
        (&["docs", "shell", "nope"], "; `kiln docs shell` shows what they mean"),
        (&["docs", "zzzzzz"], "`kiln docs` lists all types"),
    ] {
        let ran = Sandbox::new().run(words).expect(1).says(wanted);
        assert!(ran.stdout.starts_with("Error: "), "{}", ran.stdout);
    }
}

#[test]
fn the_schema_is_one_document_whose_references_lead_somewhere() {
    fn follow(value: &Value, root: &Value, count: &mut usize) {
        match value {
            Value::Object(map) => {
                if let Some(target) = map.get("$ref").and_then(Value::as_str) {
                    let pointer = target.strip_prefix('#').unwrap();
                    assert!(root.pointer(pointer).is_some(), "{target}");
                    *count += 1;
                }
                map.values().for_each(|value| follow(value, root, count));
            }
            Value::Array(items) => items.iter().for_each(|item| follow(item, root, count)),
            _ => {}
        }
    }
    let ran = Sandbox::new().run(&["schema"]).expect(0);
    let schema: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let mut count = 0;
    follow(&schema, &schema, &mut count);
    assert!(count > 10);
    let region = &schema["$defs"]["source.amazon-ebs"]["properties"]["region"];
    assert!(region["description"].as_str().unwrap().starts_with("Region"));
}

/// Whether a value fits a schema, by the few keywords that the schema of templates is made of.
fn fits(value: &Value, schema: &Value, root: &Value) -> bool {
    let Some(schema) = schema.as_object() else { return schema == &Value::Bool(true) };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        return fits(value, root.pointer(target.strip_prefix('#').unwrap()).unwrap(), root);
    }
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    let typed = match schema.get("type") {
        None => true,
        Some(Value::String(name)) => is(name),
        Some(names) => names.as_array().unwrap().iter().any(|name| is(name.as_str().unwrap())),
    };
    let any = schema.get("anyOf").and_then(Value::as_array);
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let members = |(name, member): (&String, &Value)| {
        let own = schema.get("properties").and_then(|properties| properties.get(name));
        own.or(schema.get("additionalProperties")).is_none_or(|schema| fits(member, schema, root))
    };
    typed
        && any.is_none_or(|choices| choices.iter().any(|choice| fits(value, choice, root)))
        && value.as_object().into_iter().flatten().all(members)
        && (!value.is_object() || required.into_iter().all(|name| value.get(name.as_str().unwrap()).is_some()))
        && value.as_array().into_iter().flatten().all(|item| schema.get("items").is_none_or(|of| fits(item, of, root)))
}

#[test]
fn the_schema_takes_what_kiln_takes_and_refuses_what_it_refuses() {
    let sandbox = Sandbox::new();
    let schema: Value = serde_json::from_str(&sandbox.run(&["schema"]).expect(0).stdout).unwrap();
    let shell = |options: &str| {
        format!(
            r#"{{"source":{{"null":{{"n":{{"communicator":"none"}}}}}},
                "build":{{"sources":["source.null.n"],"provisioner":{{"shell-local":{{{options}}}}}}}}}"#
        )
    };
    let source = |source: &str| format!(r#"{{"source":{source},"build":{{"sources":["source.null.n"]}}}}"#);
    let ebs = |options: &str| {
        format!(
            r#"{{"source":{{"amazon-ebs":{{"n":{{"ami_name":"abc","instance_type":"t3.micro","region":"eu-west-1",
                "ssh_username":"u",{options}}}}}}},"build":{{"sources":["source.amazon-ebs.n"]}}}}"#
        )
    };
    for (text, good) in [
        (shell(r#""inline":[1,true]"#), true),
        (shell(r#""inline":["a"],"//":"said","only":["null.n"],"pause_before":"1s","packer_debug":true"#), true),
        (shell(r#""inline":["a"],"max_retries":"2""#), true),
        (shell(r#""inlin":["a"]"#), false),
        (shell(r#""inline":["a"],"max_retries":[2]"#), false),
        (source(r#"{"null":{"n":{"communicator":"none"}}}"#), true),
        (source(r#"{"null":[{"n":{"communicator":"none"}}]}"#), true),
        (source(r#"[{"null":{"n":[{"communicator":"none"}]}}]"#), true),
        (source(r#"{"null":{"n":{"communicator":"none"}},"other-tool":{"x":{"y":1}}}"#), true),
        (source(r#"{"null":{"n":{"comunicator":"none"}}}"#), false),
        (ebs(r#""source_ami":"ami-1","tags":{"n":1,"b":true},"ami_users":[123456789012]"#), true),
        (ebs(r#""source_ami_filter":{"owners":[123456789012],"filters":{"name":"x"}}"#), true),
        (ebs(r#""source_ami_filter":[{"owners":["self"],"filters":{"name":"x"},"most_recent":"true"}]"#), true),
        (ebs(r#""source_ami_filter":{"owners":["self"],"most_resent":true}"#), false),
        (ebs(r#""source_ami":"ami-1","dynamic":{"tag":{"for_each":["a"],"content":{"key":"k","value":"v"}}}"#), true),
        (r#"{"variable":{"v":{"tipe":"string"}},"build":{"source":{"null.n":{}}}}"#.to_owned(), false),
    ] {
        let template: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(fits(&template, &schema, &schema), good, "schema: {text}");
        sandbox.file("t.pkr.json", &text);
        let ran = sandbox.run(&["validate", "t.pkr.json"]);
        assert_eq!(ran.code == 0, good, "kiln: {text}\n{}{}", ran.stdout, ran.stderr);
    }
}
