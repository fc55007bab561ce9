//! What the parser refuses and the language allows, made palatable without moving a byte.
//!
//! Repairs replace text by text of the same length, so every place in the tree is a place in the source; whoever walks
//! the tree asks [`Repaired::original`] what really stood there.

use std::collections::BTreeMap;
use std::ops::Range;

use hcl::edit::parser::Error;

use super::heredoc;

/// Bytes parsed again after repairs, over all repairs of a text: some ten seconds.
const MAX_REPARSED: usize = 64 << 20;

/// A text with its repairs.
pub(super) struct Repaired<'a> {
    original: &'a str,
    text: String,
    /// What was replaced, by where it starts.
    replaced: BTreeMap<usize, (usize, Kind)>,
    /// Bytes that may still be parsed again.
    budget: usize,
}

/// What kind of thing was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The key of an object that has it twice.
    Key,
    /// The name of an attribute that its body has twice.
    Attribute,
    /// A number that is too large for a double.
    Number,
}

impl<'a> Repaired<'a> {
    /// A text; a byte order mark and the words of heredocs are repaired at once.
    pub(super) fn new(original: &'a str) -> Self {
        let mut text = heredoc::disguised(original);
        if text.starts_with('\u{feff}') {
            text.replace_range(..'\u{feff}'.len_utf8(), "   ");
        }
        Self { original, text, replaced: BTreeMap::new(), budget: MAX_REPARSED }
    }

    /// The text as the parser sees it.
    pub(super) fn seen(&self) -> &str {
        &self.text
    }

    /// What stood in the place of a repair.
    pub(super) fn original(&self, start: usize) -> Option<(&'a str, Kind)> {
        let (end, kind) = self.replaced.get(&start)?;
        Some((&self.original[start..*end], *kind))
    }

    /// Takes a part of the text out of the parser's sight.
    pub(super) fn blank(&mut self, range: Range<usize>) {
        let blank: String = self.text[range.clone()]
            .chars()
            .map(|c| if matches!(c, '\n' | '\r') { c.to_string() } else { " ".repeat(c.len_utf8()) })
            .collect();
        self.text.replace_range(range, &blank);
    }

    /// Puts a sign in the place of as many bytes.
    pub(super) fn write(&mut self, at: usize, sign: &str) {
        self.text.replace_range(at..at + sign.len(), sign);
    }

    /// Whether the text may be parsed once more.
    pub(super) fn pay(&mut self) -> bool {
        let cost = self.text.len().max(1);
        let affordable = self.budget >= cost;
        self.budget = self.budget.saturating_sub(cost);
        affordable
    }

    /// Parses, repairing what can be repaired.
    pub(super) fn parse<T>(&mut self, parser: fn(&str) -> Result<T, Error>) -> Result<T, Error> {
        loop {
            match parser(&self.text) {
                Err(error) if self.budget >= self.text.len() && self.repair(&error) => {
                    self.budget = self.budget.saturating_sub(self.text.len().max(1));
                }
                result => return result,
            }
        }
    }

    fn repair(&mut self, error: &Error) -> bool {
        let mut at = place(&self.text, error);
        let rest = &self.text[at..];
        let (length, kind) = if error.message().contains("redefined object key") {
            (key_length(rest), Kind::Key)
        } else if error.message().contains("redefined attribute") {
            (word_length(rest), Kind::Attribute)
        } else if let Some(range) = huge_number(&self.text, at) {
            at = range.start;
            (range.len(), Kind::Number)
        } else {
            return false;
        };
        if length == 0 {
            return false;
        }
        // Every repair of the same place must give another word; their number serves as the counter.
        let turn = self.replaced.len() + 1;
        let unique = if kind == Kind::Number { "0".repeat(length) } else { unique_word(turn, length) };
        self.text.replace_range(at..at + length, &unique);
        self.replaced.insert(at, (at + length, kind));
        true
    }
}

/// A word of exactly this many bytes, blanks included, that differs from turn to turn as long as the length allows.
fn unique_word(turn: usize, length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut word = String::new();
    let mut left = turn;
    while word.len() < length && (left > 0 || word.is_empty()) {
        word.push(char::from(LETTERS[left % LETTERS.len()]));
        left /= LETTERS.len();
    }
    format!("{word:length$}")
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len())
}

/// The bytes of an object key: a word or number, a quoted string, or an expression in parentheses.
fn key_length(text: &str) -> usize {
    match text.as_bytes().first() {
        Some(b'"') => 1 + text.get(1..).and_then(string_end).unwrap_or(0),
        Some(b'(') => 1 + text.get(1..).and_then(|rest| closing(rest, b')')).unwrap_or(0),
        _ => text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(text.len()),
    }
}

/// The bytes up to and including the quote that ends a string.
fn string_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            b'$' | b'%' if bytes.get(at + 1) == Some(&b'{') => at += 2 + closing(text.get(at + 2..)?, b'}')?,
            _ => at += 1,
        }
    }
    None
}

/// The bytes up to and including the bracket that closes what is open.
fn closing(text: &str, bracket: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            byte if byte == bracket => return Some(at + 1),
            b'"' => at += 1 + string_end(text.get(at + 1..)?)?,
            b'(' => at += 1 + closing(text.get(at + 1..)?, b')')?,
            b'[' => at += 1 + closing(text.get(at + 1..)?, b']')?,
            b'{' => at += 1 + closing(text.get(at + 1..)?, b'}')?,
            _ => at += 1,
        }
    }
    None
}

/// The number around a place, if its exponent is beyond what a double holds.
fn huge_number(text: &str, at: usize) -> Option<Range<usize>> {
    let is_digit = |c: char| c.is_ascii_digit() || c == '.';
    let start = text[..at].trim_end_matches(is_digit).len();
    let rest = &text[start..];
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-'))).unwrap_or(rest.len());
    let number = &rest[..end];
    let digits = number.starts_with(|c: char| c.is_ascii_digit()) && number.contains(['e', 'E']);
    (digits && number.parse::<f64>().ok()?.is_infinite()).then_some(start..start + end)
}

/// The byte where the parser gave up; it counts the end of the text as the last byte, which may lie in a character.
pub(super) fn place(text: &str, error: &Error) -> usize {
    let at = error.location().offset().min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
