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
