//! Values to YAML text: block style, text in double quotes, text of several lines in literal blocks.
//!
//! The layout is libyaml's, so that the text stays the same byte for byte.

use std::fmt::Write;

use crate::hcl::value::{Data, Value};

/// Columns that one level is indented by.
const STEP: usize = 2;
/// The column after which quoted text is broken at the next blank.
const WIDTH: usize = 80;
/// The longest key, in bytes, that stands before its `:` on the same line.
const MAX_SIMPLE_KEY: usize = 128;

/// The text of a document with a value; an error names what YAML cannot hold.
pub(super) fn encode(value: &Value) -> Result<String, String> {
    let mut emitter = Emitter { out: String::new(), column: 0, at_blank: true, at_indent: true, open_ended: false };
    emitter.node(value, None, Place::Root)?;
    emitter.indent(0);
    if emitter.open_ended {
        emitter.mark("...", Before::Blank);
        emitter.indent(0);
    }
    Ok(emitter.out)
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    /// A key before its `:`.
    Key,
    /// A key after `?`, or the value of a mapping.
    Entry,
}

/// What must stand before a mark.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Blank,
    Anything,
}

struct Emitter {
    out: String,
    column: usize,
    /// Whether a blank, or nothing, is what was written last.
    at_blank: bool,
    /// Whether only blanks and marks that a nested block may follow stand on this line.
    at_indent: bool,
    /// Whether the text needs an end mark, since more could belong to the last value.
    open_ended: bool,
}

impl Emitter {
    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column = if c == '\n' { 0 } else { self.column + 1 };
    }

    /// Goes to a column, on a new line unless nothing stands on this one yet.
    fn indent(&mut self, column: usize) {
        if !self.at_indent || self.column > column || (self.column == column && !self.at_blank) {
            self.put('\n');
        }
        while self.column < column {
            self.put(' ');
        }
        (self.at_blank, self.at_indent) = (true, true);
    }

    fn mark(&mut self, mark: &str, before: Before) {
        if before == Before::Blank && !self.at_blank {
            self.put(' ');
        }
        mark.chars().for_each(|c| self.put(c));
        self.at_blank = false;
        self.at_indent = false;
        self.open_ended = false;
    }

    /// A mark after which a nested block may begin on the same line.
    fn block_mark(&mut self, mark: &str) {
        let at_indent = self.at_indent;
        self.mark(mark, Before::Blank);
        self.at_indent = at_indent;
    }

    /// A value within a block at a column; none at the root.
    fn node(&mut self, value: &Value, column: Option<usize>, place: Place) -> Result<(), String> {
        match value.data() {
            Data::Unknown(_) => return Err("an unknown value has no YAML form".into()),
            Data::Null(_) => self.plain("null", place),
            Data::Bool(value) => self.plain(&value.to_string(), place),
            Data::Number(number) => self.plain(&number.to_string(), place),
            Data::String(text) => self.text(text, inner(column, STEP), place),
            Data::List(_, values) | Data::Set(_, values) | Data::Tuple(values) => {
                return self.sequence(values, column, place);
            }
            Data::Map(_, values) | Data::Object(values) => {
                if values.is_empty() {
                    self.mark("{}", Before::Blank);
                }
                let column = inner(column, 0);
                for (key, value) in values.iter() {
                    self.entry(key, value, column)?;
                }
            }
        }
        Ok(())
    }

    /// The items of a mapping's value stand below its key, not further in.
    fn sequence(&mut self, values: &[Value], column: Option<usize>, place: Place) -> Result<(), String> {
        if values.is_empty() {
            self.mark("[]", Before::Blank);
        }
        let column = match column {
            Some(column) if place == Place::Entry && !self.at_indent => column,
            column => inner(column, 0),
        };
        for value in values {
            self.indent(column);
            self.block_mark("-");
            self.node(value, Some(column), Place::Item)?;
        }
        Ok(())
    }

    fn entry(&mut self, key: &str, value: &Value, column: usize) -> Result<(), String> {
        self.indent(column);
        let text_column = column + STEP;
        if key.len() <= MAX_SIMPLE_KEY && !key.contains(is_break) {
            self.text(key, text_column, Place::Key);
            self.mark(":", Before::Anything);
        } else {
            self.block_mark("?");
            self.text(key, text_column, Place::Entry);
            self.indent(column);
            self.block_mark(":");
        }
        self.node(value, Some(column), Place::Entry)
    }

    fn plain(&mut self, text: &str, place: Place) {
        self.mark(text, Before::Blank);
        self.open_ended = place == Place::Root;
    }

    fn text(&mut self, text: &str, column: usize, place: Place) {
        if place != Place::Key && text.contains('\n') && fits_block(text) {
            self.literal(text, column);
        } else {
            self.quoted(text, column, place);
        }
    }

    fn quoted(&mut self, text: &str, column: usize, place: Place) {
        self.mark("\"", Before::Blank);
        let mut after_blank = false;
        let last = text.len().saturating_sub(1);
        for (at, c) in text.char_indices() {
            let breaks = place != Place::Key && !after_blank && self.column > WIDTH && at > 0 && at < last;
            match c {
                ' ' if breaks => {
                    self.indent(column);
                    if text[at + 1..].starts_with(' ') {
                        self.put('\\');
                    }
                }
                '"' | '\\' => {
                    self.put('\\');
                    self.put(c);
                }
                c if is_printable(c) && !is_break(c) => self.put(c),
                c => escape(c).chars().for_each(|c| self.put(c)),
            }
            after_blank = c == ' ';
        }
        self.mark("\"", Before::Anything);
    }

    fn literal(&mut self, text: &str, column: usize) {
        self.mark("|", Before::Blank);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.mark(&STEP.to_string(), Before::Anything);
        }
        let breaks = text.chars().rev().take_while(|c| is_break(*c)).count();
        match breaks {
            0 => self.mark("-", Before::Anything),
            1 if text.chars().count() > 1 => {}
            _ => self.mark("+", Before::Anything),
        }
        self.put('\n');
        (self.at_blank, self.at_indent) = (true, true);
        let mut new_line = true;
        for c in text.chars() {
            if is_break(c) {
                self.put(c);
                self.column = 0;
                self.at_indent = true;
            } else {
                if new_line {
                    self.indent(column);
                }
                self.put(c);
                self.at_indent = false;
            }
            new_line = is_break(c);
        }
    }
}

