//! Values that come as text: from the environment and the command line.

use std::collections::BTreeMap;

use super::{Origin, Variable, Variables};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Sources, Span, did_you_mean};
use crate::hcl::eval::{Scope, evaluate};
use crate::hcl::parse::parse_expr;
use crate::hcl::types::Type;
use crate::hcl::value::Value;
use crate::secret::MASK;

/// Gives variables the values of `PKR_VAR_` environment variables; undeclared ones are none of our business.
pub(in crate::template) fn assign_environment(
    variables: &mut Variables,
    environment: &BTreeMap<String, String>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) {
    for (name, text) in environment {
        let Some(variable) = variables.get_mut(name) else { continue };
        let place = Place { name: format!("PKR_VAR_{name}"), origin: Origin::Environment };
        assign(variable, text, place, sources, diagnostics);
    }
}

/// Gives variables the values of `-var` arguments.
pub(in crate::template) fn assign_arguments(
    variables: &mut Variables,
    arguments: &[(String, String)],
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) {
    for (name, text) in arguments {
        let place = Place { name: format!("-var {name}="), origin: Origin::Argument };
        match variables.get_mut(name) {
            Some(variable) => assign(variable, text, place, sources, diagnostics),
            None => diagnostics.push(undeclared(name, variables, sources)),
        }
    }
}

fn undeclared(name: &str, variables: &Variables, sources: &mut Sources) -> Diagnostic {
    let file = sources.add("<arguments>", format!("-var {name}=…"));
    let detail = format!("The template declares no variable \"{name}\".");
    let hint = did_you_mean(name, variables.keys().map(String::as_str))
        .unwrap_or_else(|| format!("to declare it, write: variable \"{name}\" {{}}"));
    Diagnostic::error("Undefined -var variable", detail).at(&Span::new(file, 5..5 + name.len())).hint(Some(hint))
}

struct Place {
    name: String,
    origin: Origin,
}

fn assign(variable: &mut Variable, text: &str, place: Place, sources: &mut Sources, diagnostics: &mut Diagnostics) {
    // What a diagnostic shows must not be the secret.
    let shown = if variable.sensitive { MASK } else { text };
    let file = sources.add(place.name, shown);
    let span = Span::new(file, 0..shown.len());
    let value = match variable.ty {
        Type::String | Type::Number | Type::Dynamic => Value::string(text),
        _ => match parse_expr(file, text).and_then(|expr| evaluate(&expr, &Scope::literal())) {
            Ok(value) => value,
            Err(errors) => return diagnostics.extend(errors),
        },
    };
    if let Err(error) = variable.assign(&value, place.origin, &span) {
        let from = match place.origin {
            Origin::Argument => "-var",
            _ => "the environment",
        };
        let summary = format!("Invalid value for a variable from {from}");
        let detail = format!("The value does not fit the variable's type {}: {error}.", variable.ty.expression());
        diagnostics.push(Diagnostic::error(summary, detail).at(&span));
    }
}
