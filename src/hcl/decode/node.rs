//! Values on their way into a struct: converted, and each with its place, so that serde's errors have one.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use crate::hcl::diagnostics::Span;

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) span: Span,
}

#[derive(Debug, Clone)]
pub(super) enum NodeKind {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(String),
    /// Stands for an unknown value.
    Placeholder(Box<NodeKind>),
    Sequence(Vec<Node>),
    Mapping(Vec<(String, Node)>),
}

/// A step from a node to a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    pub(super) fn key(&self) -> Option<&str> {
        if let Self::Key(key) = self { Some(key) } else { None }
    }
}

/// Why a node does not fit, and where.
#[derive(Debug, Clone)]
pub(super) struct DecodeError {
    pub(super) message: String,
    /// A required field is not there. Bodies are checked for that before, so it is another fault's consequence.
    pub(super) missing: bool,
    /// From the whole to the part at fault.
    pub(super) path: Vec<Step>,
    pub(super) span: Option<Span>,
}

impl DecodeError {
    fn inside(mut self, step: Step, span: &Span) -> Self {
        self.path.insert(0, step);
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), missing: false, path: Vec::new(), span: None }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: true, ..Self::custom(format!("missing field `{field}`")) }
    }
}

impl Node {
    pub(super) fn keys(&self) -> Vec<&str> {
        match &self.kind {
            NodeKind::Mapping(entries) => entries.iter().map(|(key, _)| key.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn find(&self, path: &[Step]) -> Option<&Node> {
        let Some((step, rest)) = path.split_first() else { return Some(self) };
        let part = match (&self.kind, step) {
            (NodeKind::Mapping(entries), Step::Key(key)) => {
                entries.iter().find(|(own, _)| own == key).map(|(_, node)| node)
            }
            (NodeKind::Sequence(items), Step::Index(at)) => items.get(*at),
            _ => None,
        };
        part?.find(rest)
    }

    /// Removes the field or element at a path; says whether there was one.
    pub(super) fn remove(&mut self, path: &[Step]) -> bool {
        match (&mut self.kind, path) {
            (NodeKind::Mapping(entries), [Step::Key(key)]) => {
                let before = entries.len();
                entries.retain(|(own, _)| own != key);
                entries.len() < before
            }
            (NodeKind::Sequence(items), [Step::Index(at)]) if *at < items.len() => {
                items.remove(*at);
                true
            }
            (NodeKind::Mapping(entries), [Step::Key(key), rest @ ..]) => {
                entries.iter_mut().find(|(own, _)| own == key).is_some_and(|(_, node)| node.remove(rest))
            }
            (NodeKind::Sequence(items), [Step::Index(at), rest @ ..]) => {
                items.get_mut(*at).is_some_and(|node| node.remove(rest))
            }
            _ => false,
        }
    }

    /// Whether the value or a part of it stands for something unknown.
    pub(super) fn has_placeholder(&self) -> bool {
        match &self.kind {
            NodeKind::Placeholder(_) => true,
            NodeKind::Sequence(items) => items.iter().any(Self::has_placeholder),
            NodeKind::Mapping(entries) => entries.iter().any(|(_, node)| node.has_placeholder()),
            _ => false,
        }
    }
}

impl NodeKind {
    fn known(&self) -> &NodeKind {
        if let Self::Placeholder(kind) = self { kind } else { self }
    }
}

impl<'de> Deserializer<'de> for &Node {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.kind.known() {
            NodeKind::Null | NodeKind::Placeholder(_) => visitor.visit_unit(),
            NodeKind::Bool(value) => visitor.visit_bool(*value),
            NodeKind::Integer(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => visitor.visit_i64(value),
                (_, Ok(value)) => visitor.visit_u64(value),
                _ => visitor.visit_i128(*value),
            },
            NodeKind::Float(value) => visitor.visit_f64(*value),
            NodeKind::String(text) => visitor.visit_str(text),
            NodeKind::Sequence(items) => visitor.visit_seq(Items { items, next: 0 }),
            NodeKind::Mapping(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if matches!(self.kind, NodeKind::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    /// A null element of a list or map of strings is an empty string.
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if matches!(self.kind, NodeKind::Null) { visitor.visit_str("") } else { self.deserialize_any(visitor) }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.kind.known() {
            NodeKind::String(text) => {
                let text: StrDeserializer<'_, DecodeError> = text.as_str().into_deserializer();
                visitor.visit_enum(text)
            }
            NodeKind::Mapping(entries) => {
                visitor.visit_enum(de::value::MapAccessDeserializer::new(Entries { entries, next: 0 }))
            }
            _ => Err(de::Error::custom("string required")),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct Items<'n> {
    items: &'n [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        let at = self.next;
        let Some(node) = self.items.get(at) else { return Ok(None) };
        self.next += 1;
        seed.deserialize(node).map(Some).map_err(|error| error.inside(Step::Index(at), &node.span))
    }
}

struct Entries<'n> {
    entries: &'n [(String, Node)],
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some((key, _)) = self.entries.get(self.next) else { return Ok(None) };
        let key: StrDeserializer<'_, DecodeError> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let Some((key, node)) = self.entries.get(self.next) else {
            return Err(de::Error::custom("value without a key"));
        };
        self.next += 1;
        seed.deserialize(node).map_err(|error| error.inside(Step::Key(key.clone()), &node.span))
    }
}
