//! Functions on sets.

use super::arguments::{any, elements, list, parts_param, value};
use super::{Call, Function, FunctionError, Param};
use crate::hcl::convert::{convert, unified};
use crate::hcl::types::{Type, unify};
use crate::hcl::value::{Data, Value};

/// A set of anything.
const SET: Param = Param::new("sets", set);

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("setintersection", &[Param::new("first_set", set)], set, setintersection).with_variadic(SET),
    Function::new("setproduct", &[], any, setproduct).with_variadic(parts_param("sets")),
    Function::new("setunion", &[Param::new("first_set", set)], set, setunion).with_variadic(SET),
];

/// Larger products are refused: they would fill the memory.
const MAX_PRODUCT: usize = 1_000_000;

fn set() -> Type {
    Type::set(Type::Dynamic)
}

fn setunion(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (ty, sets) = alike(args)?;
    Ok(Value::set(ty, sets.into_iter().flatten().collect()))
}

fn setintersection(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (ty, sets) = alike(args)?;
    let Some((first, others)) = sets.split_first() else { return Ok(Value::set(ty, Vec::new())) };
    let common = first.iter().filter(|value| others.iter().all(|other| other.contains(value)));
    Ok(Value::set(ty, common.cloned().collect()))
}

/// The elements of each set, converted to the one type that they all have in common.
fn alike(args: &[Value]) -> Result<(Type, Vec<Vec<Value>>), FunctionError> {
    let types: Vec<Type> = args.iter().filter_map(|set| set.ty().element().cloned()).collect();
    let ty = unify(&types)
        .ok_or_else(|| FunctionError::failed("the elements of the sets have no type in common that all convert to"))?;
    let mut sets = Vec::new();
    for at in 0..args.len() {
        let converted = elements(args, at)?.iter().map(|value| convert(value, &ty));
        let converted: Result<Vec<Value>, _> = converted.collect();
        sets.push(converted.map_err(|error| FunctionError::argument(at, error.to_string()))?);
    }
    Ok((ty, sets))
}

/// All ways of taking one element of each; the last one changes fastest. A set if any is one, else a list.
fn setproduct(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    if args.len() < 2 {
        return Err(FunctionError::failed("at least two sets or lists are required"));
    }
    if !args.iter().all(Value::is_wholly_known) {
        return Ok(Value::unknown(list()));
    }
    let mut types = Vec::new();
    let mut products: Vec<Vec<Value>> = vec![Vec::new()];
    for at in 0..args.len() {
        let (ty, values) = uniform(args, at)?;
        if products.len().saturating_mul(values.len()) > MAX_PRODUCT {
            return Err(FunctionError::failed(format!("the product has more than {MAX_PRODUCT} elements")));
        }
        let with = |product: &Vec<Value>, value: &Value| product.iter().chain([value]).cloned().collect();
        products = products.iter().flat_map(|product| values.iter().map(|value| with(product, value))).collect();
        types.push(ty);
    }
    let products = products.into_iter().map(Value::tuple).collect();
    let any_set = args.iter().any(|value| matches!(value.data(), Data::Set(..)));
    let ty = Type::tuple(types);
    Ok(if any_set { Value::set(ty, products) } else { Value::list(ty, products) })
}

/// The elements of a set, list or tuple as values of one type.
fn uniform(args: &[Value], at: usize) -> Result<(Type, Vec<Value>), FunctionError> {
    let values = elements(args, at)?.to_vec();
    match value(args, at)?.data() {
        Data::Tuple(_) => {
            unified(values).ok_or_else(|| FunctionError::argument(at, "all elements must be of the same type"))
        }
        _ => Ok((value(args, at)?.ty().element().cloned().unwrap_or(Type::Dynamic), values)),
    }
}
