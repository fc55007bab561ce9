//! What a template computes with: the values of its data, its variables and its functions' results.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A value. Cloning is cheap: text, lists and maps are shared.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Nothing: a missing key, or an explicit nil. An action prints it as `<no value>`.
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(Arc<str>),
    List(Arc<[Data]>),
    /// Keys in order, which is also the order of `range` and of printing.
    Map(Arc<BTreeMap<String, Data>>),
}

impl Data {
    /// A map without entries, on which every field is `<no value>`.
    pub fn empty_map() -> Data {
        Data::Map(Arc::default())
    }

    /// A map of the given entries.
    pub fn map<K: Into<String>, V: Into<Data>>(entries: impl IntoIterator<Item = (K, V)>) -> Data {
        Data::Map(Arc::new(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect()))
    }

    /// A list of the given items.
    pub fn list<V: Into<Data>>(items: impl IntoIterator<Item = V>) -> Data {
        Data::List(items.into_iter().map(Into::into).collect())
    }

    /// Whether `if`, `with`, `and`, `or` and `not` take the value for true: it is not empty, zero, false or nil.
    pub fn is_true(&self) -> bool {
        match self {
            Data::Nil => false,
            Data::Bool(value) => *value,
            Data::Int(value) => *value != 0,
            Data::Float(value) => *value != 0.0,
            Data::String(text) => !text.is_empty(),
            Data::List(items) => !items.is_empty(),
            Data::Map(entries) => !entries.is_empty(),
        }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Data::String(text) => Some(text),
            _ => None,
        }
    }

    /// The name of the value's type as Go would print it; error messages and the verb `%T` show it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Data::Nil => "<nil>",
            Data::Bool(_) => "bool",
            Data::Int(_) => "int",
            Data::Float(_) => "float64",
            Data::String(_) => "string",
            Data::List(_) => "[]interface {}",
            Data::Map(_) => "map[string]interface {}",
        }
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Data {
        Data::String(text.into())
    }
}

impl From<String> for Data {
    fn from(text: String) -> Data {
        Data::String(text.into())
    }
}

impl From<bool> for Data {
    fn from(value: bool) -> Data {
        Data::Bool(value)
    }
}

impl From<i64> for Data {
    fn from(value: i64) -> Data {
        Data::Int(value)
    }
}

impl From<f64> for Data {
    fn from(value: f64) -> Data {
        Data::Float(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emptiness_is_false() {
        let falsy =
            [Data::Nil, false.into(), 0.into(), 0.0.into(), "".into(), Data::list::<Data>([]), Data::empty_map()];
        let truthy =
            [true.into(), (-1).into(), 0.5.into(), "0".into(), Data::list([Data::Nil]), Data::map([("a", Data::Nil)])];
        assert!(falsy.iter().all(|value| !value.is_true()));
        assert!(truthy.iter().all(Data::is_true));
    }
}
