//! The functions that a template may call, by name, with what they want as arguments.

use std::collections::HashMap;
use std::sync::Arc;

use super::data::Data;

/// What a function does. An error is a short text; the executor adds where the call stands.
pub type Call = Arc<dyn Fn(&[Data]) -> Result<Data, String> + Send + Sync>;

/// What a function accepts at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// Any value; nil and missing ones arrive as [`Data::Nil`].
    Any,
    /// Text only.
    String,
    /// A whole number; a constant such as `1.0` counts as one.
    Int,
}

impl Parameter {
    /// Whether a value of this kind may be handed over as it is.
    pub(super) fn accepts(self, value: &Data) -> bool {
        match self {
            Parameter::Any => true,
            Parameter::String => matches!(value, Data::String(_)),
            Parameter::Int => matches!(value, Data::Int(_)),
        }
    }

    pub(super) fn type_name(self) -> &'static str {
        match self {
            Parameter::Any => "interface {}",
            Parameter::String => "string",
            Parameter::Int => "int",
        }
    }
}

/// A function with its signature, which the executor checks before it calls.
#[derive(Clone)]
pub struct Function {
    pub(super) fixed: Vec<Parameter>,
    pub(super) rest: Option<Parameter>,
    pub(super) call: Call,
}

impl Function {
    /// A function of exactly these parameters.
    pub fn new(
        parameters: &[Parameter],
        call: impl Fn(&[Data]) -> Result<Data, String> + Send + Sync + 'static,
    ) -> Function {
        Function { fixed: parameters.to_vec(), rest: None, call: Arc::new(call) }
    }

    /// A function of these parameters followed by any number of `rest`.
    pub fn variadic(
        parameters: &[Parameter],
        rest: Parameter,
        call: impl Fn(&[Data]) -> Result<Data, String> + Send + Sync + 'static,
    ) -> Function {
        Function { fixed: parameters.to_vec(), rest: Some(rest), call: Arc::new(call) }
    }

    /// A function that takes whatever it is given and always fails with this text.
    pub fn refusing(message: impl Into<String>) -> Function {
        let message = message.into();
        Function::variadic(&[], Parameter::Any, move |_| Err(message.clone()))
    }
}

/// Functions by name. The built-in ones (`printf`, `eq`, …) need not be added; one of the same name replaces it.
#[derive(Clone, Default)]
pub struct Functions {
    named: HashMap<String, Function>,
}

impl Functions {
    /// No function but the built-in ones.
    pub fn new() -> Functions {
        Functions::default()
    }

    /// Adds a function; an older one of the same name is replaced.
    pub fn insert(&mut self, name: impl Into<String>, function: Function) {
        self.named.insert(name.into(), function);
    }

    /// Adds a function without parameters that answers always the same.
    pub fn insert_constant(&mut self, name: impl Into<String>, value: impl Into<Data>) {
        let value = value.into();
        self.insert(name, Function::new(&[], move |_| Ok(value.clone())));
    }

    pub(super) fn get(&self, name: &str) -> Option<&Function> {
        self.named.get(name)
    }
}
