//! User variables: what they are set to, and their defaults rendered.

use std::collections::BTreeMap;

use super::component::entries;
use super::document::{Document, Variable};
use super::engine;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Severity, Sources, Span, did_you_mean};
use crate::hcl::eval::{Scope, evaluate};
use crate::template::files::read_data;
use crate::template::inputs::{Inputs, Undeclared};

/// The values of variables by name.
pub(super) struct Variables {
    values: BTreeMap<String, String>,
    sensitive: Vec<String>,
}

impl Variables {
    /// Sets the variables: files first, then arguments; what neither sets has its default. Faults are reported.
    pub fn read(document: &Document, inputs: &Inputs, texts: &mut Sources, diagnostics: &mut Diagnostics) -> Self {
        let mut given = Given { document, values: BTreeMap::new() };
        for file in &inputs.var_files {
            let Some(root) = read_data(file, texts, diagnostics) else { continue };
            for (name, span, value) in entries(&root, "A file of variables", diagnostics).unwrap_or_default() {
                let value = evaluate(value, &Scope::literal()).ok().and_then(|value| value.to_text());
                let severity = (inputs.undeclared == Undeclared::Warn).then_some(Severity::Warning);
                given.set(&name, value, &span, severity, diagnostics);
            }
        }
        for (name, value) in &inputs.vars {
            let file = texts.add("<arguments>", format!("-var {name}={value}"));
            let span = Span::new(file, 5..5 + name.len());
            given.set(name, Some(value.clone()), &span, Some(Severity::Warning), diagnostics);
        }
        let mut variables = Self { values: given.values, sensitive: Vec::new() };
        variables.render_defaults(document, inputs, diagnostics);
        variables.mark(document, diagnostics);
        variables
    }

    /// The value of a variable, none if there is no such variable.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Values that must not be shown.
    pub fn sensitive(&self) -> impl Iterator<Item = &str> {
        self.sensitive.iter().filter_map(|name| self.value(name))
    }

    /// Defaults may name other variables, so those that can be rendered are, again and again until none is left or none
    /// can be.
    fn render_defaults(&mut self, document: &Document, inputs: &Inputs, diagnostics: &mut Diagnostics) {
        let mut left: Vec<&Variable> = Vec::new();
        for variable in document.variables.iter().filter(|variable| !self.values.contains_key(&variable.name)) {
            match variable.default {
                Some(_) => left.push(variable),
                None => diagnostics.push(required(variable)),
            }
        }
        loop {
            let mut failed = Vec::new();
            let before = left.len();
            for variable in left {
                let known = self.values.clone();
                let template = variable.default.as_deref().unwrap_or_default();
                let user = move |name: &str| known.get(name).cloned();
                match engine::render_default(template, &variable.span, user, inputs) {
                    Ok(value) => _ = self.values.insert(variable.name.clone(), value),
                    Err(why) => failed.push((variable, why)),
                }
            }
            if failed.len() == before {
                // A variable that was not set was reported already, and what waits for it is no fault of its own.
                let unset = diagnostics.has_errors();
                let own = failed.iter().filter(|(_, why)| !(unset && why.ends_with("not set")));
                diagnostics.extend(own.map(|(variable, why)| self.failed(variable, why)));
                return;
            }
            left = failed.into_iter().map(|(variable, _)| variable).collect();
        }
    }

    fn failed(&self, variable: &Variable, why: &str) -> Diagnostic {
        let waiting = why.strip_suffix(" not set").and_then(|start| start.rsplit(' ').next());
        let hint = waiting.and_then(|name| did_you_mean(name, self.names())).or_else(|| {
            waiting.map(|name| format!("{name} is declared nowhere, or is made of {} itself", variable.name))
        });
        let summary = format!("Invalid default of the variable {}", variable.name);
        Diagnostic::error(summary, format!("{why}.")).at(&variable.span).hint(hint)
    }

    fn mark(&mut self, document: &Document, diagnostics: &mut Diagnostics) {
        for (name, span) in &document.sensitive {
            if !document.variables.iter().any(|variable| variable.name == *name) && !self.values.contains_key(name) {
                let names = document.variables.iter().map(|variable| variable.name.as_str());
                let detail = "The list \"sensitive-variables\" names variables whose values are masked in output.";
                let warning = Diagnostic::warning(format!("Undeclared variable {name}"), detail).at(span);
                diagnostics.push(warning.hint(did_you_mean(name, names)));
            }
            self.sensitive.push(name.clone());
        }
    }
}

fn required(variable: &Variable) -> Diagnostic {
    let detail = format!("The variable {:?} has no default (null), so it must be set.", variable.name);
    let hint = format!("-var {}=VALUE on the command line, or a JSON file given with -var-file", variable.name);
    Diagnostic::error(format!("Required variable not set: {}", variable.name), detail)
        .at(&variable.name_span)
        .hint(hint)
}

/// Values from outside, the last of each name.
struct Given<'a> {
    document: &'a Document,
    values: BTreeMap<String, String>,
}

impl Given<'_> {
    /// Sets a variable. One that the template does not declare counts too, and is told of as asked.
    fn set(
        &mut self,
        name: &str,
        value: Option<String>,
        span: &Span,
        undeclared: Option<Severity>,
        diagnostics: &mut Diagnostics,
    ) {
        let Some(value) = value else {
            let detail = format!("The value of {name:?} must be a text, a number or a truth value.");
            diagnostics.push(Diagnostic::error("Unsuitable value type", detail).at(span));
            return;
        };
        let mut declared = self.document.variables.iter().map(|variable| variable.name.as_str());
        if undeclared.is_some() && !declared.any(|own| own == name) {
            let names = self.document.variables.iter().map(|variable| variable.name.as_str());
            let detail = format!("The template declares no variable {name:?}.");
            let warning = Diagnostic::warning(format!("Undeclared variable {name}"), detail).at(span);
            diagnostics.push(warning.hint(did_you_mean(name, names)));
        }
        self.values.insert(name.to_owned(), value);
    }
}
