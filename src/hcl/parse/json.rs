//! The language written in JSON: blocks are objects keyed by their labels, arrays repeat them, strings are templates.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::json_text::{self, Json, JsonKind};
use super::lower::Lower;
use super::repair::{Repaired, place};
use super::template::Style;
use super::{explain, parse_expr, template_kind, unreadable};
use crate::hcl::ast::{Attribute, Block, Body, Expr, ExprKind, Key, Label, Member, Syntax};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, FileId, Span};
use crate::hcl::number::Number;
use crate::hcl::types::Type;
use crate::hcl::value::Value;

/// The key of comments in bodies.
const COMMENT: &str = "//";

/// Which properties of an object are blocks; JSON itself does not say.
pub struct JsonBody {
    /// The blocks. All other properties are attributes.
    pub blocks: &'static [JsonBlock],
    /// Attributes whose strings are expressions and not templates, such as a type.
    pub expressions: &'static [&'static str],
}

/// A kind of block.
pub struct JsonBlock {
    /// The block's type.
    pub kind: &'static str,
    /// How many labels it has.
    pub labels: usize,
    /// What is in it.
    pub body: &'static JsonBody,
}

/// A body whose blocks are only known when it is decoded: they stay attributes until then.
pub static OPEN: JsonBody =
    JsonBody { blocks: &[JsonBlock { kind: "dynamic", labels: 1, body: &DYNAMIC }], expressions: &[] };

static DYNAMIC: JsonBody =
    JsonBody { blocks: &[JsonBlock { kind: "content", labels: 0, body: &OPEN }], expressions: &["iterator"] };

/// What strings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strings {
    /// Templates: `${…}` and `%{…}` are evaluated.
    Templates,
    /// Just text.
    Literal,
}

/// Parses a file in JSON syntax.
pub fn parse_json(file: FileId, text: &str, schema: &JsonBody, strings: Strings) -> (Option<Body>, Diagnostics) {
    if let Some(problem) = unreadable(file, text) {
        return (None, problem.into());
    }
    let json = match json_text::read(text) {
        Ok(json) => json,
        Err(error) => {
            let span = Span::new(file, error.at..error.at);
            return (None, Diagnostic::error("Invalid JSON", error.message).at(&span).into());
        }
    };
    let mut reader = Reader { file, strings, diagnostics: Diagnostics::new() };
    let body = reader.root(&json, schema);
    (body, reader.diagnostics.sorted())
}

/// Parses a text that is one JSON value, as an expression of literals; strings are just text. Objects keep repeated keys.
pub fn parse_json_value(file: FileId, text: &str) -> Result<Expr, Diagnostics> {
    if let Some(problem) = unreadable(file, text) {
        return Err(problem.into());
    }
    let json = json_text::read(text).map_err(|error| {
        let span = Span::new(file, error.at..error.at);
        Diagnostics::from(Diagnostic::error("Invalid JSON", error.message).at(&span))
    })?;
    let mut reader = Reader { file, strings: Strings::Literal, diagnostics: Diagnostics::new() };
    let expr = reader.value(&json);
    if reader.diagnostics.has_errors() { Err(reader.diagnostics) } else { Ok(expr) }
}

struct Reader {
    file: FileId,
    strings: Strings,
    diagnostics: Diagnostics,
}

impl Reader {
    fn span(&self, range: &Range<usize>) -> Span {
        Span::new(self.file, range.clone())
    }

    /// The whole is one object, or an array of objects that count as one.
    fn root(&mut self, json: &Json, schema: &JsonBody) -> Option<Body> {
        let mut body = self.empty(&json.range);
        let parts = match &json.kind {
            JsonKind::Array(parts) => parts.iter().collect(),
            _ => vec![json],
        };
        for part in parts {
            if !self.fill(&mut body, part, schema) {
                let detail = "The root value must be either a JSON object or a JSON array of objects.";
                self.diagnostics
                    .push(Diagnostic::error("Root value must be object", detail).at(&self.span(&part.range)));
                return None;
            }
        }
        Some(body)
    }

    fn empty(&self, range: &Range<usize>) -> Body {
        Body { attributes: Vec::new(), blocks: Vec::new(), span: self.span(range), syntax: Syntax::Json }
    }

    /// Adds the properties of an object to a body; false if it is none.
    fn fill(&mut self, body: &mut Body, json: &Json, schema: &JsonBody) -> bool {
        let JsonKind::Object(entries) = &json.kind else { return false };
        let mut set: HashSet<String> = body.attributes.iter().map(|attribute| attribute.name.clone()).collect();
        for (name, range, value) in entries.iter().filter(|(name, _, _)| name != COMMENT) {
            match schema.blocks.iter().find(|block| block.kind == name) {
                Some(block) => self.blocks(block, range, value, &mut Vec::new(), &mut body.blocks),
                None if set.insert(name.clone()) => body.attributes.push(self.attribute(name, range, value, schema)),
                None => {
                    let detail =
                        format!("The argument \"{name}\" was already set. Each argument may be set only once.");
                    let diagnostic = Diagnostic::error("Attribute redefined", detail).at(&self.span(range));
                    self.diagnostics.push(diagnostic);
                }
            }
        }
        true
    }

