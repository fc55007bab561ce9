//! Functions on collections of any kind.

use super::arguments::{any, bool, elements, number, parts_param, value};
use super::{Call, Function, FunctionError, Nulls, Param, Unknowns};
use crate::hcl::convert::{convert, unified};
use crate::hcl::number::Number;
use crate::hcl::types::Type;
use crate::hcl::value::{Data, Value};
use unicode_segmentation::UnicodeSegmentation;

/// An alternative of `coalesce`.
const ALTERNATIVE: Param = Param { name: "vals", ty: any, nulls: Nulls::Taken, unknowns: Unknowns::Any };

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("alltrue", &[Param::new("list", bools).with_unknowns(Unknowns::Parts)], bool, alltrue),
    Function::new("anytrue", &[Param::new("list", bools).with_unknowns(Unknowns::Parts)], bool, anytrue),
    Function::new("coalesce", &[], any, coalesce).with_variadic(ALTERNATIVE),
    Function::new("length", &[parts_param("value")], number, length).keeping_marks(),
    Function::new("sum", &[parts_param("list")], number, sum),
];

fn bools() -> Type {
    Type::list(Type::Bool)
}

/// False at the first element that is false or null; unknown at the first that is unknown.
fn alltrue(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    for element in elements(args, 0)? {
        if element.is_unknown() {
            return Ok(Value::unknown(Type::Bool));
        }
        if element.as_bool() != Some(true) {
            return Ok(Value::bool(false));
        }
    }
    Ok(Value::bool(true))
}

/// True if any element is, whatever the unknown ones turn out to be.
fn anytrue(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let elements = elements(args, 0)?;
    if elements.iter().any(|element| element.as_bool() == Some(true)) {
        return Ok(Value::bool(true));
    }
    let open = elements.iter().any(Value::is_unknown);
    Ok(if open { Value::unknown(Type::Bool) } else { Value::bool(false) })
}

/// The first that is neither null nor empty text, as the type that all have in common.
fn coalesce(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (ty, values) = unified(args.to_vec())
        .ok_or_else(|| FunctionError::failed("the arguments have no type in common that all convert to"))?;
    for value in values {
        if value.is_unknown() {
            return Ok(Value::unknown(ty));
        }
        let empty = value.as_str().is_some_and(str::is_empty);
        if !value.is_null() && !empty {
            return Ok(value);
        }
    }
    Err(FunctionError::failed("every argument is null or empty"))
}

/// Elements of a collection, attributes of an object, characters of a text.
fn length(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let value = value(args, 0)?;
    if let Data::Set(_, elements) = value.data()
        && !elements.iter().all(Value::is_wholly_known)
    {
        // Elements that become known may turn out to be the same.
        return Ok(Value::unknown(Type::Number));
    }
    let length = value.len().or_else(|| Some(value.as_str()?.graphemes(true).count()));
    length.map(Value::number).ok_or_else(|| {
        let kind = value.ty().kind();
        FunctionError::argument(0, format!("a string, a collection or an object is required, not {kind}"))
    })
}

fn sum(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let elements = elements(args, 0)?;
    if elements.is_empty() {
        return Err(FunctionError::argument(0, "an empty list has no sum"));
    }
    if !elements.iter().all(Value::is_wholly_known) {
        return Ok(Value::unknown(Type::Number));
    }
    let mut total = Number::zero();
    for (index, element) in elements.iter().enumerate() {
        let wrong = |why: &str| FunctionError::argument(0, format!("element {index}: {why}"));
        let element = convert(element, &Type::Number).map_err(|error| wrong(&error.reason))?;
        let addend = element.as_number().ok_or_else(|| wrong("null is no number"))?;
        total = total.add(addend).map_err(|error| wrong(&error.to_string()))?;
    }
    Ok(Value::number(total))
}
