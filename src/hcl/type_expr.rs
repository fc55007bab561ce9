//! Type expressions: `list(string)`, `object({ a = optional(number, 1) })`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{Call, Expr, ExprKind, Key};
use super::convert::convert;
use super::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use super::eval::{Scope, evaluate};
use super::types::{AttributeType, ObjectType, Type};
use super::value::Value;

/// What `optional(…)` means in an object type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Optional {
    /// The attribute may be left out, and may have a default.
    Allowed,
    /// It is read, but the attribute is still required; a default is an error.
    Required,
}

const SUMMARY: &str = "Invalid type specification";
const KEYWORDS: [&str; 9] = ["any", "bool", "list", "map", "number", "object", "set", "string", "tuple"];

/// The type that an expression describes.
pub fn parse_type(expr: &Expr, optional: Optional) -> Result<Type, Diagnostics> {
    match &expr.kind {
        ExprKind::Variable(name) => keyword(name, &expr.span),
        ExprKind::Literal(value) if value.is_null() => keyword("null", &expr.span),
        ExprKind::Literal(value) if value.as_bool().is_some() => {
            keyword(&value.to_text().unwrap_or_default(), &expr.span)
        }
        ExprKind::Call(call) => constructor(call, &expr.span, optional),
        ExprKind::Literal(value) if value.as_str().is_some() => {
            let text = value.as_str().unwrap_or_default();
            let word = KEYWORDS.iter().find(|word| text.starts_with(**word)).map_or("string", |_| text);
            let detail = "A type is a keyword or a constructor such as list(string), and not a text.";
            let hint = format!("without the quotes: {word}");
            Err(Diagnostic::error(SUMMARY, detail).at(&expr.span).hint(hint).into())
        }
        _ => fail(
            &expr.span,
            "A type specification is either a primitive type keyword (bool, number, string) or a complex type \
             constructor call, like list(string).",
        ),
    }
}

fn fail<T>(span: &Span, detail: impl Into<String>) -> Result<T, Diagnostics> {
    Err(Diagnostic::error(SUMMARY, detail).at(span).into())
}

fn keyword(name: &str, span: &Span) -> Result<Type, Diagnostics> {
    match name {
        "any" => Ok(Type::Dynamic),
        "bool" => Ok(Type::Bool),
        "number" => Ok(Type::Number),
        "string" => Ok(Type::String),
        "list" | "set" | "map" => {
            let detail = format!("The {name} type constructor requires one argument specifying the element type.");
            let hint = format!("write {name}(string), or {name}(any) for elements of any one type");
            Err(Diagnostic::error(SUMMARY, detail).at(span).hint(hint).into())
        }
        "object" => {
            let detail = "The object type constructor requires one argument specifying the attribute types and values \
                          as a map.";
            fail(span, detail)
        }
        "tuple" => {
            fail(span, "The tuple type constructor requires one argument specifying the element types as a list.")
        }
        "optional" => misplaced_optional(span),
        _ => {
            let detail = format!("The keyword \"{name}\" is not a valid type specification.");
            let hint = did_you_mean(name, KEYWORDS).or_else(|| other_word(name));
            Err(Diagnostic::error(SUMMARY, detail).at(span).hint(hint).into())
        }
    }
}

/// The keyword for what other languages call a type.
fn other_word(name: &str) -> Option<String> {
    let word = match name {
        "text" | "str" | "String" => "string",
        "int" | "integer" | "float" | "double" => "number",
        "boolean" | "flag" => "bool",
        "array" | "slice" | "vector" => "list(string)",
        "dict" | "hash" | "dictionary" => "map(string)",
        _ => return None,
    };
    Some(format!("the type is called {word} here"))
}

fn misplaced_optional<T>(span: &Span) -> Result<T, Diagnostics> {
    fail(span, "Keyword \"optional\" is valid only as a modifier for object type attributes.")
}

fn constructor(call: &Call, span: &Span, optional: Optional) -> Result<Type, Diagnostics> {
    let name = call.name.as_str();
    if matches!(name, "any" | "bool" | "number" | "string") {
        return fail(span, format!("Primitive type keyword \"{name}\" does not expect arguments."));
    }
    if !KEYWORDS.contains(&name) {
        return if name == "optional" { misplaced_optional(span) } else { keyword(name, &call.name_span) };
    }
    let [argument] = call.args.as_slice() else {
        // The keyword alone is the same mistake.
        return keyword(name, span);
    };
    match name {
        "list" => parse_type(argument, optional).map(Type::list),
        "set" => parse_type(argument, optional).map(Type::set),
        "map" => parse_type(argument, optional).map(Type::map),
        "tuple" => tuple(argument, optional),
        _ => object(argument, optional),
    }
}

