//! The values of the language: data of some type, perhaps unknown yet, perhaps marked as sensitive.

mod elements;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use super::number::Number;
use super::types::Type;
use elements::Facts;
pub use elements::{Mapping, NODE, Sequence};

/// A value: its data and whether it must not be shown.
///
/// The mark sits on the value that was marked: a list made of a sensitive string and a plain one is not itself
/// sensitive, one of its elements is. [`Value::has_sensitive`] looks at all depths.
#[derive(Clone)]
pub struct Value {
    data: Data,
    sensitive: bool,
}

/// What a value holds.
#[derive(Clone, PartialEq)]
pub enum Data {
    /// No value, of a type or of none in particular.
    Null(Type),
    /// A value that will be known later, of a type or of any.
    Unknown(Type),
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text in normal form NFC.
    String(Arc<str>),
    /// Elements of one type.
    List(Type, Arc<Sequence>),
    /// Distinct elements of one type, in set order.
    Set(Type, Arc<Sequence>),
    /// Elements of one type by name.
    Map(Type, Arc<Mapping>),
    /// Elements each of its own type.
    Tuple(Arc<Sequence>),
    /// Attributes each of its own type.
    Object(Arc<Mapping>),
}

/// Two values are equal when their data are; marks do not count. The language's `==` is [`Value::equals`].
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl From<Data> for Value {
    fn from(data: Data) -> Self {
        Self { data, sensitive: false }
    }
}

/// Constructors.
impl Value {
    /// No value.
    pub fn null(ty: Type) -> Self {
        Data::Null(ty).into()
    }

    /// A value that is not known yet.
    pub fn unknown(ty: Type) -> Self {
        Data::Unknown(ty).into()
    }

    /// A truth value.
    pub fn bool(value: bool) -> Self {
        Data::Bool(value).into()
    }

    /// A number.
    pub fn number(value: impl Into<Number>) -> Self {
        Data::Number(value.into()).into()
    }

    /// Text, brought into normal form NFC.
    pub fn string(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        let text: Arc<str> = if text.is_ascii() { text.into() } else { text.nfc().collect::<String>().into() };
        Data::String(text).into()
    }

    /// A list; the elements must already be of the type (see [`super::convert::list_of`] for others).
    pub fn list(element: Type, values: Vec<Value>) -> Self {
        Data::List(element, Arc::new(values.into())).into()
    }

    /// A set, sorted and without duplicates; the elements must already be of the type.
    pub fn set(element: Type, mut values: Vec<Value>) -> Self {
        values.sort_by(set_order);
        values.dedup_by(|left, right| {
            let same = !left.is_unknown() && set_order(left, right) == Ordering::Equal;
            right.sensitive |= same && left.sensitive;
            same
        });
        Data::Set(element, Arc::new(values.into())).into()
    }

    /// A map; the elements must already be of the type.
    pub fn map(element: Type, values: BTreeMap<String, Value>) -> Self {
        Data::Map(element, Arc::new(values.into())).into()
    }

    /// A tuple.
    pub fn tuple(values: Vec<Value>) -> Self {
        Data::Tuple(Arc::new(values.into())).into()
    }

    /// An object.
    pub fn object(attributes: BTreeMap<String, Value>) -> Self {
        Data::Object(Arc::new(attributes.into())).into()
    }

    /// A list of strings.
    pub fn strings<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Self {
        Self::list(Type::String, values.into_iter().map(Self::string).collect())
    }
}

