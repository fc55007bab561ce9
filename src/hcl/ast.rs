//! The parsed language: bodies of attributes and blocks, and expressions, each with its place in the source.
//!
//! This is the parser's tree made ready for evaluation: numbers at full precision, white-space markers of templates
//! and the indentation of heredocs already worked in.

use std::sync::Arc;

use super::diagnostics::Span;
use super::value::Value;

/// A file, or what stands between the braces of a block.
#[derive(Debug, Clone)]
pub struct Body {
    /// The attributes in order; names are distinct.
    pub attributes: Vec<Attribute>,
    /// The blocks in order.
    pub blocks: Vec<Block>,
    /// The place of the whole.
    pub span: Span,
    /// How it was written.
    pub syntax: Syntax,
}

/// How a body was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// In the language.
    Native,
    /// In JSON, where a nested block looks like an attribute that is an object.
    Json,
    /// In JSON of a loose kind: values are also taken for what they look like, `"8"` for a number, `"a,b"` for a list.
    Loose,
}

impl Body {
    /// The attribute of a name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The blocks of a kind.
    pub fn blocks_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }
}

/// `name = expr`
#[derive(Debug, Clone)]
pub struct Attribute {
    /// The name.
    pub name: String,
    /// The place of the name.
    pub name_span: Span,
    /// The value's expression.
    pub expr: Expr,
    /// The place of the whole.
    pub span: Span,
}

/// `kind "label" { … }`
#[derive(Debug, Clone)]
pub struct Block {
    /// The block's type.
    pub kind: String,
    /// The place of the type.
    pub kind_span: Span,
    /// The labels in order, quoted or not.
    pub labels: Vec<Label>,
    /// What is between the braces; shared, so that blocks are cheap to keep.
    pub body: Arc<Body>,
    /// The place of type and labels.
    pub header: Span,
    /// The place of the whole.
    pub span: Span,
}

impl Block {
    /// The text of a label.
    pub fn label(&self, at: usize) -> Option<&str> {
        self.labels.get(at).map(|label| label.text.as_str())
    }
}

/// A label of a block.
#[derive(Debug, Clone)]
pub struct Label {
    /// The text without quotes.
    pub text: String,
    /// The place, quotes included.
    pub span: Span,
}

/// An expression and its place.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it is.
    pub span: Span,
}

impl Expr {
    /// The place of an item of the list that the expression is, as far as it is written out; else that of the whole.
    pub fn item_span(&self, at: usize) -> &Span {
        match &self.kind {
            ExprKind::Tuple(items) => items.get(at).map_or(&self.span, |item| &item.span),
            ExprKind::Parenthesis(inner) => inner.item_span(at),
            _ => &self.span,
        }
    }

    /// The place of a key and its value in the object that the expression is; none unless they are written out.
    pub fn entry(&self, name: &str) -> Option<(&Span, &Expr)> {
        match &self.kind {
            ExprKind::Object(items) => items.iter().rev().find_map(|(key, value)| match key {
                Key::Name(member) => (member.name == name).then_some((&member.span, value)),
                Key::Expr(Expr { kind: ExprKind::Literal(text), span }) => {
                    (text.as_str() == Some(name)).then_some((span, value))
                }
                Key::Expr(_) => None,
            }),
            ExprKind::Parenthesis(inner) => inner.entry(name),
            _ => None,
        }
    }
}

/// The kinds of expression.
#[derive(Debug, Clone)]
pub enum ExprKind {
    /// Null, a bool, a number, or a string without template parts.
    Literal(Value),
    /// A string with template parts.
    Template(Vec<Part>),
    /// `[a, b]`
    Tuple(Vec<Expr>),
    /// `{ a = b }`
    Object(Vec<(Key, Expr)>),
    /// `(a)`
    Parenthesis(Box<Expr>),
    /// `a`
    Variable(String),
    /// `a ? b : c`
    Conditional(Box<Conditional>),
    /// `f(a, b...)`
    Call(Box<Call>),
    /// `a.b`
    Attribute(Box<Expr>, Member),
    /// `a[b]`, and `a.0`
    Index(Box<Expr>, Box<Expr>),
    /// `a[*].b` and `a.*.b`
    Splat(Box<Expr>, Box<Expr>),
    /// What a splat applies the rest of the traversal to: an element.
    SplatElement,
    /// `-a`, `!a`
    Unary(UnaryOperator, Box<Expr>),
    /// `a + b - c`
    Chain(Box<Chain>),
    /// `[for …]`, `{for …}`
    For(Box<For>),
}

/// Operators of one precedence and their operands, worked off from left to right.
///
/// A list and no tree of pairs: thousands of terms then cost no stack, whoever walks them.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The leftmost operand.
    pub first: Expr,
    /// Each operator with its right operand.
    pub rest: Vec<(BinaryOperator, Expr)>,
}

/// A name after a dot.
#[derive(Debug, Clone)]
pub struct Member {
    /// The name.
    pub name: String,
    /// Its place.
    pub span: Span,
}

/// The key of an object's item.
#[derive(Debug, Clone)]
pub enum Key {
    /// A bare word, which stands for itself.
    Name(Member),
    /// Anything else.
    Expr(Expr),
}

/// `condition ? yes : no`
#[derive(Debug, Clone)]
pub struct Conditional {
    /// What decides.
    pub condition: Expr,
    /// The result if true.
    pub yes: Expr,
    /// The result if false.
    pub no: Expr,
}

/// A function call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The name, with `::` if it has several parts.
    pub name: String,
    /// The place of the name.
    pub name_span: Span,
    /// The arguments.
    pub args: Vec<Expr>,
    /// How the last argument is passed.
    pub last: LastArgument,
}

/// How the last argument of a call is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastArgument {
    /// As it is.
    Plain,
    /// `f(list...)`: each of its elements is an argument.
    Expanded,
}

/// A `for` expression.
#[derive(Debug, Clone)]
pub struct For {
    /// The name of the key or index, if any.
    pub key_name: Option<String>,
    /// The name of the element.
    pub value_name: String,
    /// What is gone through.
    pub collection: Expr,
    /// The key of each result: the result is an object.
    pub key: Option<Expr>,
    /// Each result.
    pub value: Expr,
    /// Which elements count.
    pub condition: Option<Expr>,
    /// `...` after the value: results of the same key become a tuple.
    pub grouping: Grouping,
}

/// What a `for` object does with equal keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// They are an error.
    Distinct,
    /// Their values become a tuple.
    Grouped,
}

/// A part of a template.
#[derive(Debug, Clone)]
pub enum Part {
    /// Text.
    Literal(String),
    /// `${a}`
    Interpolation(Expr),
    /// `%{if a}b%{else}c%{endif}`
    If(Box<IfPart>),
    /// `%{for a in b}c%{endfor}`
    For(Box<ForPart>),
}

/// `%{if condition}yes%{else}no%{endif}`
#[derive(Debug, Clone)]
pub struct IfPart {
    /// What decides.
    pub condition: Expr,
    /// The text if true.
    pub yes: Vec<Part>,
    /// The text if false.
    pub no: Vec<Part>,
}

/// `%{for key, value in collection}parts%{endfor}`
#[derive(Debug, Clone)]
pub struct ForPart {
    /// The name of the key or index, if any.
    pub key_name: Option<String>,
    /// The name of the element.
    pub value_name: String,
    /// What is gone through.
    pub collection: Expr,
    /// The text of each element.
    pub parts: Vec<Part>,
}

/// An operator before its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `-`
    Negate,
    /// `!`
    Not,
}

/// An operator between its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `&&`
    And,
    /// `||`
    Or,
}
