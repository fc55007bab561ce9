//! Writes one value by one verb with its flags.

use std::fmt::Write;

use super::number;
use super::quoted::{Charset, fits_raw, is_printable, quote, quoted};
use crate::text_template::data::Data;
use crate::text_template::limits::MAX_TEXT;

/// What stood between `%` and the verb.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    pub plus: bool,
    pub minus: bool,
    pub sharp: bool,
    pub space: bool,
    pub zero: bool,
    /// `%#v`: the value as Go's source would have it.
    pub source: bool,
    pub width: Option<usize>,
    pub precision: Option<usize>,
}

#[derive(Default)]
pub struct Writer {
    pub out: String,
    pub flags: Flags,
    /// Set when something was left out for being too large.
    pub overflowed: bool,
}

impl Writer {
    /// Writes a value that stands alone, nil for one.
    pub fn value(&mut self, value: &Data, verb: char) {
        match (value, verb) {
            (_, 'T') => self.string(value.type_name(), 's'),
            (Data::Nil, 'v') => self.padded("<nil>"),
            (Data::Nil, _) => self.bad_verb(value, verb),
            _ => self.typed(value, verb),
        }
    }

    fn typed(&mut self, value: &Data, verb: char) {
        if self.out.len() > MAX_TEXT {
            self.overflowed = true;
            return;
        }
        match value {
            Data::Nil => self.out.push_str(if self.flags.source { "interface {}(nil)" } else { "<nil>" }),
            Data::Bool(flag) => match verb {
                't' | 'v' => self.padded(if *flag { "true" } else { "false" }),
                _ => self.bad_verb(value, verb),
            },
            Data::Int(number) => self.int(*number, verb),
            Data::Float(number) => self.float(*number, verb),
            Data::String(text) => self.string(text, verb),
            Data::List(_) | Data::Map(_) if verb == 'p' => self.bad_verb(value, verb),
            Data::List(items) => self.list(items, verb),
            Data::Map(entries) => self.map(entries, verb),
        }
    }

