//! JSON as text, written compactly.

mod decode;

use std::fmt::Write;

use super::arguments::{any, string, text, text_param, value};
use super::{Call, Function, FunctionError, Nulls, Param, Unknowns};
use crate::hcl::value::{Data, Value};

/// What is encoded may be null.
const ENCODED: Param = Param { name: "val", ty: any, nulls: Nulls::Taken, unknowns: Unknowns::None };

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("jsondecode", &[text_param("str")], any, jsondecode),
    Function::new("jsonencode", &[ENCODED], string, jsonencode),
];

fn jsonencode(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    encode(value(args, 0)?).map(Value::string).map_err(FunctionError::failed)
}

fn jsondecode(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    decode::decode(text(args, 0)?).map_err(|message| FunctionError::argument(0, message))
}

/// The JSON text of a value, with what HTML would take for markup escaped; an error names what JSON cannot hold.
pub(super) fn encode(value: &Value) -> Result<String, String> {
    let mut json = String::new();
    write_value(value, &mut json)?;
    Ok(json)
}

fn write_value(value: &Value, out: &mut String) -> Result<(), String> {
    match value.data() {
        Data::Null(_) => out.push_str("null"),
        Data::Unknown(_) => return Err("an unknown value has no JSON form".into()),
        Data::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Data::Number(number) if number.is_infinite() => return Err("JSON has no infinite numbers".into()),
        Data::Number(number) => out.push_str(&number.to_string()),
        Data::String(text) => write_text(text, out),
        Data::List(_, values) | Data::Set(_, values) | Data::Tuple(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_value(value, out)?;
            }
            out.push(']');
        }
        Data::Map(_, values) | Data::Object(values) => {
            out.push('{');
            for (at, (key, value)) in values.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_text(key, out);
                out.push(':');
                write_value(value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
