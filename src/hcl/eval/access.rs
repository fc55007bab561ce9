//! Attributes, indexes and splats.

use std::collections::BTreeMap;

use super::scope::{Missing, SPLAT_ELEMENT, Scope};
use super::{Evaluated, Evaluator};
use crate::hcl::ast::{Expr, ExprKind, Member};
use crate::hcl::convert::{convert, list_of};
use crate::hcl::diagnostics::{Diagnostic, Span, did_you_mean};
use crate::hcl::types::Type;
use crate::hcl::value::{Data, Value};

/// Objects of more attributes are not listed whole.
const MAX_LISTED: usize = 12;

impl Evaluator {
    /// `value.member`
    pub(super) fn attribute(&mut self, value: &Value, member: &Member, of: &Expr, scope: &Scope<'_>) -> Evaluated {
        let name = member.name.as_str();
        let unsupported = "Unsupported attribute";
        match value.data() {
            Data::Object(attributes) => match value.get(name) {
                Some(found) => Ok(found),
                None => self.no_attribute(member, attributes.keys().map(String::as_str), of, scope),
            },
            Data::Map(_, elements) => match value.get(name) {
                Some(found) => Ok(found),
                None => {
                    self.compare(elements.len(), &member.span)?;
                    let detail = format!("This map does not have an element with the key \"{name}\".");
                    let hint = did_you_mean(name, elements.keys().map(String::as_str));
                    self.fail_with(Diagnostic::error("Missing map element", detail).at(&member.span).hint(hint))
                }
            },
            Data::Null(_) => {
                let detail = "This value is null, so it does not have any attributes.";
                self.fail(&member.span, "Attempt to get attribute from null value", detail)
            }
            Data::Unknown(ty) => {
                let ty = self.attribute_of_unknown(ty, member, of, scope)?;
                Ok(Value::unknown(ty).sensitive_like([value]))
            }
            Data::Bool(_) | Data::Number(_) | Data::String(_) => {
                let kind = value.ty().kind();
                let detail = format!("Can't access attributes on a primitive-typed value ({kind}).");
                self.fail(&member.span, unsupported, detail)
            }
            Data::List(..) | Data::Set(..) | Data::Tuple(_) => {
                let hint = format!("for the attribute of one element use [0].{name}, of all elements [*].{name}");
                self.fail_with(
                    Diagnostic::error(unsupported, "This value does not have any attributes.")
                        .at(&member.span)
                        .hint(Some(hint)),
                )
            }
        }
    }