fn tuple(argument: &Expr, optional: Optional) -> Result<Type, Diagnostics> {
    let ExprKind::Tuple(items) = &argument.kind else {
        return fail(&argument.span, "Tuple type constructor requires a list of element types.");
    };
    items.iter().map(|item| parse_type(item, optional)).collect::<Result<_, _>>().map(Type::tuple)
}

fn object(argument: &Expr, optional: Optional) -> Result<Type, Diagnostics> {
    let ExprKind::Object(items) = &argument.kind else {
        return fail(&argument.span, "Object type constructor requires a map whose keys are attribute names.");
    };
    let mut attributes = BTreeMap::new();
    for (key, ty) in items {
        let name = match key {
            Key::Name(member) => member.name.clone(),
            Key::Expr(Expr { kind: ExprKind::Literal(value), .. }) if value.as_str().is_some() => {
                value.as_str().unwrap_or_default().to_owned()
            }
            Key::Expr(expr) => return fail(&expr.span, "Object constructor map keys must be attribute names."),
        };
        attributes.insert(name, attribute(ty, optional)?);
    }
    Ok(Type::Object(Arc::new(ObjectType { attributes })))
}

fn attribute(expr: &Expr, optional: Optional) -> Result<AttributeType, Diagnostics> {
    let modifier = match &expr.kind {
        ExprKind::Call(call) if call.name == "optional" => call,
        _ => return Ok(AttributeType { ty: parse_type(expr, optional)?, optional: false, default: None }),
    };
    let (ty, default) = match modifier.args.as_slice() {
        [ty] => (ty, None),
        [ty, default] if optional == Optional::Allowed => (ty, Some(default)),
        [_, default] => return fail(&default.span, "A default for an optional attribute is not allowed here."),
        [] => return fail(&expr.span, "Optional attribute modifier requires the attribute type as its argument."),
        [_, _, extra, ..] => {
            return fail(&extra.span, "Optional attribute modifier expects at most two arguments.");
        }
    };
    let ty = parse_type(ty, optional)?;
    let default = default.map(|expr| default_value(expr, &ty)).transpose()?;
    Ok(AttributeType { ty, optional: optional == Optional::Allowed, default })
}

fn default_value(expr: &Expr, ty: &Type) -> Result<Value, Diagnostics> {
    let value = evaluate(expr, &Scope::literal())?;
    convert(&value, ty).map_err(|error| {
        let detail = format!("This default value is not compatible with the attribute's type constraint: {error}.");
        Diagnostic::error("Invalid default value for optional attribute", detail).at(&expr.span).into()
    })
}

#[cfg(test)]
mod tests {
    use super::super::diagnostics::Sources;
    use super::super::parse::parse_expr;
    use super::*;

    fn parsed(text: &str, optional: Optional) -> String {
        let file = Sources::default().add("t", text);
        let result = parse_expr(file, text).and_then(|expr| parse_type(&expr, optional));
        match result {
            Ok(ty) => ty.expression(),
            Err(errors) => format!("! {}", errors.iter().next().unwrap().detail),
        }
    }

    #[test]
    fn types() {
        for text in ["any", "list(map(string))", "tuple([string, number])", "object({})", "object({ a = set(bool) })"] {
            assert_eq!(parsed(text, Optional::Allowed), text);
        }
        assert_eq!(
            parsed("object({ a = optional(string, 1) })", Optional::Allowed),
            "object({ a = optional(string) })"
        );
        assert_eq!(parsed("object({ a = optional(string) })", Optional::Required), "object({ a = string })");
        let wrong = [
            ("\"string\"", "A type is a keyword or a constructor"),
            ("1", "A type specification is either"),
            ("list", "The list type constructor requires"),
            ("list(string, string)", "The list type constructor requires"),
            ("strin", "The keyword \"strin\" is not"),
            ("optional(string)", "Keyword \"optional\" is valid only"),
            ("tuple(string)", "Tuple type constructor requires a list"),
            ("object({ a = optional(number, \"x\") })", "This default value is not compatible"),
            ("object({ a = optional(number, foo) })", "Variables may not be used here"),
        ];
        for (text, want) in wrong {
            assert!(parsed(text, Optional::Allowed).contains(want), "{text}: {}", parsed(text, Optional::Allowed));
        }
    }
}
