//! `len`, `index` and `slice`. Text is counted in bytes, as in Go.

use crate::text_template::data::Data;

pub fn len(value: &Data) -> Result<Data, String> {
    let length = match value {
        Data::String(text) => text.len(),
        Data::List(items) => items.len(),
        Data::Map(entries) => entries.len(),
        Data::Nil => return Err("len of nil pointer".into()),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    i64::try_from(length).map(Data::Int).map_err(|error| error.to_string())
}

/// The element found by following the indices one after another. A key that a map does not have gives nothing.
pub fn index(value: &Data, indices: &[Data]) -> Result<Data, String> {
    if *value == Data::Nil {
        return Err("index of untyped nil".into());
    }
    indices.iter().try_fold(value.clone(), |item, index| match &item {
        Data::Nil => Err("index of nil pointer".into()),
        Data::List(items) => Ok(items[position(index, items.len())?].clone()),
        Data::String(text) => Ok(Data::Int(text.as_bytes()[position(index, text.len())?].into())),
        Data::Map(entries) => match index {
            Data::String(key) => Ok(entries.get(&**key).cloned().unwrap_or(Data::Nil)),
            Data::Nil => Err("value is nil; should be of type string".into()),
            other => Err(format!("value has type {}; should be string", other.type_name())),
        },
        other => Err(format!("can't index item of type {}", other.type_name())),
    })
}

/// A part of a text or list: from the first bound, to before the second.
pub fn slice(value: &Data, bounds: &[Data]) -> Result<Data, String> {
    if bounds.len() > 3 && *value != Data::Nil {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let length = match value {
        Data::String(text) => text.len(),
        Data::List(items) => items.len(),
        Data::Nil => return Err("slice of untyped nil".into()),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    if bounds.len() == 3 && value.as_str().is_some() {
        return Err("cannot 3-index slice a string".into());
    }
    let mut limits = [0, length, length];
    for (limit, bound) in limits.iter_mut().zip(bounds) {
        *limit = bound_within(bound, length)?;
    }
    let [from, to, capacity] = limits;
    for (low, high) in [(from, to), (to, capacity)] {
        if low > high && (bounds.len() == 3 || high == to) {
            return Err(format!("invalid slice index: {low} > {high}"));
        }
    }
    match value {
        Data::List(items) => Ok(Data::List(items[from..to].into())),
        Data::String(text) => match text.get(from..to) {
            Some(part) => Ok(part.into()),
            None => Err(format!("slice {from} to {to} cuts a character in two")),
        },
        _ => Ok(Data::Nil),
    }
}

fn position(index: &Data, length: usize) -> Result<usize, String> {
    match bound_within(index, length)? {
        position if position == length => Err(format!("index out of range: {position}")),
        position => Ok(position),
    }
}

fn bound_within(bound: &Data, length: usize) -> Result<usize, String> {
    match bound {
        Data::Int(value) => match usize::try_from(*value) {
            Ok(position) if position <= length => Ok(position),
            _ => Err(format!("index out of range: {value}")),
        },
        Data::Nil => Err("cannot index slice/array with nil".into()),
        other => Err(format!("cannot index slice/array with type {}", other.type_name())),
    }
}