/// Marks.
impl Value {
    /// The value marked as sensitive.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The value, sensitive if it was or if any of the values it was made from is.
    #[must_use]
    pub fn sensitive_like<'a>(mut self, origins: impl IntoIterator<Item = &'a Value>) -> Self {
        self.sensitive = self.sensitive || origins.into_iter().any(Value::has_sensitive);
        self
    }

    /// Whether the value itself is marked.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Whether the value or anything in it is marked.
    pub fn has_sensitive(&self) -> bool {
        self.sensitive || self.facts().is_some_and(|facts| facts.sensitive)
    }

    /// The value without marks at any depth.
    #[must_use]
    pub fn without_marks(&self) -> Self {
        if !self.has_sensitive() {
            return self.clone();
        }
        let list = |values: &[Value]| Arc::new(Sequence::from_iter(values.iter().map(Value::without_marks)));
        let map = |values: &BTreeMap<String, Value>| {
            let values = values.iter().map(|(key, value)| (key.clone(), value.without_marks()));
            Arc::new(Mapping::from_iter(values))
        };
        match &self.data {
            Data::List(ty, values) => Data::List(ty.clone(), list(values)).into(),
            Data::Set(ty, values) => Data::Set(ty.clone(), list(values)).into(),
            Data::Tuple(values) => Data::Tuple(list(values)).into(),
            Data::Map(ty, values) => Data::Map(ty.clone(), map(values)).into(),
            Data::Object(values) => Data::Object(map(values)).into(),
            data => data.clone().into(),
        }
    }

    /// The texts a reader must not see: every string in every marked part.
    pub fn sensitive_texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        self.collect_sensitive(false, &mut texts);
        texts
    }

    fn collect_sensitive(&self, inherited: bool, texts: &mut Vec<String>) {
        let marked = inherited || self.sensitive;
        if marked && let Data::String(text) = &self.data {
            texts.push(text.to_string());
        }
        self.children().for_each(|child| child.collect_sensitive(marked, texts));
    }
}

/// Changing.
impl Value {
    /// Gives an object an attribute, in its place unless somebody else holds the object too; anything else stays as it is.
    pub fn insert(&mut self, name: String, value: Value) {
        if let Data::Object(attributes) = &mut self.data {
            Arc::make_mut(attributes).insert(name, value);
        }
    }
}

/// Looking inside.
impl Value {
    /// What the value holds.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// What the value holds, without the mark.
    pub fn into_data(self) -> Data {
        self.data
    }

    /// The value's type.
    pub fn ty(&self) -> Type {
        match &self.data {
            Data::Null(ty) | Data::Unknown(ty) => ty.clone(),
            Data::Bool(_) => Type::Bool,
            Data::Number(_) => Type::Number,
            Data::String(_) => Type::String,
            Data::List(ty, _) => Type::list(ty.clone()),
            Data::Set(ty, _) => Type::set(ty.clone()),
            Data::Map(ty, _) => Type::map(ty.clone()),
            Data::Tuple(values) => Type::tuple(values.iter().map(Value::ty).collect()),
            Data::Object(values) => Type::object(values.iter().map(|(name, value)| (name.clone(), value.ty()))),
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null(_))
    }

    /// Whether this is unknown as a whole; parts of a known value may still be unknown.
    pub fn is_unknown(&self) -> bool {
        matches!(self.data, Data::Unknown(_))
    }

    /// Whether nothing in the value is unknown.
    pub fn is_wholly_known(&self) -> bool {
        !self.is_unknown() && self.facts().is_none_or(|facts| !facts.unknown)
    }

    /// About how many bytes the value takes when it is written out. What a collection shares with others counts every
    /// time, since whoever walks through the value meets it every time.
    pub fn weight(&self) -> usize {
        match (&self.data, self.facts()) {
            (_, Some(facts)) => facts.weight,
            (Data::String(text), None) => text.len() + NODE,
            _ => NODE,
        }
    }

    /// How many collections lie in one another; zero for what is no collection.
    pub fn depth(&self) -> usize {
        self.facts().map_or(0, |facts| facts.depth)
    }

