//! What every text of a template may name: user variables and the template's folder. They are put in before anything
//! else is made of the texts.

use super::component::Component;
use super::variables::Variables;
use crate::hcl::ast::{Expr, ExprKind};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::hcl::value::Value;
use crate::plan::legacy::CLEAN_AMAZON_NAME;
use crate::text_template::constants::{Known, with_constants};

/// The constants of a template.
pub(super) struct Constants<'a> {
    pub variables: &'a Variables,
    /// What `{{template_dir}}` says; none if the template has no folder.
    pub directory: Option<&'a str>,
}

impl Constants<'_> {
    /// Puts the constants into all texts of a component.
    pub fn fold(&self, component: &mut Component, diagnostics: &mut Diagnostics) {
        let renamed: &[(&str, &str)] = match component.kind.starts_with("amazon-") {
            true => &[("clean_resource_name", CLEAN_AMAZON_NAME)],
            false => &[],
        };
        let mut folding = Folding { constants: self, renamed, diagnostics };
        component.attributes.iter_mut().for_each(|attribute| folding.expr(&mut attribute.expr));
    }

    fn undeclared(&self, name: &str) -> Diagnostic {
        let detail = format!("The template declares no variable {name:?}: here it is an empty text.");
        let hint = did_you_mean(name, self.variables.names());
        Diagnostic::warning(format!("Undeclared variable {name}"), detail).hint(hint)
    }
}

/// The constants on their way into one component.
struct Folding<'f, 'a> {
    constants: &'f Constants<'a>,
    renamed: &'f [(&'f str, &'f str)],
    diagnostics: &'f mut Diagnostics,
}

impl Folding<'_, '_> {
    fn expr(&mut self, expr: &mut Expr) {
        match &mut expr.kind {
            ExprKind::Literal(value) => {
                if let Some(text) = value.as_str() {
                    *value = Value::string(self.text(text, &expr.span));
                }
            }
            ExprKind::Tuple(items) => items.iter_mut().for_each(|item| self.expr(item)),
            ExprKind::Object(entries) => entries.iter_mut().for_each(|(_, value)| self.expr(value)),
            // JSON has nothing else.
            _ => {}
        }
    }

    fn text(&mut self, text: &str, span: &Span) -> String {
        let Self { constants, renamed, diagnostics } = self;
        let directory = constants.directory.map(|directory| ("template_dir", directory));
        let mut answer = |name: &str| {
            let value = constants.variables.value(name);
            if value.is_none() {
                diagnostics.push(constants.undeclared(name).at(span));
            }
            // As Packer has it: an unknown variable is an empty text.
            Some(value.unwrap_or_default().to_owned())
        };
        with_constants(text, Known { constants: directory.as_slice(), renamed, function: "user", answer: &mut answer })
    }
}