/// The column of what stands inside a block at a column.
fn inner(column: Option<usize>, at_root: usize) -> usize {
    column.map_or(at_root, |column| column + STEP)
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What needs no escape. Characters beyond the first plane do, as in the original.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Whether a literal block shows the text as it is.
fn fits_block(text: &str) -> bool {
    let chars = || text.chars().zip(text.chars().skip(1));
    text.chars().all(is_printable) && !text.ends_with(' ') && !chars().any(|(c, next)| c == ' ' && is_break(next))
}

fn escape(c: char) -> String {
    let letter = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c => {
            let mut escaped = String::new();
            let _ = match u32::from(c) {
                code @ ..=0xff => write!(escaped, "\\x{code:02X}"),
                code @ ..=0xffff => write!(escaped, "\\u{code:04X}"),
                code => write!(escaped, "\\U{code:08X}"),
            };
            return escaped;
        }
    };
    format!("\\{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: Value) -> String {
        encode(&value).unwrap()
    }

    fn object(entries: &[(&str, Value)]) -> Value {
        Value::object(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    }

    #[test]
    fn text() {
        let cases = [
            ("", "\"\"\n"),
            ("a\nb", "|-\n  a\n  b\n"),
            ("a\nb\n", "|\n  a\n  b\n"),
            ("a\n\n", "|+\n  a\n\n"),
            ("\n", "|2+\n\n"),
            (" a\nb", "|2-\n   a\n  b\n"),
            ("a \nb", "\"a \\nb\"\n"),
            ("a\tb\n", "\"a\\tb\\n\"\n"),
            ("😀\u{feff}\u{7f}\u{1}", "\"\\U0001F600\\uFEFF\\x7F\\x01\"\n"),
        ];
        for (text, want) in cases {
            assert_eq!(encoded(Value::string(text)), want, "{text:?}");
        }
    }

    #[test]
    fn nested() {
        let lines = Value::string("x\ny\n");
        let value = object(&[("a", Value::tuple(vec![lines.clone(), object(&[("b", lines)])])), ("c", object(&[]))]);
        assert_eq!(encoded(value), "\"a\":\n- |\n  x\n  y\n- \"b\": |\n    x\n    y\n\"c\": {}\n");
        let long = "k".repeat(129);
        let value = object(&[(&long, Value::tuple(vec![Value::bool(true)]))]);
        assert_eq!(encoded(value), format!("? \"{long}\"\n: - true\n"));
    }

    #[test]
    fn long_text_is_broken_at_blanks() {
        let text = "word ".repeat(20);
        let broken = encoded(object(&[("k", Value::string(text.trim_end()))]));
        let lines: Vec<&str> = broken.lines().collect();
        assert_eq!(lines.len(), 2, "{broken}");
        assert!(lines[0].len() > WIDTH && lines[1].starts_with("  word"), "{broken}");
    }
}
