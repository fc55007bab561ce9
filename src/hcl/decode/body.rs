//! From a body to nodes: names checked, values converted.

use super::loose::loosened;
use super::node::{Node, NodeKind};
use super::shape::{Field, Fields, Form, Shape};
use crate::hcl::ast::Syntax;
use crate::hcl::body::{EvaluatedAttribute, EvaluatedBlock, EvaluatedBody};
use crate::hcl::convert::{convert, remedy};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span, nearest};
use crate::hcl::value::{Data, Value};

/// The name of comments in JSON.
const COMMENT: &str = "//";

/// What an unknown string becomes.
const UNKNOWN: &str = "<unknown>";

/// A body as a node of a struct's shape. What is wrong is reported and left out.
pub(super) fn node(body: &EvaluatedBody, shape: &Shape, diagnostics: &mut Diagnostics) -> Node {
    match shape {
        Shape::Object(fields) => {
            Reader { fields, also: &body.taken, diagnostics, entries: Vec::new(), given: Vec::new() }.read(body)
        }
        // A struct that takes whatever there is.
        _ => {
            let entries = body.attributes.iter().map(|(name, attribute)| {
                let element = if let Shape::Map(element) = shape { element } else { &Shape::Any };
                (name.clone(), value_node(&attribute.value, element, &attribute.value_span))
            });
            Node { kind: NodeKind::Mapping(entries.collect()), span: body.span.clone() }
        }
    }
}

/// Reads one body.
struct Reader<'r> {
    fields: &'r Fields,
    /// Names that stand in the same block but are others' to read.
    also: &'r [String],
    diagnostics: &'r mut Diagnostics,
    entries: Vec<(String, Node)>,
    /// Fields that were given, rightly or wrongly.
    given: Vec<String>,
}

