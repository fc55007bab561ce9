//! Builders, provisioners and post-processors as they are written, and the arguments that they have in common.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::hcl::ast::{Attribute, Body, Expr, ExprKind, Key, Syntax};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::hcl::duration::GoDuration;
use crate::hcl::eval::{Scope, evaluate};
use crate::hcl::value::{Data, Value};
use crate::plan::Replaced;

/// One component.
pub(super) struct Component {
    pub kind: String,
    /// All but `type`; names are distinct.
    pub attributes: Vec<Attribute>,
    /// Where its type is said.
    pub span: Span,
}

impl Component {
    /// Reads an object that has a `type`; a post-processor may be its type alone.
    pub fn read(expr: &Expr, word: &str, diagnostics: &mut Diagnostics) -> Option<Self> {
        if let (ExprKind::Literal(value), "post-processor") = (&expr.kind, word)
            && let Some(kind) = value.as_str()
        {
            return Some(Self { kind: kind.to_owned(), attributes: Vec::new(), span: expr.span.clone() });
        }
        let mut kind = None;
        let mut attributes = Vec::new();
        for (name, name_span, value) in entries(expr, &format!("A {word}"), diagnostics)? {
            let span = name_span.to(&value.span);
            match name.as_str() {
                "type" => kind = text(value, "type", diagnostics).map(|kind| (kind, span)),
                _ => attributes.push(Attribute { name, name_span, expr: value.clone(), span }),
            }
        }
        let Some((kind, span)) = kind else {
            let detail = format!("A {word} says in \"type\" of which type it is.");
            diagnostics.push(Diagnostic::error(format!("Missing type of a {word}"), detail).at(&expr.span));
            return None;
        };
        Some(Self { kind, attributes, span })
    }

    /// Its `name` as written, else its type.
    pub fn own_name(&self) -> &str {
        let name = self.attribute("name").and_then(|attribute| match &attribute.expr.kind {
            ExprKind::Literal(value) => value.as_str(),
            _ => None,
        });
        name.filter(|name| !name.is_empty()).unwrap_or(&self.kind)
    }

    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The options that are left when the common arguments are taken out.
    pub fn options(&self, common: &[&str]) -> Arc<Body> {
        let own = self.attributes.iter().filter(|attribute| !common.contains(&attribute.name.as_str()));
        let attributes = own.cloned().collect();
        Arc::new(Body { attributes, blocks: Vec::new(), span: self.span.clone(), syntax: Syntax::Loose })
    }

    /// An argument's value; none if it is absent or null.
    pub fn value(&self, name: &str) -> Option<(Value, &Span)> {
        let attribute = self.attribute(name)?;
        let value = evaluate(&attribute.expr, &Scope::literal()).ok().filter(|value| !value.is_null())?;
        Some((value, &attribute.expr.span))
    }

    /// A list of texts, each with its place; a lone text is a list of its parts between commas.
    pub fn texts(&self, name: &str, diagnostics: &mut Diagnostics) -> Vec<(String, Span)> {
        let Some(attribute) = self.attribute(name) else { return Vec::new() };
        match &attribute.expr.kind {
            ExprKind::Tuple(items) => {
                items.iter().filter_map(|item| Some((text(item, name, diagnostics)?, item.span.clone()))).collect()
            }
            _ => {
                let span = &attribute.expr.span;
                let text = text(&attribute.expr, name, diagnostics).unwrap_or_default();
                let parts = text.split(',').filter(|part| !part.is_empty());
                parts.map(|part| (part.to_owned(), span.clone())).collect()
            }
        }
    }