    fn no_attribute<'n>(
        &mut self,
        member: &Member,
        names: impl Iterator<Item = &'n str>,
        of: &Expr,
        scope: &Scope<'_>,
    ) -> Evaluated {
        let name = member.name.as_str();
        let names: Vec<&str> = names.collect();
        self.compare(names.len(), &member.span)?;
        let path = path(of);
        let advice = path.as_deref().map(|of| scope.advice(Missing::Attribute { of, name })).unwrap_or_default();
        let (summary, detail) = advice.wrong.unwrap_or_else(|| {
            let path = path.as_deref().unwrap_or("This object");
            ("Unsupported attribute", format!("{path} does not have an attribute named \"{name}\"."))
        });
        let all = || Some(format!("it has {}", names.join(", "))).filter(|_| (1..=MAX_LISTED).contains(&names.len()));
        let hint = did_you_mean(name, names.iter().copied()).or(advice.hint).or_else(all);
        self.fail_with(Diagnostic::error(summary, detail).at(&member.span).hint(hint))
    }

    fn attribute_of_unknown(&mut self, ty: &Type, member: &Member, of: &Expr, scope: &Scope<'_>) -> Evaluated<Type> {
        match ty {
            Type::Dynamic => Ok(Type::Dynamic),
            Type::Map(element) => Ok((**element).clone()),
            Type::Object(object) => match object.attributes.get(&member.name) {
                Some(attribute) => Ok(attribute.ty.clone()),
                None => {
                    let names = object.attributes.keys().map(String::as_str);
                    self.no_attribute(member, names, of, scope).map(|_| Type::Dynamic)
                }
            },
            _ => self.fail(&member.span, "Unsupported attribute", "This value does not have any attributes."),
        }
    }

    /// `value[key]`
    pub(super) fn index(&mut self, value: &Value, key: &Value, span: &Span) -> Evaluated {
        if value.is_null() {
            let detail = "This value is null, so it does not have any indices.";
            return self.fail(span, "Attempt to index null value", detail);
        }
        if key.is_null() {
            return self.fail(span, "Invalid index", "Can't use a null value as an indexing key.");
        }
        let element = match value.data() {
            Data::Unknown(ty) => Value::unknown(element_of_unknown(ty, key)),
            Data::List(..) | Data::Tuple(_) => self.index_sequence(value, key, span)?,
            Data::Map(..) | Data::Object(_) => self.index_mapping(value, key, span)?,
            Data::Set(..) => {
                let detail = "Elements of a set are identified only by their value and don't have any separate index or \
                              key to select with, so it's only possible to perform operations across all elements of \
                              the set.";
                return self.fail(span, "Invalid index", detail);
            }
            _ => return self.fail(span, "Invalid index", "This value does not have any indices."),
        };
        Ok(if value.is_sensitive() || key.is_sensitive() { element.sensitive() } else { element })
    }

    fn index_sequence(&mut self, value: &Value, key: &Value, span: &Span) -> Evaluated {
        const WRONG: &str = "The given key does not identify an element in this collection value: ";
        let values = value.as_sequence().unwrap_or_default();
        let Ok(key) = convert(key, &Type::Number) else {
            return self.fail(span, "Invalid index", format!("{WRONG}a number is required."));
        };
        let Some(number) = key.as_number() else { return Ok(Value::unknown(Type::Dynamic)) };
        if let Some(element) = number.to_usize().and_then(|at| values.get(at)) {
            return Ok(element.clone());
        }
        let why = match () {
            () if number.is_negative() => {
                "a negative number is not a valid index for a sequence. To count from the end, use length() and \
                 subtract."
                    .to_owned()
            }
            () if !number.is_integer() => "indexing a sequence requires a whole number.".to_owned(),
            () => format!("the index is {number}, but there are {} elements, counted from 0.", values.len()),
        };
        self.fail(span, "Invalid index", format!("{WRONG}{why}"))
    }

    fn index_mapping(&mut self, value: &Value, key: &Value, span: &Span) -> Evaluated {
        const WRONG: &str = "The given key does not identify an element in this collection value";
        let Ok(key) = convert(key, &Type::String) else {
            return self.fail(span, "Invalid index", format!("{WRONG}: a string is required."));
        };
        let Some(name) = key.as_str() else {
            let ty = if let Data::Map(ty, _) = value.data() { ty.clone() } else { Type::Dynamic };
            return Ok(Value::unknown(ty));
        };
        if let Some(element) = value.get(name) {
            return Ok(element);
        }
        self.compare(value.len().unwrap_or_default(), span)?;
        let names = value.as_mapping().into_iter().flat_map(BTreeMap::keys).map(String::as_str);
        let hint = did_you_mean(name, names);
        let detail = match value.data() {
            Data::Object(_) => format!("{WRONG}: this object has no attribute named {name:?}."),
            _ => format!("{WRONG}: this map has no element with the key {name:?}."),
        };
        self.fail_with(Diagnostic::error("Invalid index", detail).at(span).hint(hint))
    }

    /// `value[*]…`: null is nothing, and what is no sequence is one element.
    pub(super) fn splat(&mut self, value: &Value, each: &Expr, scope: &Scope<'_>) -> Evaluated {
        if value.is_null() {
            return Ok(Value::tuple(Vec::new()).sensitive_like([value]));
        }
        if value.is_unknown() {
            return Ok(Value::unknown(Type::Dynamic).sensitive_like([value]));
        }
        let elements = match value.as_sequence() {
            Some(_) => value.entries().unwrap_or_default().into_iter().map(|(_, element)| element).collect(),
            None => vec![value.clone()],
        };
        let mut results = Vec::with_capacity(elements.len());
        let mut weight = 0_usize;
        for element in elements {
            let scope = scope.child([(SPLAT_ELEMENT.to_owned(), element)].into());
            self.round(&each.span)?;
            let result = self.eval(each, &scope)?;
            weight = weight.saturating_add(result.weight());
            self.fits(weight, &each.span)?;
            results.push(result);
        }
        let result = match value.data() {
            Data::List(..) | Data::Set(..) => list_of(results.clone()).unwrap_or_else(|| Value::tuple(results)),
            _ => Value::tuple(results),
        };
        Ok(if value.is_sensitive() { result.sensitive() } else { result })
    }
}

/// A path of names as it is written: `data.null.a`.
fn path(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Variable(name) => Some(name.clone()),
        ExprKind::Attribute(inner, member) => Some(format!("{}.{}", path(inner)?, member.name)),
        _ => None,
    }
}

/// The type of an element of an unknown value, as far as the key tells.
fn element_of_unknown(ty: &Type, key: &Value) -> Type {
    match ty {
        Type::List(element) | Type::Map(element) => (**element).clone(),
        Type::Object(object) => {
            let attribute = key.as_str().and_then(|name| object.attributes.get(name));
            attribute.map_or(Type::Dynamic, |attribute| attribute.ty.clone())
        }
        Type::Tuple(elements) => {
            let at = key.as_number().and_then(super::super::number::Number::to_usize);
            at.and_then(|at| elements.get(at)).cloned().unwrap_or(Type::Dynamic)
        }
        _ => Type::Dynamic,
    }
}
