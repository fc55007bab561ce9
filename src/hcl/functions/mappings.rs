//! Functions on maps and objects.

use std::collections::BTreeMap;

use super::arguments::{any, parts_param, strings, text, text_param, value};
use super::{Call, Function, FunctionError, Param};
use crate::hcl::convert::convert;
use crate::hcl::types::Type;
use crate::hcl::value::{Data, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("keys", &[parts_param("inputMap")], any, keys).keeping_marks(),
    Function::new("lookup", &[parts_param("inputMap"), text_param("key"), parts_param("default")], any, lookup)
        .keeping_marks(),
    Function::new("merge", &[], any, merge).with_variadic(parts_param("maps").nullable()).keeping_marks(),
    Function::new("values", &[parts_param("mapping")], any, values).keeping_marks(),
    Function::new("zipmap", &[Param::new("keys", strings), parts_param("values")], any, zipmap).keeping_marks(),
];

/// The entries of a map or object.
fn entries(args: &[Value], at: usize) -> Result<&BTreeMap<String, Value>, FunctionError> {
    let value = value(args, at)?;
    value.as_mapping().ok_or_else(|| {
        let kind = value.ty().kind();
        FunctionError::argument(at, format!("a map or an object is required, not {kind}"))
    })
}

fn keys(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let keys = entries(args, 0)?.keys().map(Value::string).collect();
    Ok(match value(args, 0)?.data() {
        Data::Map(..) => Value::list(Type::String, keys),
        _ => Value::tuple(keys),
    })
}

fn values(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let values = entries(args, 0)?.values().cloned().collect();
    Ok(match value(args, 0)?.data() {
        Data::Map(ty, _) => Value::list(ty.clone(), values),
        _ => Value::tuple(values),
    })
}

/// An element by name, or the default; of a map the default must be such an element.
fn lookup(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let found = entries(args, 0)?.get(text(args, 1)?);
    let default = value(args, 2)?;
    let default = match value(args, 0)?.data() {
        Data::Map(ty, _) => convert(default, ty).map_err(|error| {
            FunctionError::argument(2, format!("the default must be like the map's elements: {error}"))
        })?,
        _ => default.clone(),
    };
    let result = found.cloned().unwrap_or(default);
    // Which element is taken says something about a sensitive key.
    Ok(if value(args, 1)?.is_sensitive() { result.sensitive() } else { result })
}

/// Later ones win. A map if all are maps of one type, else an object.
fn merge(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let mut merged = BTreeMap::new();
    for (at, argument) in args.iter().enumerate() {
        if argument.is_null() {
            continue;
        }
        let entries = entries(args, at)?;
        merged.extend(entries.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    let mut types = args.iter().filter(|value| !matches!(value.data(), Data::Null(Type::Dynamic))).map(Value::ty);
    Ok(match types.next() {
        Some(Type::Map(element)) if types.all(|ty| ty == Type::Map(element.clone())) => {
            Value::map((*element).clone(), merged)
        }
        _ => Value::object(merged),
    })
}

fn zipmap(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (keys, origin) = (value(args, 0)?.as_sequence().unwrap_or_default(), value(args, 1)?);
    let (Data::List(_, values) | Data::Tuple(values)) = origin.data() else {
        let kind = origin.ty().kind();
        return Err(FunctionError::argument(1, format!("a list or a tuple is required, not {kind}")));
    };
    if keys.len() != values.len() {
        let message = format!("{} keys for {} values: there must be as many", keys.len(), values.len());
        return Err(FunctionError::failed(message));
    }
    let mut zipped = BTreeMap::new();
    for (at, (key, value)) in keys.iter().zip(values.iter()).enumerate() {
        let null = || FunctionError::argument(0, format!("element {at} is null and cannot be a key"));
        zipped.insert(key.as_str().ok_or_else(null)?.to_owned(), value.clone());
    }
    Ok(match origin.data() {
        Data::List(ty, _) => Value::map(ty.clone(), zipped),
        _ => Value::object(zipped),
    })
}
