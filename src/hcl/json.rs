//! Values from and to JSON data.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::number::Number;
use super::types::Type;
use super::value::{Data, Value};

/// The value as JSON data; none if any part is unknown. Marks are lost.
pub fn to_json(value: &Value) -> Option<Json> {
    Some(match value.data() {
        Data::Unknown(_) => return None,
        Data::Null(_) => Json::Null,
        Data::Bool(value) => Json::Bool(*value),
        Data::Number(number) => json_number(number),
        Data::String(text) => Json::String(text.to_string()),
        Data::List(_, values) | Data::Set(_, values) | Data::Tuple(values) => {
            Json::Array(values.iter().map(to_json).collect::<Option<_>>()?)
        }
        Data::Map(_, values) | Data::Object(values) => {
            Json::Object(values.iter().map(|(key, value)| Some((key.clone(), to_json(value)?))).collect::<Option<_>>()?)
        }
    })
}

/// A whole number of 64 bits stays whole, others become doubles; what JSON has no number for becomes text.
fn json_number(number: &Number) -> Json {
    if let Some(number) = number.to_i64() {
        return number.into();
    }
    if let Some(number) = number.to_u64() {
        return number.into();
    }
    serde_json::Number::from_f64(number.to_f64()).map_or_else(|| Json::String(number.to_string()), Json::Number)
}

/// JSON data as a value: arrays are tuples and objects are objects.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::null(Type::Dynamic),
        Json::Bool(value) => Value::bool(*value),
        Json::Number(number) => {
            Number::parse(&number.to_string()).map_or_else(|| Value::null(Type::Number), Value::number)
        }
        Json::String(text) => Value::string(text),
        Json::Array(values) => Value::tuple(values.iter().map(from_json).collect()),
        Json::Object(values) => {
            let attributes: BTreeMap<String, Value> =
                values.iter().map(|(key, value)| (key.clone(), from_json(value))).collect();
            Value::object(attributes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let json: Json =
            serde_json::from_str(r#"{"a":[1,-2.5,true,null,"x"],"b":{},"c":18446744073709551615}"#).unwrap();
        assert_eq!(to_json(&from_json(&json)), Some(json));
        assert_eq!(to_json(&Value::tuple(vec![Value::unknown(Type::String)])), None);
    }
}
