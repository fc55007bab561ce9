//! The values of pipelines, commands and operands, and the calls of functions.

use super::{Executed, Executor};
use crate::text_template::builtins;
use crate::text_template::data::Data;
use crate::text_template::functions::{Function, Parameter};
use crate::text_template::limits::{MAX_TEXT, too_large};
use crate::text_template::node::{Command, Ideal, Located, Number, Operand, Pipeline, Term};

impl<'t> Executor<'t> {
    pub(super) fn pipeline(&mut self, pipeline: &'t Pipeline, dot: &Data) -> Executed<Data> {
        self.at = Some(pipeline);
        let value = self.nested(|this| {
            let mut last = None;
            for command in &pipeline.commands {
                last = Some(this.command(command, dot, last)?);
            }
            Ok(last.unwrap_or(Data::Nil))
        })?;
        for name in &pipeline.variables {
            self.set(name, pipeline.binding, value.clone())?;
        }
        Ok(value)
    }

    /// A command's value. `piped` is the result of the one before it and becomes the last argument.
    fn command(&mut self, command: &'t Command, dot: &Data, piped: Option<Data>) -> Executed<Data> {
        self.step()?;
        let first = &command.arguments[0];
        let more = command.arguments.len() > 1 || piped.is_some();
        match &first.term {
            Term::Field(names) => return self.field_operand(first, names, dot, more),
            Term::Chain(inner, names) => return self.chain(first, inner, names, dot, more),
            Term::Function(name) => return self.call(first, name, command, &command.arguments[1..], dot, piped),
            Term::Pipeline(inner) if more => {
                return self.error(format!("can't give argument to non-function {inner}"));
            }
            Term::Pipeline(inner) => return self.pipeline(inner, dot),
            Term::Variable(name, names) => {
                self.at = Some(first);
                let value = self.variable(name)?;
                if more && names.is_empty() {
                    return self.not_a_function(first);
                }
                return self.fields(value, names, more);
            }
            _ => {}
        }
        self.at = Some(first);
        if more {
            return self.not_a_function(first);
        }
        match &first.term {
            Term::Nil => self.error("nil is not a command"),
            _ => self.constant(first, dot),
        }
    }

    fn not_a_function(&self, operand: &Operand) -> Executed<Data> {
        self.error(format!("can't give argument to non-function {operand}"))
    }

    /// The value of an operand that needs no function and no field.
    fn constant(&self, operand: &Operand, dot: &Data) -> Executed<Data> {
        match &operand.term {
            Term::Dot => Ok(dot.clone()),
            Term::Bool(value) => Ok(Data::Bool(*value)),
            Term::Number(number) => self.ideal(number),
            Term::String { value, .. } => Ok(Data::from(value.as_str())),
            _ => Ok(Data::Nil),
        }
    }

    fn ideal(&self, number: &Number) -> Executed<Data> {
        match (number.ideal, number.int, number.float) {
            (Ideal::Float, _, Some(value)) => Ok(Data::Float(value)),
            (_, Some(value), _) => Ok(Data::Int(value)),
            _ => self.error(format!("{} overflows int", number.text)),
        }
    }