impl Reader<'_> {
    fn read(mut self, body: &EvaluatedBody) -> Node {
        for (name, attribute) in &body.attributes {
            match self.fields.get(name) {
                Some(field) if body.syntax != Syntax::Native && field.form != Form::Attribute => {
                    self.json_blocks(name, attribute, body.syntax);
                }
                Some(field) if body.syntax == Syntax::Loose => {
                    let value = loosened(&attribute.value, &field.shape);
                    self.attribute(name, &EvaluatedAttribute { value, ..attribute.clone() });
                }
                _ => self.attribute(name, attribute),
            }
        }
        for block in &body.blocks {
            self.block(block);
        }
        for (kind, span) in &body.absent {
            if self.fields.get(kind).is_none() {
                self.diagnostics.push(self.unsupported_block(kind, span));
            }
        }
        for field in self.fields.iter().filter(|field| field.required) {
            if !self.given.contains(&field.name) {
                self.diagnostics.push(missing(field, &body.span));
            }
        }
        Node { kind: NodeKind::Mapping(self.entries), span: body.span.clone() }
    }

    fn attribute(&mut self, name: &str, attribute: &EvaluatedAttribute) {
        let Some(field) = self.fields.get(name) else {
            self.diagnostics.push(self.unsupported_argument(name, &attribute.name_span));
            return;
        };
        if field.form != Form::Attribute {
            self.given.push(field.name.clone());
            let detail = format!("An argument named \"{name}\" is not expected here: {name} is a block.");
            let hint = format!("write {name} {{ … }} without the equals sign");
            let diagnostic = Diagnostic::error("Unsupported argument", detail).at(&attribute.name_span);
            self.diagnostics.push(diagnostic.hint(Some(hint)));
            return;
        }
        if attribute.value.is_null() {
            return;
        }
        if self.given.contains(&field.name) {
            let detail = format!("The argument \"{name}\" was already set under another of its names.");
            self.diagnostics.push(Diagnostic::error("Duplicate argument", detail).at(&attribute.name_span));
            return;
        }
        self.given.push(field.name.clone());
        match checked(&attribute.value, &field.shape) {
            Ok(value) => {
                let node = value_node(&value, &field.shape, &attribute.value_span);
                self.entries.push((field.name.clone(), node));
            }
            Err(why) => {
                let detail = format!("Inappropriate value for attribute \"{name}\": {why}.");
                let diagnostic = Diagnostic::error("Incorrect attribute value type", detail);
                let remedy = remedy(&attribute.value, &field.shape.ty());
                self.diagnostics.push(diagnostic.at(&attribute.value_span).hint(remedy));
            }
        }
    }

    /// In JSON an object is a block and a list of objects several.
    fn json_blocks(&mut self, name: &str, attribute: &EvaluatedAttribute, syntax: Syntax) {
        let bodies: Vec<Option<EvaluatedBody>> = match attribute.value.as_sequence() {
            Some(values) => values.iter().map(|value| json_body(value, &attribute.value_span, syntax)).collect(),
            None if attribute.value.is_null() || attribute.value.is_unknown() => Vec::new(),
            None => vec![json_body(&attribute.value, &attribute.value_span, syntax)],
        };
        for body in bodies {
            let Some(body) = body else {
                let detail = format!("Inappropriate value for \"{name}\": an object or a list of objects is required.");
                let diagnostic = Diagnostic::error("Incorrect JSON value type", detail);
                self.diagnostics.push(diagnostic.at(&attribute.value_span));
                continue;
            };
            let span = attribute.name_span.clone();
            self.block(&EvaluatedBlock { kind: name.to_owned(), labels: Vec::new(), body, span });
        }
    }

    fn block(&mut self, block: &EvaluatedBlock) {
        let Some(field) = self.fields.get(&block.kind) else {
            self.diagnostics.push(self.unsupported_block(&block.kind, &block.span));
            return;
        };
        let again = self.given.contains(&field.name);
        self.given.push(field.name.clone());
        let shape = match (&field.shape, field.form) {
            (_, Form::Attribute) => {
                let kind = &block.kind;
                let detail = format!("Blocks of type \"{kind}\" are not expected here: {kind} is an argument.");
                let hint = format!("write {kind} = {{ … }} with an equals sign");
                let diagnostic = Diagnostic::error("Unsupported block type", detail).at(&block.span);
                self.diagnostics.push(diagnostic.hint(hint));
                return;
            }
            (Shape::List(element), _) => &**element,
            (shape, _) => shape,
        };
        if let Some(label) = block.labels.first() {
            let detail = format!("No labels are expected for {} blocks, but this one has {label:?}.", block.kind);
            let summary = format!("Extraneous label for {}", block.kind);
            self.diagnostics.push(Diagnostic::error(summary, detail).at(&block.span));
        }
        let mut inner = node(&block.body, shape, self.diagnostics);
        inner.span = block.span.clone();
        if field.form == Form::Blocks {
            self.push_block(&field.name, inner);
        } else if again {
            let summary = format!("Duplicate {} block", block.kind);
            let detail = format!("Only one {} block is allowed.", block.kind);
            self.diagnostics.push(Diagnostic::error(summary, detail).at(&block.span));
        } else {
            self.entries.push((field.name.clone(), inner));
        }
    }

    fn push_block(&mut self, name: &str, inner: Node) {
        let span = inner.span.clone();
        match self.entries.iter_mut().find(|(own, _)| own == name) {
            Some((_, Node { kind: NodeKind::Sequence(items), .. })) => items.push(inner),
            _ => self.entries.push((name.to_owned(), Node { kind: NodeKind::Sequence(vec![inner]), span })),
        }
    }

    fn unsupported_argument(&self, name: &str, span: &Span) -> Diagnostic {
        let detail = format!("An argument named \"{name}\" is not expected here.");
        Diagnostic::error("Unsupported argument", detail).at(span).hint(self.suggestion(name))
    }

    fn unsupported_block(&self, kind: &str, span: &Span) -> Diagnostic {
        let detail = format!("Blocks of type \"{kind}\" are not expected here.");
        Diagnostic::error("Unsupported block type", detail).at(span).hint(self.suggestion(kind))
    }

    fn suggestion(&self, name: &str) -> Option<String> {
        nearest(name, self.fields.names().chain(self.also.iter().map(String::as_str)))
            .map(|name| format!("did you mean {name:?}?"))
    }
}

