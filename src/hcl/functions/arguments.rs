//! Parameters that many functions have, and reading the arguments given for them.
//!
//! The evaluator has converted each argument to its parameter's type; what is read here as another type is a fault of
//! the function's declaration, and still only an error.

use super::{FunctionError, Param, Unknowns};
use crate::hcl::number::Number;
use crate::hcl::types::Type;
use crate::hcl::value::Value;

/// The type of a result that depends on the arguments.
pub(super) fn any() -> Type {
    Type::Dynamic
}

/// The type of text.
pub(super) fn string() -> Type {
    Type::String
}

/// The type of numbers.
pub(super) fn number() -> Type {
    Type::Number
}

/// The type of truth values.
pub(super) fn bool() -> Type {
    Type::Bool
}

/// The type of lists of text.
pub(super) fn strings() -> Type {
    Type::list(Type::String)
}

/// The type of lists of anything.
pub(super) fn list() -> Type {
    Type::list(Type::Dynamic)
}

/// A parameter of text.
pub(super) const fn text_param(name: &'static str) -> Param {
    Param::new(name, string)
}

/// A parameter of numbers.
pub(super) const fn number_param(name: &'static str) -> Param {
    Param::new(name, number)
}

/// A parameter of known values whose parts may be unknown.
pub(super) const fn parts_param(name: &'static str) -> Param {
    Param::new(name, any).with_unknowns(Unknowns::Parts)
}

/// An argument; an error if there is none at the position.
pub(super) fn value(args: &[Value], at: usize) -> Result<&Value, FunctionError> {
    args.get(at).ok_or_else(|| FunctionError::argument(at, "an argument is missing"))
}

/// The text at a position.
pub(super) fn text(args: &[Value], at: usize) -> Result<&str, FunctionError> {
    value(args, at)?.as_str().ok_or_else(|| FunctionError::argument(at, "a string is required"))
}

/// The number at a position.
pub(super) fn numeral(args: &[Value], at: usize) -> Result<&Number, FunctionError> {
    value(args, at)?.as_number().ok_or_else(|| FunctionError::argument(at, "a number is required"))
}

/// The whole number at a position, within 64 bits with a sign.
pub(super) fn whole(args: &[Value], at: usize) -> Result<i64, FunctionError> {
    let number = numeral(args, at)?;
    number.to_i64().ok_or_else(|| {
        let message = if number.is_integer() { "the number is too large" } else { "a whole number is required" };
        FunctionError::argument(at, message)
    })
}

/// The whole number at a position that is not negative.
pub(super) fn count(args: &[Value], at: usize) -> Result<usize, FunctionError> {
    usize::try_from(whole(args, at)?).map_err(|_| FunctionError::argument(at, "the number must not be negative"))
}

/// The elements of the list, set or tuple at a position.
pub(super) fn elements(args: &[Value], at: usize) -> Result<&[Value], FunctionError> {
    let value = value(args, at)?;
    value.as_sequence().ok_or_else(|| {
        let kind = value.ty().kind();
        FunctionError::argument(at, format!("a list, a set or a tuple is required, not {kind}"))
    })
}
