//! The elements of collections, with what is known of all of them.
//!
//! Whether anything in a value is sensitive or unknown is asked at every step of an evaluation. A collection knows the
//! answer, so that asking costs the same for one element and for a million.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::Value;

/// What a value counts at least, in the bytes of [`Value::weight`].
pub const NODE: usize = 16;

/// What is known of all elements at all depths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// Whether one is marked.
    pub sensitive: bool,
    /// Whether one is unknown.
    pub unknown: bool,
    /// The weight of all.
    pub weight: usize,
    /// How many collections lie in one another, this one included.
    pub depth: usize,
}

impl Facts {
    const EMPTY: Self = Self { sensitive: false, unknown: false, weight: NODE, depth: 1 };

    fn add(&mut self, name: &str, value: &Value) {
        self.sensitive |= value.has_sensitive();
        self.unknown |= !value.is_wholly_known();
        self.depth = self.depth.max(value.depth() + 1);
        self.weight = self.weight.saturating_add(value.weight()).saturating_add(name.len());
    }
}

/// The elements of a list, set or tuple.
#[derive(Debug, Clone)]
pub struct Sequence {
    values: Vec<Value>,
    facts: Facts,
}

/// The elements of a map, or the attributes of an object.
#[derive(Debug, Clone)]
pub struct Mapping {
    values: BTreeMap<String, Value>,
    facts: Facts,
}

impl Sequence {
    pub(super) fn facts(&self) -> Facts {
        self.facts
    }
}

impl Mapping {
    pub(super) fn facts(&self) -> Facts {
        self.facts
    }

    /// Puts a value under a name.
    pub fn insert(&mut self, name: String, value: Value) {
        self.facts.add(&name, &value);
        if self.values.insert(name, value).is_some() {
            // What was true of the value that is gone may be true of no other.
            *self = std::mem::take(&mut self.values).into();
        }
    }
}

impl From<Vec<Value>> for Sequence {
    fn from(values: Vec<Value>) -> Self {
        let mut facts = Facts::EMPTY;
        values.iter().for_each(|value| facts.add("", value));
        Self { values, facts }
    }
}

impl From<BTreeMap<String, Value>> for Mapping {
    fn from(values: BTreeMap<String, Value>) -> Self {
        let mut facts = Facts::EMPTY;
        values.iter().for_each(|(name, value)| facts.add(name, value));
        Self { values, facts }
    }
}

impl FromIterator<Value> for Sequence {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        values.into_iter().collect::<Vec<_>>().into()
    }
}

impl FromIterator<(String, Value)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(values: I) -> Self {
        values.into_iter().collect::<BTreeMap<_, _>>().into()
    }
}

impl Default for Mapping {
    fn default() -> Self {
        BTreeMap::new().into()
    }
}

impl Deref for Sequence {
    type Target = Vec<Value>;

    fn deref(&self) -> &Vec<Value> {
        &self.values
    }
}

impl Deref for Mapping {
    type Target = BTreeMap<String, Value>;

    fn deref(&self) -> &BTreeMap<String, Value> {
        &self.values
    }
}

/// The facts follow from the values.
impl PartialEq for Sequence {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}