    /// What is known of all that is in a collection.
    fn facts(&self) -> Option<Facts> {
        match &self.data {
            Data::List(_, values) | Data::Set(_, values) | Data::Tuple(values) => Some(values.facts()),
            Data::Map(_, values) | Data::Object(values) => Some(values.facts()),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Data::String(text) = &self.data { Some(text) } else { None }
    }

    /// The truth value of a bool.
    pub fn as_bool(&self) -> Option<bool> {
        if let Data::Bool(value) = self.data { Some(value) } else { None }
    }

    /// The number of a number.
    pub fn as_number(&self) -> Option<&Number> {
        if let Data::Number(number) = &self.data { Some(number) } else { None }
    }

    /// The elements of a list, set or tuple.
    pub fn as_sequence(&self) -> Option<&[Value]> {
        match &self.data {
            Data::List(_, values) | Data::Set(_, values) | Data::Tuple(values) => Some(values.as_slice()),
            _ => None,
        }
    }

    /// The elements of a map or the attributes of an object.
    pub fn as_mapping(&self) -> Option<&BTreeMap<String, Value>> {
        match &self.data {
            Data::Map(_, values) | Data::Object(values) => Some(values),
            _ => None,
        }
    }

    /// An element of a map or an attribute of an object, with the mark of the whole.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.as_mapping()?.get(name).map(|value| self.part(value))
    }

    /// Keys and elements of a list (indexes), set (the elements themselves), tuple, map or object, each with the
    /// mark of the whole; none for anything else, null and unknown included.
    pub fn entries(&self) -> Option<Vec<(Value, Value)>> {
        if let Some(values) = self.as_mapping() {
            return Some(values.iter().map(|(key, value)| (Value::string(key), self.part(value))).collect());
        }
        let values = self.as_sequence()?.iter().enumerate();
        let is_set = matches!(self.data, Data::Set(..));
        let entry = |(at, value): (usize, &Value)| {
            let value = self.part(value);
            (if is_set { value.clone() } else { Value::number(at) }, value)
        };
        Some(values.map(entry).collect())
    }

    /// The number of elements or attributes; none for what has neither.
    #[expect(clippy::len_without_is_empty, reason = "most values are no collections; an is_empty would be ambiguous")]
    pub fn len(&self) -> Option<usize> {
        self.as_sequence().map(<[Value]>::len).or_else(|| self.as_mapping().map(BTreeMap::len))
    }

    /// The text of a known string, number or bool.
    pub fn to_text(&self) -> Option<String> {
        match &self.data {
            Data::Bool(value) => Some(value.to_string()),
            Data::Number(number) => Some(number.to_string()),
            Data::String(text) => Some(text.to_string()),
            _ => None,
        }
    }

    /// The language's `==`: never converts; null equals null only; unknown if an unknown part decides.
    pub fn equals(&self, other: &Self) -> Value {
        let result = match compare(self, other) {
            Some(equal) => Value::bool(equal),
            None => Value::unknown(Type::Bool),
        };
        result.sensitive_like([self, other])
    }

    /// A part of this value with the mark of the whole.
    fn part(&self, value: &Value) -> Value {
        Self { data: value.data.clone(), sensitive: value.sensitive || self.sensitive }
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Value> + '_> {
        match &self.data {
            Data::List(_, values) | Data::Set(_, values) | Data::Tuple(values) => Box::new(values.iter()),
            Data::Map(_, values) | Data::Object(values) => Box::new(values.values()),
            _ => Box::new(std::iter::empty()),
        }
    }
}

/// Whether two values are equal; none if that depends on something unknown.
fn compare(left: &Value, right: &Value) -> Option<bool> {
    match (&left.data, &right.data) {
        (Data::Unknown(_), _) | (_, Data::Unknown(_)) => None,
        (Data::Null(_), Data::Null(_)) => Some(true),
        (Data::List(a, left), Data::List(b, right)) | (Data::Set(a, left), Data::Set(b, right)) => {
            if a == b {
                compare_sequences(left, right)
            } else {
                Some(false)
            }
        }
        (Data::Tuple(left), Data::Tuple(right)) => compare_sequences(left, right),
        (Data::Map(a, left), Data::Map(b, right)) => {
            if a == b {
                compare_mappings(left, right)
            } else {
                Some(false)
            }
        }
        (Data::Object(left), Data::Object(right)) => compare_mappings(left, right),
        (left, right) => Some(left == right),
    }
}

