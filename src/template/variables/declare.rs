//! `variable` and `variables` blocks.

use std::sync::LazyLock;

use super::validation::read_validation;
use super::{Assigned, Origin, Variable, Variables};
use crate::hcl::ast::{Attribute, Block};
use crate::hcl::convert::{convert, remedy};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::hcl::eval::{self, Scope, evaluate};
use crate::hcl::functions::{Allowed, Host};
use crate::hcl::type_expr::{Optional, parse_type};
use crate::hcl::types::Type;
use crate::hcl::value::Value;
use crate::plan::advice::advice;
use crate::template::identifier::is_identifier;
use crate::template::schema::{BlockKind, Schema, refuse_blocks};
use crate::template::world::{Names, keep, literal};

const SCHEMA: Schema = Schema {
    attributes: &["type", "default", "description", "sensitive"],
    required: &[],
    blocks: &[BlockKind { kind: "validation", labels: &[] }],
};

static ONLY_ENV: LazyLock<Allowed> = LazyLock::new(|| Allowed::Only(vec!["env"]));

/// Reads all `variable` and `variables` blocks.
pub(in crate::template) fn declare(blocks: &[Block], host: &dyn Host, diagnostics: &mut Diagnostics) -> Variables {
    let mut variables = Variables::new();
    for block in blocks {
        match block.kind.as_str() {
            "variable" => one(block, host, &mut variables, diagnostics),
            "variables" => several(block, host, &mut variables, diagnostics),
            _ => {}
        }
    }
    variables
}

fn one(block: &Block, host: &dyn Host, variables: &mut Variables, diagnostics: &mut Diagnostics) {
    let body = &block.body;
    SCHEMA.check(body, &block.header, diagnostics);
    let Some(label) = block.labels.first() else { return };
    let name = &label.text;
    let ty =
        body.attribute("type").and_then(|attribute| keep(parse_type(&attribute.expr, Optional::Allowed), diagnostics));
    if let Some(description) = body.attribute("description") {
        literal(&description.expr, &Type::String, diagnostics);
    }
    let sensitive =
        body.attribute("sensitive").and_then(|attribute| literal(&attribute.expr, &Type::Bool, diagnostics));
    let mut variable = Variable {
        span: block.header.clone(),
        ty: ty.unwrap_or(Type::Dynamic),
        sensitive: sensitive.and_then(|value| value.as_bool()).unwrap_or(false),
        validations: Vec::new(),
        value: None,
    };
    if let Some(attribute) = body.attribute("default") {
        set_default(&mut variable, attribute, host, diagnostics);
    }
    for validation in body.blocks_of("validation") {
        variable.validations.extend(read_validation(validation, name, diagnostics));
    }
    insert(name, &label.span, variable, variables, diagnostics);
}

fn several(block: &Block, host: &dyn Host, variables: &mut Variables, diagnostics: &mut Diagnostics) {
    let why = "A variables block has only arguments: a name and its default. Use a variable block to say more.";
    refuse_blocks(&block.body, why, diagnostics);
    for attribute in &block.body.attributes {
        let mut variable = Variable {
            span: attribute.name_span.clone(),
            ty: Type::Dynamic,
            sensitive: false,
            validations: Vec::new(),
            value: None,
        };
        set_default(&mut variable, attribute, host, diagnostics);
        insert(&attribute.name, &attribute.name_span, variable, variables, diagnostics);
    }
}

/// Evaluates a default. Without a type the variable takes the default's.
fn set_default(variable: &mut Variable, attribute: &Attribute, host: &dyn Host, diagnostics: &mut Diagnostics) {
    let scope = Scope::new(host, Names::new()).with_functions(&ONLY_ENV).with_variables(eval::Variables::Refused);
    let scope = scope.with_adviser(advice);
    let span = &attribute.expr.span;
    let value = keep(evaluate(&attribute.expr, &scope), diagnostics).unwrap_or_else(|| {
        // Reported; the variable has a default all the same.
        Value::unknown(variable.ty.clone())
    });
    match convert(&value, &variable.ty) {
        Ok(value) => {
            if variable.ty == Type::Dynamic && !value.is_unknown() && value.len() != Some(0) {
                variable.ty = value.ty();
            }
            variable.value = Some(Assigned { value, origin: Origin::Default, span: span.clone() });
        }
        Err(error) => {
            let detail = format!("This default value is not compatible with the variable's type constraint: {error}.");
            let place = variable.shown(span).clone();
            let problem = Diagnostic::error("Invalid default value for variable", detail).at(&place);
            diagnostics.push(problem.hint(remedy(&value, &variable.ty)));
            let value = Value::unknown(variable.ty.clone());
            variable.value = Some(Assigned { value, origin: Origin::Default, span: span.clone() });
        }
    }
}

fn insert(name: &str, span: &Span, variable: Variable, variables: &mut Variables, diagnostics: &mut Diagnostics) {
    if !is_identifier(name) {
        let detail = "A name starts with a letter or underscore and has only letters, digits, underscores and dashes.";
        diagnostics.push(Diagnostic::error("Invalid variable name", detail).at(span));
    }
    if variables.contains_key(name) {
        let detail = format!("The variable \"{name}\" is declared more than once.");
        let duplicate = Diagnostic::error("Duplicate variable", detail).at(span);
        let first = variables.get(name).map(|first| first.span.clone());
        diagnostics.push(
            first.iter().fold(duplicate, |duplicate, first| duplicate.beside("It is declared here already", first)),
        );
        return;
    }
    variables.insert(name.to_owned(), variable);
}
