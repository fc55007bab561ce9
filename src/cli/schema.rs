//! `kiln schema`: one JSON schema of everything that templates can say, for editors and other tools.
//!
//! It describes templates in their JSON syntax, `*.pkr.json`. What HCL writes as an expression is a string there, so
//! every argument takes a string besides its own type; a block is an object, and several are a list of them.

use std::process::ExitCode;

use schemars::Schema;
use serde_json::{Map, Value as Json, json};

use crate::report;
use crate::run::engine_facts;

use super::exit;
use super::reference::{Category, Component, components};
use super::settings::Settings;

/// Prints a JSON schema of templates, for editors
#[derive(clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_: &Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => reporter,
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    reporter.print_raw(format!("{:#}\n", document(&components())));
    exit::ending(&reporter, ExitCode::SUCCESS)
}

/// The whole schema.
fn document(components: &[Component]) -> Json {
    let mut definitions = Map::new();
    for component in components {
        define(component, &mut definitions);
    }
    let of = |category: Category| -> Vec<(String, Json)> {
        let own = components.iter().filter(|component| component.category == category);
        own.map(|component| (component.name.to_owned(), json!({ "$ref": pointer(&component.full_name()) }))).collect()
    };
    let named = |category: Category| -> Vec<(String, Json)> {
        of(category).into_iter().map(|(name, block)| (name, labelled(&block))).collect()
    };
    let typed = |category: Category| -> Json {
        let types = of(category).into_iter().map(|(name, block)| (name, blocks(&block)));
        blocks(&closed(types.collect()))
    };
    definitions.insert("build".into(), build(&typed(Category::Provisioner), &typed(Category::PostProcessor)));
    definitions.insert("variable".into(), variable());
    let local = vec![("expression".to_owned(), json!(true)), ("sensitive".to_owned(), scalar())];
    definitions.insert("local".into(), requiring(closed(local), &["expression"]));
    let packer = [("required_version", scalar()), ("required_plugins", blocks(&json!({ "type": "object" })))];
    let whole = [
        ("packer", blocks(&closed(owned(packer)))),
        ("variable", labelled(&json!({ "$ref": pointer("variable") }))),
        ("variables", blocks(&json!({ "type": "object" }))),
        ("locals", blocks(&json!({ "type": "object" }))),
        ("local", labelled(&json!({ "$ref": pointer("local") }))),
        // A source of another tool's may stand here as long as no build uses it.
        ("source", blocks(&open(named(Category::Source)))),
        ("data", blocks(&closed(named(Category::Data)))),
        ("build", blocks(&json!({ "$ref": pointer("build") }))),
        ("hcp_packer_registry", json!(true)),
        ("communicator", json!(true)),
    ];
    let mut document = closed(owned(whole));
    document["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    document["title"] = json!("Kiln template");
    document["description"] = json!("A template in JSON syntax, *.pkr.json.");
    document["$defs"] = Json::Object(definitions);
    document
}

fn pointer(name: &str) -> String {
    format!("#/$defs/{name}")
}

fn owned<const N: usize>(properties: [(&str, Json); N]) -> Vec<(String, Json)> {
    properties.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// An object that has these properties, and comments.
fn open(properties: Vec<(String, Json)>) -> Json {
    let mut all = Map::from_iter([("//".to_owned(), Json::Bool(true))]);
    all.extend(properties);
    json!({ "type": "object", "properties": all })
}

/// An object that has these properties, comments, and nothing else.
fn closed(properties: Vec<(String, Json)>) -> Json {
    let mut object = open(properties);
    object["additionalProperties"] = Json::Bool(false);
    object
}

fn requiring(mut object: Json, names: &[&str]) -> Json {
    object["required"] = json!(names);
    object
}

/// One block, or several as a list.
fn blocks(one: &Json) -> Json {
    json!({ "anyOf": [one, { "type": "array", "items": one }] })
}

/// Blocks that have a label: an object of them, or several such objects as a list.
fn labelled(one: &Json) -> Json {
    let mut object = open(Vec::new());
    object["additionalProperties"] = blocks(one);
    blocks(&object)
}

/// A text, a number or a truth value, each of which converts to the others (packer-core.md section 2.13); or an expression, which is written as a text.
/// Null is as good as nothing.
fn scalar() -> Json {
    json!({ "type": ["string", "number", "boolean", "null"] })
}

/// `dynamic` blocks, whose contents depend on values.
fn dynamic() -> Json {
    json!({ "type": ["object", "array"] })
}

fn described(mut schema: Json, text: &str) -> Json {
    schema["description"] = json!(text);
    schema
}

fn build(provisioner: &Json, post_processor: &Json) -> Json {
    let chain = closed(owned([("post-processor", post_processor.clone()), ("dynamic", dynamic())]));
    let sources = json!({ "type": ["array", "string"], "items": { "type": "string" } });
    closed(owned([
        ("name", described(scalar(), "Stands before the names of its builds.")),
        ("description", scalar()),
        ("sources", described(sources, "The sources to build, each written source.TYPE.NAME.")),
        ("source", json!({ "type": ["object", "array"] })),
        ("provisioner", provisioner.clone()),
        ("error-cleanup-provisioner", provisioner.clone()),
        ("post-processor", post_processor.clone()),
        ("post-processors", blocks(&chain)),
        ("hcp_packer_registry", json!(true)),
        ("dynamic", dynamic()),
    ]))
}

fn variable() -> Json {
    let rule = closed(owned([("condition", json!(true)), ("error_message", scalar())]));
    closed(owned([
        ("type", described(scalar(), "The type that values are converted to.")),
        ("default", json!({ "description": "The value when none is given; without one, a value must be given." })),
        ("description", scalar()),
        ("sensitive", described(scalar(), "Masks the value in all output.")),
        ("validation", blocks(&requiring(rule, &["condition", "error_message"]))),
    ]))
}

/// Defines a component, and under names of its own what its schemas define.
fn define(component: &Component, definitions: &mut Map<String, Json>) {
    let name = component.full_name();
    let mut properties = Map::new();
    for schema in &component.schemas {
        let mut whole = Schema::as_value(schema).clone();
        rename(&mut whole, &name);
        for (key, mut inner) in object(whole["$defs"].take()) {
            if let Some(Json::Object(own)) = inner.get_mut("properties").map(Json::take) {
                inner["properties"] = Json::Object(body(own));
                inner["additionalProperties"] = Json::Bool(false);
            }
            definitions.insert(format!("{name}.{key}"), inner);
        }
        properties.extend(object(whole["properties"].take()));
    }
    let mut properties = body(properties);
    properties.extend(engine_facts::NAMES.map(|name| (name.to_owned(), Json::Bool(true))));
    let definition = json!({
        "title": name,
        "description": component.summary(),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    definitions.insert(name, definition);
}

fn object(value: Json) -> Map<String, Json> {
    if let Json::Object(map) = value { map } else { Map::new() }
}

/// Makes every reference lead to the definition under its component's name.
fn rename(schema: &mut Json, component: &str) {
    match schema {
        Json::Object(map) => {
            if let Some(Json::String(target)) = map.get_mut("$ref")
                && let Some(own) = target.strip_prefix("#/$defs/")
            {
                *target = pointer(&format!("{component}.{own}"));
            }
            map.values_mut().for_each(|value| rename(value, component));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| rename(item, component)),
        _ => {}
    }
}

/// The properties of a body whose arguments are these: with all their names, with what converts to their types, and with what every body may have.
fn body(arguments: Map<String, Json>) -> Map<String, Json> {
    let mut all = Map::from_iter([("//".to_owned(), Json::Bool(true)), ("dynamic".to_owned(), dynamic())]);
    for (name, mut argument) in arguments {
        let kept = ["description", "default"].map(|key| (key, argument.get_mut(key).map(Json::take)));
        let mut loose = loosened(&argument);
        for (key, value) in kept {
            if let (Some(value), Some(loose)) = (value, loose.as_object_mut()) {
                loose.insert(key.to_owned(), value);
            }
        }
        for alias in argument["x-aliases"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            all.insert(alias.to_owned(), loose.clone());
        }
        all.insert(name, loose);
    }
    all
}

/// What converts to a value of a schema: besides such values there are expressions, and a block can be a list.
fn loosened(schema: &Json) -> Json {
    let expression = json!({ "type": ["string", "null"] });
    if let Some(target) = schema.get("$ref") {
        let one = json!({ "$ref": target });
        return json!({ "anyOf": [one, { "type": "array", "items": one }, expression] });
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = schema.get(key).and_then(Json::as_array) {
            return json!({ "anyOf": choices.iter().map(loosened).collect::<Vec<_>>() });
        }
    }
    let has = |name: &str| match &schema["type"] {
        Json::String(own) => own == name,
        Json::Array(own) => own.iter().any(|own| own == name),
        _ => false,
    };
    if has("array") {
        let items = schema.get("items").map_or(Json::Bool(true), loosened);
        json!({ "anyOf": [{ "type": "array", "items": items }, expression] })
    } else if has("object") {
        let values = schema.get("additionalProperties").filter(|values| values.is_object());
        let values = values.map_or(Json::Bool(true), loosened);
        json!({ "anyOf": [{ "type": "object", "additionalProperties": values }, expression] })
    } else if has("string") {
        scalar()
    } else if has("boolean") {
        json!({ "type": ["boolean", "string", "null"] })
    } else if has("integer") || has("number") {
        let mut number = schema.clone();
        number["type"] = json!([if has("integer") { "integer" } else { "number" }, "string", "null"]);
        number
    } else if schema.get("enum").is_some() || schema.get("const").is_some() {
        // An enumeration is named by its texts.
        scalar()
    } else if has("null") {
        json!({ "type": "null" })
    } else {
        json!({})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references<'s>(schema: &'s Json, found: &mut Vec<&'s str>) {
        match schema {
            Json::Object(map) => {
                found.extend(map.get("$ref").and_then(Json::as_str));
                map.values().for_each(|value| references(value, found));
            }
            Json::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document(&components());
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 10);
        for target in found {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{target}");
        }
    }

    #[test]
    fn every_component_and_option_is_there() {
        let document = document(&components());
        for component in components() {
            let own = &document["$defs"][component.full_name()]["properties"];
            for (_, options) in component.groups() {
                for option in options {
                    assert!(own[&option.name]["description"].is_string(), "{} {}", component.full_name(), option.name);
                }
            }
        }
    }
}