fn compare_sequences(left: &[Value], right: &[Value]) -> Option<bool> {
    if left.len() != right.len() {
        return Some(false);
    }
    all_equal(left.iter().zip(right))
}

fn compare_mappings(left: &BTreeMap<String, Value>, right: &BTreeMap<String, Value>) -> Option<bool> {
    if left.len() != right.len() || left.keys().ne(right.keys()) {
        return Some(false);
    }
    all_equal(left.values().zip(right.values()))
}

/// One known difference decides; else one unknown comparison makes the whole unknown.
fn all_equal<'a>(pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Option<bool> {
    let mut result = Some(true);
    for (left, right) in pairs {
        match compare(left, right) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => result = None,
        }
    }
    result
}

/// The order of a set's elements: by value for bools, numbers and strings, by a text form for the others,
/// null and then unknown last.
pub fn set_order(left: &Value, right: &Value) -> Ordering {
    let rank = |value: &Value| match value.data {
        Data::Unknown(_) => 2,
        Data::Null(_) => 1,
        _ => 0,
    };
    rank(left).cmp(&rank(right)).then_with(|| match (&left.data, &right.data) {
        (Data::Bool(left), Data::Bool(right)) => left.cmp(right),
        (Data::Number(left), Data::Number(right)) => left.cmp(right),
        (Data::String(left), Data::String(right)) => left.cmp(right),
        (Data::Null(_), Data::Null(_)) | (Data::Unknown(_), Data::Unknown(_)) => Ordering::Equal,
        _ => format!("{left:?}").cmp(&format!("{right:?}")),
    })
}

/// The value in a form for tests and logs; sensitive parts are hidden.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sensitive { f.write_str("<sensitive>") } else { self.data.fmt(f) }
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null(_) => f.write_str("null"),
            Self::Unknown(_) => f.write_str("<unknown>"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::String(text) => write!(f, "{text:?}"),
            Self::List(_, values) | Self::Tuple(values) => f.debug_list().entries(values.iter()).finish(),
            Self::Set(_, values) => f.debug_set().entries(values.iter()).finish(),
            Self::Map(_, values) | Self::Object(values) => f.debug_map().entries(values.iter()).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::string(text)
    }

    #[test]
    fn strings_are_normalised() {
        assert_eq!(text("e\u{301}"), text("\u{e9}"));
    }

    #[test]
    fn sets_are_sorted_and_distinct() {
        let set = Value::set(Type::String, vec![text("b"), Value::null(Type::String), text("a"), text("b")]);
        assert_eq!(format!("{set:?}"), r#"{"a", "b", null}"#);
    }

    #[test]
    fn equality_never_converts() {
        assert_eq!(Value::number(1_i64).equals(&text("1")), Value::bool(false));
        assert_eq!(Value::null(Type::String).equals(&Value::null(Type::Dynamic)), Value::bool(true));
        assert_eq!(Value::strings(["a"]).equals(&Value::tuple(vec![text("a")])), Value::bool(false));
        let unknown = Value::unknown(Type::String);
        assert!(text("a").equals(&unknown).is_unknown());
        let different = Value::tuple(vec![unknown.clone(), text("a")]).equals(&Value::tuple(vec![unknown, text("b")]));
        assert_eq!(different, Value::bool(false));
    }

    #[test]
    fn marks_reach_parts_and_results() {
        let list = Value::strings(["a"]).sensitive();
        assert!(list.entries().unwrap()[0].1.is_sensitive());
        let object = Value::object([("k".to_owned(), text("s").sensitive())].into());
        assert!(!object.is_sensitive() && object.has_sensitive());
        assert!(object.get("k").unwrap().is_sensitive());
        assert!(text("a").equals(&text("s").sensitive()).is_sensitive());
        assert_eq!(object.sensitive_texts(), ["s"]);
        assert!(!object.without_marks().has_sensitive());
        assert_eq!(format!("{object:?}"), r#"{"k": <sensitive>}"#);
    }
}
