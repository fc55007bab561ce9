//! Values as a console shows them.

use std::fmt::Write;

use super::number::Number;
use super::value::{Data, Value};

/// What is shown for an unknown value.
const UNKNOWN: &str = "<unknown>";

/// The value as text: a string as it is, a collection over several lines. Marks do not count.
pub fn print(value: &Value) -> String {
    if !value.is_wholly_known() {
        return UNKNOWN.into();
    }
    match value.data() {
        Data::String(text) => text.to_string(),
        _ => {
            let mut text = String::new();
            write_value(&mut text, value, 0);
            text
        }
    }
}

fn write_value(out: &mut String, value: &Value, depth: usize) {
    match value.data() {
        Data::Null(_) => out.push_str("null"),
        Data::Unknown(_) => out.push_str(UNKNOWN),
        Data::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Data::Number(number) => out.push_str(&print_number(number)),
        Data::String(text) => out.push_str(&quote(text)),
        Data::List(_, values) | Data::Set(_, values) | Data::Tuple(values) => write_sequence(out, values, depth),
        // A null attribute of an object is as good as absent.
        Data::Map(_, values) => write_mapping(out, values.iter(), depth),
        Data::Object(values) => write_mapping(out, values.iter().filter(|(_, value)| !value.is_null()), depth),
    }
}

fn write_sequence(out: &mut String, values: &[Value], depth: usize) {
    if values.is_empty() {
        out.push_str("[]");
        return;
    }
    out.push_str("[\n");
    for value in values {
        indent(out, depth + 1);
        write_value(out, value, depth + 1);
        out.push_str(",\n");
    }
    indent(out, depth);
    out.push(']');
}

fn write_mapping<'a>(out: &mut String, values: impl Iterator<Item = (&'a String, &'a Value)>, depth: usize) {
    let mut values = values.peekable();
    if values.peek().is_none() {
        out.push_str("{}");
        return;
    }
    out.push_str("{\n");
    for (key, value) in values {
        indent(out, depth + 1);
        let _ = write!(out, "{} = ", quote(key));
        write_value(out, value, depth + 1);
        out.push('\n');
    }
    indent(out, depth);
    out.push('}');
}

fn indent(out: &mut String, depth: usize) {
    out.push_str(&"  ".repeat(depth));
}

/// Whole numbers of 64 bits as they are, all others as the shortest double.
pub fn print_number(number: &Number) -> String {
    number.to_i64().map_or_else(|| number.to_shortest_double(), |number| number.to_string())
}

/// The text in double quotes with Go's escapes.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            ' '..='~' => quoted.push(c),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            c if is_printable(c) => quoted.push(c),
            c if u32::from(c) < 0x80 => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c if u32::from(c) < 0x1_0000 => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Rust's debug form escapes what cannot be printed; combining marks it escapes only at the start of a text.
fn is_printable(c: char) -> bool {
    c == ' ' || c == '\'' || (!c.is_whitespace() && format!("{:?}", format!("a{c}")).chars().count() == 4)
}

#[cfg(test)]
mod tests {
    use super::super::types::Type;
    use super::*;

    #[test]
    fn nested() {
        let inner = Value::object([("b".to_owned(), Value::null(Type::Dynamic))].into());
        let value = Value::tuple(vec![Value::string("a\n"), inner, Value::null(Type::String), Value::tuple(vec![])]);
        assert_eq!(print(&value), "[\n  \"a\\n\",\n  {},\n  null,\n  [],\n]");
        let map = Value::map(Type::Number, [("k".to_owned(), Value::number(1_i64))].into());
        assert_eq!(print(&Value::tuple(vec![map])), "[\n  {\n    \"k\" = 1\n  },\n]");
        assert_eq!(print(&Value::tuple(vec![Value::unknown(Type::String)])), "<unknown>");
        assert_eq!(print(&Value::string("a\n")), "a\n");
    }

    #[test]
    fn quoting() {
        assert_eq!(quote("é日\u{1}\u{7f}\u{200b}\"\\'"), "\"é日\\x01\\x7f\\u200b\\\"\\\\'\"");
        assert_eq!(quote("\u{a0}\u{e0001}"), "\"\\u00a0\\U000e0001\"");
    }
}
