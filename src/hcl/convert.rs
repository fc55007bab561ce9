//! Conversion of values to types, as every typed place of the language does it.

use std::collections::BTreeMap;
use std::fmt;

use super::number::Number;
use super::types::{ObjectType, Type, unify};
use super::value::{Data, Value};

/// Why a value does not convert, and which part of it. Never shows the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertError {
    /// Where in the value, from the outside in.
    pub path: Vec<Step>,
    /// What is wrong there: `a number is required`.
    pub reason: String,
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An element of a list, set or tuple, counted from zero.
    Index(usize),
    /// An element of a map.
    Key(String),
    /// An attribute of an object.
    Attribute(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(at) => write!(f, "element {at}"),
            Self::Key(key) => write!(f, "element {key:?}"),
            Self::Attribute(name) => write!(f, "attribute {name:?}"),
        }
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.iter().try_for_each(|step| write!(f, "{step}: "))?;
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ConvertError {}

impl ConvertError {
    fn new(reason: impl Into<String>) -> Self {
        Self { path: Vec::new(), reason: reason.into() }
    }

    fn inside(mut self, step: Step) -> Self {
        self.path.insert(0, step);
        self
    }
}

/// The value as a value of the type. Marks and unknown parts stay what they are.
pub fn convert(value: &Value, ty: &Type) -> Result<Value, ConvertError> {
    let converted = convert_data(value, ty)?;
    Ok(if value.is_sensitive() { converted.sensitive() } else { converted })
}

/// A list of these values, converted to the one type they have in common; none if they have none.
pub fn list_of(values: Vec<Value>) -> Option<Value> {
    let (element, values) = unified(values)?;
    Some(Value::list(element, values))
}

/// The values converted to the one type they have in common, and that type; none if they have none.
pub fn unified(values: Vec<Value>) -> Option<(Type, Vec<Value>)> {
    let types: Vec<Type> = values.iter().map(Value::ty).collect();
    let ty = unify(&types)?;
    let converted: Result<Vec<Value>, ConvertError> = values.iter().map(|value| convert(value, &ty)).collect();
    Some((ty, converted.ok()?))
}

fn convert_data(value: &Value, ty: &Type) -> Result<Value, ConvertError> {
    match (value.data(), ty) {
        (_, Type::Dynamic) => Ok(value.clone()),
        (Data::Null(from) | Data::Unknown(from), _) if !convertible(from, ty) => Err(mismatch(from, ty)),
        (Data::Null(_), _) => Ok(Value::null(ty.clone())),
        (Data::Unknown(_), _) => Ok(Value::unknown(ty.clone())),
        (_, Type::Bool) => to_bool(value),
        (_, Type::Number) => to_number(value),
        (Data::String(_), Type::String) => Ok(value.clone()),
        (_, Type::String) => value.to_text().map(Value::string).ok_or_else(|| mismatch(&value.ty(), ty)),
        (_, Type::List(element)) => sequence(value, element, ty).map(|(element, values)| Value::list(element, values)),
        (_, Type::Set(element)) => sequence(value, element, ty).map(|(element, values)| Value::set(element, values)),
        (_, Type::Map(element)) => to_map(value, element, ty),
        (_, Type::Tuple(elements)) => to_tuple(value, elements, ty),
        (_, Type::Object(object)) => to_object(value, object, ty),
    }
}

/// What to write so that a value which did not convert to a type does, where one slip explains it.
pub fn remedy(value: &Value, ty: &Type) -> Option<String> {
    let is_one = matches!(value.data(), Data::String(_) | Data::Number(_) | Data::Bool(_));
    let is_several = matches!(value.data(), Data::Tuple(_) | Data::List(..));
    let text = match ty {
        Type::List(_) | Type::Set(_) | Type::Tuple(_) if is_one => "put it in brackets: a list of one is written [ … ]",
        Type::String | Type::Number | Type::Bool if is_several => {
            "one value is wanted, not a list: leave the brackets out"
        }
        Type::Map(_) | Type::Object(_) if is_one || is_several => "write an object: { name = value }",
        _ => return None,
    };
    Some(text.to_owned())
}

fn mismatch(from: &Type, ty: &Type) -> ConvertError {
    let given = match from {
        Type::Dynamic => return ConvertError::new(format!("{ty} required")),
        Type::Object(_) => "an object",
        Type::Bool => "a bool",
        Type::Number => "a number",
        Type::String => "a string",
        Type::List(_) => "a list",
        Type::Set(_) => "a set",
        Type::Map(_) => "a map",
        Type::Tuple(_) => "a list",
    };
    ConvertError::new(format!("{ty} required, but {given} was given"))
}

