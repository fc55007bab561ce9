//! Evaluated bodies into typed option structs.
//!
//! The struct is the only description of the options. Its JSON schema (`schemars`) says which options there are and of what
//! type, and so which are nested blocks: a field whose schema is an object with properties, or a list of such, is a
//! block; a map or anything else is an attribute. Values are converted as the language converts, then `serde` builds the
//! struct. Every problem of a body is reported, not only the first.
//!
//! In a field's schema, `#[schemars(extend("x-aliases" = ["old_name"]))]` gives an option more names, and
//! `#[schemars(extend("x-attribute" = true))]` makes a struct an attribute that takes an object.

mod body;
mod layout;
mod loose;
mod node;
mod reference;
mod shape;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::body::EvaluatedBody;
use super::diagnostics::{Diagnostic, Diagnostics};
pub use layout::{Layout, Look, Written};
pub(super) use loose::parts;
use node::{DecodeError, Node};
use shape::Shape;

pub use reference::{OptionReference, reference, summary};

/// Decodes a body. Unknown values become placeholders: the string `<unknown>`, 0, false, or nothing.
pub fn decode<T: DeserializeOwned + JsonSchema + 'static>(body: &EvaluatedBody) -> Result<T, Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let shape = Shape::of::<T>();
    let mut node = body::node(body, &shape, &mut diagnostics);
    loop {
        match T::deserialize(&node) {
            Ok(value) if !diagnostics.has_errors() => return Ok(value),
            Ok(_) => return Err(diagnostics.sorted()),
            Err(error) => {
                // The field at fault is left out, to see whether others are at fault too.
                let (culprit, error) = blame::<T>(&node, error);
                if !error.missing && !culprit.as_ref().is_some_and(|culprit| culprit.placeholder) {
                    diagnostics.push(describe(&error, body));
                }
                if !culprit.is_some_and(|culprit| node.remove(&culprit.path)) {
                    return Err(undecodable(diagnostics, body).sorted());
                }
            }
        }
    }
}

/// The names of the options of a struct.
pub fn fields<T: JsonSchema + 'static>() -> Vec<String> {
    match &*Shape::of::<T>() {
        Shape::Object(fields) => fields.names().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// A field that cannot be decoded.
struct Culprit {
    path: Vec<node::Step>,
    placeholder: bool,
}

/// The field that an error comes from. Where the error does not say (flattened structs), it is the one without which the
/// error goes away.
fn blame<T: DeserializeOwned>(node: &Node, error: DecodeError) -> (Option<Culprit>, DecodeError) {
    if !error.path.is_empty() {
        let placeholder = node.find(&error.path).is_some_and(Node::has_placeholder);
        return (Some(Culprit { path: error.path.clone(), placeholder }), error);
    }
    for name in node.keys() {
        let path = vec![node::Step::Key(name.to_owned())];
        let mut without = node.clone();
        without.remove(&path);
        let gone = T::deserialize(&without).err().is_none_or(|other| other.message != error.message);
        if gone && let Some(culprit) = node.find(&path) {
            let placeholder = culprit.has_placeholder();
            let error = DecodeError { path: path.clone(), span: Some(culprit.span.clone()), ..error };
            return (Some(Culprit { path, placeholder }), error);
        }
    }
    (None, error)
}

fn describe(error: &DecodeError, body: &EvaluatedBody) -> Diagnostic {
    let span = error.span.as_ref().unwrap_or(&body.span);
    let Some(name) = error.path.iter().rev().find_map(node::Step::key) else {
        return Diagnostic::error("Invalid options", format!("{}.", capitalized(&error.message))).at(span);
    };
    let detail = format!("Inappropriate value for attribute \"{name}\": {}.", error.message);
    Diagnostic::error("Incorrect attribute value type", detail).at(span)
}

/// Never an error without a reason: what is left out here depends on values that are not known yet.
fn undecodable(mut diagnostics: Diagnostics, body: &EvaluatedBody) -> Diagnostics {
    if !diagnostics.has_errors() {
        let detail = "Unsuitable value: value must be known.";
        diagnostics.push(Diagnostic::error("Unsuitable value type", detail).at(&body.span));
    }
    diagnostics
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests;
