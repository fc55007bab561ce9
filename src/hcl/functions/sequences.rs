//! Functions on lists and tuples.

use super::arguments::{
    any, bool, count, elements, list, number, number_param, numeral, parts_param, strings, value, whole,
};
use super::{Call, Function, FunctionError, Param, Unknowns};
use crate::hcl::convert::unified;
use crate::hcl::number::Number;
use crate::hcl::types::{Type, unify};
use crate::hcl::value::{Data, Value};

/// A list whose elements may be unknown.
const LIST: Param = Param::new("list", list).with_unknowns(Unknowns::Parts);

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("chunklist", &[LIST, number_param("size")], list_of_lists, chunklist).keeping_marks(),
    Function::new("coalescelist", &[], any, coalescelist).with_variadic(parts_param("vals")).keeping_marks(),
    Function::new("compact", &[Param::new("list", strings)], strings, compact),
    Function::new("concat", &[], any, concat).with_variadic(parts_param("seqs")).keeping_marks(),
    Function::new("contains", &[parts_param("list"), parts_param("value")], bool, contains),
    Function::new("distinct", &[Param::new("list", list)], list, distinct).keeping_marks(),
    Function::new("element", &[parts_param("list"), number_param("index")], any, element).keeping_marks(),
    Function::new("flatten", &[parts_param("list")], any, flatten).keeping_marks(),
    Function::new("index", &[parts_param("list"), parts_param("value")], number, index),
    Function::new("range", &[], numbers, range).with_variadic(number_param("params")),
    Function::new("reverse", &[parts_param("list")], any, reverse).keeping_marks(),
    Function::new("slice", &[parts_param("list"), number_param("start_index"), number_param("end_index")], any, slice)
        .keeping_marks(),
    Function::new("sort", &[Param::new("list", strings)], strings, sort),
];

/// More values of `range` are refused, as the language has it.
const MAX_RANGE: usize = 1024;

fn list_of_lists() -> Type {
    Type::list(list())
}

fn numbers() -> Type {
    Type::list(Type::Number)
}

/// The elements of a list or tuple; sets have no order to speak of.
fn ordered(args: &[Value], at: usize) -> Result<&[Value], FunctionError> {
    let value = value(args, at)?;
    match value.data() {
        Data::List(_, values) | Data::Tuple(values) => Ok(values),
        _ => {
            let kind = value.ty().kind();
            Err(FunctionError::argument(at, format!("a list or a tuple is required, not {kind}")))
        }
    }
}

/// Elements taken out of a list or tuple, as a list or tuple again.
fn same_kind(origin: &Value, values: Vec<Value>) -> Value {
    match origin.data() {
        Data::List(ty, _) | Data::Set(ty, _) => Value::list(ty.clone(), values),
        _ => Value::tuple(values),
    }
}

fn element_type(value: &Value) -> Type {
    value.ty().element().cloned().unwrap_or(Type::Dynamic)
}

fn chunklist(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (values, size) = (elements(args, 0)?, count(args, 1)?);
    let ty = element_type(value(args, 0)?);
    let size = if size == 0 { values.len().max(1) } else { size };
    let chunks = values.chunks(size).map(|chunk| Value::list(ty.clone(), chunk.to_vec())).collect();
    Ok(Value::list(Type::list(ty), chunks))
}

fn coalescelist(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    for at in 0..args.len() {
        ordered(args, at)?;
    }
    let found = args.iter().find(|value| value.len().is_some_and(|length| length > 0));
    found.cloned().ok_or_else(|| FunctionError::failed("there is no list with an element"))
}

fn compact(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let filled = |value: &&Value| value.as_str().is_some_and(|text| !text.is_empty());
    Ok(Value::list(Type::String, elements(args, 0)?.iter().filter(filled).cloned().collect()))
}

/// A list if all are lists of types that have one in common, else a tuple.
fn concat(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    if args.is_empty() {
        return Err(FunctionError::failed("at least one list is required"));
    }
    let mut all = Vec::new();
    for at in 0..args.len() {
        all.extend(ordered(args, at)?.iter().cloned());
    }
    let lists: Option<Vec<Type>> =
        args.iter().map(|value| if let Data::List(ty, _) = value.data() { Some(ty.clone()) } else { None }).collect();
    if let Some(ty) = lists.and_then(|types| unify(&types))
        && let Some((found, values)) = unified(all.clone())
    {
        return Ok(Value::list(if values.is_empty() { ty } else { found }, values));
    }
    Ok(Value::tuple(all))
}

fn contains(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (elements, wanted) = (elements(args, 0)?, value(args, 1)?);
    let mut open = false;
    for element in elements {
        match element.equals(wanted).as_bool() {
            Some(true) => return Ok(Value::bool(true)),
            Some(false) => {}
            None => open = true,
        }
    }
    Ok(if open { Value::unknown(Type::Bool) } else { Value::bool(false) })
}

