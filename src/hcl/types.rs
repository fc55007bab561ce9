//! The types of the language, and which single type a mixture of types becomes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::value::Value;

/// A type, of a value or as a constraint on values.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Any type: of an untyped null or unknown value, and `any` as a constraint.
    Dynamic,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// Text.
    String,
    /// A sequence of elements of one type.
    List(Arc<Type>),
    /// Distinct elements of one type, in value order.
    Set(Arc<Type>),
    /// Elements of one type by name, in name order.
    Map(Arc<Type>),
    /// A sequence of a fixed length, each element with a type of its own: what `[a, b]` makes.
    Tuple(Arc<Vec<Type>>),
    /// Named attributes, each with a type of its own: what `{ a = b }` makes.
    Object(Arc<ObjectType>),
}

/// The attributes of an object type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ObjectType {
    /// The attributes by name.
    pub attributes: BTreeMap<String, AttributeType>,
}

/// One attribute of an object type.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeType {
    /// The attribute's type.
    pub ty: Type,
    /// Whether the attribute may be left out; it is null or the default then.
    pub optional: bool,
    /// The value when the attribute is left out or null.
    pub default: Option<Value>,
}

impl Type {
    /// A list of this type.
    pub fn list(element: Type) -> Self {
        Self::List(Arc::new(element))
    }

    /// A set of this type.
    pub fn set(element: Type) -> Self {
        Self::Set(Arc::new(element))
    }

    /// A map of this type.
    pub fn map(element: Type) -> Self {
        Self::Map(Arc::new(element))
    }

    /// A tuple of these types.
    pub fn tuple(elements: Vec<Type>) -> Self {
        Self::Tuple(Arc::new(elements))
    }

    /// An object whose attributes are all required.
    pub fn object<K: Into<String>>(attributes: impl IntoIterator<Item = (K, Type)>) -> Self {
        let required = |(name, ty): (K, Type)| (name.into(), AttributeType { ty, optional: false, default: None });
        Self::Object(Arc::new(ObjectType { attributes: attributes.into_iter().map(required).collect() }))
    }

    /// Whether the type is, or contains, [`Type::Dynamic`].
    pub fn has_dynamic(&self) -> bool {
        match self {
            Self::Dynamic => true,
            Self::Bool | Self::Number | Self::String => false,
            Self::List(element) | Self::Set(element) | Self::Map(element) => element.has_dynamic(),
            Self::Tuple(elements) => elements.iter().any(Self::has_dynamic),
            Self::Object(object) => object.attributes.values().any(|attribute| attribute.ty.has_dynamic()),
        }
    }

    /// Bool, number or string.
    pub fn is_primitive(&self) -> bool {
        matches!(self, Self::Bool | Self::Number | Self::String)
    }

    /// The element type of a list, set or map.
    pub fn element(&self) -> Option<&Type> {
        match self {
            Self::List(element) | Self::Set(element) | Self::Map(element) => Some(element),
            _ => None,
        }
    }

    /// The kind without its parts: `list`, `object`, `number`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::Bool => "bool",
            Self::Number => "number",
            Self::String => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Map(_) => "map",
            Self::Tuple(_) => "tuple",
            Self::Object(_) => "object",
        }
    }

    /// The type as its expression: `list(object({ a = string }))`.
    pub fn expression(&self) -> String {
        match self {
            Self::Dynamic => "any".into(),
            Self::Bool | Self::Number | Self::String => self.kind().into(),
            Self::List(element) | Self::Set(element) | Self::Map(element) => {
                format!("{}({})", self.kind(), element.expression())
            }
            Self::Tuple(elements) => {
                let elements: Vec<String> = elements.iter().map(Self::expression).collect();
                format!("tuple([{}])", elements.join(", "))
            }
            Self::Object(object) if object.attributes.is_empty() => "object({})".into(),
            Self::Object(object) => {
                let attribute = |(name, attribute): (&String, &AttributeType)| {
                    let ty = attribute.ty.expression();
                    if attribute.optional { format!("{name} = optional({ty})") } else { format!("{name} = {ty}") }
                };
                let attributes: Vec<String> = object.attributes.iter().map(attribute).collect();
                format!("object({{ {} }})", attributes.join(", "))
            }
        }
    }
}

/// The type in words, as error messages name it: `list of string`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dynamic => f.write_str("any single type"),
            Self::List(element) | Self::Set(element) | Self::Map(element) => write!(f, "{} of {element}", self.kind()),
            _ => f.write_str(self.kind()),
        }
    }
}

