//! Values as the verbs of a pattern show them.

use num_bigint::BigUint;
use unicode_segmentation::UnicodeSegmentation;

use super::decimal::Decimal;
use super::pattern::Verb;
use crate::hcl::convert::convert;
use crate::hcl::functions::json;
use crate::hcl::number::Number;
use crate::hcl::types::Type;
use crate::hcl::value::{Data, Value};

/// Digits after the point where a pattern does not say how many.
const DEFAULT_PRECISION: usize = 6;

/// The value as the verb shows it.
pub(super) fn show(verb: &Verb<'_>, value: &Value) -> Result<String, String> {
    let unsuited = |why: &str| format!("`{}` cannot show argument {}: {why}", verb.text, verb.argument);
    if value.is_null() && verb.letter != 'v' {
        return Err(unsuited("it is null"));
    }
    let converted = |ty: Type| convert(value, &ty).map_err(|error| unsuited(&error.to_string()));
    match verb.letter {
        'v' => natural(verb, value).map_err(|why| unsuited(&why)),
        't' => Ok(converted(Type::Bool)?.as_bool().unwrap_or_default().to_string()),
        's' | 'q' => Ok(text(verb, converted(Type::String)?.as_str().unwrap_or_default())),
        'b' | 'd' | 'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'g' | 'G' => {
            let value = converted(Type::Number)?;
            let number = value.as_number().ok_or_else(|| unsuited("it is no number"))?;
            if matches!(verb.letter, 'e' | 'E' | 'f' | 'g' | 'G') {
                return Ok(fractional(verb, number));
            }
            whole(verb, number).ok_or_else(|| unsuited("it is no whole number"))
        }
        _ => Err(format!("`{}` is not supported: there is no verb %{}", verb.text, verb.letter)),
    }
}

/// Text and numbers as they are, everything else (and with `#` these too) as JSON.
fn natural(verb: &Verb<'_>, value: &Value) -> Result<String, String> {
    let shown = match value.data() {
        Data::String(text) if !verb.sharp => text.to_string(),
        Data::Number(number) if !verb.sharp => match Decimal::shortest(number) {
            Some(decimal) => signed(number, decimal.general(None, 'e')),
            None => number.to_string(),
        },
        _ => json::encode(value)?,
    };
    Ok(padded(verb, &shown))
}

fn text(verb: &Verb<'_>, text: &str) -> String {
    let cut: String = match verb.precision {
        Some(count) if count > 0 => text.graphemes(true).take(count).collect(),
        _ => text.to_owned(),
    };
    if verb.letter == 's' {
        return padded(verb, &cut);
    }
    padded(verb, &json::encode(&Value::string(cut)).unwrap_or_default())
}

/// The text filled up to the width, with zeros too if the pattern says so.
fn padded(verb: &Verb<'_>, text: &str) -> String {
    // Counting what a reader sees takes long for a long text, and few patterns have a width.
    let missing = verb.width.map_or(0, |width| width.saturating_sub(text.graphemes(true).count()));
    let filling = if verb.zero { "0" } else { " " }.repeat(missing);
    if verb.minus { format!("{text}{filling}") } else { format!("{filling}{text}") }
}

fn signed(number: &Number, digits: String) -> String {
    if number.is_negative() { format!("-{digits}") } else { digits }
}

/// The sign that is shown before a number.
fn sign(verb: &Verb<'_>, negative: bool) -> &'static str {
    match (negative, verb.plus, verb.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

fn fractional(verb: &Verb<'_>, number: &Number) -> String {
    let digits = match (verb.letter, Decimal::exact(number)) {
        (_, None) => {
            let sign = match sign(verb, number.is_negative()) {
                // Infinity always has a sign, and is never filled up with zeros.
                "" => "+",
                sign => sign,
            };
            return filled(&Verb { zero: false, ..*verb }, sign, "Inf");
        }
        ('f', Some(exact)) => exact.fixed(verb.precision.unwrap_or(DEFAULT_PRECISION)),
        ('e' | 'E', Some(exact)) => exact.scientific(verb.precision.unwrap_or(DEFAULT_PRECISION), verb.letter),
        (letter, Some(exact)) => {
            let e = if letter == 'G' { 'E' } else { 'e' };
            match verb.precision {
                Some(precision) => exact.general(Some(precision), e),
                None => Decimal::shortest(number).unwrap_or(exact).general(None, e),
            }
        }
    };
    filled(verb, sign(verb, number.is_negative()), &digits)
}

/// Sign and digits filled up to the width: with zeros between the two, or with blanks on either side.
fn filled(verb: &Verb<'_>, sign: &str, digits: &str) -> String {
    let missing = verb.width.unwrap_or(0).saturating_sub(sign.len() + digits.len());
    match (verb.minus, verb.zero) {
        (true, _) => format!("{sign}{digits}{}", " ".repeat(missing)),
        (false, true) => format!("{sign}{}{digits}", "0".repeat(missing)),
        (false, false) => format!("{}{sign}{digits}", " ".repeat(missing)),
    }
}

/// A whole number in the verb's base; none if it has a fraction. The precision is the least number of digits.
fn whole(verb: &Verb<'_>, number: &Number) -> Option<String> {
    let (negative, magnitude) = number.to_integer()?;
    let (base, prefix) = match verb.letter {
        'b' => (2, "0b"),
        'o' => (8, "0"),
        'x' => (16, "0x"),
        'X' => (16, "0X"),
        _ => (10, ""),
    };
    let mut digits = magnitude.to_str_radix(base);
    if verb.letter == 'X' {
        digits.make_ascii_uppercase();
    }
    if let Some(precision) = verb.precision {
        if precision == 0 && digits == "0" {
            return Some(String::new());
        }
        digits = format!("{}{digits}", "0".repeat(precision.saturating_sub(digits.len())));
    }
    let prefix = if verb.sharp { prefix } else { "" };
    // Whole numbers have no negative zero.
    let sign = format!("{}{prefix}", sign(verb, negative && magnitude != BigUint::ZERO));
    // A precision says how many zeros there are; the width adds blanks then.
    let zero = verb.zero && verb.precision.is_none();
    Some(filled(&Verb { zero, ..*verb }, &sign, &digits))
}
