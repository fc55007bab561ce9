//! Pipelines: variables, commands, operands.

use super::{Parsed, Parser, literal};
use crate::text_template::builtins;
use crate::text_template::format::quote;
use crate::text_template::lexer::{Kind, Token};
use crate::text_template::node::{Binding, Command, Operand, Pipeline, Term};

impl Parser<'_> {
    /// A pipeline up to and with its end, which is a closing delimiter or parenthesis. `context` names it in errors.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipeline> {
        let position = self.peek_past_space().position;
        let (binding, variables) = self.declarations(context)?;
        let mut commands = Vec::new();
        loop {
            let token = self.peek_past_space();
            if token.kind == end {
                self.take();
                break;
            }
            if !begins_operand(token.kind) {
                self.take();
                return self.unexpected(&token, context);
            }
            commands.push(self.command()?);
        }
        self.check_commands(&commands, context)?;
        Ok(Pipeline { position, binding, variables, commands })
    }

    /// `$x :=`, `$x =` or, in a range, `$i, $x :=`.
    fn declarations(&mut self, context: &str) -> Parsed<(Binding, Vec<String>)> {
        let mut names = Vec::new();
        loop {
            let start = self.next;
            if self.peek_past_space().kind != Kind::Variable {
                return Ok((Binding::Declare, names));
            }
            let name = self.take().text;
            let sign = self.peek_past_space();
            let is_comma = sign.kind == Kind::Other && sign.text == ",";
            if !is_comma && !matches!(sign.kind, Kind::Declare | Kind::Assign) {
                self.next = start;
                return Ok((Binding::Declare, names));
            }
            self.take();
            self.variables.push(name.clone());
            names.push(name);
            if !is_comma {
                let binding = if sign.kind == Kind::Assign { Binding::Assign } else { Binding::Declare };
                return Ok((binding, names));
            }
            if context != "range" || names.len() > 1 {
                return self.error(format!("too many declarations in {context}"));
            }
            if !matches!(self.peek_past_space().kind, Kind::Variable | Kind::Close | Kind::RightParen) {
                return self.error("range can only initialize variables");
            }
        }
    }

    /// A constant can only stand first: nothing can be piped into it.
    fn check_commands(&self, commands: &[Command], context: &str) -> Parsed<()> {
        if commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        let constant = |command: &Command| {
            matches!(
                command.arguments[0].term,
                Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::String { .. }
            )
        };
        match commands.iter().skip(1).position(constant) {
            Some(index) => self.error(format!("non executable command in pipeline stage {}", index + 2)),
            None => Ok(()),
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        let position = self.peek_past_space().position;
        let mut arguments = Vec::new();
        loop {
            self.peek_past_space();
            arguments.extend(self.operand()?);
            let token = self.peek();
            match token.kind {
                Kind::Space => continue,
                Kind::Close | Kind::RightParen => break,
                Kind::Pipe => {
                    self.take();
                    break;
                }
                _ => return self.unexpected(&token, "operand"),
            }
        }
        if arguments.is_empty() { self.error("empty command") } else { Ok(Command { position, arguments }) }
    }

    /// A term and the fields asked of it.
    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(operand) = self.term()? else { return Ok(None) };
        let chain = self.peek();
        if chain.kind != Kind::Field {
            return Ok(Some(operand));
        }
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(self.take().text[1..].to_string());
        }
        let (position, term) = match operand.term {
            Term::Field(mut fields) => {
                fields.extend(names);
                (chain.position, Term::Field(fields))
            }
            Term::Variable(name, mut fields) => {
                fields.extend(names);
                (chain.position, Term::Variable(name, fields))
            }
            Term::Bool(_) | Term::String { .. } | Term::Number(_) | Term::Nil | Term::Dot => {
                return self.error(format!("unexpected . after term {}", quote(&operand.to_string())));
            }
            _ => (chain.position, Term::Chain(Box::new(operand), names)),
        };
        Ok(Some(Operand { position, term }))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let token = self.peek_past_space();
        if !begins_operand(token.kind) {
            return Ok(None);
        }
        self.take();
        let position = token.position;
        let term = match token.kind {
            Kind::Identifier => self.function(token.text)?,
            Kind::Dot => Term::Dot,
            Kind::Nil => Term::Nil,
            Kind::Bool => Term::Bool(token.text == "true"),
            Kind::Variable => self.variable(token.text)?,
            Kind::Field => Term::Field(vec![token.text[1..].to_string()]),
            Kind::Char | Kind::Number => self.number(&token)?,
            Kind::QuotedString | Kind::RawString => {
                let value = self.unquoted(&token)?;
                Term::String { quoted: token.text, value }
            }
            _ => {
                let inner = self.nested(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?;
                Term::Pipeline(Box::new(inner))
            }
        };
        Ok(Some(Operand { position, term }))
    }

    fn function(&self, name: String) -> Parsed<Term> {
        if self.functions.get(&name).is_some() || builtins::find(&name).is_some() {
            return Ok(Term::Function(name));
        }
        self.error(format!("function {} not defined", quote(&name)))
    }

    fn variable(&self, name: String) -> Parsed<Term> {
        if self.variables.contains(&name) {
            return Ok(Term::Variable(name, Vec::new()));
        }
        self.error(format!("undefined variable {}", quote(&name)))
    }

    fn number(&self, token: &Token) -> Parsed<Term> {
        let number = match token.kind {
            Kind::Char => literal::character(&token.text),
            _ => literal::number(&token.text),
        };
        number.map(Term::Number).or_else(|message| self.error(message))
    }
}

fn begins_operand(kind: Kind) -> bool {
    use Kind::{Bool, Char, Dot, Field, Identifier, LeftParen, Nil, Number, QuotedString, RawString, Variable};
    matches!(
        kind,
        Bool | Char | Dot | Field | Identifier | LeftParen | Nil | Number | QuotedString | RawString | Variable
    )
}