    /// The parser knows which variables are in scope, but not that `{{$x := $x}}` uses one before it is there.
    fn variable(&self, name: &str) -> Executed<Data> {
        match self.variables.iter().rev().find(|(known, _)| *known == name) {
            Some((_, value)) => Ok(value.clone()),
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    fn field_operand(&mut self, part: &'t Operand, names: &[String], dot: &Data, arguments: bool) -> Executed<Data> {
        self.at = Some(part);
        self.fields(dot.clone(), names, arguments)
    }

    fn chain(
        &mut self,
        part: &'t Operand,
        inner: &'t Operand,
        names: &[String],
        dot: &Data,
        arguments: bool,
    ) -> Executed<Data> {
        self.at = Some(part);
        let value = self.operand(inner, dot)?;
        self.fields(value, names, arguments)
    }

    /// Follows field names through maps. Nothing has every field, and each of them is nothing.
    fn fields(&self, mut value: Data, names: &[String], arguments: bool) -> Executed<Data> {
        for (index, name) in names.iter().enumerate() {
            value = match &value {
                Data::Nil => return Ok(Data::Nil),
                Data::Map(_) if arguments && index + 1 == names.len() => {
                    return self.error(format!("{name} is not a method but has arguments"));
                }
                Data::Map(entries) => entries.get(name).cloned().unwrap_or(Data::Nil),
                other => {
                    return self.error(format!("can't evaluate field {name} in type {}", other.type_name()));
                }
            };
        }
        Ok(value)
    }

    /// An operand's value where any type will do.
    fn operand(&mut self, operand: &'t Operand, dot: &Data) -> Executed<Data> {
        self.at = Some(operand);
        match &operand.term {
            Term::Field(names) => self.fields(dot.clone(), names, false),
            Term::Variable(name, names) => self.fields(self.variable(name)?, names, false),
            Term::Pipeline(pipeline) => self.pipeline(pipeline, dot),
            Term::Function(name) => self.call(operand, name, operand, &[], dot, None),
            Term::Chain(inner, names) => self.chain(operand, inner, names, dot, false),
            _ => self.constant(operand, dot),
        }
    }

    /// An operand's value for a function that wants it to be of some type.
    fn argument(&mut self, wanted: Parameter, operand: &'t Operand, dot: &Data) -> Executed<Data> {
        self.at = Some(operand);
        match (&operand.term, wanted) {
            (_, Parameter::Any) => self.operand(operand, dot),
            (Term::Nil, _) => self.error(format!("cannot assign nil to {}", wanted.type_name())),
            (Term::String { .. }, Parameter::String) => self.constant(operand, dot),
            (Term::Number(Number { int: Some(value), .. }), Parameter::Int) => Ok(Data::Int(*value)),
            (Term::Number(_) | Term::Bool(_) | Term::String { .. }, _) => {
                let expected = if wanted == Parameter::Int { "integer" } else { "string" };
                self.error(format!("expected {expected}; found {operand}"))
            }
            _ => {
                let value = self.operand(operand, dot)?;
                self.checked(wanted, value)
            }
        }
    }

    fn checked(&self, wanted: Parameter, value: Data) -> Executed<Data> {
        if wanted.accepts(&value) {
            return Ok(value);
        }
        match value {
            Data::Nil => self.error(format!("invalid value; expected {}", wanted.type_name())),
            _ => {
                self.error(format!("wrong type for value; expected {}; got {}", wanted.type_name(), value.type_name()))
            }
        }
    }

    /// Calls a function. `at` is its name, `whole` the command with the arguments, of which a failing call complains.
    fn call(
        &mut self,
        at: &'t Operand,
        name: &str,
        whole: &'t dyn Located,
        arguments: &'t [Operand],
        dot: &Data,
        piped: Option<Data>,
    ) -> Executed<Data> {
        self.at = Some(at);
        let own = self.template.functions.get(name);
        let Some(function) = own.or_else(|| builtins::find(name)) else {
            return self.error(format!("{} is not a defined function", crate::text_template::format::quote(name)));
        };
        self.check_count(name, function, arguments.len() + usize::from(piped.is_some()))?;
        if own.is_none() && matches!(name, "and" | "or") {
            return self.short_circuit(name == "or", arguments, dot, piped);
        }
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for (index, operand) in arguments.iter().enumerate() {
            values.push(self.argument(function.wanted(index), operand, dot)?);
        }
        if let Some(value) = piped {
            values.push(self.checked(function.wanted(arguments.len()), value)?);
        }
        let result = (function.call)(&values).and_then(within_limits);
        result.or_else(|message| {
            self.at = Some(whole);
            self.error(format!("error calling {name}: {message}"))
        })
    }

    fn check_count(&self, name: &str, function: &Function, count: usize) -> Executed<()> {
        let fixed = function.fixed.len();
        match function.rest {
            Some(_) if count < fixed => {
                self.error(format!("wrong number of args for {name}: want at least {fixed} got {count}"))
            }
            None if count != fixed => self.error(format!("wrong number of args for {name}: want {fixed} got {count}")),
            _ => Ok(()),
        }
    }

    /// `and` and `or` stop at the argument that settles it; the ones after it are not evaluated.
    fn short_circuit(
        &mut self,
        settling: bool,
        arguments: &'t [Operand],
        dot: &Data,
        piped: Option<Data>,
    ) -> Executed<Data> {
        let mut last = Data::Nil;
        for operand in arguments {
            last = self.operand(operand, dot)?;
            if last.is_true() == settling {
                return Ok(last);
            }
        }
        Ok(piped.unwrap_or(last))
    }
}

impl Function {
    /// What is accepted at that place. The count has been checked, so beyond the fixed ones come the rest.
    fn wanted(&self, index: usize) -> Parameter {
        self.fixed.get(index).copied().or(self.rest).unwrap_or(Parameter::Any)
    }
}

fn within_limits(value: Data) -> Result<Data, String> {
    match value.as_str() {
        Some(text) if text.len() > MAX_TEXT => Err(too_large()),
        _ => Ok(value),
    }
}
