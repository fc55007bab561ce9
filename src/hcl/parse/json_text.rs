//! JSON with places.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

/// Arrays and objects nested deeper are refused.
const MAX_DEPTH: usize = 64;

/// A JSON value and where it stands.
#[derive(Debug)]
pub(super) struct Json {
    pub(super) kind: JsonKind,
    pub(super) range: Range<usize>,
}

#[derive(Debug)]
pub(super) enum JsonKind {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    String(String),
    Array(Vec<Json>),
    /// In order, keys perhaps repeated, each with its place.
    Object(Vec<(String, Range<usize>, Json)>),
}

/// What is wrong with a text and where.
#[derive(Debug)]
pub(super) struct JsonError {
    pub(super) message: String,
    pub(super) at: usize,
}

/// Reads a text that is one JSON value.
pub(super) fn read(text: &str) -> Result<Json, JsonError> {
    let mut reader = Reader { text, chars: text.char_indices().peekable() };
    if text.starts_with('\u{feff}') {
        reader.chars.next();
    }
    let json = reader.value(MAX_DEPTH)?;
    reader.blanks();
    match reader.chars.peek() {
        None => Ok(json),
        Some((at, _)) => Err(JsonError { message: "There is text after the JSON value.".into(), at: *at }),
    }
}

struct Reader<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
}

impl Reader<'_> {
    fn at(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn fail<T>(&mut self, message: impl Into<String>) -> Result<T, JsonError> {
        Err(JsonError { message: message.into(), at: self.at() })
    }

    /// Something stands where it must not: what people write in other languages is called by its name.
    fn misplaced<T>(&mut self, otherwise: &str) -> Result<T, JsonError> {
        match self.chars.peek().map(|(_, c)| *c) {
            Some('}' | ']') if self.follows_comma() => {
                self.fail("Nothing comes after the comma before this: JSON has none after the last item.")
            }
            Some('/' | '#') => self.fail("JSON has no comments."),
            _ => self.fail(otherwise),
        }
    }

    fn follows_comma(&mut self) -> bool {
        let at = self.at();
        self.text[..at].trim_end().ends_with(',')
    }

    fn blanks(&mut self) {
        while self.chars.next_if(|(_, c)| matches!(c, ' ' | '\t' | '\r' | '\n')).is_some() {}
    }

    fn take(&mut self, wanted: char) -> bool {
        self.blanks();
        self.chars.next_if(|(_, c)| *c == wanted).is_some()
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.blanks();
        if depth == 0 {
            return self.fail("Arrays and objects can be nested at most 64 levels deep.");
        }
        let start = self.at();
        let kind = match self.chars.peek().map(|(_, c)| *c) {
            Some('{') => self.object(depth)?,
            Some('[') => self.array(depth)?,
            Some('"') => JsonKind::String(self.string()?),
            Some(c) if c == '-' || c.is_ascii_digit() => self.number()?,
            Some(c) if c.is_alphabetic() => self.word()?,
            Some(_) => {
                return self
                    .misplaced("A JSON value must start with a brace, a bracket, a number, a string, or a keyword.");
            }
            None => return self.fail("The JSON data ends where a value should be."),
        };
        let range = start..self.at();
        Ok(Json { kind, range })
    }

    fn object(&mut self, depth: usize) -> Result<JsonKind, JsonError> {
        self.chars.next();
        let mut entries = Vec::new();
        if self.take('}') {
            return Ok(JsonKind::Object(entries));
        }
        loop {
            self.blanks();
            let start = self.at();
            if self.chars.peek().is_none_or(|(_, c)| *c != '"') {
                return self.misplaced("An object's property name must be a string in double quotes.");
            }
            let key = self.string()?;
            let range = start..self.at();
            if !self.take(':') {
                return self.fail("A colon is expected after the property name.");
            }
            entries.push((key, range, self.value(depth - 1)?));
            if self.take('}') {
                return Ok(JsonKind::Object(entries));
            }
            if !self.take(',') {
                return self.fail("A comma or a closing brace is expected after the value.");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<JsonKind, JsonError> {
        self.chars.next();
        let mut values = Vec::new();
        if self.take(']') {
            return Ok(JsonKind::Array(values));
        }
        loop {
            values.push(self.value(depth - 1)?);
            if self.take(']') {
                return Ok(JsonKind::Array(values));
            }
            if !self.take(',') {
                return self.fail("A comma or a closing bracket is expected after the value.");
            }
        }
    }

    fn number(&mut self) -> Result<JsonKind, JsonError> {
        let start = self.at();
        let part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        while self.chars.next_if(|(_, c)| part(*c)).is_some() {}
        let end = self.at();
        let text = self.text.get(start..end).unwrap_or_default();
        match serde_json::from_str::<serde_json::Number>(text) {
            // Too large for a double is no fault of the text.
            Err(error) if !error.to_string().contains("out of range") => {
                Err(JsonError { message: "This is not a JSON number.".into(), at: start })
            }
            _ => Ok(JsonKind::Number(text.to_owned())),
        }
    }

    fn word(&mut self) -> Result<JsonKind, JsonError> {
        let start = self.at();
        while self.chars.next_if(|(_, c)| c.is_alphanumeric()).is_some() {}
        let end = self.at();
        match self.text.get(start..end).unwrap_or_default() {
            "null" => Ok(JsonKind::Null),
            "true" => Ok(JsonKind::Bool(true)),
            "false" => Ok(JsonKind::Bool(false)),
            word => {
                let message = format!("{word:?} is not a JSON keyword; strings stand in double quotes.");
                Err(JsonError { message, at: start })
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let start = self.at();
        self.chars.next();
        let mut escaped = false;
        loop {
            match self.chars.next() {
                Some((_, '"')) if !escaped => break,
                Some((_, c)) => escaped = c == '\\' && !escaped,
                None => return Err(JsonError { message: "The string is not closed.".into(), at: start }),
            }
        }
        let end = self.at();
        let quoted = self.text.get(start..end).unwrap_or_default();
        serde_json::from_str(quoted).map_err(|_| {
            let message = "The string has a line break or a backslash escape that JSON does not know.".into();
            JsonError { message, at: start }
        })
    }
}
