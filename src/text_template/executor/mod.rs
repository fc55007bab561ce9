//! Walks the tree and writes the output. Values of pipelines and operands are computed in `evaluate`.

mod evaluate;

use super::Template;
use super::data::Data;
use super::error::ExecError;
use super::format;
use super::limits::{MAX_DEPTH, MAX_STEPS, MAX_TEXT, too_large};
use super::node::{Binding, Body, Branch, Invocation, Located, Node, Pipeline};

/// Executes the body that has the template's own name.
pub fn execute(template: &Template, data: &Data) -> Result<String, ExecError> {
    let variables = vec![("$", data.clone())];
    let (output, executing) = (String::new(), template.name.as_str());
    let mut executor = Executor { template, executing, variables, output, at: None, steps: 0, depth: 0 };
    if let Some(body) = template.bodies.get(&template.name) {
        executor.body(body, data)?;
    }
    Ok(executor.output)
}

struct Executor<'t> {
    template: &'t Template,
    /// The name of the body under way.
    executing: &'t str,
    /// Those in scope, the innermost last.
    variables: Vec<(&'t str, Data)>,
    output: String,
    /// The part that an error would be about.
    at: Option<&'t dyn Located>,
    steps: u64,
    depth: usize,
}

type Executed<T> = Result<T, ExecError>;

/// How a body ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'t> Executor<'t> {
    fn error<T>(&self, message: impl Into<String>) -> Executed<T> {
        let position = self.at.map_or(0, |part| part.position());
        let before = self.template.text.get(..position).unwrap_or_default();
        Err(ExecError {
            name: self.template.name.clone(),
            line: before.matches('\n').count() + 1,
            column: before.len() - before.rfind('\n').map_or(0, |line_end| line_end + 1),
            executing: self.executing.to_string(),
            context: self.at.map(|part| part.to_string()).unwrap_or_default(),
            message: message.into(),
        })
    }

    fn step(&mut self) -> Executed<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS { self.error(format!("more than {MAX_STEPS} steps")) } else { Ok(()) }
    }

    /// Runs a part of the executor one level deeper.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Executed<T>) -> Executed<T> {
        if self.depth == MAX_DEPTH {
            return self.error(format!("exceeded maximum template depth ({MAX_DEPTH})"));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    fn write(&mut self, text: &str) -> Executed<()> {
        if self.output.len() + text.len() > MAX_TEXT {
            return self.error(too_large());
        }
        self.output.push_str(text);
        Ok(())
    }

    fn body(&mut self, body: &'t Body, dot: &Data) -> Executed<Flow> {
        for node in body {
            let flow = self.node(node, dot)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &'t Node, dot: &Data) -> Executed<Flow> {
        self.step()?;
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Action(pipeline) => self.action(pipeline, dot)?,
            Node::If(branch) => return self.scoped(|this| this.condition(branch, dot, Subject::Outer)),
            Node::With(branch) => return self.scoped(|this| this.condition(branch, dot, Subject::Value)),
            Node::Range(branch) => return self.scoped(|this| this.range(branch, dot)),
            Node::Template(invocation) => self.invoke(invocation, dot)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// One level deeper, with the variables declared there forgotten afterwards.
    fn scoped(&mut self, part: impl FnOnce(&mut Self) -> Executed<Flow>) -> Executed<Flow> {
        let scope = self.variables.len();
        let flow = self.nested(part)?;
        self.variables.truncate(scope);
        Ok(flow)
    }

    /// A pipeline that declares or assigns prints nothing.
    fn action(&mut self, pipeline: &'t Pipeline, dot: &Data) -> Executed<()> {
        let value = self.pipeline(pipeline, dot)?;
        if !pipeline.variables.is_empty() {
            return Ok(());
        }
        match &value {
            Data::Nil => self.write("<no value>"),
            Data::String(text) => self.write(text),
            value => self.write(&format::text(value)),
        }
    }

    fn condition(&mut self, branch: &'t Branch, dot: &Data, subject: Subject) -> Executed<Flow> {
        let value = self.pipeline(&branch.pipeline, dot)?;
        match (value.is_true(), subject) {
            (true, Subject::Value) => self.body(&branch.body, &value),
            (true, Subject::Outer) => self.body(&branch.body, dot),
            (false, _) => self.body(&branch.otherwise, dot),
        }
    }

    fn range(&mut self, branch: &'t Branch, dot: &Data) -> Executed<Flow> {
        let value = self.pipeline(&branch.pipeline, dot)?;
        if !value.is_true() && !matches!(value, Data::Bool(_) | Data::Float(_) | Data::String(_)) {
            return self.body(&branch.otherwise, dot);
        }
        let mut iterations: Box<dyn Iterator<Item = (Data, Data)>> = match &value {
            Data::Int(count) if branch.pipeline.variables.len() > 1 => {
                return self.error(format!("can't use {count} to iterate over more than one variable"));
            }
            Data::Int(count) if *count < 0 => return self.body(&branch.otherwise, dot),
            Data::Int(count) => Box::new((0..*count).map(|index| (Data::Int(index), Data::Int(index)))),
            Data::List(items) => Box::new((0i64..).map(Data::Int).zip(items.iter().cloned())),
            Data::Map(entries) => Box::new(entries.iter().map(|(key, item)| (key.as_str().into(), item.clone()))),
            other => return self.error(format!("range can't iterate over {}", format::text(other))),
        };
        let scope = self.variables.len();
        for (index, item) in iterations.by_ref() {
            self.step()?;
            self.bind(&branch.pipeline, &index, &item)?;
            let flow = self.body(&branch.body, &item)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    /// Gives a range's variables the values of one round: the item, or the index and the item.
    fn bind(&mut self, pipeline: &'t Pipeline, index: &Data, item: &Data) -> Executed<()> {
        let values = [index, item];
        let skipped = 2 - pipeline.variables.len().min(2);
        for (name, value) in pipeline.variables.iter().zip(&values[skipped..]) {
            self.set(name, pipeline.binding, (*value).clone())?;
        }
        Ok(())
    }

    fn set(&mut self, name: &'t str, binding: Binding, value: Data) -> Executed<()> {
        if binding == Binding::Declare {
            self.variables.push((name, value));
            return Ok(());
        }
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, variable)) => *variable = value,
            None => return self.error(format!("undefined variable: {name}")),
        }
        Ok(())
    }

    /// A template within the template sees its argument as `.` and `$`, and none of the variables here.
    fn invoke(&mut self, invocation: &'t Invocation, dot: &Data) -> Executed<()> {
        self.at = Some(invocation);
        let Some(body) = self.template.bodies.get(&invocation.name) else {
            return self.error(format!("template {} not defined", format::quote(&invocation.name)));
        };
        let argument = match &invocation.pipeline {
            Some(pipeline) if self.depth < MAX_DEPTH => self.pipeline(pipeline, dot)?,
            _ => Data::Nil,
        };
        self.at = Some(invocation);
        let outer = std::mem::replace(&mut self.variables, vec![("$", argument.clone())]);
        let caller = std::mem::replace(&mut self.executing, &invocation.name);
        self.nested(|this| this.body(body, &argument))?;
        self.variables = outer;
        self.executing = caller;
        Ok(())
    }
}

/// What `.` is in the body of a condition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// What it was before: `if`.
    Outer,
    /// The condition's value: `with`.
    Value,
}