/// The one type that values of all these types convert to; none if there is none.
///
/// [`Type::Dynamic`] (an untyped null or unknown) fits with anything.
pub fn unify<'a>(types: impl IntoIterator<Item = &'a Type>) -> Option<Type> {
    let types: Vec<&Type> = types.into_iter().filter(|ty| **ty != Type::Dynamic).collect();
    let Some(first) = types.first() else { return Some(Type::Dynamic) };
    if types.iter().all(|ty| ty == first) {
        return Some((*first).clone());
    }
    let all = |kinds: &[&str]| types.iter().all(|ty| kinds.contains(&ty.kind()));
    if all(&["bool", "number", "string"]) {
        return types.contains(&&Type::String).then_some(Type::String);
    }
    if all(&["tuple"]) {
        return unify_tuples(&types).or_else(|| unify_elements(&types).map(Type::list));
    }
    if all(&["object"]) {
        return unify_objects(&types);
    }
    if all(&["map", "object"]) {
        return unify_elements(&types).map(Type::map);
    }
    if all(&["set", "tuple"]) {
        return unify_elements(&types).map(Type::set);
    }
    if all(&["list", "set", "tuple"]) {
        return unify_elements(&types).map(Type::list);
    }
    None
}

/// The unified type of all elements and attributes of these types.
fn unify_elements(types: &[&Type]) -> Option<Type> {
    let parts = types.iter().flat_map(|ty| -> Vec<&Type> {
        match ty {
            Type::List(element) | Type::Set(element) | Type::Map(element) => vec![&**element],
            Type::Tuple(elements) => elements.iter().collect(),
            Type::Object(object) => object.attributes.values().map(|attribute| &attribute.ty).collect(),
            _ => vec![],
        }
    });
    unify(parts)
}

/// Tuples of one length unify element by element.
fn unify_tuples(types: &[&Type]) -> Option<Type> {
    let tuples: Vec<&Vec<Type>> =
        types.iter().filter_map(|ty| if let Type::Tuple(elements) = ty { Some(&**elements) } else { None }).collect();
    let length = tuples.first()?.len();
    if tuples.iter().any(|elements| elements.len() != length) {
        return None;
    }
    let elements: Option<Vec<Type>> =
        (0..length).map(|at| unify(tuples.iter().filter_map(|elements| elements.get(at)))).collect();
    elements.map(Type::tuple)
}

/// Objects with the same attribute names unify attribute by attribute, others become a map.
fn unify_objects(types: &[&Type]) -> Option<Type> {
    let objects: Vec<&ObjectType> =
        types.iter().filter_map(|ty| if let Type::Object(object) = ty { Some(&**object) } else { None }).collect();
    let names: BTreeSet<&String> = objects.iter().flat_map(|object| object.attributes.keys()).collect();
    if objects.iter().any(|object| object.attributes.len() != names.len()) {
        return unify_elements(types).map(Type::map);
    }
    let attribute = |name: &&String| {
        let types = objects.iter().filter_map(|object| object.attributes.get(*name)).map(|attribute| &attribute.ty);
        unify(types).map(|ty| ((*name).clone(), ty))
    };
    names.iter().map(attribute).collect::<Option<Vec<_>>>().map(Type::object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unified(types: &[Type]) -> Option<String> {
        unify(types).map(|ty| ty.expression())
    }

    #[test]
    fn unifying() {
        use Type::{Bool, Dynamic, Number, String};
        let object = |names: &[(&str, Type)]| Type::object(names.iter().cloned());
        assert_eq!(unified(&[]).as_deref(), Some("any"));
        assert_eq!(unified(&[Number, String]).as_deref(), Some("string"));
        assert_eq!(unified(&[Number, Bool]), None);
        assert_eq!(unified(&[Dynamic, Bool]).as_deref(), Some("bool"));
        assert_eq!(unified(&[Type::tuple(vec![]), Type::tuple(vec![Number])]).as_deref(), Some("list(number)"));
        assert_eq!(
            unified(&[Type::tuple(vec![String]), Type::tuple(vec![Number])]).as_deref(),
            Some("tuple([string])")
        );
        assert_eq!(unified(&[Type::tuple(vec![]), object(&[])]), None);
        assert_eq!(unified(&[object(&[("a", Number)]), object(&[("b", String)])]).as_deref(), Some("map(string)"));
        assert_eq!(
            unified(&[object(&[("a", Number)]), object(&[("a", String)])]).as_deref(),
            Some("object({ a = string })")
        );
        assert_eq!(unified(&[Type::map(String), object(&[])]).as_deref(), Some("map(string)"));
        assert_eq!(unified(&[Type::list(Number), Type::tuple(vec![String])]).as_deref(), Some("list(string)"));
        assert_eq!(unified(&[Type::list(Number), Number]), None);
    }

    #[test]
    fn words() {
        assert_eq!(Type::list(Type::map(Type::String)).to_string(), "list of map of string");
        assert_eq!(Type::set(Type::Dynamic).to_string(), "set of any single type");
    }
}
