//! Functions on regular expressions, which are RE2's.

mod class;
mod syntax;

use std::collections::BTreeMap;

use regex::{Captures, Regex, RegexBuilder};

use super::arguments::{any, list, string, text, text_param};
use super::{Call, Function, FunctionError};
use crate::hcl::types::Type;
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("regex", &[text_param("pattern"), text_param("string")], any, regex),
    Function::new("regex_replace", &[text_param("str"), text_param("pattern"), text_param("replace")], string, replace),
    Function::new("regexall", &[text_param("pattern"), text_param("string")], list, regexall),
];

/// Bytes a compiled pattern may take. RE2 lets an item repeat a thousand times, with any class of characters.
const MAX_SIZE: usize = 64 << 20;

/// A compiled pattern and the names of its groups, the whole match not counted.
struct Pattern {
    regex: Regex,
    names: Vec<Option<String>>,
}

impl Pattern {
    /// Compiles the argument at a position.
    fn new(args: &[Value], at: usize) -> Result<Self, FunctionError> {
        let pattern = text(args, at)?;
        let invalid = |why: String| FunctionError::argument(at, format!("invalid regular expression: {why}"));
        let syntax::Translated { pattern, names } = syntax::translate(pattern).map_err(invalid)?;
        let regex = RegexBuilder::new(&pattern).size_limit(MAX_SIZE).build().map_err(|error| {
            let text = error.to_string();
            invalid(text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
        })?;
        Ok(Self { regex, names })
    }

    /// Compiles the argument at a position; its groups must all have names, or none.
    fn with_uniform_groups(args: &[Value], at: usize) -> Result<Self, FunctionError> {
        let pattern = Self::new(args, at)?;
        let named = pattern.names.iter().flatten().count();
        if named > 0 && named < pattern.names.len() {
            let message = "invalid regular expression: its groups must all have names or none";
            return Err(FunctionError::argument(at, message));
        }
        Ok(pattern)
    }

    /// A match as a value: the text, or the groups as a tuple, or the named groups as an object.
    fn value(&self, captures: &Captures<'_>) -> Value {
        let group = |at: usize| {
            captures.get(at).map_or_else(|| Value::null(Type::String), |group| Value::string(group.as_str()))
        };
        if self.names.is_empty() {
            return group(0);
        }
        let groups = self.names.iter().zip(1..);
        if self.names.iter().any(Option::is_some) {
            let named = groups.filter_map(|(name, at)| Some((name.clone()?, group(at))));
            return Value::object(named.collect::<BTreeMap<_, _>>());
        }
        Value::tuple(groups.map(|(_, at)| group(at)).collect())
    }

    /// The type of such a value.
    fn ty(&self) -> Type {
        if self.names.is_empty() {
            return Type::String;
        }
        if self.names.iter().any(Option::is_some) {
            return Type::object(self.names.iter().flatten().map(|name| (name.clone(), Type::String)));
        }
        Type::tuple(vec![Type::String; self.names.len()])
    }

    /// What a replacement means by a number or a name: of several groups of one name, the first that took part.
    fn group<'t>(&self, name: &str, captures: &Captures<'t>) -> Option<&'t str> {
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            let leading_zero = name.len() > 1 && name.starts_with('0');
            let number = name.parse().ok().filter(|_| !leading_zero)?;
            return Some(captures.get(number)?.as_str());
        }
        let groups = self.names.iter().zip(1..).filter(|(known, _)| known.as_deref() == Some(name));
        groups.filter_map(|(_, number)| captures.get(number)).map(|group| group.as_str()).next()
    }
}

fn regex(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let pattern = Pattern::with_uniform_groups(args, 0)?;
    let captures = pattern.regex.captures(text(args, 1)?);
    captures
        .map(|captures| pattern.value(&captures))
        .ok_or_else(|| FunctionError::failed("the pattern does not match the string"))
}

fn regexall(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let pattern = Pattern::with_uniform_groups(args, 0)?;
    let matches = pattern.regex.captures_iter(text(args, 1)?).map(|captures| pattern.value(&captures)).collect();
    Ok(Value::list(pattern.ty(), matches))
}

fn replace(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (text_given, replacement) = (text(args, 0)?, text(args, 2)?);
    let pattern = Pattern::new(args, 1)?;
    let replaced = pattern.regex.replace_all(text_given, |captures: &Captures<'_>| {
        let mut expanded = String::new();
        expand(&pattern, replacement, captures, &mut expanded);
        expanded
    });
    Ok(Value::string(replaced))
}

/// Writes the replacement with `$1`, `$name`, `${1}` and `${name}` replaced by groups (by nothing where there is no such
/// group) and `$$` by `$`. Any other `$` stands for itself.
fn expand(pattern: &Pattern, mut replacement: &str, captures: &Captures<'_>, out: &mut String) {
    while let Some(at) = replacement.find('$') {
        out.push_str(&replacement[..at]);
        replacement = &replacement[at + 1..];
        if let Some(rest) = replacement.strip_prefix('$') {
            out.push('$');
            replacement = rest;
        } else if let Some((name, rest)) = reference(replacement) {
            out.push_str(pattern.group(name, captures).unwrap_or_default());
            replacement = rest;
        } else {
            out.push('$');
        }
    }
    out.push_str(replacement);
}

/// The name after a `$`, as long as can be or in braces, and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (name, rest) = match text.strip_prefix('{') {
        Some(inner) => inner.split_once('}')?,
        None => text.split_at(text.find(|c| !is_word(c)).unwrap_or(text.len())),
    };
    (!name.is_empty() && name.chars().all(is_word)).then_some((name, rest))
}

#[cfg(test)]
mod tests;