    fn attribute(&mut self, name: &str, range: &Range<usize>, value: &Json, schema: &JsonBody) -> Attribute {
        let name_span = self.span(range);
        let expr = match &value.kind {
            JsonKind::String(text) if schema.expressions.contains(&name) => self.expression(text, &value.range),
            _ => self.value(value),
        };
        let span = name_span.to(&expr.span);
        Attribute { name: name.to_owned(), name_span, expr, span }
    }

    /// The blocks of a property: first a level of objects for each label, then the bodies; arrays repeat at any level.
    fn blocks(
        &mut self,
        schema: &JsonBlock,
        kind: &Range<usize>,
        json: &Json,
        labels: &mut Vec<Label>,
        blocks: &mut Vec<Block>,
    ) {
        match &json.kind {
            JsonKind::Array(items) => items.iter().for_each(|item| self.blocks(schema, kind, item, labels, blocks)),
            JsonKind::Null => {}
            JsonKind::Object(entries) if labels.len() < schema.labels => {
                for (text, range, value) in entries.iter().filter(|(text, _, _)| text != COMMENT) {
                    labels.push(Label { text: text.clone(), span: self.span(range) });
                    self.blocks(schema, kind, value, labels, blocks);
                    labels.pop();
                }
            }
            JsonKind::Object(_) => {
                let mut body = self.empty(&json.range);
                self.fill(&mut body, json, schema.body);
                let kind_span = self.span(kind);
                let header = labels.last().map_or_else(|| kind_span.clone(), |label| label.span.clone());
                let span = kind_span.to(&body.span);
                let (kind, labels, body) = (schema.kind.to_owned(), labels.clone(), Arc::new(body));
                blocks.push(Block { kind, kind_span, labels, body, header, span });
            }
            _ => {
                let detail = format!("A JSON object or array of objects is required for the {} block.", schema.kind);
                self.diagnostics
                    .push(Diagnostic::error("Incorrect JSON value type", detail).at(&self.span(&json.range)));
            }
        }
    }

    fn value(&mut self, json: &Json) -> Expr {
        let kind = match &json.kind {
            JsonKind::Null => ExprKind::Literal(Value::null(Type::Dynamic)),
            JsonKind::Bool(value) => ExprKind::Literal(Value::bool(*value)),
            JsonKind::Number(text) => self.number(text, &json.range),
            JsonKind::String(text) => return self.template(text, &json.range),
            JsonKind::Array(items) => ExprKind::Tuple(items.iter().map(|item| self.value(item)).collect()),
            JsonKind::Object(entries) => {
                let item =
                    |(key, range, value): &(String, Range<usize>, Json)| (self.key(key, range), self.value(value));
                ExprKind::Object(entries.iter().map(item).collect())
            }
        };
        Expr { kind, span: self.span(&json.range) }
    }

    fn number(&mut self, text: &str, range: &Range<usize>) -> ExprKind {
        let Some(number) = Number::parse(text) else {
            let detail = "The number is too large to be worked with.";
            self.diagnostics.push(Diagnostic::error("Invalid number", detail).at(&self.span(range)));
            return ExprKind::Literal(Value::unknown(Type::Number));
        };
        ExprKind::Literal(Value::number(number))
    }

    fn key(&mut self, text: &str, range: &Range<usize>) -> Key {
        let expr = self.template(text, range);
        match &expr.kind {
            ExprKind::Literal(value) if value.as_str().is_some() => {
                let name = value.as_str().unwrap_or_default().to_owned();
                Key::Name(Member { name, span: expr.span })
            }
            _ => Key::Expr(expr),
        }
    }

    /// A string as what it stands for. Places inside it are lost in JSON's escapes, so all are the string's.
    fn template(&mut self, text: &str, range: &Range<usize>) -> Expr {
        let span = self.span(range);
        let literal = || Expr { kind: ExprKind::Literal(Value::string(text)), span: span.clone() };
        if self.strings == Strings::Literal || !(text.contains("${") || text.contains("%{")) {
            return literal();
        }
        let mut repaired = Repaired::new(text);
        match repaired.parse(hcl::edit::parser::parse_template) {
            Ok(tree) => {
                let mut lower = Lower::new(self.file, text, 0, &repaired).placed(&span);
                let kind = template_kind(lower.template(&tree, Style::Lines));
                self.diagnostics.extend(lower.into_diagnostics());
                Expr { kind, span: span.clone() }
            }
            Err(error) => {
                let at = place(text, &error);
                self.diagnostics.push(explain::explain(self.file, text, at, error.message()).at(&span));
                literal()
            }
        }
    }

    /// A string that is an expression.
    fn expression(&mut self, text: &str, range: &Range<usize>) -> Expr {
        let span = self.span(range);
        match parse_expr(self.file, text) {
            // Types and names need no place of their own inside the string.
            Ok(expr) => Expr { span: span.clone(), ..expr },
            Err(errors) => {
                self.diagnostics.extend(errors.into_iter().map(|error| error.at(&span)));
                Expr { kind: ExprKind::Literal(Value::string(text)), span: span.clone() }
            }
        }
    }
}