/// Keeps the first of each.
fn distinct(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let mut kept: Vec<Value> = Vec::new();
    for element in elements(args, 0)? {
        match kept.iter_mut().find(|value| *value == element) {
            Some(same) => *same = same.clone().sensitive_like([element]),
            None => kept.push(element.clone()),
        }
    }
    Ok(Value::list(element_type(value(args, 0)?), kept))
}

/// The index goes round: after the last element comes the first.
fn element(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (values, index) = (ordered(args, 0)?, count(args, 1)?);
    let at = index.checked_rem(values.len()).ok_or_else(|| FunctionError::argument(0, "the list is empty"))?;
    values.get(at).cloned().ok_or_else(|| FunctionError::argument(1, "there is no such element"))
}

fn flatten(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let mut flat = Vec::new();
    let known = flatten_into(elements(args, 0)?, false, &mut flat);
    Ok(if known { Value::tuple(flat) } else { Value::unknown(Type::Dynamic) })
}

/// Whether the number of elements is known: what is unknown may turn out to be a list.
fn flatten_into(values: &[Value], marked: bool, flat: &mut Vec<Value>) -> bool {
    let mut known = true;
    for value in values {
        let marked = marked || value.is_sensitive();
        match (value.data(), value.as_sequence()) {
            (_, Some(inner)) => known &= flatten_into(inner, marked, flat),
            (Data::Unknown(Type::Dynamic | Type::List(_) | Type::Set(_) | Type::Tuple(_)), None) => known = false,
            _ => flat.push(if marked { value.clone().sensitive() } else { value.clone() }),
        }
    }
    known
}

fn index(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (values, wanted) = (ordered(args, 0)?, value(args, 1)?);
    if values.is_empty() {
        return Err(FunctionError::argument(0, "cannot search an empty list"));
    }
    for (at, value) in values.iter().enumerate() {
        match value.equals(wanted).as_bool() {
            Some(true) => return Ok(Value::number(at)),
            Some(false) => {}
            None => return Ok(Value::unknown(Type::Number)),
        }
    }
    Err(FunctionError::failed("item not found"))
}

/// `range(limit)`, `range(start, limit)`, `range(start, limit, step)`
fn range(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (start, limit) = match args.len() {
        1 => (Number::zero(), numeral(args, 0)?.clone()),
        2 | 3 => (numeral(args, 0)?.clone(), numeral(args, 1)?.clone()),
        _ => return Err(FunctionError::failed("one, two or three numbers are required")),
    };
    let step = match args.len() {
        3 => numeral(args, 2)?.clone(),
        _ if limit < start => Number::from(-1_i64),
        _ => Number::from(1_i64),
    };
    if step.is_zero() {
        return Err(FunctionError::argument(2, "the step must not be zero"));
    }
    if step.is_negative() && limit > start {
        return Err(FunctionError::argument(1, "the end must lie below the start when the step is negative"));
    }
    if !step.is_negative() && limit < start {
        return Err(FunctionError::argument(1, "the end must lie above the start when the step is positive"));
    }
    let ends = |number: &Number| if step.is_negative() { *number <= limit } else { *number >= limit };
    let mut values = Vec::new();
    let mut next = start;
    while !ends(&next) {
        if values.len() == MAX_RANGE {
            return Err(FunctionError::failed(format!("the range has more than {MAX_RANGE} values")));
        }
        values.push(Value::number(next.clone()));
        next = next.add(&step).map_err(|error| FunctionError::failed(error.to_string()))?;
    }
    Ok(Value::list(Type::Number, values))
}

fn reverse(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let reversed = elements(args, 0)?.iter().rev().cloned().collect();
    Ok(same_kind(value(args, 0)?, reversed))
}

fn slice(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (values, start, end) = (ordered(args, 0)?, whole(args, 1)?, whole(args, 2)?);
    let length = values.len();
    let position = |at: usize, index: i64| {
        usize::try_from(index).ok().filter(|index| *index <= length).ok_or_else(|| {
            FunctionError::argument(at, format!("the index must lie between 0 and the length of the list, {length}"))
        })
    };
    let (start, end) = (position(1, start)?, position(2, end)?);
    let part = values
        .get(start..end)
        .ok_or_else(|| FunctionError::argument(1, "the start index must not be greater than the end index"))?;
    Ok(same_kind(value(args, 0)?, part.to_vec()))
}

/// By bytes: capitals before small letters.
fn sort(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let mut texts = Vec::new();
    for (at, value) in elements(args, 0)?.iter().enumerate() {
        let null = || FunctionError::argument(0, format!("element {at} is null and cannot be sorted"));
        texts.push(value.as_str().ok_or_else(null)?);
    }
    texts.sort_unstable();
    Ok(Value::strings(texts))
}
