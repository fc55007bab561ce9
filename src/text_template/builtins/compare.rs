//! `eq`, `ne`, `lt`, `le`, `gt`, `ge`. Whole numbers and floats do not compare, as in Go.

use std::cmp::Ordering;

use crate::text_template::data::Data;

const INVALID: &str = "invalid type for comparison";

/// Whether the first is equal to any of the others.
pub fn eq(first: &Data, others: &[Data]) -> Result<bool, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub fn ne(left: &Data, right: &Data) -> Result<bool, String> {
    equal(left, right).map(|equal| !equal)
}

pub fn lt(left: &Data, right: &Data) -> Result<bool, String> {
    Ok(order(left, right)? == Some(Ordering::Less))
}

pub fn le(left: &Data, right: &Data) -> Result<bool, String> {
    Ok(matches!(order(left, right)?, Some(Ordering::Less | Ordering::Equal)))
}

pub fn gt(left: &Data, right: &Data) -> Result<bool, String> {
    le(left, right).map(|le| !le)
}

pub fn ge(left: &Data, right: &Data) -> Result<bool, String> {
    lt(left, right).map(|lt| !lt)
}

fn equal(left: &Data, right: &Data) -> Result<bool, String> {
    match (left, right) {
        (Data::Nil, _) | (_, Data::Nil) => Ok(left == right),
        (Data::List(_) | Data::Map(_), _) if std::mem::discriminant(left) == std::mem::discriminant(right) => {
            Err(format!("non-comparable type {}: {}", super::format::text(left), left.type_name()))
        }
        _ if std::mem::discriminant(left) != std::mem::discriminant(right) => Err(incompatible(left, right)),
        _ => Ok(left == right),
    }
}

/// None if one of them is not a number.
fn order(left: &Data, right: &Data) -> Result<Option<Ordering>, String> {
    match (left, right) {
        (Data::Int(left), Data::Int(right)) => Ok(Some(left.cmp(right))),
        (Data::Float(left), Data::Float(right)) => Ok(left.partial_cmp(right)),
        (Data::String(left), Data::String(right)) => Ok(Some(left.cmp(right))),
        (Data::Nil | Data::List(_) | Data::Map(_), _) | (_, Data::Nil | Data::List(_) | Data::Map(_)) => {
            Err(INVALID.into())
        }
        (Data::Bool(_), Data::Bool(_)) => Err(INVALID.into()),
        _ => Err(incompatible(left, right)),
    }
}

fn incompatible(left: &Data, right: &Data) -> String {
    format!("incompatible types for comparison: {} and {}", left.type_name(), right.type_name())
}
