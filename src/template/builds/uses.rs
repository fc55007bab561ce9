//! Which sources a build uses, and what it adds to them.

use std::sync::Arc;

use super::Options;
use super::reference::parse_reference;
use crate::hcl::ast::{Attribute, Body};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::hcl::dynamic::Expanded;
use crate::hcl::eval::{Scope, Variables};
use crate::hcl::functions::Allowed;
use crate::hcl::types::Type;
use crate::template::world::{World, texts};

static NO_FUNCTIONS: Allowed = Allowed::None;

/// One use of a source.
pub(super) struct Use {
    pub kind: String,
    /// The name under which the source is declared.
    pub name: String,
    /// The name of this use.
    pub use_name: String,
    /// What the build adds to the source's options.
    pub additions: Option<Options>,
    /// The place of the reference.
    pub span: Span,
}

impl Use {
    /// `type.name` by which `only` and `except` call it.
    pub fn title(&self) -> String {
        super::title(&self.kind, &self.use_name)
    }

    /// Reads a `source` block of a build.
    pub fn read(expanded: &Expanded, world: &World, diagnostics: &mut Diagnostics) -> Option<Self> {
        let block = &expanded.block;
        let label = block.labels.first()?;
        let Some((kind, name)) = parse_reference(&label.text) else {
            diagnostics.push(invalid_reference(&label.text).at(&label.span));
            return None;
        };
        let mut additions = (*block.body).clone();
        let at = additions.attributes.iter().position(|attribute| attribute.name == "name");
        let rename = at.map(|at| additions.attributes.remove(at));
        let use_name = rename.and_then(|attribute| own_name(&attribute, expanded, world, diagnostics));
        Some(Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            use_name: use_name.unwrap_or_else(|| name.to_owned()),
            additions: Some(Options {
                body: Arc::new(additions),
                names: expanded.names.clone(),
                span: block.header.clone(),
            }),
            span: label.span.clone(),
        })
    }
}

/// The `name` of a use: it may only refer to iterators of `dynamic` blocks.
fn own_name(
    attribute: &Attribute,
    expanded: &Expanded,
    world: &World,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    let scope = Scope::new(world.host.as_ref(), expanded.names.clone());
    let scope = scope.with_functions(&NO_FUNCTIONS).with_variables(Variables::Refused);
    let value = world.known(&attribute.expr, &Type::String, &scope, diagnostics)?;
    value.as_str().map(str::to_owned)
}

/// The uses in the `sources` argument of a build.
pub(super) fn listed(body: &Body, world: &World, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Vec<Use> {
    let Some(attribute) = body.attribute("sources") else { return Vec::new() };
    let ty = Type::list(Type::String);
    let Some(value) = world.known(&attribute.expr, &ty, scope, diagnostics) else { return Vec::new() };
    let mut use_of = |(at, text): (usize, String)| {
        let span = attribute.expr.item_span(at);
        match parse_reference(&text) {
            Some((kind, name)) => Some(Use {
                kind: kind.to_owned(),
                name: name.to_owned(),
                use_name: name.to_owned(),
                additions: None,
                span: span.clone(),
            }),
            None => {
                diagnostics.push(invalid_reference(&text).at(span));
                None
            }
        }
    };
    texts(&value).into_iter().enumerate().filter_map(&mut use_of).collect()
}

fn invalid_reference(text: &str) -> Diagnostic {
    let detail = format!("{text:?} is no reference to a source: write \"source.TYPE.NAME\" or \"TYPE.NAME\".");
    Diagnostic::error("Invalid source reference", detail)
}
