//! Templates: text with interpolations and directives.

use std::borrow::Cow;

use super::collections::names;
use super::scope::Scope;
use super::{Evaluated, Evaluator};
use crate::hcl::ast::{Expr, ForPart, IfPart, Part};
use crate::hcl::diagnostics::Span;
use crate::hcl::types::Type;
use crate::hcl::value::Value;

/// Text made so far.
#[derive(Default)]
struct Text {
    text: String,
    unknown: bool,
    sensitive: bool,
}

impl Evaluator {
    /// A lone interpolation is its value; everything else is text.
    pub(super) fn template(&mut self, parts: &[Part], span: &Span, scope: &Scope<'_>) -> Evaluated {
        if let [Part::Interpolation(expr)] = parts {
            return self.eval(expr, scope);
        }
        let mut text = Text::default();
        self.parts(parts, scope, &mut text)?;
        let value = if text.unknown { Value::unknown(Type::String) } else { Value::string(text.text) };
        self.made(if text.sensitive { value.sensitive() } else { value }, span)
    }

    fn parts(&mut self, parts: &[Part], scope: &Scope<'_>, text: &mut Text) -> Evaluated<()> {
        // All of them, so that the faults of all are found.
        let mut outcome = Ok(());
        for part in parts {
            outcome = self.part(part, scope, text).and(outcome);
        }
        outcome
    }

    fn part(&mut self, part: &Part, scope: &Scope<'_>, text: &mut Text) -> Evaluated<()> {
        match part {
            Part::Literal(literal) => {
                text.text.push_str(literal);
                Ok(())
            }
            Part::Interpolation(expr) => {
                let value = self.eval(expr, scope)?;
                self.interpolate(&value, expr, text)
            }
            Part::If(part) => self.if_part(part, scope, text),
            Part::For(part) => self.for_part(part, scope, text),
        }
    }

    fn interpolate(&mut self, value: &Value, expr: &Expr, text: &mut Text) -> Evaluated<()> {
        let summary = "Invalid template interpolation value";
        text.sensitive |= value.has_sensitive();
        if value.is_null() {
            let detail = "The expression result is null. Cannot include a null value in a string template.";
            return self.fail(&expr.span, summary, detail);
        }
        if value.is_unknown() {
            text.unknown = true;
            return Ok(());
        }
        match value.as_str().map(Cow::from).or_else(|| value.to_text().map(Cow::from)) {
            Some(part) => {
                text.text.push_str(&part);
                self.fits(text.text.len(), &expr.span)?;
            }
            None => {
                let detail = format!(
                    "Cannot include the given value in a string template: string required, but this is {} {}.",
                    if value.ty().kind() == "object" { "an" } else { "a" },
                    value.ty().kind()
                );
                return self.fail(&expr.span, summary, detail);
            }
        }
        Ok(())
    }

    fn if_part(&mut self, part: &IfPart, scope: &Scope<'_>, text: &mut Text) -> Evaluated<()> {
        let condition = self.eval(&part.condition, scope)?;
        text.sensitive |= condition.is_sensitive();
        match self.condition(&condition, &part.condition.span)? {
            Some(true) => self.parts(&part.yes, scope, text),
            Some(false) => self.parts(&part.no, scope, text),
            None => {
                text.unknown = true;
                Ok(())
            }
        }
    }

    fn for_part(&mut self, part: &ForPart, scope: &Scope<'_>, text: &mut Text) -> Evaluated<()> {
        let collection = self.eval(&part.collection, scope)?;
        text.sensitive |= collection.is_sensitive();
        let Some(entries) = self.iterate(&collection, &part.collection.span)? else {
            text.unknown = true;
            return Ok(());
        };
        for (key, element) in entries {
            let scope = scope.child(names(part.key_name.as_deref(), &part.value_name, key, element));
            self.round(&part.collection.span)?;
            self.parts(&part.parts, &scope, text)?;
            self.fits(text.text.len(), &part.collection.span)?;
        }
        Ok(())
    }
}
