//! Tokens to a syntax tree: text, actions, and the clauses that have a body. Pipelines are in `pipeline`, constants in `literal`.

mod literal;
mod pipeline;

pub(super) use literal::unquote;

use std::collections::HashMap;

use super::error::ParseError;
use super::functions::Functions;
use super::lexer::{Kind, Token, tokens};
use super::node::{Body, Branch, Invocation, Node, Pipeline};

/// Clauses and parentheses may be nested this deep. Templates that people write reach 5; the limit keeps a hostile one
/// from exhausting the stack.
const MAX_NESTING: usize = 100;

/// The bodies of a template and of those defined in it, by name.
pub type Bodies = HashMap<String, Body>;

/// Parses the text; the body called `name` is the text itself.
pub fn parse(name: &str, text: &str, functions: &Functions) -> Result<Bodies, ParseError> {
    let mut parser = Parser {
        name,
        functions,
        tokens: tokens(text),
        next: 0,
        furthest: 0,
        variables: vec!["$".to_string()],
        loops: 0,
        nesting: 0,
        action_line: None,
        bodies: Bodies::new(),
    };
    let body = parser.template()?;
    parser.add(name.to_string(), body)?;
    Ok(parser.bodies)
}

struct Parser<'p> {
    name: &'p str,
    functions: &'p Functions,
    tokens: Vec<Token>,
    /// Index of the token to be taken next.
    next: usize,
    /// Index of the last token looked at: errors name its line.
    furthest: usize,
    /// Those in scope, the innermost last.
    variables: Vec<String>,
    /// How many `range` clauses are open.
    loops: usize,
    nesting: usize,
    action_line: Option<usize>,
    bodies: Bodies,
}

type Parsed<T> = Result<T, ParseError>;

/// What a body may be ended by, or contain.
enum Item {
    Node(Node),
    End,
    Else,
}

impl Item {
    fn ending(&self) -> &'static str {
        match self {
            Item::Else => "{{else}}",
            _ => "{{end}}",
        }
    }
}

/// The clauses with alternatives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clause {
    If,
    With,
    Range,
}

impl Clause {
    fn word(self) -> &'static str {
        match self {
            Clause::If => "if",
            Clause::With => "with",
            Clause::Range => "range",
        }
    }

    fn node(self, branch: Branch) -> Node {
        match self {
            Clause::If => Node::If(branch),
            Clause::With => Node::With(branch),
            Clause::Range => Node::Range(branch),
        }
    }
}

