//! Object constructors and `for` expressions.

use std::collections::BTreeMap;

use super::scope::Scope;
use super::{Evaluated, Evaluator, Failed};
use crate::hcl::ast::{Expr, ExprKind, For, Grouping, Key};
use crate::hcl::convert::convert;
use crate::hcl::diagnostics::{Diagnostic, Span};
use crate::hcl::types::Type;
use crate::hcl::value::Value;

impl Evaluator {
    /// `{ key = value }`: the last of equal keys wins.
    pub(super) fn object(&mut self, items: &[(Key, Expr)], scope: &Scope<'_>) -> Evaluated {
        let mut attributes = BTreeMap::new();
        let (mut failed, mut unknown, mut sensitive) = (false, false, false);
        for (key, value) in items {
            let (Ok(key), Ok(value)) = (self.object_key(key, scope), self.eval(value, scope)) else {
                failed = true;
                continue;
            };
            sensitive |= key.is_sensitive();
            match key.as_str() {
                Some(name) => _ = attributes.insert(name.to_owned(), value),
                None => unknown = true,
            }
        }
        if failed {
            return Err(Failed);
        }
        let object = if unknown { Value::unknown(Type::Dynamic) } else { Value::object(attributes) };
        Ok(if sensitive { object.sensitive() } else { object })
    }

    fn object_key(&mut self, key: &Key, scope: &Scope<'_>) -> Evaluated {
        let expr = match key {
            Key::Name(member) => return Ok(Value::string(&member.name)),
            Key::Expr(expr) => expr,
        };
        let value = self.eval(expr, scope)?;
        if value.is_null() {
            // A bare `null` is a word like any other before `=`.
            if matches!(expr.kind, ExprKind::Literal(_)) {
                return Ok(Value::string("null"));
            }
            return self.fail(&expr.span, "Null value as key", "Can't use a null value as a key.");
        }
        convert(&value, &Type::String).or_else(|error| {
            let detail = format!("Can't use this value as a key: {error}.");
            self.fail(&expr.span, "Incorrect key type", detail)
        })
    }

    /// What a `for` goes through: keys and elements; none if the collection is unknown.
    pub(super) fn iterate(&mut self, collection: &Value, span: &Span) -> Evaluated<Option<Vec<(Value, Value)>>> {
        if collection.is_unknown() {
            return Ok(None);
        }
        if collection.is_null() {
            let detail = "A null value cannot be used as the collection in a 'for' expression.";
            return self.fail(span, "Iteration over null value", detail);
        }
        match collection.entries() {
            Some(entries) => Ok(Some(entries)),
            None => {
                let kind = collection.ty().kind();
                let detail = format!("A value of type {kind} cannot be used as the collection in a 'for' expression.");
                self.fail(span, "Iteration over non-iterable value", detail)
            }
        }
    }

    pub(super) fn for_expr(&mut self, parts: &For, span: &Span, scope: &Scope<'_>) -> Evaluated {
        let collection = self.eval(&parts.collection, scope)?;
        let Some(entries) = self.iterate(&collection, &parts.collection.span)? else {
            return Ok(Value::unknown(Type::Dynamic).sensitive_like([&collection]));
        };
        let mut results = Results::default();
        for (key, element) in entries {
            let scope = scope.child(names(parts.key_name.as_deref(), &parts.value_name, key, element));
            self.round(span)?;
            self.for_element(parts, &scope, &mut results)?;
            self.fits(results.weight, span)?;
        }
        if results.unknown {
            return Ok(Value::unknown(Type::Dynamic).sensitive_like([&collection]));
        }
        let value = match (&parts.key, parts.grouping) {
            (None, _) => Value::tuple(results.values),
            (Some(_), Grouping::Distinct) => {
                Value::object(results.keyed.into_iter().filter_map(|(key, mut v)| Some((key, v.pop()?))).collect())
            }
            (Some(_), Grouping::Grouped) => {
                Value::object(results.keyed.into_iter().map(|(key, values)| (key, Value::tuple(values))).collect())
            }
        };
        Ok(if results.sensitive || collection.is_sensitive() { value.sensitive() } else { value })
    }

    fn for_element(&mut self, parts: &For, scope: &Scope<'_>, results: &mut Results) -> Evaluated<()> {
        if let Some(condition) = &parts.condition {
            match self.for_condition(condition, scope)? {
                (Some(true), sensitive) => results.sensitive |= sensitive,
                (Some(false), sensitive) => {
                    results.sensitive |= sensitive;
                    return Ok(());
                }
                (None, _) => {
                    results.unknown = true;
                    return Ok(());
                }
            }
        }
        let Some(key_expr) = &parts.key else {
            let value = self.eval(&parts.value, scope)?;
            results.weight = results.weight.saturating_add(value.weight());
            results.values.push(value);
            return Ok(());
        };
        let key = self.for_key(key_expr, scope)?;
        let value = self.eval(&parts.value, scope)?;
        results.sensitive |= key.is_sensitive();
        results.weight = results.weight.saturating_add(key.weight()).saturating_add(value.weight());
        let Some(name) = key.as_str() else {
            results.unknown = true;
            return Ok(());
        };
        let values = results.keyed.entry(name.to_owned()).or_default();
        if !values.is_empty() && parts.grouping == Grouping::Distinct {
            let detail = format!("Two different items produced the key {name:?} in this 'for' expression.");
            let hint = "if several values for one key are wanted, write ... after the value to group them".to_owned();
            let diagnostic = Diagnostic::error("Duplicate object key", detail).at(&key_expr.span).hint(Some(hint));
            return self.fail_with(diagnostic);
        }
        values.push(value);
        Ok(())
    }

    /// Whether an element counts (none if that is unknown), and whether that is a secret.
    fn for_condition(&mut self, condition: &Expr, scope: &Scope<'_>) -> Evaluated<(Option<bool>, bool)> {
        let summary = "Invalid 'for' condition";
        let value = self.eval(condition, scope)?;
        if value.is_null() {
            return self.fail(&condition.span, summary, "The 'if' clause value is null; it must be true or false.");
        }
        let converted = convert(&value, &Type::Bool);
        let value = self.converted(converted, &condition.span, summary, "The 'if' clause value is invalid")?;
        Ok((value.as_bool(), value.is_sensitive()))
    }

    fn for_key(&mut self, expr: &Expr, scope: &Scope<'_>) -> Evaluated {
        let summary = "Invalid object key";
        let key = self.eval(expr, scope)?;
        if key.is_null() {
            let detail = "Key expression in 'for' expression must not produce a null value.";
            return self.fail(&expr.span, summary, detail);
        }
        let converted = convert(&key, &Type::String);
        self.converted(converted, &expr.span, summary, "The key expression produced an invalid result")
    }
}

/// What a `for` expression has made so far.
#[derive(Default)]
struct Results {
    values: Vec<Value>,
    /// The weight of all values.
    weight: usize,
    keyed: BTreeMap<String, Vec<Value>>,
    unknown: bool,
    sensitive: bool,
}

/// The names that a `for` binds.
pub(super) fn names(key_name: Option<&str>, value_name: &str, key: Value, element: Value) -> BTreeMap<String, Value> {
    let key = key_name.map(|name| (name.to_owned(), key));
    key.into_iter().chain([(value_name.to_owned(), element)]).collect()
}
