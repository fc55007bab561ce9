//! `locals` and `local` blocks.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::identifier::is_identifier;
use super::schema::{Schema, refuse_blocks};
use super::world::literal;
use crate::hcl::ast::{Block, Body, Expr};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::hcl::types::Type;

const SCHEMA: Schema = Schema { attributes: &["expression", "sensitive"], required: &["expression"], blocks: &[] };

/// A named expression.
pub(super) struct Local {
    /// Where its expression is; trees are large, so they stay where they were read.
    body: Arc<Body>,
    /// Which of the body's attributes it is.
    attribute: usize,
    /// Whether its value must not be shown.
    pub sensitive: bool,
    /// The place of its name.
    pub span: Span,
}

impl Local {
    /// What its value is computed from.
    pub fn expr(&self) -> &Expr {
        &self.body.attributes[self.attribute].expr
    }
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
    for (at, attribute) in block.body.attributes.iter().enumerate() {
        let body = Arc::clone(&block.body);
        let local = Local { body, attribute: at, sensitive: false, span: attribute.name_span.clone() };
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
    let Some(attribute) = block.body.attributes.iter().position(|attribute| attribute.name == "expression") else {
        return;
    };
    let local = Local {
        body: Arc::clone(&block.body),
        attribute,
        sensitive: sensitive.and_then(|value| value.as_bool()).unwrap_or(false),
        span: label.span.clone(),
    };
    insert(&label.text, local, locals, diagnostics);
}

fn insert(name: &str, local: Local, locals: &mut Locals, diagnostics: &mut Diagnostics) {
    match locals.entry(name.to_owned()) {
        Entry::Vacant(vacant) => {
            vacant.insert(local);
        }
        Entry::Occupied(first) => {
            let detail = format!("Local variable \"{name}\" is defined twice; each name can be defined only once.");
            let duplicate = Diagnostic::error("Duplicate local definition", detail).at(&local.span);
            diagnostics.push(duplicate.beside("It is defined here already", &first.get().span));
        }
    }
}
