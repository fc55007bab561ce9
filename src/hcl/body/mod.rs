//! Bodies with all their expressions evaluated.

mod change;
mod refuse;

use super::ast::{Block, Body, Syntax};
use super::diagnostics::{Diagnostics, Span};
use super::dynamic::expand;
use super::eval::{Scope, evaluate};
use super::types::Type;
use super::value::Value;

/// A body whose expressions are values.
#[derive(Debug, Clone)]
pub struct EvaluatedBody {
    /// The attributes in order; names are distinct.
    pub attributes: Vec<(String, EvaluatedAttribute)>,
    /// The blocks in order, generated ones in the place of their `dynamic` block.
    pub blocks: Vec<EvaluatedBlock>,
    /// The types of blocks that a `dynamic` block could have generated and did not, with their places: they must be known all the same.
    pub absent: Vec<(String, Span)>,
    /// The place of the whole.
    pub span: Span,
    /// How it was written.
    pub syntax: Syntax,
    /// Names of options that were taken out, whether given or not: they are worth suggesting for a misspelt one.
    pub taken: Vec<String>,
}

/// An attribute's value and where it stands.
#[derive(Debug, Clone)]
pub struct EvaluatedAttribute {
    /// The value.
    pub value: Value,
    /// The place of the name.
    pub name_span: Span,
    /// The place of the expression.
    pub value_span: Span,
}

/// A block whose body is evaluated.
#[derive(Debug, Clone)]
pub struct EvaluatedBlock {
    /// The block's type.
    pub kind: String,
    /// The labels in order.
    pub labels: Vec<String>,
    /// What is between the braces.
    pub body: EvaluatedBody,
    /// The place of type and labels.
    pub span: Span,
}

impl EvaluatedBody {
    /// An empty body in a place.
    pub fn empty(span: Span) -> Self {
        let (attributes, blocks, absent, taken) = Default::default();
        Self { attributes, blocks, absent, span, syntax: Syntax::Native, taken }
    }

    /// The attribute of a name.
    pub fn attribute(&self, name: &str) -> Option<&EvaluatedAttribute> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, attribute)| attribute)
    }

    /// The value of an attribute; none if it is absent or null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.attribute(name).map(|attribute| &attribute.value).filter(|value| !value.is_null())
    }

    /// Whether nothing in the body is unknown.
    pub fn is_wholly_known(&self) -> bool {
        self.attributes.iter().all(|(_, attribute)| attribute.value.is_wholly_known())
            && self.blocks.iter().all(|block| block.body.is_wholly_known())
    }
}

/// Evaluates all expressions of a body and of its blocks, generating the blocks that `dynamic` blocks describe.
///
/// Total: an attribute that cannot be evaluated is reported and its value is unknown.
pub fn evaluate_body(body: &Body, scope: &Scope<'_>) -> (EvaluatedBody, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let body = evaluate_into(body, scope, &mut diagnostics);
    (body, diagnostics)
}

pub(super) fn evaluate_into(body: &Body, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> EvaluatedBody {
    let mut evaluated = EvaluatedBody { syntax: body.syntax, ..EvaluatedBody::empty(body.span.clone()) };
    for attribute in &body.attributes {
        let value = evaluate(&attribute.expr, scope).unwrap_or_else(|errors| {
            diagnostics.extend(errors);
            Value::unknown(Type::Dynamic)
        });
        let attribute_value = EvaluatedAttribute {
            value,
            name_span: attribute.name_span.clone(),
            value_span: attribute.expr.span.clone(),
        };
        evaluated.attributes.push((attribute.name.clone(), attribute_value));
    }
    for block in &body.blocks {
        if block.kind == "dynamic" {
            let generated = expand(block, scope, diagnostics);
            if let (true, Some(kind)) = (generated.is_empty(), block.label(0)) {
                evaluated.absent.push((kind.to_owned(), block.header.clone()));
            }
            for generated in generated {
                let scope = scope.child(generated.names);
                evaluated.blocks.push(evaluate_block(&generated.block, &scope, diagnostics));
            }
        } else {
            evaluated.blocks.push(evaluate_block(block, scope, diagnostics));
        }
    }
    evaluated
}

/// Evaluates one block.
pub fn evaluate_block(block: &Block, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> EvaluatedBlock {
    // What is wrong with a block as a whole is shown at its header.
    let body = EvaluatedBody { span: block.header.clone(), ..evaluate_into(&block.body, scope, diagnostics) };
    EvaluatedBlock {
        kind: block.kind.clone(),
        labels: block.labels.iter().map(|label| label.text.clone()).collect(),
        body,
        span: block.header.clone(),
    }
}

#[cfg(test)]
mod tests;
