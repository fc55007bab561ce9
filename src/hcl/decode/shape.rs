//! What a struct wants, read from its JSON schema.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value as Json};

use crate::hcl::types::{AttributeType, ObjectType, Type};

/// Schemas that contain themselves are followed this deep.
pub(super) const MAX_DEPTH: usize = 16;

/// The form of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// Anything.
    Any,
    Bool,
    /// A whole number within limits.
    Integer {
        min: i128,
        max: i128,
    },
    Number,
    String,
    List(Box<Shape>),
    Map(Box<Shape>),
    /// Named fields.
    Object(Fields),
}

/// The fields of a struct.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Fields {
    fields: Vec<Field>,
}

/// One field of a struct.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) shape: Shape,
    pub(super) required: bool,
    /// How the field is written.
    pub(super) form: Form,
}

/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `name = value`
    Attribute,
    /// `name { … }`, once.
    Block,
    /// `name { … }`, any number of times.
    Blocks,
}

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name || field.aliases.iter().any(|alias| alias == name))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter()
    }

    /// These fields and more.
    pub(super) fn with(mut self, more: Self) -> Self {
        self.fields.extend(more.fields);
        self
    }

    /// All names, aliases included.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().flat_map(|field| std::iter::once(&field.name).chain(&field.aliases)).map(String::as_str)
    }
}

impl Shape {
    /// The shape of a type. It is read once: a template can have a thousand bodies of the same type.
    pub(super) fn of<T: JsonSchema + 'static>() -> Arc<Self> {
        static KNOWN: LazyLock<Mutex<HashMap<TypeId, Arc<Shape>>>> = LazyLock::new(Mutex::default);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let shape = known
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Arc::new(Self::of_schema(&SchemaGenerator::default().into_root_schema_for::<T>())));
        Arc::clone(shape)
    }

    /// The shape that a schema describes.
    pub(super) fn of_schema(schema: &schemars::Schema) -> Self {
        let root = schema.as_value();
        Self::read(root, root, MAX_DEPTH)
    }

    /// The language's type for values of this shape.
    pub(super) fn ty(&self) -> Type {
        match self {
            Self::Any => Type::Dynamic,
            Self::Bool => Type::Bool,
            Self::Integer { .. } | Self::Number => Type::Number,
            Self::String => Type::String,
            Self::List(element) => Type::list(element.ty()),
            Self::Map(element) => Type::map(element.ty()),
            Self::Object(fields) => {
                let attribute = |field: &Field| {
                    let ty = AttributeType { ty: field.shape.ty(), optional: !field.required, default: None };
                    (field.name.clone(), ty)
                };
                Type::Object(ObjectType { attributes: fields.iter().map(attribute).collect() }.into())
            }
        }
    }

    pub(super) fn read(schema: &Json, root: &Json, depth: usize) -> Self {
        let Some(schema) = schema.as_object() else { return Self::Any };
        if depth == 0 {
            return Self::Any;
        }
        if let Some(target) = schema.get("$ref").and_then(Json::as_str) {
            let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
            return target.map_or(Self::Any, |target| Self::read(target, root, depth - 1));
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            if let Some(choices) = schema.get(key).and_then(Json::as_array)
                && !schema.contains_key("properties")
            {
                return Self::read_choices(choices, root, depth);
            }
        }
        match type_name(schema) {
            Some("boolean") => Self::Bool,
            Some("integer") => Self::integer(schema),
            Some("number") => Self::Number,
            Some("string") => Self::String,
            Some("array") if schema.contains_key("prefixItems") => Self::Any,
            Some("array") => {
                let items = schema.get("items").unwrap_or(&Json::Null);
                Self::List(Box::new(Self::read(items, root, depth - 1)))
            }
            Some("object") if schema.contains_key("properties") => Self::Object(Fields::read(schema, root, depth)),
            Some("object") => match schema.get("additionalProperties") {
                Some(element) => Self::Map(Box::new(Self::read(element, root, depth - 1))),
                // A struct without fields.
                None => Self::Object(Fields::default()),
            },
            _ if schema.get("const").is_some_and(Json::is_string) || is_string_enum(schema) => Self::String,
            _ => Self::Any,
        }
    }

    /// Null aside, choices of one shape are that shape; others are anything, and serde decides.
    fn read_choices(choices: &[Json], root: &Json, depth: usize) -> Self {
        let is_null = |choice: &&Json| choice.get("type").and_then(Json::as_str) == Some("null");
        let mut shapes =
            choices.iter().filter(|choice| !is_null(choice)).map(|choice| Self::read(choice, root, depth - 1));
        let Some(first) = shapes.next() else { return Self::Any };
        if shapes.all(|shape| shape == first) { first } else { Self::Any }
    }

    fn integer(schema: &Map<String, Json>) -> Self {
        let limits = match schema.get("format").and_then(Json::as_str) {
            Some("uint8") => (0, i128::from(u8::MAX)),
            Some("uint16") => (0, i128::from(u16::MAX)),
            Some("uint32") => (0, i128::from(u32::MAX)),
            Some("uint64" | "uint") => (0, i128::from(u64::MAX)),
            Some("int8") => (i128::from(i8::MIN), i128::from(i8::MAX)),
            Some("int16") => (i128::from(i16::MIN), i128::from(i16::MAX)),
            Some("int32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
            _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
        };
        let limit = |key: &str| schema.get(key).and_then(Json::as_i64).map(i128::from);
        Self::Integer {
            min: limit("minimum").map_or(limits.0, |min| min.max(limits.0)),
            max: limit("maximum").map_or(limits.1, |max| max.min(limits.1)),
        }
    }
}

impl Fields {
    fn read(schema: &Map<String, Json>, root: &Json, depth: usize) -> Self {
        let required: Vec<&str> =
            schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
        let properties = schema.get("properties").and_then(Json::as_object);
        let field = |(name, property): (&String, &Json)| {
            let shape = Shape::read(property, root, depth - 1);
            let form = form(&shape, property);
            let aliases = property.get("x-aliases").and_then(Json::as_array).into_iter().flatten();
            let aliases = aliases.filter_map(Json::as_str).map(str::to_owned).collect();
            Field { name: name.clone(), aliases, shape, required: required.contains(&name.as_str()), form }
        };
        Self { fields: properties.into_iter().flatten().map(field).collect() }
    }
}

/// How a field of that shape is written.
pub(super) fn form(shape: &Shape, property: &Json) -> Form {
    match shape {
        _ if property.get("x-attribute") == Some(&Json::Bool(true)) => Form::Attribute,
        Shape::Object(_) => Form::Block,
        Shape::List(element) if matches!(**element, Shape::Object(_)) => Form::Blocks,
        _ => Form::Attribute,
    }
}

/// The schema's type, null aside; none if there are several.
fn type_name(schema: &Map<String, Json>) -> Option<&str> {
    match schema.get("type")? {
        Json::String(name) => Some(name),
        Json::Array(names) => {
            let mut names = names.iter().filter_map(Json::as_str).filter(|name| *name != "null");
            names.next().filter(|_| names.next().is_none())
        }
        _ => None,
    }
}

fn is_string_enum(schema: &Map<String, Json>) -> bool {
    let values = schema.get("enum").and_then(Json::as_array);
    values.is_some_and(|values| values.iter().all(|value| value.is_string() || value.is_null()))
}
