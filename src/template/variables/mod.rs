//! Input variables: declarations, and the values that defaults, files, the environment and the command line give them.

mod declare;
mod raw;
mod validation;
mod var_file;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::world::Names;
use crate::hcl::convert::{ConvertError, convert};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::hcl::functions::Host;
use crate::hcl::types::Type;
use crate::hcl::value::Value;
use validation::Validation;

pub(super) use declare::declare;
pub(super) use raw::{assign_arguments, assign_environment};
pub(super) use var_file::assign_file;

/// The declared variables by name.
pub(super) type Variables = BTreeMap<String, Variable>;

/// A declared variable.
pub(super) struct Variable {
    /// The header of its block, or its name in a `variables` block.
    pub span: Span,
    /// What values are converted to; [`Type::Dynamic`] takes any.
    ty: Type,
    /// Whether its value must not be shown.
    pub sensitive: bool,
    validations: Vec<Validation>,
    /// The value that wins so far.
    value: Option<Assigned>,
}

/// A value and where it comes from.
struct Assigned {
    value: Value,
    origin: Origin,
    span: Span,
}

/// What gave a variable its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Default,
    Environment,
    File,
    Argument,
}

/// The words by which messages name an origin.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "the default",
            Self::Environment => "the value from the environment",
            Self::File => "the value from a variable file",
            Self::Argument => "the value from -var",
        })
    }
}

impl Variable {
    /// Converts a value and makes it the one that wins.
    fn assign(&mut self, value: &Value, origin: Origin, span: &Span) -> Result<(), ConvertError> {
        let value = convert(value, &self.ty)?;
        self.value = Some(Assigned { value, origin, span: span.clone() });
        Ok(())
    }

    /// The value; unknown if there is none.
    pub fn value(&self) -> Value {
        let value = match &self.value {
            Some(assigned) => assigned.value.clone(),
            None => Value::unknown(self.ty.clone()),
        };
        if self.sensitive { value.sensitive() } else { value }
    }

    /// The place to show for a fault of a value: never the value itself if it is sensitive.
    fn shown<'s>(&'s self, span: &'s Span) -> &'s Span {
        if self.sensitive { &self.span } else { span }
    }
}

/// The values by name, as `var` holds them.
pub(super) fn values(variables: &Variables) -> Names {
    variables.iter().map(|(name, variable)| (name.clone(), variable.value())).collect()
}

/// Reports variables without a value and values that break a rule.
pub(super) fn check(variables: &Variables, host: &Arc<dyn Host>, diagnostics: &mut Diagnostics) {
    for (name, variable) in variables {
        let Some(assigned) = &variable.value else {
            diagnostics.push(unset(name).at(&variable.span));
            continue;
        };
        for validation in &variable.validations {
            let problem = validation.problem(name, &variable.value(), host.as_ref());
            match problem {
                Ok(None) => {}
                Ok(Some((message, rule))) => {
                    let summary = format!("Invalid value for the variable \"{name}\"");
                    let problem = Diagnostic::error(summary, message).at(variable.shown(&assigned.span));
                    diagnostics
                        .push(problem.beside(format!("This is the rule, and {} breaks it", assigned.origin), &rule));
                }
                Err(problems) => diagnostics.extend(problems),
            }
        }
    }
}

fn unset(name: &str) -> Diagnostic {
    let detail = format!("The variable \"{name}\" has neither a default nor a value.");
    let hint = format!("set it with -var '{name}=…', in a file given with -var-file, or as PKR_VAR_{name}");
    Diagnostic::error(format!("Unset variable \"{name}\""), detail).hint(Some(hint))
}
