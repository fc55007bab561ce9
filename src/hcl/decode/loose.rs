//! Values of loosely written bodies, made into what an option wants where their look allows it.
//!
//! A text stands for the list of its parts between commas, for a truth value or a number; an empty one for nothing at all.
//! A lone value stands for a list of it, a list of objects for one object, a truth value for the texts `1` and `0`.
//! What fits no rule is left as it is, and the usual conversion says what is wrong with it.

use std::collections::BTreeMap;

use super::shape::Shape;
use crate::hcl::types::Type;
use crate::hcl::value::{Data, Value};

/// The value as an option of this shape takes it.
pub(super) fn loosened(value: &Value, shape: &Shape) -> Value {
    if value.is_null() || value.is_unknown() {
        return value.clone();
    }
    let changed = match shape {
        Shape::List(element) => list(value, element),
        Shape::Map(element) => mapping(value, element),
        Shape::String => value.as_bool().map(|value| Value::string(if value { "1" } else { "0" })),
        Shape::Bool => truth(value),
        Shape::Integer { .. } | Shape::Number => {
            value.as_str().filter(|text| text.is_empty()).map(|_| Value::null(Type::Number))
        }
        Shape::Any | Shape::Object(_) => None,
    };
    match changed {
        Some(changed) if value.is_sensitive() => changed.sensitive(),
        Some(changed) => changed,
        None => value.clone(),
    }
}

fn list(value: &Value, element: &Shape) -> Option<Value> {
    let items = match (value.as_sequence(), value.as_str()) {
        (Some(items), _) => items.to_vec(),
        (None, Some(text)) => parts(text),
        (None, None) => vec![value.clone()],
    };
    Some(Value::tuple(items.iter().map(|item| loosened(item, element)).collect()))
}

/// The list that a text stands for.
pub(in crate::hcl) fn parts(text: &str) -> Vec<Value> {
    text.split(',').filter(|_| !text.is_empty()).map(Value::string).collect()
}

fn mapping(value: &Value, element: &Shape) -> Option<Value> {
    let parts: Vec<&BTreeMap<String, Value>> = match value.as_sequence() {
        Some(parts) => parts.iter().map(Value::as_mapping).collect::<Option<_>>()?,
        None => vec![value.as_mapping()?],
    };
    let entries = parts.into_iter().flatten().map(|(key, value)| (key.clone(), loosened(value, element)));
    Some(Value::object(entries.collect()))
}

fn truth(value: &Value) -> Option<Value> {
    match value.data() {
        Data::String(text) => match &**text {
            "" => Some(Value::null(Type::Bool)),
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Value::bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Value::bool(false)),
            _ => None,
        },
        Data::Number(number) => Some(Value::bool(number.to_i64() != Some(0))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_count() {
        let texts = |texts: &[&str]| Value::tuple(texts.iter().map(Value::string).collect());
        let list = Shape::List(Box::new(Shape::String));
        let map = Shape::Map(Box::new(Shape::String));
        let object = |entries: &[(&str, Value)]| {
            Value::object(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        for (value, shape, expected) in [
            (Value::string("a, b"), &list, texts(&["a", " b"])),
            (Value::string(""), &list, texts(&[])),
            (Value::bool(true), &list, texts(&["1"])),
            (texts(&["a,b"]), &list, texts(&["a,b"])),
            (object(&[("k", Value::bool(false))]), &map, object(&[("k", Value::string("0"))])),
            (Value::tuple(vec![object(&[("k", Value::string("v"))])]), &map, object(&[("k", Value::string("v"))])),
            (Value::tuple(vec![]), &map, object(&[])),
            (Value::string("T"), &Shape::Bool, Value::bool(true)),
            (Value::string(""), &Shape::Bool, Value::null(Type::Bool)),
            (Value::string(""), &Shape::Number, Value::null(Type::Number)),
            (Value::string("maybe"), &Shape::Bool, Value::string("maybe")),
        ] {
            assert_eq!(loosened(&value, shape), expected, "{value:?}");
        }
    }
}
