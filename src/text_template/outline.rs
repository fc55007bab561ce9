//! A template in outline: texts and calls of constants, for those who translate templates into another language.

use super::functions::{Function, Functions};
use super::node::{Command, Node, Operand, Pipeline, Term};
use super::parser;

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text, without what trim markers cut off.
    Text(String),
    /// An action that is a call, and how it would be written.
    Call(Call, String),
    /// Any other action, as it would be written: `{{ .Name }}`.
    Other(String),
}

/// A call of a function. What is piped into it is its last argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The function.
    pub name: String,
    /// What it is called with.
    pub arguments: Vec<Argument>,
}

/// An argument of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A constant text.
    Text(String),
    /// A constant whole number.
    Number(i64),
    /// What another call answers.
    Call(Call),
}

/// The parts of a template that may call `functions`; none if it has clauses (`if`, `range` …) or is at fault.
pub fn outline(text: &str, functions: &[&str]) -> Option<Vec<Piece>> {
    let mut known = Functions::new();
    functions.iter().for_each(|name| known.insert(*name, Function::refusing("only outlined")));
    let mut bodies = parser::parse("root", text, &known).ok()?;
    let body = bodies.remove("root").filter(|_| bodies.is_empty())?;
    body.into_iter().map(piece).collect()
}

fn piece(node: Node) -> Option<Piece> {
    match node {
        Node::Text(text) => Some(Piece::Text(text)),
        Node::Action(pipeline) if !pipeline.variables.is_empty() => None,
        Node::Action(pipeline) => Some(match argument_of(&pipeline) {
            Some(Argument::Call(call)) => Piece::Call(call, format!("{{{{ {pipeline} }}}}")),
            Some(Argument::Text(text)) => Piece::Text(text),
            Some(Argument::Number(_)) | None => Piece::Other(format!("{{{{ {pipeline} }}}}")),
        }),
        _ => None,
    }
}

fn argument_of(pipeline: &Pipeline) -> Option<Argument> {
    let (first, rest) = pipeline.commands.split_first()?;
    rest.iter().try_fold(command(first, None)?, |piped, next| command(next, Some(piped)))
}

fn command(command: &Command, piped: Option<Argument>) -> Option<Argument> {
    let (first, rest) = command.arguments.split_first()?;
    let Term::Function(name) = &first.term else {
        return operand(first).filter(|_| rest.is_empty() && piped.is_none());
    };
    let mut arguments = rest.iter().map(operand).collect::<Option<Vec<_>>>()?;
    arguments.extend(piped);
    Some(Argument::Call(Call { name: name.clone(), arguments }))
}

fn operand(operand: &Operand) -> Option<Argument> {
    match &operand.term {
        Term::String { value, .. } => Some(Argument::Text(value.clone())),
        Term::Number(number) => number.int.map(Argument::Number),
        Term::Function(name) => Some(Argument::Call(Call { name: name.clone(), arguments: Vec::new() })),
        Term::Pipeline(pipeline) if pipeline.variables.is_empty() => argument_of(pipeline),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: Vec<Argument>) -> Call {
        Call { name: name.into(), arguments }
    }

    #[test]
    fn what_is_seen() {
        let outline = |text| outline(text, &["user", "upper", "replace", "now"]);
        let user = || call("user", vec![Argument::Text("a".into())]);
        assert_eq!(
            outline("x {{- user `a` }}"),
            Some(vec![Piece::Text("x".into()), Piece::Call(user(), "{{ user `a` }}".into())])
        );
        let piped = |source: &str| Some(vec![Piece::Call(call("upper", vec![Argument::Call(user())]), source.into())]);
        for source in ["{{ user \"a\" | upper }}", "{{ upper (user `a`) }}"] {
            assert_eq!(outline(source), piped(source));
        }
        let replaced = call("replace", vec![Argument::Number(-1), Argument::Call(call("now", vec![]))]);
        let source = "{{ replace -1 now }}";
        assert_eq!(outline(source), Some(vec![Piece::Call(replaced, source.into())]));
        assert_eq!(
            outline("{{.Vars}}{{`{{`}}"),
            Some(vec![Piece::Other("{{ .Vars }}".into()), Piece::Text("{{".into())])
        );
        for text in ["{{ if 1 }}{{ end }}", "{{ nothing }}", "{{ user", "{{ $x := 1 }}"] {
            assert_eq!(outline(text), None, "{text}");
        }
    }
}
