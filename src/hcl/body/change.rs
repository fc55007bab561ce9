//! Changing evaluated bodies: taking options out, overriding them, rewriting their strings.

use std::collections::BTreeMap;

use super::{EvaluatedAttribute, EvaluatedBlock, EvaluatedBody};
use crate::hcl::ast::Syntax;
use crate::hcl::decode::parts;
use crate::hcl::diagnostics::Span;
use crate::hcl::value::{Data, Value};

/// A function from an option's name and a string in its value to another string.
type Rewrite<'f, E> = &'f mut dyn FnMut(&str, &str) -> Result<String, E>;

impl EvaluatedBody {
    /// Moves the attributes and blocks of these names into a body of their own, in the same place.
    #[must_use]
    pub fn take<N: AsRef<str>>(&mut self, names: &[N]) -> EvaluatedBody {
        let wanted = |name: &str| names.iter().any(|own| own.as_ref() == name);
        let (attributes, left) = std::mem::take(&mut self.attributes).into_iter().partition(|(name, _)| wanted(name));
        self.attributes = left;
        let (blocks, left) = std::mem::take(&mut self.blocks).into_iter().partition(|block| wanted(&block.kind));
        self.blocks = left;
        self.absent.retain(|(kind, _)| !wanted(kind));
        self.taken.extend(names.iter().map(|name| name.as_ref().to_owned()));
        EvaluatedBody { attributes, blocks, syntax: self.syntax, ..EvaluatedBody::empty(self.span.clone()) }
    }

    /// Removes an attribute.
    pub fn take_attribute(&mut self, name: &str) -> Option<EvaluatedAttribute> {
        let at = self.attributes.iter().position(|(own, _)| own == name)?;
        Some(self.attributes.remove(at).1)
    }

    /// Removes the blocks of a type.
    pub fn take_blocks(&mut self, kind: &str) -> Vec<EvaluatedBlock> {
        let (taken, left) = std::mem::take(&mut self.blocks).into_iter().partition(|block| block.kind == kind);
        self.blocks = left;
        self.absent.retain(|(own, _)| own != kind);
        taken
    }

    /// Sets attributes by name; `place` tells where name and value of each stand.
    ///
    /// A list over a list replaces element by element, so what a shorter one does not reach stays; a map over a map
    /// replaces key by key. In a loosely written body a text stands for a list here too.
    pub fn replace(&mut self, attributes: &BTreeMap<String, Value>, place: impl Fn(&str) -> (Span, Span)) {
        let loose = self.syntax == Syntax::Loose;
        for (name, value) in attributes {
            let (name_span, value_span) = place(name);
            let given = |value: Value| EvaluatedAttribute { value, name_span, value_span };
            match self.attributes.iter_mut().find(|(own, _)| own == name) {
                Some((_, attribute)) => {
                    let base = match attribute.value.as_str() {
                        Some(text) if loose && value.as_sequence().is_some() => Value::tuple(parts(text)),
                        _ => attribute.value.clone(),
                    };
                    *attribute = given(overlaid(&base, value));
                }
                None => self.attributes.push((name.clone(), given(value.clone()))),
            }
        }
    }

    /// Where the values of all attributes stand, those in blocks included; the names of several may be the same.
    pub fn places(&self) -> Vec<(String, Span)> {
        let own = self.attributes.iter().map(|(name, attribute)| (name.clone(), attribute.value_span.clone()));
        own.chain(self.blocks.iter().flat_map(|block| block.body.places())).collect()
    }

    /// Rewrites every known string in the attributes of this body and of its blocks; marks stay. Map keys are left alone.
    ///
    /// # Errors
    /// The first error of the function ends it; what was rewritten before stays so.
    pub fn map_strings<E>(&mut self, rewrite: Rewrite<'_, E>) -> Result<(), E> {
        for (name, attribute) in &mut self.attributes {
            attribute.value = rewritten(name, &attribute.value, rewrite)?;
        }
        self.blocks.iter_mut().try_for_each(|block| block.body.map_strings(rewrite))
    }
}

/// The value with every known string in it rewritten.
fn rewritten<E>(name: &str, value: &Value, rewrite: Rewrite<'_, E>) -> Result<Value, E> {
    let mut sequence = |values: &[Value]| -> Result<Vec<Value>, E> {
        values.iter().map(|value| rewritten(name, value, rewrite)).collect()
    };
    let changed = match value.data() {
        Data::String(text) => Value::string(rewrite(name, text)?),
        Data::List(ty, values) => Value::list(ty.clone(), sequence(values)?),
        Data::Set(ty, values) => Value::set(ty.clone(), sequence(values)?),
        Data::Tuple(values) => Value::tuple(sequence(values)?),
        Data::Map(ty, values) => Value::map(ty.clone(), rewritten_mapping(name, values, rewrite)?),
        Data::Object(values) => Value::object(rewritten_mapping(name, values, rewrite)?),
        Data::Null(_) | Data::Unknown(_) | Data::Bool(_) | Data::Number(_) => return Ok(value.clone()),
    };
    Ok(if value.is_sensitive() { changed.sensitive() } else { changed })
}

fn rewritten_mapping<E>(
    name: &str,
    values: &BTreeMap<String, Value>,
    rewrite: Rewrite<'_, E>,
) -> Result<BTreeMap<String, Value>, E> {
    values.iter().map(|(key, value)| Ok((key.clone(), rewritten(name, value, rewrite)?))).collect()
}

/// One value over another.
fn overlaid(base: &Value, over: &Value) -> Value {
    let merged = if let (Some(base), Some(over)) = (base.as_sequence(), over.as_sequence()) {
        Value::tuple(over.iter().chain(base.iter().skip(over.len())).cloned().collect())
    } else if let (Some(base), Some(over)) = (base.as_mapping(), over.as_mapping()) {
        let entries = base.iter().chain(over).map(|(key, value)| (key.clone(), value.clone()));
        Value::object(entries.collect())
    } else {
        return over.clone();
    };
    if base.is_sensitive() || over.is_sensitive() { merged.sensitive() } else { merged }
}