/// Whether values of one type can convert to another at all; used where there is no value to try.
fn convertible(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Dynamic, _) | (_, Type::Dynamic) => true,
        (Type::Bool, Type::Bool | Type::String) | (Type::Number, Type::Number | Type::String) => true,
        (Type::String, Type::Bool | Type::Number | Type::String) => true,
        (Type::List(a) | Type::Set(a), Type::List(b) | Type::Set(b)) | (Type::Map(a), Type::Map(b)) => {
            convertible(a, b)
        }
        (Type::Tuple(parts), Type::List(b) | Type::Set(b)) => parts.iter().all(|part| convertible(part, b)),
        (Type::Object(object), Type::Map(b)) => object.attributes.values().all(|part| convertible(&part.ty, b)),
        (Type::Tuple(a), Type::Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| convertible(a, b))
        }
        (Type::Map(a), Type::Object(b)) => b.attributes.values().all(|part| convertible(a, &part.ty)),
        (Type::Object(a), Type::Object(b)) => b
            .attributes
            .iter()
            .all(|(name, part)| a.attributes.get(name).map_or(part.optional, |from| convertible(&from.ty, &part.ty))),
        _ => false,
    }
}

fn to_bool(value: &Value) -> Result<Value, ConvertError> {
    match value.data() {
        Data::Bool(_) => Ok(value.clone()),
        Data::String(text) => match &**text {
            "true" | "1" => Ok(Value::bool(true)),
            "false" | "0" => Ok(Value::bool(false)),
            "True" | "TRUE" => {
                Err(ConvertError::new("a bool is required; to convert from string, use lowercase \"true\""))
            }
            "False" | "FALSE" => {
                Err(ConvertError::new("a bool is required; to convert from string, use lowercase \"false\""))
            }
            _ => Err(ConvertError::new("a bool is required, but this string is neither \"true\" nor \"false\"")),
        },
        _ => Err(mismatch(&value.ty(), &Type::Bool)),
    }
}

fn to_number(value: &Value) -> Result<Value, ConvertError> {
    match value.data() {
        Data::Number(_) => Ok(value.clone()),
        Data::String(text) => Number::parse(text)
            .map(Value::number)
            .ok_or_else(|| ConvertError::new("a number is required, but this string is none")),
        _ => Err(mismatch(&value.ty(), &Type::Number)),
    }
}

/// The elements of a list, set or tuple, all of the element type, or of the one they have in common where it is open.
fn sequence(value: &Value, element: &Type, ty: &Type) -> Result<(Type, Vec<Value>), ConvertError> {
    let values = value.as_sequence().ok_or_else(|| mismatch(&value.ty(), ty))?;
    let converted: Result<Vec<Value>, ConvertError> = values
        .iter()
        .enumerate()
        .map(|(at, value)| convert(value, element).map_err(|error| error.inside(Step::Index(at))))
        .collect();
    close(element, converted?, "elements")
}

/// Closes an open element type: `list(any)` takes the type that its elements have in common.
fn close(element: &Type, values: Vec<Value>, what: &str) -> Result<(Type, Vec<Value>), ConvertError> {
    if !element.has_dynamic() {
        return Ok((element.clone(), values));
    }
    if values.is_empty() {
        return Ok((element.clone(), values));
    }
    unified(values).ok_or_else(|| ConvertError::new(format!("all {what} must have the same type")))
}

fn to_map(value: &Value, element: &Type, ty: &Type) -> Result<Value, ConvertError> {
    let entries = value.as_mapping().ok_or_else(|| mismatch(&value.ty(), ty))?;
    let mut values = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        values.push(convert(value, element).map_err(|error| error.inside(Step::Key(key.clone())))?);
    }
    let (element, values) = close(element, values, "elements of a map")?;
    Ok(Value::map(element, entries.keys().cloned().zip(values).collect()))
}

fn to_tuple(value: &Value, elements: &[Type], ty: &Type) -> Result<Value, ConvertError> {
    let Data::Tuple(values) = value.data() else { return Err(mismatch(&value.ty(), ty)) };
    if values.len() != elements.len() {
        return Err(ConvertError::new(format!("tuple of {} elements required, got {}", elements.len(), values.len())));
    }
    let convert_at =
        |(at, (value, ty)): (usize, (&Value, &Type))| convert(value, ty).map_err(|error| error.inside(Step::Index(at)));
    values.iter().zip(elements).enumerate().map(convert_at).collect::<Result<_, _>>().map(Value::tuple)
}

