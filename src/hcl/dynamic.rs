//! `dynamic` blocks: one block for each element of a collection.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{Attribute, Block, Body, ExprKind, Label};
use super::convert::convert;
use super::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use super::eval::{Scope, evaluate};
use super::types::Type;
use super::value::Value;

const ARGUMENTS: [&str; 3] = ["for_each", "iterator", "labels"];

/// The name that a `dynamic` block binds in its content; none for other blocks and for one without a type.
pub(super) fn iterator_name(block: &Block) -> Option<String> {
    if block.kind != "dynamic" {
        return None;
    }
    let named = block.body.attribute("iterator").and_then(|attribute| match &attribute.expr.kind {
        ExprKind::Variable(name) => Some(name.clone()),
        _ => None,
    });
    named.or_else(|| block.label(0).map(str::to_owned))
}

/// What a `dynamic` block says, checked.
struct Dynamic<'b> {
    block: &'b Block,
    content: &'b Block,
    for_each: &'b Attribute,
    labels: Option<&'b Attribute>,
    iterator: String,
}

/// A block, and the names that only its contents know: the iterator of the `dynamic` block it comes from.
#[derive(Debug, Clone)]
pub struct Expanded {
    /// The block, its contents still to be evaluated.
    pub block: Block,
    /// The iterator's name with the element's key and value; empty for a block that stands there itself.
    pub names: BTreeMap<String, Value>,
}

/// The blocks directly in a body, generated ones in the place of their `dynamic` block, contents unevaluated.
///
/// An unknown collection gives one block with an unknown iterator.
pub fn expand_blocks(body: &Body, scope: &Scope<'_>) -> (Vec<Expanded>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let mut expanded = Vec::new();
    for block in &body.blocks {
        if block.kind == "dynamic" {
            expanded.extend(expand(block, scope, &mut diagnostics));
        } else {
            expanded.push(Expanded { block: block.clone(), names: BTreeMap::new() });
        }
    }
    (expanded, diagnostics)
}

/// The blocks that a `dynamic` block describes.
pub(super) fn expand(block: &Block, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Vec<Expanded> {
    let Some(dynamic) = Dynamic::read(block, diagnostics) else { return Vec::new() };
    let collection = match evaluate(&dynamic.for_each.expr, scope) {
        Ok(value) => value,
        Err(errors) => {
            diagnostics.extend(errors);
            return Vec::new();
        }
    };
    let entries = match collection.entries() {
        Some(entries) => entries,
        None if collection.is_unknown() => {
            let unknown = Value::unknown(Type::Dynamic).sensitive_like([&collection]);
            vec![(unknown.clone(), unknown)]
        }
        None => {
            let kind = if collection.is_null() { "null" } else { collection.ty().kind() };
            let detail =
                format!("Cannot use a {kind} value in for_each. A list, set, map, tuple or object is required.");
            let diagnostic = Diagnostic::error("Invalid dynamic for_each value", detail);
            diagnostics.push(diagnostic.at(&dynamic.for_each.expr.span));
            return Vec::new();
        }
    };
    let mut expanded = Vec::new();
    for (key, value) in entries {
        if let Err(refusal) = scope.work().block(&dynamic.for_each.expr.span) {
            diagnostics.extend(refusal);
            break;
        }
        expanded.extend(dynamic.one(key, value, scope, diagnostics));
    }
    expanded
}

impl<'b> Dynamic<'b> {
    fn read(block: &'b Block, diagnostics: &mut Diagnostics) -> Option<Self> {
        let before = diagnostics.len();
        if block.labels.len() != 1 {
            let detail = "A dynamic block must have one label: the type of the blocks to generate.";
            diagnostics.push(Diagnostic::error("Missing block type for dynamic block", detail).at(&block.header));
            return None;
        }
        for attribute in &block.body.attributes {
            if !ARGUMENTS.contains(&attribute.name.as_str()) {
                let detail = format!("An argument named \"{}\" is not expected here.", attribute.name);
                let hint = did_you_mean(&attribute.name, ARGUMENTS)
                    .unwrap_or_else(|| "the generated block's arguments belong into its content block".into());
                let diagnostic = Diagnostic::error("Unsupported argument", detail).at(&attribute.name_span);
                diagnostics.push(diagnostic.hint(Some(hint)));
            }
        }
        for other in block.body.blocks.iter().filter(|inner| inner.kind != "content") {
            let detail = format!("Blocks of type \"{}\" are not expected here.", other.kind);
            diagnostics.push(Diagnostic::error("Unsupported block type", detail).at(&other.header));
        }
        let for_each = block.body.attribute("for_each");
        if for_each.is_none() {
            let detail = "The argument \"for_each\" is required, but no definition was found.";
            diagnostics.push(Diagnostic::error("Missing required argument", detail).at(&block.header));
        }
        let mut contents = block.body.blocks_of("content");
        let content = contents.next();
        if content.is_none() {
            let detail = "A dynamic block must have a content block: the body of each generated block.";
            diagnostics.push(Diagnostic::error("Missing dynamic content block", detail).at(&block.header));
        }
        if let Some(extra) = contents.next() {
            let detail = "A dynamic block has only one content block.";
            diagnostics.push(Diagnostic::error("Extraneous dynamic content block", detail).at(&extra.header));
        }
        if let Some(iterator) = block.body.attribute("iterator")
            && !matches!(iterator.expr.kind, ExprKind::Variable(_))
        {
            let detail = "The iterator must be a bare word: the name to use in the content block.";
            diagnostics.push(Diagnostic::error("Invalid dynamic iterator name", detail).at(&iterator.expr.span));
        }
        if diagnostics.len() > before {
            return None;
        }
        let iterator = iterator_name(block)?;
        Some(Self { block, content: content?, for_each: for_each?, labels: block.body.attribute("labels"), iterator })
    }

    fn one(&self, key: Value, value: Value, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Option<Expanded> {
        let element = Value::object([("key".to_owned(), key), ("value".to_owned(), value)].into());
        let names = BTreeMap::from([(self.iterator.clone(), element)]);
        let labels = match self.labels {
            Some(labels) => self.labels(labels, &scope.child(names.clone()), diagnostics)?,
            None => Vec::new(),
        };
        let block = Block {
            kind: self.block.label(0).unwrap_or_default().to_owned(),
            kind_span: self.block.kind_span.clone(),
            labels,
            body: Arc::clone(&self.content.body),
            header: self.block.header.clone(),
            span: self.block.span.clone(),
        };
        Some(Expanded { block, names })
    }

    fn labels(&self, labels: &Attribute, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Option<Vec<Label>> {
        let span = &labels.expr.span;
        let value = evaluate(&labels.expr, scope).map_err(|errors| diagnostics.extend(errors)).ok()?;
        let Some(values) = value.as_sequence() else {
            diagnostics.push(wrong_label("The labels must be a list of strings.", span));
            return None;
        };
        let mut texts = Vec::with_capacity(values.len());
        for value in values {
            let converted = convert(value, &Type::String).ok();
            match converted.as_ref().and_then(Value::as_str) {
                Some(text) => texts.push(Label { text: text.to_owned(), span: span.clone() }),
                None if value.is_unknown() => {
                    diagnostics.push(wrong_label("A label must be known here; it depends on an unknown value.", span));
                    return None;
                }
                None => {
                    diagnostics.push(wrong_label("A label must be a string and not null.", span));
                    return None;
                }
            }
        }
        Some(texts)
    }
}

fn wrong_label(detail: &str, span: &Span) -> Diagnostic {
    Diagnostic::error("Invalid dynamic block label", detail).at(span)
}
