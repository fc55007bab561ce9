//! `locals` and `local` blocks.

use std::collections::BTreeMap;

use super::identifier::is_identifier;
use super::schema::{Schema, refuse_blocks};
use super::world::literal;
use crate::hcl::ast::{Block, Expr};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::hcl::types::Type;

const SCHEMA: Schema = Schema { attributes: &["expression", "sensitive"], required: &["expression"], blocks: &[] };

/// A named expression.
pub(super) struct Local {
    pub expr: Expr,
    /// Whether its value must not be shown.
    pub sensitive: bool,
    /// The place of its name.
    pub span: Span,
}

/// The declared locals by name.
pub(super) type Locals = BTreeMap<String, Local>;

/// Reads all `locals` and `local` blocks.
pub(super) fn declare(blocks: &[Block], diagnostics: &mut Diagnostics) -> Locals {
    let mut locals = Locals::new();
    for block in blocks {
        match block.kind.as_str() {
            "locals" => several(block, &mut locals, diagnostics),
            "local" => one(block, &mut locals, diagnostics),
            _ => {}
        }
    }
    locals
}

fn several(block: &Block, locals: &mut Locals, diagnostics: &mut Diagnostics) {
    refuse_blocks(&block.body, "A locals block has only arguments: a name and its value.", diagnostics);
    for attribute in &block.body.attributes {
        let local = Local { expr: attribute.expr.clone(), sensitive: false, span: attribute.name_span.clone() };
        insert(&attribute.name, local, locals, diagnostics);
    }
}

fn one(block: &Block, locals: &mut Locals, diagnostics: &mut Diagnostics) {
    SCHEMA.check(&block.body, &block.header, diagnostics);
    let Some(label) = block.labels.first() else { return };
    if !is_identifier(&label.text) {
        let detail = "A name starts with a letter or underscore and has only letters, digits, underscores and dashes.";
        diagnostics.push(Diagnostic::error("Invalid local name", detail).at(&label.span));
    }
    let sensitive = block.body.attribute("sensitive");
    let sensitive = sensitive.and_then(|attribute| literal(&attribute.expr, &Type::Bool, diagnostics));
    let Some(attribute) = block.body.attribute("expression") else { return };
    let local = Local {
        expr: attribute.expr.clone(),
        sensitive: sensitive.and_then(|value| value.as_bool()).unwrap_or(false),
        span: label.span.clone(),
    };
    insert(&label.text, local, locals, diagnostics);
}

fn insert(name: &str, local: Local, locals: &mut Locals, diagnostics: &mut Diagnostics) {
    if locals.contains_key(name) {
        let detail = format!("Local variable \"{name}\" is defined twice; each name can be defined only once.");
        let duplicate = Diagnostic::error("Duplicate local definition", detail).at(&local.span);
        let first = locals.get(name).map(|first| first.span.clone());
        diagnostics.push(
            first.iter().fold(duplicate, |duplicate, first| duplicate.beside("It is defined here already", first)),
        );
        return;
    }
    locals.insert(name.to_owned(), local);
}
