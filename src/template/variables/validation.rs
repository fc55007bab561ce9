//! `validation` blocks: rules for a variable's value.

use crate::hcl::ast::{Block, Expr};
use crate::hcl::convert::convert;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::hcl::eval::{Scope, evaluate};
use crate::hcl::functions::Host;
use crate::hcl::references::references;
use crate::hcl::types::Type;
use crate::hcl::value::Value;
use crate::template::schema::Schema;
use crate::template::world::{ALL_BUT_ENV, FromWorkingDirectory, literal};

const SCHEMA: Schema =
    Schema { attributes: &["condition", "error_message"], required: &["condition", "error_message"], blocks: &[] };

/// A rule and what to say when it is broken.
pub(super) struct Validation {
    condition: Expr,
    message: String,
}

/// Reads a rule; none if it is not usable, which is reported.
pub(super) fn read_validation(block: &Block, variable: &str, diagnostics: &mut Diagnostics) -> Option<Validation> {
    let before = diagnostics.len();
    SCHEMA.check(&block.body, &block.header, diagnostics);
    let condition = block.body.attribute("condition").map(|attribute| &attribute.expr);
    if let Some(condition) = condition {
        check_references(condition, variable, diagnostics);
    }
    let message = block.body.attribute("error_message").and_then(|attribute| {
        let value = literal(&attribute.expr, &Type::String, diagnostics)?;
        let message = value.as_str().unwrap_or_default().to_owned();
        if let Some(problem) = message_problem(&message) {
            let diagnostic = Diagnostic::error("Invalid validation error message", problem);
            diagnostics.push(diagnostic.at(&attribute.expr.span));
        }
        Some(message)
    });
    if diagnostics.len() > before {
        return None;
    }
    Some(Validation { condition: condition?.clone(), message: message? })
}

fn check_references(condition: &Expr, variable: &str, diagnostics: &mut Diagnostics) {
    let mut names_itself = false;
    for reference in references(condition) {
        if reference.root == "var" && reference.path.first().is_some_and(|name| name == variable) {
            names_itself = true;
            continue;
        }
        let detail = format!("A rule for the variable \"{variable}\" can only refer to var.{variable} itself.");
        diagnostics.push(Diagnostic::error("Invalid reference in variable validation", detail).at(&reference.span));
    }
    if !names_itself {
        let detail = format!("A rule for the variable \"{variable}\" must refer to var.{variable}.");
        let diagnostic = Diagnostic::error("Invalid variable validation condition", detail);
        diagnostics.push(diagnostic.at(&condition.span));
    }
}

fn message_problem(message: &str) -> Option<&'static str> {
    let message = message.trim();
    let Some(first) = message.chars().next() else { return Some("The message must not be empty.") };
    if first.is_alphabetic() && !first.is_uppercase() {
        return Some("The message must be a sentence: it starts with a capital letter.");
    }
    (!message.ends_with(['.', '?', '!'])).then_some("The message must be a sentence: it ends with a full stop, ? or !.")
}

impl Validation {
    /// The rule's message if a value breaks it; a diagnostic if the rule itself does not work.
    pub fn problem(&self, name: &str, value: &Value, host: &dyn Host) -> Result<Option<(String, Span)>, Diagnostics> {
        let host = FromWorkingDirectory(host);
        let variables = Value::object([(name.to_owned(), value.clone())].into());
        let scope = Scope::new(&host, [("var".to_owned(), variables)].into()).with_functions(&ALL_BUT_ENV);
        let result = evaluate(&self.condition, &scope)?;
        if result.is_unknown() {
            return Ok(None);
        }
        let holds = convert(&result, &Type::Bool).ok().and_then(|result| result.as_bool()).ok_or_else(|| {
            let detail = "A rule's condition must be true or false.";
            Diagnostic::error("Invalid variable validation result", detail).at(&self.condition.span)
        })?;
        Ok((!holds).then(|| (self.message.clone(), self.condition.span.clone())))
    }
}
