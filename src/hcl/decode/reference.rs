//! What a struct of options says of itself: the reference that people read, from the schema that decoding uses.

use serde_json::Value as Json;

use super::shape::{Form, MAX_DEPTH, Shape, form};

/// One option, as a reference tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionReference {
    /// Its name.
    pub name: String,
    /// Further names that mean the same.
    pub aliases: Vec<String>,
    /// What is written: `string`, `list of string`, `duration`, `block` or `blocks`.
    pub kind: String,
    /// Whether it must be given.
    pub required: bool,
    /// What holds when it is not given, if the text says so.
    pub default: Option<String>,
    /// What it means.
    pub text: String,
    /// The options in its block; none if it is no block.
    pub nested: Vec<OptionReference>,
}

/// The options of a struct's schema, in their order.
///
/// A doc comment's sentence `Required.` makes an option required, and a sentence `Default: …` is its default.
pub fn reference(schema: &schemars::Schema) -> Vec<OptionReference> {
    let root = schema.as_value();
    options(root, root, MAX_DEPTH)
}

/// What a struct's doc comment says of the whole.
pub fn summary(schema: &schemars::Schema) -> String {
    description(schema.as_value())
}

fn options(schema: &Json, root: &Json, depth: usize) -> Vec<OptionReference> {
    let schema = resolved(schema, root);
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.map(|(name, property)| option(name, property, required.contains(&name.as_str()), root, depth)).collect()
}

fn option(name: &str, property: &Json, required: bool, root: &Json, depth: usize) -> OptionReference {
    let shape = Shape::read(property, root, depth);
    let form = form(&shape, property);
    let nested = match (form, depth) {
        (Form::Attribute, _) | (_, 0) => Vec::new(),
        (Form::Block, _) => options(property, root, depth - 1),
        (Form::Blocks, _) => options(&resolved(property, root)["items"], root, depth - 1),
    };
    let kind = match form {
        Form::Attribute => kind(property, &shape, root),
        Form::Block => "block".to_owned(),
        Form::Blocks => "blocks".to_owned(),
    };
    let aliases = property["x-aliases"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let Told { text, default, is_required } = told(&description(property));
    let required = required || is_required;
    let default = default.or_else(|| property["default"].as_bool().map(|default| format!("`{default}`")));
    OptionReference {
        name: name.to_owned(),
        aliases: aliases.map(str::to_owned).collect(),
        kind,
        required,
        default,
        text,
        nested,
    }
}

/// The schema that a reference leads to; `null` beside it is passed over.
fn resolved<'s>(schema: &'s Json, root: &'s Json) -> &'s Json {
    let mut schema = schema;
    for _ in 0..MAX_DEPTH {
        let choice = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema[key].as_array());
        let inner = choice.and_then(|choices| choices.iter().find(|choice| choice["type"] != "null"));
        let target = schema["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
        match (target.and_then(|pointer| root.pointer(pointer)), inner) {
            (Some(target), _) => schema = target,
            (None, Some(inner)) if schema["properties"].is_null() => schema = inner,
            _ => break,
        }
    }
    schema
}

fn kind(property: &Json, shape: &Shape, root: &Json) -> String {
    let schema = resolved(property, root);
    let words: Vec<&str> = enumerated(property, root);
    match shape {
        _ if !words.is_empty() => {
            format!("one of {}", words.iter().map(|w| format!("{w:?}")).collect::<Vec<_>>().join(", "))
        }
        Shape::String if schema["format"] == "go-duration" => "duration".to_owned(),
        Shape::Integer { .. } => "whole number".to_owned(),
        Shape::List(element) if matches!(**element, Shape::Integer { .. }) => "list of whole numbers".to_owned(),
        shape => shape.ty().to_string(),
    }
}

/// The words that an option takes, if its type names them.
fn enumerated<'s>(property: &'s Json, root: &'s Json) -> Vec<&'s str> {
    let schema = resolved_once(property, root);
    let words = schema["enum"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let constants = schema["oneOf"].as_array().into_iter().flatten().filter_map(|choice| choice["const"].as_str());
    words.chain(constants).collect()
}

/// Like [`resolved`], but stops at a choice of constants.
fn resolved_once<'s>(property: &'s Json, root: &'s Json) -> &'s Json {
    let inner = property["anyOf"].as_array().and_then(|choices| choices.iter().find(|choice| choice["type"] != "null"));
    let schema = inner.unwrap_or(property);
    let target = schema["$ref"].as_str().and_then(|target| root.pointer(target.strip_prefix('#')?));
    target.unwrap_or(schema)
}

fn description(schema: &Json) -> String {
    // Line breaks inside a paragraph are the source's, not the reader's.
    let text = schema["description"].as_str().unwrap_or_default();
    text.split("\n\n")
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// What a doc comment tells.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    text: String,
    default: Option<String>,
    is_required: bool,
}

/// Takes the sentences `Required.` and `Default: ….` out of a text.
fn told(text: &str) -> Told {
    let mut told = Told { text: String::new(), default: None, is_required: false };
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let mut kept: Vec<&str> = Vec::new();
        for sentence in sentences(paragraph) {
            if sentence == "Required." {
                told.is_required = true;
            } else if let Some(default) = sentence.strip_prefix("Default: ") {
                told.default = Some(default.trim_end_matches('.').to_owned());
            } else {
                kept.push(sentence);
            }
        }
        kept.join(" ")
    });
    let paragraphs: Vec<String> = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect();
    told.text = paragraphs.join("\n\n");
    told
}

/// The sentences of a paragraph: each ends with a full stop before a blank and a capital letter.
fn sentences(paragraph: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = paragraph;
    let ends = |rest: &str| {
        rest.match_indices(". ")
            .map(|(at, _)| at)
            .find(|at| rest[at + 2..].starts_with(|c: char| c.is_uppercase() || c == '`'))
    };
    while let Some(at) = ends(rest) {
        found.push(&rest[..=at]);
        rest = &rest[at + 2..];
    }
    found.push(rest);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hcl::duration::GoDuration;
    use schemars::{JsonSchema, schema_for};

    /// The whole.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Options {
        /// Its name. Required.
        name: Option<String>,
        /// How long. Default: `5m`. It is counted
        /// from the start.
        #[schemars(extend("x-aliases" = ["wait"]))]
        timeout: Option<GoDuration>,
        /// Ports.
        ports: Vec<u16>,
        /// The one.
        one: Option<Inner>,
        /// Many.
        many: Vec<Inner>,
        /// How.
        mode: Option<Mode>,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Inner {
        /// On.
        on: bool,
    }

    #[derive(JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Mode {
        /// Fast.
        Fast,
        /// Slow.
        VerySlow,
    }

    #[test]
    fn options_tell_of_themselves() {
        let schema = schema_for!(Options);
        assert_eq!(summary(&schema), "The whole.");
        let shown: Vec<String> = reference(&schema)
            .iter()
            .map(|o| {
                format!(
                    "{} {:?} {} {} {:?} {} {}",
                    o.name,
                    o.aliases,
                    o.kind,
                    o.required,
                    o.default,
                    o.text,
                    o.nested.len()
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "name [] string true None Its name. 0",
                "timeout [\"wait\"] duration false Some(\"`5m`\") How long. It is counted from the start. 0",
                "ports [] list of whole numbers true None Ports. 0",
                "one [] block false None The one. 1",
                "many [] blocks true None Many. 1",
                "mode [] one of \"fast\", \"very_slow\" false None How. 0",
            ]
        );
    }
}
