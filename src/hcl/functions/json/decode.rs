//! JSON text to values. Numbers keep all their digits, which no reader by way of doubles does; half a surrogate pair
//! becomes U+FFFD.

use std::collections::BTreeMap;

use crate::hcl::number::Number;
use crate::hcl::types::Type;
use crate::hcl::value::Value;

/// Arrays and objects nested deeper are refused, since reading them takes as much stack.
const MAX_DEPTH: usize = 500;

/// The value of a text; an error says what is wrong with it and where.
pub(super) fn decode(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.blanks();
    if reader.at < text.len() { reader.fail("there is text after the value") } else { Ok(value) }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

type Read<T> = Result<T, String>;

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn fail<T>(&self, message: &str) -> Read<T> {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Err(format!("this is no JSON: {message} (line {line}, column {column})"))
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// Takes a text if it comes next.
    fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    fn value(&mut self, depth: usize) -> Read<Value> {
        if depth > MAX_DEPTH {
            return self.fail(&format!("it is nested more than {MAX_DEPTH} levels deep"));
        }
        self.blanks();
        match self.peek() {
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            Some('"') => self.string().map(Value::string),
            Some('-' | '0'..='9') => self.number(),
            Some(_) if self.take("null") => Ok(Value::null(Type::Dynamic)),
            Some(_) if self.take("true") => Ok(Value::bool(true)),
            Some(_) if self.take("false") => Ok(Value::bool(false)),
            Some(_) => self.fail("a value is expected"),
            None => self.fail("it ends where a value should be"),
        }
    }

    fn array(&mut self, depth: usize) -> Read<Value> {
        self.next();
        let mut values = Vec::new();
        self.blanks();
        if self.take("]") {
            return Ok(Value::tuple(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.blanks();
            if self.take("]") {
                return Ok(Value::tuple(values));
            }
            if !self.take(",") {
                return self.fail("a comma or a closing bracket is expected");
            }
        }
    }

    /// Of a repeated key the last one counts.
    fn object(&mut self, depth: usize) -> Read<Value> {
        self.next();
        let mut values = BTreeMap::new();
        self.blanks();
        if self.take("}") {
            return Ok(Value::object(values));
        }
        loop {
            self.blanks();
            if self.peek() != Some('"') {
                return self.fail("a key in double quotes is expected");
            }
            // Names are in normal form, as all text is.
            let key = Value::string(self.string()?).as_str().unwrap_or_default().to_owned();
            self.blanks();
            if !self.take(":") {
                return self.fail("a colon is expected");
            }
            values.insert(key, self.value(depth + 1)?);
            self.blanks();
            if self.take("}") {
                return Ok(Value::object(values));
            }
            if !self.take(",") {
                return self.fail("a comma or a closing brace is expected");
            }
        }
    }

    fn digits(&mut self) -> usize {
        let rest = self.rest();
        let count = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        self.at += count;
        count
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        self.take("-");
        let whole = if self.take("0") { 1 } else { self.digits() };
        let fraction = !self.take(".") || self.digits() > 0;
        let exponent = !(self.take("e") || self.take("E")) || {
            let _signed = self.take("+") || self.take("-");
            self.digits() > 0
        };
        if whole == 0 || !fraction || !exponent {
            return self.fail("a number lacks digits");
        }
        match self.text.get(start..self.at).and_then(Number::parse) {
            Some(number) => Ok(Value::number(number)),
            None => self.fail("a number is too large"),
        }
    }

    fn string(&mut self) -> Read<String> {
        self.next();
        let mut string = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(string),
                Some('\\') => string.push(self.escape()?),
                Some('\0'..='\u{1f}') => return self.fail("a control character stands in a string"),
                Some(c) => string.push(c),
                None => return self.fail("a string is not closed"),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        Ok(match self.next() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => return self.code(),
            _ => return self.fail("a backslash begins no known escape"),
        })
    }

    fn code(&mut self) -> Read<char> {
        let high = self.hexadecimal()?;
        if !(0xd800..0xdc00).contains(&high) {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after = self.at;
        if self.take("\\u") {
            let low = self.hexadecimal()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hexadecimal(&mut self) -> Read<u32> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return self.fail("`\\u` needs four hexadecimal digits");
        };
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let cases = [
            (" [1, -0.5e1, true, null, {}] ", Some("[1, -5, true, null, {}]")),
            (r#"{"a": {"b": []}, "a": 2}"#, Some(r#"{"a": 2}"#)),
            ("123456789012345678901234567890.5", Some("123456789012345678901234567890.5")),
            (r#""\ud83d\ude00\ud800\u0041\/""#, Some("\"😀\u{fffd}A/\"")),
            ("\"e\u{301}\"", Some("\"é\"")),
            ("", None),
            ("[1,]", None),
            ("{\"a\":1,}", None),
            ("{a:1}", None),
            ("01", None),
            ("1.", None),
            ("-", None),
            ("1e", None),
            ("+1", None),
            ("nul", None),
            ("1 2", None),
            ("\"a\nb\"", None),
            (r#""\x""#, None),
            (r#""\u12""#, None),
            ("\u{feff}1", None),
        ];
        for (text, want) in cases {
            assert_eq!(decode(text).ok().map(|value| format!("{value:?}")).as_deref(), want, "{text}");
        }
        assert!(decode(&"[".repeat(100_000)).is_err());
        assert_eq!(
            decode("[\n 1 x").unwrap_err(),
            "this is no JSON: a comma or a closing bracket is expected (line 2, column 4)"
        );
    }
}
