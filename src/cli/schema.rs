//! `kiln schema`: one JSON schema of everything that templates can say, for editors and other tools.
//!
//! It describes templates in their JSON syntax, `*.pkr.json`. What HCL writes as an expression is a string there, so
//! every argument takes a string besides its own type; a block is an object, and several are a list of them.

use std::process::ExitCode;

use schemars::Schema;
use serde_json::{Map, Value as Json, json};

use crate::report;

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
    let of = |category: Category| -> Map<String, Json> {
        let own = components.iter().filter(|component| component.category == category);
        own.map(|component| (component.name.to_owned(), json!({ "$ref": pointer(&component.full_name()) }))).collect()
    };
    let named = |category: Category| -> Map<String, Json> {
        of(category)
            .into_iter()
            .map(|(name, block)| (name, json!({ "type": "object", "additionalProperties": blocks(&block) })))
            .collect()
    };
    let typed = |category: Category| -> Json {
        let types: Map<String, Json> = of(category).into_iter().map(|(name, block)| (name, blocks(&block))).collect();
        // Types that Kiln does not have belong to other tools.
        blocks(&json!({ "type": "object", "properties": types }))
    };
    definitions.insert("build".into(), build(&typed(Category::Provisioner), &typed(Category::PostProcessor)));
    definitions.insert("variable".into(), variable());
    definitions.insert(
        "local".into(),
        json!({
            "type": "object",
            "properties": { "expression": true, "sensitive": { "type": ["boolean", "string"] } },
            "required": ["expression"],
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Kiln template",
        "description": "A template in JSON syntax, *.pkr.json.",
        "type": "object",
        "properties": {
            "//": true,
            "packer": blocks(&json!({ "type": "object" })),
            "variable": { "type": "object", "additionalProperties": blocks(&json!({ "$ref": pointer("variable") })) },
            "variables": blocks(&json!({ "type": "object" })),
            "locals": blocks(&json!({ "type": "object" })),
            "local": { "type": "object", "additionalProperties": blocks(&json!({ "$ref": pointer("local") })) },
            "source": blocks(&json!({ "type": "object", "properties": named(Category::Source) })),
            "data": blocks(&json!({ "type": "object", "properties": named(Category::Data) })),
            "build": blocks(&json!({ "$ref": pointer("build") })),
            "hcp_packer_registry": true,
            "communicator": true,
        },
        "additionalProperties": false,
        "$defs": definitions,
    })
}

fn pointer(name: &str) -> String {
    format!("#/$defs/{name}")
}

/// One block, or several as a list.
fn blocks(one: &Json) -> Json {
    json!({ "anyOf": [one, { "type": "array", "items": one }] })
}

fn build(provisioner: &Json, post_processor: &Json) -> Json {
    let chain = json!({ "type": "object", "properties": { "post-processor": post_processor } });
    let sources = json!({
        "description": "The sources to build, each written source.TYPE.NAME.",
        "type": ["array", "string"],
        "items": { "type": "string" },
    });
    json!({
        "type": "object",
        "properties": {
            "//": true,
            "name": { "description": "Stands before the names of its builds.", "type": "string" },
            "description": { "type": "string" },
            "sources": sources,
            "source": { "type": "object" },
            "provisioner": provisioner,
            "error-cleanup-provisioner": provisioner,
            "post-processor": post_processor,
            "post-processors": blocks(&chain),
            "hcp_packer_registry": true,
            "dynamic": { "type": "object" },
        },
        "additionalProperties": false,
    })
}

fn variable() -> Json {
    let rule = json!({
        "type": "object",
        "properties": { "condition": true, "error_message": { "type": "string" } },
        "required": ["condition", "error_message"],
    });
    json!({
        "type": "object",
        "properties": {
            "//": true,
            "type": { "description": "The type that values are converted to.", "type": "string" },
            "default": { "description": "The value when none is given; without one, a value must be given." },
            "description": { "type": "string" },
            "sensitive": { "description": "Masks the value in all output.", "type": ["boolean", "string"] },
            "validation": blocks(&rule),
        },
        "additionalProperties": false,
    })
}

/// Defines a component, and under names of its own what its schemas define.
fn define(component: &Component, definitions: &mut Map<String, Json>) {
    let name = component.full_name();
    let mut properties = Map::new();
    properties.insert("//".into(), Json::Bool(true));
    for schema in &component.schemas {
        let mut whole = Schema::as_value(schema).clone();
        rename(&mut whole, &name);
        for (key, mut inner) in object(whole["$defs"].take()) {
            loosen_properties(&mut inner);
            definitions.insert(format!("{name}.{key}"), inner);
        }
        loosen_properties(&mut whole);
        properties.extend(object(whole["properties"].take()));
    }
    let definition = json!({
        "title": name,
        "description": component.summary(),
        "type": "object",
        "properties": properties,
        // A source's build may add arguments, and an older or newer Kiln may know others: unknown ones are `validate`'s business.
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

/// Lets every argument be an expression, and a repeated block a single one.
fn loosen_properties(schema: &mut Json) {
    let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) else { return };
    for property in properties.values_mut() {
        let text = property.get_mut("description").map(Json::take);
        let default = property.get_mut("default").map(Json::take);
        let Some(map) = property.as_object_mut() else { continue };
        map.retain(|key, _| !["description", "default"].contains(&key.as_str()));
        let items = map.get("items").filter(|items| items.get("$ref").is_some()).cloned();
        let mut choices = vec![Json::Object(map.clone()), json!({ "type": "string" })];
        choices.extend(items);
        *property = json!({ "anyOf": choices });
        for (key, value) in [("description", text), ("default", default)] {
            if let Some(value) = value {
                property[key] = value;
            }
        }
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
