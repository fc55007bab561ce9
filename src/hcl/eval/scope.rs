//! What names mean where an expression stands.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::super::functions::{Allowed, Host};
use super::super::value::Value;
use super::nowhere::Nowhere;
use super::work::Work;

/// The element that the rest of a splat is applied to; no identifier, so it hides nothing.
pub(super) const SPLAT_ELEMENT: &str = "*";

/// A name that means nothing where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing<'n> {
    /// `name`, at the root of an expression.
    Name(&'n str),
    /// `of.name`, where `of` has no such attribute.
    Attribute {
        /// The names before the last dot.
        of: &'n str,
        /// The name after it.
        name: &'n str,
    },
    /// `name()`, which cannot be called here.
    Function(&'n str),
}

/// What to say of a missing name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advice {
    /// What is wrong, in place of the general words.
    pub wrong: Option<(&'static str, String)>,
    /// What to do, unless a name that is nearly the same is likelier.
    pub hint: Option<String>,
}

/// Gives advice on names. The language itself does not know what the names of a scope are for.
pub type Adviser = fn(Missing<'_>) -> Advice;

/// Names and functions that expressions can use.
pub struct Scope<'a> {
    parent: Option<&'a Scope<'a>>,
    values: Cow<'a, BTreeMap<String, Value>>,
    host: &'a dyn Host,
    allowed: &'a Allowed,
    variables: Variables,
    work: Work,
    adviser: Adviser,
}

/// Whether expressions may name variables at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variables {
    /// They may; an unknown name is an error.
    Allowed,
    /// They may not, and the error says so.
    Refused,
}

fn no_advice(_: Missing<'_>) -> Advice {
    Advice::default()
}

static NOWHERE: Nowhere = Nowhere;
static NO_FUNCTIONS: Allowed = Allowed::None;
static ALL_FUNCTIONS: LazyLock<Allowed> = LazyLock::new(|| Allowed::Except(Vec::new()));

impl<'a> Scope<'a> {
    /// A scope with these root names and all functions.
    pub fn new(host: &'a dyn Host, values: BTreeMap<String, Value>) -> Self {
        Self::of(host, Cow::Owned(values))
    }

    /// The same with names that stay where they are: a template's many expressions all see the same ones.
    pub fn over(host: &'a dyn Host, values: &'a BTreeMap<String, Value>) -> Self {
        Self::of(host, Cow::Borrowed(values))
    }

    fn of(host: &'a dyn Host, values: Cow<'a, BTreeMap<String, Value>>) -> Self {
        Self {
            parent: None,
            values,
            host,
            allowed: &ALL_FUNCTIONS,
            variables: Variables::Allowed,
            work: Work::default(),
            adviser: no_advice,
        }
    }

    /// The scope of literal expressions: no variables, no functions, no world outside.
    pub fn literal() -> Scope<'static> {
        Scope {
            parent: None,
            values: Cow::Owned(BTreeMap::new()),
            host: &NOWHERE,
            allowed: &NO_FUNCTIONS,
            variables: Variables::Refused,
            work: Work::default(),
            adviser: no_advice,
        }
    }

    /// The scope with somebody who knows what its names are for.
    #[must_use]
    pub fn with_adviser(self, adviser: Adviser) -> Self {
        Self { adviser, ..self }
    }

    /// What to say of a missing name.
    pub fn advice(&self, missing: Missing<'_>) -> Advice {
        (self.adviser)(missing)
    }

    /// The scope with other functions.
    #[must_use]
    pub fn with_functions(self, allowed: &'a Allowed) -> Self {
        Self { allowed, ..self }
    }

    /// The scope where naming a variable that is not in it is called forbidden, or unknown.
    #[must_use]
    pub fn with_variables(self, variables: Variables) -> Self {
        Self { variables, ..self }
    }

    /// The scope where evaluating adds to this cost.
    #[must_use]
    pub fn with_work(self, work: Work) -> Self {
        Self { work, ..self }
    }

    /// A scope inside this one with more names; they hide this one's.
    pub fn child(&'a self, values: BTreeMap<String, Value>) -> Scope<'a> {
        Scope {
            parent: Some(self),
            values: Cow::Owned(values),
            host: self.host,
            allowed: self.allowed,
            variables: self.variables,
            work: self.work.clone(),
            adviser: self.adviser,
        }
    }

    /// The value of a root name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).or_else(|| self.parent?.get(name))
    }

    /// All root names, for suggestions.
    pub fn names(&self) -> Vec<&str> {
        let mut names = self.parent.map(Scope::names).unwrap_or_default();
        names.extend(self.values.keys().map(String::as_str).filter(|name| *name != SPLAT_ELEMENT));
        names
    }

    /// Where a name stands below one of the root names: `var.name`.
    pub(super) fn path_to(&self, name: &str) -> Option<String> {
        let root = self.names().into_iter().find(|root| {
            self.get(root).and_then(Value::as_mapping).is_some_and(|attributes| attributes.contains_key(name))
        })?;
        Some(format!("{root}.{name}"))
    }

    /// The world outside.
    pub fn host(&self) -> &'a dyn Host {
        self.host
    }

    /// The functions that may be called.
    pub fn allowed(&self) -> &'a Allowed {
        self.allowed
    }

    /// What evaluating has cost so far.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// Whether variables may be named.
    pub fn variables(&self) -> Variables {
        self.variables
    }
}