/// Attributes that the type does not name are dropped; missing ones must be optional.
fn to_object(value: &Value, object: &ObjectType, ty: &Type) -> Result<Value, ConvertError> {
    let entries = value.as_mapping().ok_or_else(|| mismatch(&value.ty(), ty))?;
    let mut attributes = BTreeMap::new();
    for (name, attribute) in &object.attributes {
        let given = entries.get(name);
        let value = match (given.filter(|value| !value.is_null()), &attribute.default) {
            (Some(value), _) | (None, Some(value)) => value.clone(),
            (None, None) if attribute.optional => Value::null(attribute.ty.clone()),
            (None, None) => match given {
                Some(null) => null.clone(),
                None => return Err(missing(value, name)),
            },
        };
        let value = convert(&value, &attribute.ty).map_err(|error| error.inside(Step::Attribute(name.clone())))?;
        attributes.insert(name.clone(), value);
    }
    Ok(Value::object(attributes))
}

fn missing(value: &Value, name: &str) -> ConvertError {
    ConvertError::new(match value.data() {
        Data::Map(..) => format!("map has no element for required attribute {name:?}"),
        _ => format!("attribute {name:?} is required"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::types::AttributeType;
    use super::*;
    use std::sync::Arc;

    fn s(text: &str) -> Value {
        Value::string(text)
    }

    fn n(number: i64) -> Value {
        Value::number(number)
    }

    fn shown(value: &Value, ty: &Type) -> String {
        match convert(value, ty) {
            Ok(value) => format!("{value:?}"),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn primitives() {
        let cases = [
            (s("1e3"), Type::Number, "1000"),
            (s("0x10"), Type::Number, "! a number is required, but this string is none"),
            (s("1"), Type::Bool, "true"),
            (s("yes"), Type::Bool, "! a bool is required, but this string is neither \"true\" nor \"false\""),
            (n(1), Type::Bool, "! bool required, but a number was given"),
            (Value::bool(true), Type::String, "\"true\""),
            (Value::bool(true), Type::Number, "! number required, but a bool was given"),
            (Value::tuple(vec![]), Type::String, "! string required, but a list was given"),
            (Value::null(Type::Dynamic), Type::Number, "null"),
            (Value::unknown(Type::String), Type::Number, "<unknown>"),
            (Value::unknown(Type::Bool), Type::Number, "! number required, but a bool was given"),
        ];
        for (value, ty, want) in cases {
            assert_eq!(shown(&value, &ty), want, "{value:?} as {ty}");
        }
    }

    #[test]
    fn collections() {
        let tuple = Value::tuple(vec![n(1), s("a"), Value::bool(true)]);
        assert_eq!(shown(&tuple, &Type::list(Type::Dynamic)), r#"["1", "a", "true"]"#);
        assert_eq!(convert(&tuple, &Type::list(Type::Dynamic)).unwrap().ty(), Type::list(Type::String));
        assert_eq!(
            shown(&tuple, &Type::list(Type::Number)),
            "! element 1: a number is required, but this string is none"
        );
        let mixed = Value::tuple(vec![n(1), Value::bool(true)]);
        assert_eq!(shown(&mixed, &Type::list(Type::Dynamic)), "! all elements must have the same type");
        let nested = Value::tuple(vec![Value::tuple(vec![n(1)]), s("a")]);
        assert_eq!(
            shown(&nested, &Type::list(Type::list(Type::String))),
            "! element 1: list of string required, but a string was given"
        );
        assert_eq!(shown(&s("a"), &Type::set(Type::String)), "! set of string required, but a string was given");
        assert_eq!(shown(&Value::tuple(vec![s("1"), n(1)]), &Type::set(Type::Number)), "{1}");
    }

    #[test]
    fn objects() {
        let object = Value::object([("a".to_owned(), n(1)), ("b".to_owned(), n(2))].into());
        assert_eq!(shown(&object, &Type::object([("a", Type::String)])), r#"{"a": "1"}"#);
        assert_eq!(shown(&object, &Type::object([("c", Type::String)])), "! attribute \"c\" is required");
        let map = convert(&object, &Type::map(Type::Number)).unwrap();
        assert_eq!(
            shown(&map, &Type::object([("c", Type::String)])),
            "! map has no element for required attribute \"c\""
        );
        let optional = |default| AttributeType { ty: Type::String, optional: true, default };
        let attributes = [("a".to_owned(), optional(None)), ("z".to_owned(), optional(Some(n(7))))].into();
        let ty = Type::Object(Arc::new(ObjectType { attributes }));
        assert_eq!(shown(&Value::object(BTreeMap::new()), &ty), r#"{"a": null, "z": "7"}"#);
    }

    #[test]
    fn marks_stay() {
        let value = Value::tuple(vec![n(1).sensitive(), n(2)]);
        let list = convert(&value, &Type::list(Type::String)).unwrap();
        assert!(!list.is_sensitive() && list.has_sensitive());
        assert!(convert(&n(1).sensitive(), &Type::String).unwrap().is_sensitive());
    }
}
