//! `format` and `formatlist`: text made after a pattern with `%s`, `%d` and their like.

mod decimal;
mod pattern;
mod verb;

use super::arguments::{string, strings, text, text_param};
use super::{Call, Function, FunctionError, Nulls, Param, Unknowns};
use crate::hcl::types::Type;
use crate::hcl::value::{Data, Value};
use pattern::{Part, parse};

/// An argument of a pattern. Null is taken because `%v` can show it.
const ARGUMENT: Param = Param { name: "args", ty: super::arguments::any, nulls: Nulls::Taken, unknowns: Unknowns::Any };

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("format", &[text_param("format")], string, format).with_variadic(ARGUMENT),
    Function::new("formatlist", &[text_param("format")], strings, formatlist).with_variadic(ARGUMENT),
];

/// An untyped null says as little about the result as an unknown value does.
fn is_open(value: &Value) -> bool {
    !value.is_wholly_known() || matches!(value.data(), Data::Null(Type::Dynamic))
}

fn format(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (pattern, values) = (text(args, 0)?, args.get(1..).unwrap_or_default());
    if values.iter().any(is_open) {
        return Ok(Value::unknown(Type::String));
    }
    render(pattern, values).map(Value::string).map_err(FunctionError::failed)
}

/// Lists, sets and tuples are gone through together, everything else is the same every time.
fn formatlist(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (pattern, values) = (text(args, 0)?, args.get(1..).unwrap_or_default());
    let untyped = |value: &Value| matches!(value.data(), Data::Null(Type::Dynamic) | Data::Unknown(Type::Dynamic));
    let sequence = |ty: &Type| matches!(ty, Type::List(_) | Type::Set(_) | Type::Tuple(_));
    if values.iter().any(|value| untyped(value) || (value.is_unknown() && sequence(&value.ty()))) {
        return Ok(Value::unknown(strings()));
    }
    let rounds = rounds(values)?;
    let mut results = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let in_round = |value: &Value| match value.as_sequence() {
            Some(elements) => elements.get(round).cloned().unwrap_or_else(|| Value::null(Type::Dynamic)),
            None => value.clone(),
        };
        let values: Vec<Value> = values.iter().map(in_round).collect();
        if values.iter().any(|value| !value.is_wholly_known()) {
            results.push(Value::unknown(Type::String));
            continue;
        }
        let text = render(pattern, &values)
            .map_err(|message| FunctionError::failed(format!("element {round} of the lists: {message}")))?;
        results.push(Value::string(text));
    }
    Ok(Value::list(Type::String, results))
}

/// The length that all sequences have; one if there are none.
fn rounds(values: &[Value]) -> Result<usize, FunctionError> {
    let mut lengths = values.iter().enumerate().filter_map(|(at, value)| Some((at, value.as_sequence()?.len())));
    let Some((first, length)) = lengths.next() else { return Ok(1) };
    match lengths.find(|(_, other)| *other != length) {
        None => Ok(length),
        Some((at, other)) => {
            let message = format!("this list has {other} elements, but the one at position {} has {length}", first + 2);
            Err(FunctionError::argument(at + 1, message))
        }
    }
}

/// The pattern with the values put in; every value must be used.
fn render(pattern: &str, values: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut used = 0;
    for part in parse(pattern)? {
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Verb(verb) => {
                let value = verb.argument.checked_sub(1).and_then(|at| values.get(at)).ok_or_else(|| {
                    format!("there is no argument {} for `{}`: {} are given", verb.argument, verb.text, values.len())
                })?;
                used = used.max(verb.argument);
                out.push_str(&verb::show(&verb, value)?);
            }
        }
    }
    if used < values.len() {
        return Err(format!("{} arguments are given, but the format uses only {used}", values.len()));
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
