//! The syntax tree of a template. `Display` writes a part as its author wrote it, for error messages.

use std::fmt;

/// What stands between or inside actions, in order.
pub type Body = Vec<Node>;

#[derive(Debug)]
pub enum Node {
    Text(String),
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template(Invocation),
    Break,
    Continue,
}

/// `if`, `with` or `range` with its bodies.
#[derive(Debug)]
pub struct Branch {
    pub pipeline: Pipeline,
    pub body: Body,
    pub otherwise: Body,
}

/// `{{template "name" pipeline}}`.
#[derive(Debug)]
pub struct Invocation {
    pub position: usize,
    pub name: String,
    pub pipeline: Option<Pipeline>,
}

/// Whether a pipeline's variables are new or have been declared before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// `$x := …`
    Declare,
    /// `$x = …`
    Assign,
}

/// Commands whose results flow from one to the next.
#[derive(Debug)]
pub struct Pipeline {
    pub position: usize,
    pub binding: Binding,
    pub variables: Vec<String>,
    pub commands: Vec<Command>,
}

/// An operand, or a function or field with arguments.
#[derive(Debug)]
pub struct Command {
    pub position: usize,
    pub arguments: Vec<Operand>,
}

#[derive(Debug)]
pub struct Operand {
    pub position: usize,
    pub term: Term,
}

#[derive(Debug)]
pub enum Term {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    String {
        quoted: String,
        value: String,
    },
    Function(String),
    /// `.A.B`
    Field(Vec<String>),
    /// `$x.A.B`
    Variable(String, Vec<String>),
    /// `(pipeline).A.B`
    Chain(Box<Operand>, Vec<String>),
    Pipeline(Box<Pipeline>),
}

/// A constant number. Which of its readings is meant depends on where it is used.
#[derive(Debug)]
pub struct Number {
    pub text: String,
    /// Set if the value is whole and fits.
    pub int: Option<i64>,
    /// Set unless the number is whole and too large for `int`.
    pub float: Option<f64>,
    /// How it reads where any type will do.
    pub ideal: Ideal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ideal {
    Int,
    Float,
}

/// A part of the tree that an error message can point at.
pub trait Located: fmt::Display {
    /// Byte offset in the template's text.
    fn position(&self) -> usize;
}

impl Located for Pipeline {
    fn position(&self) -> usize {
        self.position
    }
}

impl Located for Command {
    fn position(&self) -> usize {
        self.position
    }
}

impl Located for Operand {
    fn position(&self) -> usize {
        self.position
    }
}

impl Located for Invocation {
    fn position(&self) -> usize {
        self.position
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{{{{template {}", super::format::quote(&self.name))?;
        if let Some(pipeline) = &self.pipeline {
            write!(out, " {pipeline}")?;
        }
        out.write_str("}}")
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let sign = if self.binding == Binding::Assign { "=" } else { ":=" };
            write!(out, "{} {sign} ", self.variables.join(", "))?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            out.write_str(if index > 0 { " | " } else { "" })?;
            command.fmt(out)?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, argument) in self.arguments.iter().enumerate() {
            out.write_str(if index > 0 { " " } else { "" })?;
            argument.fmt(out)?;
        }
        Ok(())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.term {
            Term::Dot => out.write_str("."),
            Term::Nil => out.write_str("nil"),
            Term::Bool(value) => value.fmt(out),
            Term::Number(number) => out.write_str(&number.text),
            Term::String { quoted, .. } => out.write_str(quoted),
            Term::Function(name) => out.write_str(name),
            Term::Field(names) => write_fields(out, names),
            Term::Variable(name, names) => {
                out.write_str(name)?;
                write_fields(out, names)
            }
            Term::Chain(operand, names) => {
                operand.fmt(out)?;
                write_fields(out, names)
            }
            Term::Pipeline(pipeline) => write!(out, "({pipeline})"),
        }
    }
}

fn write_fields(out: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    names.iter().try_for_each(|name| write!(out, ".{name}"))
}
