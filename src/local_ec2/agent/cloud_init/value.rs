//! Loose readings of YAML values: cloud-config takes a string for a list, and numbers and words for each other.

use serde_json::Value;

/// A scalar as text; `None` for null, lists and maps.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The texts of a list; a scalar is a list of one.
pub fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(text).collect(),
        other => text(other).into_iter().collect(),
    }
}

/// The words of a list, or of a scalar that separates them by commas.
pub fn words(value: &Value) -> Vec<String> {
    texts(value)
        .iter()
        .flat_map(|text| text.split(','))
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Whether a flag is set; `default` when there is nothing to read.
pub fn flag(value: &Value, default: bool) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::String(text) => matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "1"),
        Value::Number(number) => number.as_i64() != Some(0),
        _ => default,
    }
}

/// A mode: a number is one, a text is octal.
pub fn mode(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
        Value::String(text) => u32::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_loosely() {
        assert_eq!(texts(&json!("a")), ["a"]);
        assert_eq!(texts(&json!(["a", 1, null])), ["a", "1"]);
        assert_eq!(words(&json!("adm, sudo,")), ["adm", "sudo"]);
        assert_eq!(words(&json!(["adm,x", "sudo"])), ["adm", "x", "sudo"]);
        assert!(flag(&json!("yes"), false) && flag(&Value::Null, true) && !flag(&json!("no"), true));
        assert_eq!((mode(&json!("0644")), mode(&json!(0o644)), mode(&json!("rw"))), (Some(0o644), Some(0o644), None));
    }
}
