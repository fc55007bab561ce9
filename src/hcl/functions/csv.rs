//! Comma-separated values.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::str::Chars;

use super::arguments::{list, text, text_param};
use super::{Call, Function, FunctionError};
use crate::hcl::types::Type;
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[Function::new("csvdecode", &[text_param("str")], list, csvdecode)];

/// A list of objects whose attributes the first row names.
fn csvdecode(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    decode(text(args, 0)?).map_err(|message| FunctionError::argument(0, message))
}

fn decode(text: &str) -> Result<Value, String> {
    let mut rows = Reader { chars: text.chars().peekable(), line: 1 };
    // Names of attributes are in normal form, as all text is.
    let normal = |name: &String| Value::string(name).as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = rows.row()?.ok_or("there is no header line")?.iter().map(normal).collect();
    let mut distinct = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !distinct.insert(*name)) {
        return Err(format!("two columns have the name {twice:?}"));
    }
    let mut objects = Vec::new();
    loop {
        let line = rows.line;
        let Some(row) = rows.row()? else { break };
        if row.len() != names.len() {
            return Err(format!("line {line}: {} fields for {} columns", row.len(), names.len()));
        }
        let attributes: BTreeMap<String, Value> = names.iter().cloned().zip(row.iter().map(Value::string)).collect();
        objects.push(Value::object(attributes));
    }
    let ty = Type::object(names.into_iter().map(|name| (name, Type::String)));
    Ok(Value::list(ty, objects))
}

struct Reader<'t> {
    chars: Peekable<Chars<'t>>,
    line: usize,
}

impl Reader<'_> {
    /// The next row that is not blank; none at the end.
    fn row(&mut self) -> Result<Option<Vec<String>>, String> {
        while self.line_break() {}
        if self.chars.peek().is_none() {
            return Ok(None);
        }
        let mut fields = Vec::new();
        loop {
            fields.push(if self.take('"') { self.quoted()? } else { self.plain()? });
            if !self.take(',') {
                break;
            }
        }
        if self.chars.peek().is_some() && !self.line_break() {
            return Err(format!("line {}: a field goes on after its closing quote", self.line));
        }
        Ok(Some(fields))
    }

    fn take(&mut self, wanted: char) -> bool {
        self.chars.next_if_eq(&wanted).is_some()
    }

    /// Takes a line break, also one at the end of the text that lacks its second half.
    fn line_break(&mut self) -> bool {
        if self.take('\n') {
            self.line += 1;
            return true;
        }
        let mut ahead = self.chars.clone();
        if ahead.next() != Some('\r') || !matches!(ahead.next(), Some('\n') | None) {
            return false;
        }
        self.chars.next();
        self.take('\n');
        self.line += 1;
        true
    }

    fn at_line_break(&self) -> bool {
        let mut ahead = self.chars.clone();
        match ahead.next() {
            Some('\r') => matches!(ahead.next(), Some('\n') | None),
            c => c == Some('\n'),
        }
    }

    fn plain(&mut self) -> Result<String, String> {
        let mut field = String::new();
        while !self.at_line_break() {
            match self.chars.next_if(|c| *c != ',') {
                Some('"') => {
                    return Err(format!("line {}: a field with a quote in it must be quoted as a whole", self.line));
                }
                Some(c) => field.push(c),
                None => break,
            }
        }
        Ok(field)
    }

    /// A field whose opening quote has been taken; two quotes in it are one.
    fn quoted(&mut self) -> Result<String, String> {
        let start = self.line;
        let mut field = String::new();
        loop {
            if self.chars.peek() != Some(&'"') && self.line_break() {
                field.push('\n');
                continue;
            }
            match self.chars.next() {
                Some('"') if self.take('"') => field.push('"'),
                Some('"') => return Ok(field),
                Some(c) => field.push(c),
                None => return Err(format!("line {start}: a quote is not closed")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        let cases = [
            ("a,b\n1,2", Some(r#"[{"a": "1", "b": "2"}]"#)),
            ("a,b\r\n\r\n\"x\r\ny\",\"q\"\"q\"\r", Some(r#"[{"a": "x\ny", "b": "q\"q"}]"#)),
            ("a,b\n,\n", Some(r#"[{"a": "", "b": ""}]"#)),
            ("a\n x \n", Some(r#"[{"a": " x "}]"#)),
            ("a\n\"\"\n", Some(r#"[{"a": ""}]"#)),
            ("", None),
            ("\n\n", None),
            ("a\n\"x\"y\n", None),
            ("a\n\"x", None),
            ("a\nx\"y\n", None),
            ("a,b\n1\n", None),
            ("a,b\n1,2,3\n", None),
        ];
        for (text, want) in cases {
            assert_eq!(decode(text).ok().map(|value| format!("{value:?}")).as_deref(), want, "{text:?}");
        }
    }
}