/// The attributes of an object as a body.
fn json_body(value: &Value, span: &Span, syntax: Syntax) -> Option<EvaluatedBody> {
    let entries = value.as_mapping()?.keys();
    let attribute = |name: &String| {
        let value = value.get(name)?;
        Some((name.clone(), EvaluatedAttribute { value, name_span: span.clone(), value_span: span.clone() }))
    };
    let attributes = entries.filter(|name| *name != COMMENT).filter_map(attribute).collect();
    Some(EvaluatedBody { attributes, syntax, ..EvaluatedBody::empty(span.clone()) })
}

fn missing(field: &Field, span: &Span) -> Diagnostic {
    let name = &field.name;
    if field.form == Form::Attribute {
        let detail = format!("The argument \"{name}\" is required, but no definition was found.");
        Diagnostic::error("Missing required argument", detail).at(span)
    } else {
        let detail = format!("A {name} block is required, but no definition was found.");
        Diagnostic::error(format!("Missing {name} block"), detail).at(span)
    }
}

/// The value converted to the shape's type, its whole numbers checked; else why not.
fn checked(value: &Value, shape: &Shape) -> Result<Value, String> {
    let value = convert(value, &shape.ty()).map_err(|error| error.to_string())?;
    check_integers(&value, shape)?;
    Ok(value)
}

fn check_integers(value: &Value, shape: &Shape) -> Result<(), String> {
    match shape {
        Shape::Integer { min, max } => match value.as_number() {
            Some(number) if number.to_integer().and_then(|_| within(number, *min, *max)).is_none() => {
                Err(format!("value must be a whole number, between {min} and {max} inclusive"))
            }
            _ => Ok(()),
        },
        Shape::List(element) => {
            let mut values = value.as_sequence().unwrap_or_default().iter().enumerate();
            values.try_for_each(|(at, value)| {
                check_integers(value, element).map_err(|why| format!("element {at}: {why}"))
            })
        }
        Shape::Map(element) => {
            let mut values = value.as_mapping().into_iter().flatten();
            values.try_for_each(|(key, value)| {
                check_integers(value, element).map_err(|why| format!("element {key:?}: {why}"))
            })
        }
        _ => Ok(()),
    }
}

fn within(number: &crate::hcl::number::Number, min: i128, max: i128) -> Option<i128> {
    let value = number.to_i64().map(i128::from).or_else(|| number.to_u64().map(i128::from))?;
    (min..=max).contains(&value).then_some(value)
}

/// A converted value as a node.
fn value_node(value: &Value, shape: &Shape, span: &Span) -> Node {
    let element = match shape {
        Shape::List(element) | Shape::Map(element) => element,
        _ => &Shape::Any,
    };
    let kind = match value.data() {
        Data::Null(_) => NodeKind::Null,
        Data::Unknown(_) => NodeKind::Placeholder(Box::new(placeholder(shape))),
        Data::Bool(value) => NodeKind::Bool(*value),
        Data::Number(number) => match number.to_i64().map(i128::from).or_else(|| number.to_u64().map(i128::from)) {
            Some(integer) if *shape != Shape::Number => NodeKind::Integer(integer),
            _ => NodeKind::Float(number.to_f64()),
        },
        Data::String(text) => NodeKind::String(text.to_string()),
        Data::List(_, values) | Data::Set(_, values) | Data::Tuple(values) => {
            NodeKind::Sequence(values.iter().map(|value| value_node(value, element, span)).collect())
        }
        Data::Map(_, values) | Data::Object(values) => {
            let entry = |(key, value): (&String, &Value)| {
                let field = if let Shape::Object(fields) = shape { fields.get(key) } else { None };
                (key.clone(), value_node(value, field.map_or(element, |field| &field.shape), span))
            };
            NodeKind::Mapping(values.iter().map(entry).collect())
        }
    };
    Node { kind, span: span.clone() }
}

fn placeholder(shape: &Shape) -> NodeKind {
    match shape {
        Shape::Any | Shape::String => NodeKind::String(UNKNOWN.into()),
        Shape::Bool => NodeKind::Bool(false),
        Shape::Integer { .. } => NodeKind::Integer(0),
        Shape::Number => NodeKind::Float(0.0),
        Shape::List(_) => NodeKind::Sequence(Vec::new()),
        Shape::Map(_) | Shape::Object(_) => NodeKind::Mapping(Vec::new()),
    }
}