impl Parser<'_> {
    fn error<T>(&self, message: impl Into<String>) -> Parsed<T> {
        let line = self.tokens[self.furthest].line;
        Err(ParseError { name: self.name.to_string(), line, message: message.into() })
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {} in {context}", shown(token)));
        }
        let mut message = token.text.clone();
        if let Some(line) = self.action_line.filter(|line| *line != token.line) {
            let action = if message.ends_with(" action") { "" } else { " in action" };
            message += &format!("{action} started at {}:{line}", self.name);
        }
        self.error(message)
    }

    fn peek(&mut self) -> Token {
        self.furthest = self.furthest.max(self.next);
        self.tokens[self.next].clone()
    }

    /// Takes a token. The last one can be taken again and again.
    fn take(&mut self) -> Token {
        let token = self.peek();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn peek_past_space(&mut self) -> Token {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
        self.peek()
    }

    fn take_past_space(&mut self) -> Token {
        self.peek_past_space();
        self.take()
    }

    fn expect_close(&mut self, context: &str) -> Parsed<()> {
        let token = self.take_past_space();
        if token.kind == Kind::Close { Ok(()) } else { self.unexpected(&token, context) }
    }

    fn at_keyword(&mut self, word: &str) -> bool {
        let token = self.peek_past_space();
        token.kind == Kind::Keyword && token.text == word
    }

    /// Runs a part of the parser one level deeper.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting == MAX_NESTING {
            return self.error(format!("nested deeper than {MAX_NESTING} levels"));
        }
        self.nesting += 1;
        let result = part(self);
        self.nesting -= 1;
        result
    }

    /// The whole text.
    fn template(&mut self) -> Parsed<Body> {
        let mut body = Body::new();
        while self.peek().kind != Kind::End {
            if self.at_definition() {
                self.definition()?;
                continue;
            }
            match self.item()? {
                Item::Node(node) => body.push(node),
                ending => return self.error(format!("unexpected {}", ending.ending())),
            }
        }
        Ok(body)
    }

    /// Whether `{{define` comes next; if so it is taken.
    fn at_definition(&mut self) -> bool {
        let start = self.next;
        if self.take().kind == Kind::Open && self.at_keyword("define") {
            self.take();
            return true;
        }
        self.next = start;
        false
    }

    fn definition(&mut self) -> Parsed<()> {
        let name = self.template_name("define clause")?;
        self.expect_close("define clause")?;
        let body = self.separate_body("define clause")?;
        self.add(name, body)
    }

    /// A body with variables of its own, up to its `{{end}}`.
    fn separate_body(&mut self, context: &str) -> Parsed<Body> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_string()]);
        let loops = std::mem::take(&mut self.loops);
        self.action_line = None;
        let (body, ending) = self.nested(Self::body)?;
        self.variables = variables;
        self.loops = loops;
        match ending {
            Item::End => Ok(body),
            _ => self.error(format!("unexpected {} in {context}", ending.ending())),
        }
    }

    /// An empty body gives way to another one of its name, a second body with something in it is an error.
    fn add(&mut self, name: String, body: Body) -> Parsed<()> {
        let empty = is_empty(&body);
        match self.bodies.get(&name) {
            Some(older) if !is_empty(older) && !empty => {
                self.error(format!("template: multiple definition of template {}", super::format::quote(&name)))
            }
            Some(older) if !is_empty(older) => Ok(()),
            _ => {
                self.bodies.insert(name, body);
                Ok(())
            }
        }
    }

    fn template_name(&mut self, context: &str) -> Parsed<String> {
        let token = self.take_past_space();
        match token.kind {
            Kind::QuotedString | Kind::RawString => self.unquoted(&token),
            _ => self.unexpected(&token, context),
        }
    }

    fn unquoted(&self, token: &Token) -> Parsed<String> {
        literal::unquote(&token.text).or_else(|message| self.error(message))
    }

    fn body(&mut self) -> Parsed<(Body, Item)> {
        let mut body = Body::new();
        while self.peek_past_space().kind != Kind::End {
            match self.item()? {
                Item::Node(node) => body.push(node),
                ending => return Ok((body, ending)),
            }
        }
        self.error("unexpected EOF")
    }

    fn item(&mut self) -> Parsed<Item> {
        let token = self.take_past_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.text))),
            Kind::Open => {
                self.action_line = Some(token.line);
                let item = self.action()?;
                self.action_line = None;
                Ok(item)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let start = self.next;
        let token = self.take_past_space();
        let word = if token.kind == Kind::Keyword { token.text.as_str() } else { "" };
        let node = match word {
            "end" => return self.expect_close("end").map(|()| Item::End),
            "else" => return self.otherwise(),
            "if" => self.branch(Clause::If)?,
            "with" => self.branch(Clause::With)?,
            "range" => self.branch(Clause::Range)?,
            "template" => self.invocation()?,
            "block" => self.block()?,
            "break" => self.jump("{{break}}", Node::Break)?,
            "continue" => self.jump("{{continue}}", Node::Continue)?,
            _ => {
                self.next = start;
                Node::Action(self.pipeline("command", Kind::Close)?)
            }
        };
        Ok(Item::Node(node))
    }

    /// After `{{else`. What follows in `{{else if` and `{{else with` is left to the clause.
    fn otherwise(&mut self) -> Parsed<Item> {
        if !self.at_keyword("if") && !self.at_keyword("with") {
            self.expect_close("else")?;
        }
        Ok(Item::Else)
    }

    fn jump(&mut self, written: &str, node: Node) -> Parsed<Node> {
        self.expect_close(written)?;
        if self.loops == 0 {
            return self.error(format!("{written} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn branch(&mut self, clause: Clause) -> Parsed<Node> {
        let scope = self.variables.len();
        let branch = self.nested(|parser| parser.branch_parts(clause))?;
        self.variables.truncate(scope);
        Ok(clause.node(branch))
    }

    fn branch_parts(&mut self, clause: Clause) -> Parsed<Branch> {
        let pipeline = self.pipeline(clause.word(), Kind::Close)?;
        self.loops += usize::from(clause == Clause::Range);
        let (body, ending) = self.body()?;
        self.loops -= usize::from(clause == Clause::Range);
        let otherwise = match ending {
            Item::Else => self.alternative(clause)?,
            _ => Body::new(),
        };
        Ok(Branch { pipeline, body, otherwise })
    }

    /// After `{{else}}`, or after the `else` of `{{else if …`, which shares its `{{end}}` with the clause that it continues.
    fn alternative(&mut self, clause: Clause) -> Parsed<Body> {
        if clause != Clause::Range && self.at_keyword(clause.word()) {
            self.take();
            return Ok(vec![self.branch(clause)?]);
        }
        match self.body()? {
            (body, Item::End) => Ok(body),
            (_, ending) => self.error(format!("expected end; found {}", ending.ending())),
        }
    }

    fn invocation(&mut self) -> Parsed<Node> {
        let position = self.peek_past_space().position;
        let name = self.template_name("template clause")?;
        let pipeline = match self.peek_past_space().kind {
            Kind::Close => {
                self.take();
                None
            }
            _ => Some(self.pipeline("template clause", Kind::Close)?),
        };
        Ok(Node::Template(Invocation { position, name, pipeline }))
    }

    fn block(&mut self) -> Parsed<Node> {
        let position = self.peek_past_space().position;
        let name = self.template_name("block clause")?;
        let pipeline: Pipeline = self.pipeline("block clause", Kind::Close)?;
        let body = self.separate_body("block clause")?;
        self.add(name.clone(), body)?;
        Ok(Node::Template(Invocation { position, name, pipeline: Some(pipeline) }))
    }
}

/// Whether nothing but white space is in it.
fn is_empty(body: &Body) -> bool {
    body.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}

/// A token as error messages show it: keywords in angle brackets, others quoted, long ones cut off.
fn shown(token: &Token) -> String {
    match token.kind {
        Kind::End => "EOF".to_string(),
        Kind::Keyword | Kind::Dot | Kind::Nil => format!("<{}>", token.text),
        _ if token.text.len() > 10 => {
            let cut: String = token.text.chars().take(10).collect();
            format!("{}...", super::format::quote(&cut))
        }
        _ => super::format::quote(&token.text),
    }
}