    fn list(&mut self, items: &[Data], verb: char) {
        let (open, between, close) = if self.flags.source { ("[]interface {}{", ", ", "}") } else { ("[", " ", "]") };
        self.out.push_str(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(between);
            }
            self.typed(item, verb);
        }
        self.out.push_str(close);
    }

    fn map(&mut self, entries: &std::collections::BTreeMap<String, Data>, verb: char) {
        let source = self.flags.source;
        let (open, between, close) = if source { ("map[string]interface {}{", ", ", "}") } else { ("map[", " ", "]") };
        self.out.push_str(open);
        for (index, (key, item)) in entries.iter().enumerate() {
            if index > 0 {
                self.out.push_str(between);
            }
            self.string(key, verb);
            self.out.push(':');
            self.typed(item, verb);
        }
        self.out.push_str(close);
    }

    /// `%!d(string=x)`: what Go shows for a verb that does not fit the value.
    fn bad_verb(&mut self, value: &Data, verb: char) {
        let _ = write!(self.out, "%!{verb}(");
        if *value == Data::Nil {
            self.out.push_str("<nil>");
        } else {
            self.out.push_str(value.type_name());
            self.out.push('=');
            self.typed(value, 'v');
        }
        self.out.push(')');
    }

    fn string(&mut self, text: &str, verb: char) {
        let cut: String;
        let text = match self.flags.precision {
            Some(precision) if !matches!(verb, 'x' | 'X') && precision < text.len() => {
                cut = text.chars().take(precision).collect();
                &cut
            }
            _ => text,
        };
        match verb {
            'v' if self.flags.source => self.padded(&quote(text)),
            'v' | 's' => self.padded(text),
            'x' | 'X' => self.hexadecimal(text.as_bytes(), verb),
            'q' if self.flags.sharp && fits_raw(text) => self.padded(&format!("`{text}`")),
            'q' => self.padded(&quoted(text, '"', self.charset())),
            _ => self.bad_verb(&Data::from(text), verb),
        }
    }

    fn charset(&self) -> Charset {
        if self.flags.plus { Charset::Ascii } else { Charset::Unicode }
    }

    fn hexadecimal(&mut self, bytes: &[u8], verb: char) {
        let bytes = &bytes[..bytes.len().min(self.flags.precision.unwrap_or(usize::MAX))];
        let prefix = if verb == 'x' { "0x" } else { "0X" };
        let mut text = String::with_capacity(bytes.len() * 2);
        for (index, byte) in bytes.iter().enumerate() {
            if self.flags.space && index > 0 {
                text.push(' ');
            }
            if self.flags.sharp && (self.flags.space || index == 0) {
                text.push_str(prefix);
            }
            let _ = if verb == 'x' { write!(text, "{byte:02x}") } else { write!(text, "{byte:02X}") };
        }
        self.padded(&text);
    }

    fn int(&mut self, value: i64, verb: char) {
        let magnitude = value.unsigned_abs();
        let (prefix, digits) = match verb {
            'v' | 'd' => ("", magnitude.to_string()),
            'b' => (if self.flags.sharp { "0b" } else { "" }, format!("{magnitude:b}")),
            'o' => (if self.flags.sharp { "0" } else { "" }, format!("{magnitude:o}")),
            'O' => ("0o", format!("{magnitude:o}")),
            'x' => (if self.flags.sharp { "0x" } else { "" }, format!("{magnitude:x}")),
            'X' => (if self.flags.sharp { "0X" } else { "" }, format!("{magnitude:X}")),
            'c' => return self.padded(&character(value).to_string()),
            'q' => return self.padded(&quoted(&character(value).to_string(), '\'', self.charset())),
            'U' => return self.code_point(value),
            _ => return self.bad_verb(&Data::Int(value), verb),
        };
        self.signed_digits(value < 0, prefix, &digits);
    }

    /// Zero padding goes between the sign and the digits; the prefix is not counted.
    fn signed_digits(&mut self, negative: bool, prefix: &str, digits: &str) {
        let flags = self.flags;
        let sign = match (negative, flags.plus, flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        if flags.precision == Some(0) && digits == "0" {
            return self.padded_with("", ' ');
        }
        let least = match (flags.precision, flags.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if flags.zero && !flags.minus => width - sign.len().min(width),
            _ => 0,
        };
        let zeros = "0".repeat(least.saturating_sub(digits.len()));
        // `%#o` promises a leading zero, not one more.
        let prefix = if prefix == "0" && (!zeros.is_empty() || digits.starts_with('0')) { "" } else { prefix };
        self.padded_with(&format!("{sign}{prefix}{zeros}{digits}"), ' ');
    }

    fn code_point(&mut self, value: i64) {
        let least = self.flags.precision.unwrap_or(4).max(4);
        let mut text = format!("U+{value:0least$X}");
        if self.flags.sharp && u32::try_from(value).ok().and_then(char::from_u32).is_some_and(is_printable) {
            let _ = write!(text, " '{}'", character(value));
        }
        self.padded_with(&text, ' ');
    }

    fn float(&mut self, value: f64, verb: char) {
        let (style, precision) = match verb {
            'v' | 'g' | 'G' => (if verb == 'G' { 'G' } else { 'g' }, self.flags.precision),
            'e' | 'E' | 'f' | 'F' => (verb, Some(self.flags.precision.unwrap_or(6))),
            _ => return self.bad_verb(&Data::Float(value), verb),
        };
        let mut text = number::float(value, style, precision);
        if self.flags.sharp && value.is_finite() {
            text = with_point(&text, style, precision);
        }
        let (sign, digits) = match (text.strip_prefix('-'), text.strip_prefix('+')) {
            (Some(digits), _) => ("-", digits),
            (_, Some(digits)) => (if self.flags.plus || !self.flags.space { "+" } else { " " }, digits),
            _ => (
                if self.flags.plus {
                    "+"
                } else if self.flags.space {
                    " "
                } else {
                    ""
                },
                text.as_str(),
            ),
        };
        let width = self.flags.width.unwrap_or(0);
        if self.flags.zero && !self.flags.minus && value.is_finite() && width > sign.len() + digits.len() {
            let zeros = "0".repeat(width - sign.len() - digits.len());
            self.out.push_str(&format!("{sign}{zeros}{digits}"));
        } else {
            self.padded_with(&format!("{sign}{digits}"), if value.is_finite() { self.fill() } else { ' ' });
        }
    }

    fn fill(&self) -> char {
        if self.flags.zero && !self.flags.minus { '0' } else { ' ' }
    }

    fn padded(&mut self, text: &str) {
        self.padded_with(text, self.fill());
    }

    fn padded_with(&mut self, text: &str, fill: char) {
        let missing = self.flags.width.unwrap_or(0).saturating_sub(text.chars().count());
        let padding = |fill: char| std::iter::repeat_n(fill, missing);
        if !self.flags.minus {
            self.out.extend(padding(fill));
        }
        self.out.push_str(text);
        if self.flags.minus {
            self.out.extend(padding(' '));
        }
    }
}

/// `%#f`, `%#g`: a point even where no digit follows it, and for `%#g` the zeros too.
fn with_point(text: &str, style: char, precision: Option<usize>) -> String {
    let split = text.find(['e', 'E']).unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at(split);
    let mut mantissa = mantissa.to_string();
    if !mantissa.contains('.') {
        mantissa.push('.');
    }
    if matches!(style, 'g' | 'G') {
        let significant = mantissa.trim_start_matches(['-', '0', '.']).chars().filter(char::is_ascii_digit).count();
        let wanted = precision.unwrap_or(6).max(1);
        mantissa.extend(std::iter::repeat_n('0', wanted.saturating_sub(significant.max(1))));
    }
    mantissa + exponent
}

/// The character of that number; the replacement character if there is none.
fn character(code: i64) -> char {
    u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}