    /// A truth value.
    pub fn truth(&self, name: &str, diagnostics: &mut Diagnostics) -> Option<bool> {
        let (value, span) = self.value(name)?;
        let found = match value.data() {
            Data::Bool(value) => Some(*value),
            Data::String(text) => match &**text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
                "" => return None,
                _ => None,
            },
            _ => None,
        };
        if found.is_none() {
            diagnostics.push(unfit(name, "true or false is required", span));
        }
        found
    }

    /// A duration such as `10s`; a negative one is zero.
    pub fn duration(&self, name: &str, diagnostics: &mut Diagnostics) -> Option<Duration> {
        let (value, span) = self.value(name)?;
        let parsed = value.to_text().unwrap_or_default();
        match parsed.parse::<GoDuration>() {
            Ok(duration) => Some(duration.into()),
            Err(error) => {
                diagnostics.push(unfit(name, &error.to_string(), span));
                None
            }
        }
    }

    /// A count; a negative number is none.
    pub fn count(&self, name: &str, diagnostics: &mut Diagnostics) -> u32 {
        let Some((value, span)) = self.value(name) else { return 0 };
        let parsed = value.to_text().unwrap_or_default().parse::<i64>();
        if parsed.is_err() {
            diagnostics.push(unfit(name, "a whole number is required", span));
        }
        u32::try_from(parsed.unwrap_or_default().max(0)).unwrap_or(u32::MAX)
    }

    /// `override`: options that replace its own, by the name of a builder.
    pub fn overrides(&self, diagnostics: &mut Diagnostics) -> BTreeMap<String, Replaced> {
        let Some(attribute) = self.attribute("override") else { return BTreeMap::new() };
        let mut found = BTreeMap::new();
        for (name, name_span, expr) in entries(&attribute.expr, "\"override\"", diagnostics).unwrap_or_default() {
            let is_object = matches!(expr.kind, ExprKind::Object(_));
            match evaluate(expr, &Scope::literal()) {
                Ok(value) if is_object => {
                    let values = value.as_mapping().cloned().unwrap_or_default();
                    let place = |option: &String| {
                        let (name_span, value) = expr.entry(option)?;
                        Some((option.clone(), (name_span.clone(), value.span.clone())))
                    };
                    let places = values.keys().filter_map(place).collect();
                    found.insert(name, Replaced { values, places, span: name_span });
                }
                _ => diagnostics.push(unfit(&name, "an object of the options to replace is required", &expr.span)),
            }
        }
        found
    }
}

/// The entries of an object with the places of their keys, the last of each name; another value is an error.
pub(super) fn entries<'e>(
    expr: &'e Expr,
    what: &str,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<(String, Span, &'e Expr)>> {
    let ExprKind::Object(items) = &expr.kind else {
        let detail = format!("{what} is a JSON object: {{ \"key\": value, … }}.");
        diagnostics.push(Diagnostic::error("Object required", detail).at(&expr.span));
        return None;
    };
    let mut found: Vec<(String, Span, &Expr)> = Vec::new();
    for (key, value) in items {
        let Key::Name(key) = key else { continue };
        if let Some(before) = found.iter_mut().find(|(name, ..)| *name == key.name) {
            if !key.name.starts_with('_') {
                let detail = "The last of them counts.";
                let summary = format!("The key {:?} is given more than once", key.name);
                diagnostics.push(Diagnostic::warning(summary, detail).at(&key.span));
            }
            *before = (key.name.clone(), key.span.clone(), value);
            continue;
        }
        found.push((key.name.clone(), key.span.clone(), value));
    }
    Some(found)
}

/// A text, or what can be written as one; null is none.
pub(super) fn text(expr: &Expr, name: &str, diagnostics: &mut Diagnostics) -> Option<String> {
    let value = evaluate(expr, &Scope::literal()).ok().filter(|value| !value.is_null())?;
    let text = value.to_text();
    if text.is_none() {
        diagnostics.push(unfit(name, "a text is required", &expr.span));
    }
    text
}

/// An argument of the wrong kind.
pub(super) fn unfit(name: &str, why: &str, span: &Span) -> Diagnostic {
    let detail = format!("Inappropriate value for {name:?}: {why}.");
    Diagnostic::error("Incorrect JSON value type", detail).at(span)
}
