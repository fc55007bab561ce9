//! What constants mean: quoted strings, characters and numbers in Go's notation.

use crate::text_template::format::quote;
use crate::text_template::node::{Ideal, Number};

/// The value of a string token with its quotes, interpreted or raw.
pub fn unquote(token: &str) -> Result<String, String> {
    let inner = &token[1..token.len() - 1];
    if token.starts_with('`') {
        // Go drops carriage returns from raw strings, so that a template means the same with both kinds of line ends.
        return Ok(inner.replace('\r', ""));
    }
    let bytes = unescape(inner, '"').ok_or("invalid syntax")?;
    String::from_utf8(bytes).map_err(|_| format!("string constant is not UTF-8: {token}"))
}

/// A character constant, which is the number of its code point.
pub fn character(token: &str) -> Result<Number, String> {
    let inner = &token[1..token.len() - 1];
    let malformed = || format!("malformed character constant: {token}");
    let bytes = unescape(inner, '\'').ok_or_else(malformed)?;
    let code = match (String::from_utf8(bytes), inner.len()) {
        (Ok(text), _) if text.chars().count() == 1 => text.chars().next().map_or(0, |c| i64::from(u32::from(c))),
        // `'\xff'`: a byte, not a character.
        (Err(bytes), 4) if bytes.as_bytes().len() == 1 => i64::from(bytes.as_bytes()[0]),
        _ => return Err(malformed()),
    };
    Ok(Number { text: token.to_string(), int: Some(code), float: Some(code as f64), ideal: Ideal::Int })
}

/// A number with an optional sign: decimal, hexadecimal, octal, binary, with underscores, or with a fraction or exponent.
pub fn number(text: &str) -> Result<Number, String> {
    if text.ends_with('i') {
        return Err(format!("complex numbers are not supported: {}", quote(text)));
    }
    let hexadecimal = text.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
    let fractional = text.contains(['.', 'p', 'P']) || (!hexadecimal && text.contains(['e', 'E']));
    if !fractional {
        return whole(text);
    }
    let float = if hexadecimal { hexadecimal_float(text) } else { text.parse().ok() };
    let float = float.filter(|value: &f64| value.is_finite());
    let float = float.ok_or_else(|| format!("illegal number syntax: {}", quote(text)))?;
    let int = (float as i64 as f64 == float).then_some(float as i64);
    Ok(Number { text: text.to_string(), int, float: Some(float), ideal: Ideal::Float })
}

fn whole(text: &str) -> Result<Number, String> {
    let Some(value) = integer(text) else {
        // `08` is no octal number. Go then reads a float, finds that it has no fraction, and says this.
        let problem = if text.parse::<f64>().is_ok() { "integer overflow" } else { "illegal number syntax" };
        return Err(format!("{problem}: {}", quote(text)));
    };
    if value > i128::from(u64::MAX) || value < i128::from(i64::MIN) {
        return Err(format!("integer overflow: {}", quote(text)));
    }
    let int = i64::try_from(value).ok();
    Ok(Number { text: text.to_string(), int, float: Some(value as f64), ideal: Ideal::Int })
}

fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    // An underscore stands between digits, or after the base's prefix.
    let misplaced = digits.ends_with('_') || digits.contains("__") || (base == 10 && digits.starts_with('_'));
    if misplaced {
        return None;
    }
    // Digits that overflow even 128 bits overflow: any large value says so.
    let cleaned: String = digits.chars().filter(|c| *c != '_').collect();
    let value = match i128::from_str_radix(&cleaned, base) {
        Ok(value) => value,
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => i128::MAX,
        Err(_) => return None,
    };
    Some(if negative { -value } else { value })
}

/// `0x1.8p3`: hexadecimal digits and a binary exponent, which must be there.
fn hexadecimal_float(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase().replace('_', "");
    let (sign, rest) = match lower.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, lower.strip_prefix('+').unwrap_or(&lower)),
    };
    let (mantissa, exponent) = rest.strip_prefix("0x")?.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // 13 digits fill the 53 bits of a float; 15 still fit 64 bits. More digits than that are rounded by truncation.
    let digits: String = whole.chars().chain(fraction.chars()).collect();
    let dropped = digits.len().saturating_sub(15);
    let value = u64::from_str_radix(&digits[..digits.len() - dropped], 16).ok()? as f64;
    let shift = exponent.parse::<i32>().ok()?.checked_add(4 * (i32::try_from(dropped).ok()?))?;
    Some(sign * value * 2f64.powi(shift.checked_sub(4 * i32::try_from(fraction.len()).ok()?)?))
}

/// Resolves the escapes of Go's interpreted strings. The result need not be UTF-8, since `\xff` is a byte.
fn unescape(text: &str, quote: char) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            push(&mut bytes, c);
            continue;
        }
        match rest.next()? {
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(11),
            '\\' => bytes.push(b'\\'),
            'x' => bytes.push(u8::try_from(digits(&mut rest, 2, 16)?).ok()?),
            'u' => push(&mut bytes, char::from_u32(digits(&mut rest, 4, 16)?)?),
            'U' => push(&mut bytes, char::from_u32(digits(&mut rest, 8, 16)?)?),
            first @ '0'..='7' => {
                let code = first.to_digit(8)? * 64 + digits(&mut rest, 2, 8)?;
                bytes.push(u8::try_from(code).ok()?);
            }
            c if c == quote => push(&mut bytes, c),
            _ => return None,
        }
    }
    Some(bytes)
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn digits(rest: &mut std::str::Chars<'_>, count: usize, base: u32) -> Option<u32> {
    (0..count).try_fold(0u32, |value, _| value.checked_mul(base)?.checked_add(rest.next()?.to_digit(base)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        for (token, value) in [
            (r#""a\tb""#, "a\tb"),
            (r#""\x41\101\u00e9\U0001F600\"""#, "AA\u{e9}\u{1F600}\""),
            ("`a\\n\r\nb`", "a\\n\nb"),
        ] {
            assert_eq!(unquote(token).unwrap(), value, "{token}");
        }
        for token in [r#""\q""#, r#""\'""#, r#""\xf""#, r#""\ud800""#, r#""\400""#] {
            assert_eq!(unquote(token).unwrap_err(), "invalid syntax", "{token}");
        }
    }

    #[test]
    fn numbers() {
        let int = |text: &str| number(text).unwrap().int;
        let cases = [
            ("0", 0),
            ("-7", -7),
            ("0x1F", 31),
            ("0o17", 15),
            ("017", 15),
            ("0b101", 5),
            ("1_000", 1000),
            ("1e3", 1000),
        ];
        for (text, value) in cases {
            assert_eq!(int(text), Some(value), "{text}");
        }
        assert_eq!(number("1.5").unwrap().int, None);
        assert_eq!(number("0x1.8p3").unwrap().float, Some(12.0));
        for text in ["1__0", "1_", "0x", "1.2.3", "08", "1e400", "99999999999999999999", "1i"] {
            assert!(number(text).is_err(), "{text}");
        }
        assert_eq!(character("'a'").unwrap().int, Some(97));
        assert_eq!(character(r"'\xff'").unwrap().int, Some(255));
        assert!(character("'ab'").is_err());
        assert!(character("''").is_err());
    }
}
