//! What YAML's scalars stand for: the rules of YAML 1.1 for bools and nulls, decimal numbers, and times as text.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use granit_parser::{ScalarStyle, Tag};
use regex::Regex;

use crate::hcl::functions::timestamps;
use crate::hcl::number::Number;
use crate::hcl::types::Type;
use crate::hcl::value::Value;

const TRUE: [&str; 11] = ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"];
const FALSE: [&str; 11] = ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"];
const NULL: [&str; 5] = ["", "~", "null", "Null", "NULL"];
const INFINITE: [&str; 6] = [".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"];
const NEGATIVE_INFINITE: [&str; 3] = ["-.inf", "-.Inf", "-.INF"];
const NOT_A_NUMBER: [&str; 3] = [".nan", ".NaN", ".NAN"];

/// Whether a scalar is written without quotes or other marks.
pub(super) fn is_plain(style: ScalarStyle) -> bool {
    style == ScalarStyle::Plain
}

/// The value of a scalar.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    let Some(tag) = tag else {
        return if is_plain(style) { untagged(text) } else { Ok(Value::string(text)) };
    };
    let mismatch = || format!("{text:?} is not what its tag {} says", tag.original());
    let kind = tag.suffix_in_namespace("tag:yaml.org,2002:");
    let guessed = matches!(kind.as_deref(), Some("null" | "bool" | "int" | "float" | "timestamp"));
    if quoted && guessed && may_be_special(text) {
        // Quotes win over these tags, as they always did.
        return Ok(Value::string(text));
    }
    match kind.as_deref() {
        Some("str") => Ok(Value::string(text)),
        Some("null") => Ok(Value::null(Type::Dynamic)),
        Some("bool") => word(text).filter(|value| value.as_bool().is_some()).ok_or_else(mismatch),
        Some("int" | "float") => {
            let number = word(text).filter(|value| value.as_number().is_some());
            number.or_else(|| tagged_number(text).map(Value::number)).ok_or_else(mismatch)
        }
        Some("timestamp") => time(text).map(Value::string).ok_or_else(mismatch),
        // There is no type for bytes: they stay base64.
        Some("binary") => {
            STANDARD.decode(text.replace(['\n', '\r'], "")).map(|_| Value::string(text)).map_err(|_| mismatch())
        }
        _ => Err(format!("the tag {} is not supported", tag.original())),
    }
}

/// Whether text begins as what is not text does.
fn may_be_special(text: &str) -> bool {
    text.chars().next().is_none_or(|c| c.is_ascii_digit() || "+-.yYnNtTfFoO~".contains(c))
}

fn untagged(text: &str) -> Result<Value, String> {
    if NOT_A_NUMBER.contains(&text) {
        return Err(format!("{text} cannot be represented"));
    }
    if let Some(value) = word(text) {
        return Ok(value);
    }
    let first = text.chars().next().unwrap_or_default();
    if !matches!(first, '0'..='9' | '+' | '-' | '.') {
        return Ok(Value::string(text));
    }
    if let Some(time) = time(text) {
        return Ok(Value::string(time));
    }
    let plain = if first == '.' { text.to_owned() } else { text.replace('_', "") };
    let number = Number::parse(&plain).or_else(|| binary(&plain));
    Ok(number.map_or_else(|| Value::string(text), Value::number))
}

fn word(text: &str) -> Option<Value> {
    if TRUE.contains(&text) || FALSE.contains(&text) {
        return Some(Value::bool(TRUE.contains(&text)));
    }
    if NULL.contains(&text) {
        return Some(Value::null(Type::Dynamic));
    }
    if INFINITE.contains(&text) {
        return Some(Value::number(Number::infinity()));
    }
    NEGATIVE_INFINITE.contains(&text).then(|| Value::number(Number::infinity().neg()))
}

/// `0b101`
fn binary(text: &str) -> Option<Number> {
    let digits = text.strip_prefix("-0b").or_else(|| text.strip_prefix("0b"))?;
    radix(digits, 2, text.starts_with('-'))
}

/// A number that is said to be one: also hexadecimal, octal and binary.
fn tagged_number(text: &str) -> Option<Number> {
    let plain = text.replace('_', "").to_ascii_lowercase();
    if let Some(number) = Number::parse(&plain) {
        return Some(number);
    }
    let negative = plain.starts_with('-');
    let digits = plain.strip_prefix(['-', '+']).unwrap_or(&plain);
    let (base, digits) = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, base)| Some((base, digits.strip_prefix(prefix)?)))?;
    radix(digits, base, negative)
}

fn radix(digits: &str, base: u32, negative: bool) -> Option<Number> {
    if digits.starts_with(['+', '-', '_']) {
        return None;
    }
    Some(Number::from_integer(negative, num_bigint::BigUint::parse_bytes(digits.as_bytes(), base)?))
}

/// A date, perhaps with a time of day; in UTC where no zone is given.
static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let date = r"(\d{4})-(\d{1,2})-(\d{1,2})";
    let clock = r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?";
    Regex::new(&format!(r"^(?-u:{date}(?:[Tt]{clock}(Z|[+-]\d\d:\d\d)| {clock})?)$")).ok()
});

/// A time as RFC 3339 has it, if the text is one.
fn time(text: &str) -> Option<String> {
    let captures = TIME.as_ref()?.captures(text)?;
    let part = |group: usize| captures.get(group).map(|part| part.as_str());
    let clock = [4, 8].into_iter().find(|first| part(*first).is_some());
    let field = |group: Option<usize>| group.and_then(part).unwrap_or("0");
    let at = |offset: usize| field(clock.map(|first| first + offset));
    let date = format!("{}-{:0>2}-{:0>2}", field(Some(1)), field(Some(2)), field(Some(3)));
    let zone = part(7).unwrap_or("Z");
    let written = format!("{date}T{:0>2}:{:0>2}:{:0>2}{zone}", at(0), at(1), at(2));
    timestamps::parse(&written, &['T']).ok().map(|moment| moment.rfc3339())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_scalars() {
        for style in [ScalarStyle::SingleQuoted, ScalarStyle::DoubleQuoted, ScalarStyle::Literal, ScalarStyle::Folded] {
            assert_eq!(resolve("1", style, None).unwrap(), Value::string("1"));
        }
    }

    #[test]
    fn plain_scalars() {
        let cases = [
            ("1", "1"),
            ("1_000", "1000"),
            ("017", "17"),
            ("0x1F", "\"0x1F\""),
            ("0b101", "5"),
            ("-.5", "-0.5"),
            ("1e3", "1000"),
            ("1.", "1"),
            ("1.2.3", "\"1.2.3\""),
            ("-inf", "-Inf"),
            ("inf", "\"inf\""),
            (".inf", "+Inf"),
            ("-.INF", "-Inf"),
            ("yes", "true"),
            ("off", "false"),
            ("yEs", "\"yEs\""),
            ("~", "null"),
            ("", "null"),
            ("2024-01-02", "\"2024-01-02T00:00:00Z\""),
            ("2024-1-2T3:4:5+01:00", "\"2024-01-02T03:04:05+01:00\""),
            ("2024-01-02 03:04:05.5", "\"2024-01-02T03:04:05Z\""),
            ("2024-13-02", "\"2024-13-02\""),
            ("190:20:30", "\"190:20:30\""),
        ];
        for (text, want) in cases {
            let value = resolve(text, ScalarStyle::Plain, None).unwrap();
            assert_eq!(format!("{value:?}"), want, "{text}");
        }
        assert!(resolve(".nan", ScalarStyle::Plain, None).is_err());
    }
}
