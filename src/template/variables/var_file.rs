//! Files that set variables.

use super::{Origin, Variables};
use crate::hcl::ast::Body;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics};
use crate::hcl::eval::{Scope, evaluate};
use crate::template::inputs::Undeclared;
use crate::template::schema::refuse_blocks;
use crate::template::world::keep;

/// Gives variables the values that a file sets.
pub(in crate::template) fn assign_file(
    variables: &mut Variables,
    body: &Body,
    undeclared: Undeclared,
    diagnostics: &mut Diagnostics,
) {
    if let Some(block) = body.blocks.iter().find(|block| block.kind == "variable") {
        let detail = "A variable file sets variables; they are declared in a .pkr.hcl file.";
        let hint = "write name = value here".to_owned();
        let diagnostic = Diagnostic::error("Variable declaration in a .pkrvar file", detail);
        diagnostics.push(diagnostic.at(&block.header).hint(Some(hint)));
        return;
    }
    refuse_blocks(body, "A variable file has only arguments: the name of a variable and its value.", diagnostics);
    for attribute in &body.attributes {
        let value = keep(evaluate(&attribute.expr, &Scope::literal()), diagnostics);
        let Some(variable) = variables.get_mut(&attribute.name) else {
            if undeclared == Undeclared::Warn {
                diagnostics.push(undefined(&attribute.name));
            }
            continue;
        };
        let Some(value) = value else { continue };
        let span = &attribute.expr.span;
        if let Err(error) = variable.assign(&value, Origin::File, span) {
            let detail = format!("The value does not fit the variable's type {}: {error}.", variable.ty.expression());
            let place = variable.shown(span).clone();
            diagnostics.push(Diagnostic::error("Invalid value for variable", detail).at(&place));
        }
    }
}

/// The one diagnostic without a place: what it shows must be what Packer shows.
fn undefined(name: &str) -> Diagnostic {
    let detail = format!(
        "The variable \"{name}\" was set but was not declared as an input variable.\nTo declare variable \"{name}\" \
         place this block in one of your .pkr.hcl files, such as variables.pkr.hcl\n\nvariable \"{name}\" {{\n  \
         type    = string\n  default = null\n}}\n"
    );
    Diagnostic::warning("Undefined variable", detail)
}
