//! From the parser's tree to ours.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hcl::edit::Span as _;
use hcl::edit::expr as edit;
use hcl::edit::expr::{Expression, ObjectKey, TraversalOperator};
use hcl::edit::structure::{self, Structure};

use super::repair::{Kind, Repaired};
use super::template::Style;
use super::template_kind;
use crate::hcl::ast::{
    Attribute, BinaryOperator, Block, Body, Call, Chain, Conditional, Expr, ExprKind, For, Grouping, Key, Label,
    LastArgument, Member, Syntax, UnaryOperator,
};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, FileId, Span};
use crate::hcl::number::Number;
use crate::hcl::types::Type;
use crate::hcl::value::Value;

/// Attributes and indexes in a row; each makes the tree one level deeper, and the stack is not endless.
const MAX_STEPS: usize = 128;

/// Walks the parser's tree of one text.
pub(super) struct Lower<'a> {
    file: FileId,
    text: &'a str,
    /// How many bytes were put in front of the source for the parser.
    added: usize,
    repaired: &'a Repaired<'a>,
    /// The place of everything, where the text stands inside another one.
    place: Option<Span>,
    diagnostics: Diagnostics,
}

impl<'a> Lower<'a> {
    pub(super) fn new(file: FileId, text: &'a str, added: usize, repaired: &'a Repaired<'a>) -> Self {
        Self { file, text, added, repaired, place: None, diagnostics: Diagnostics::new() }
    }

    /// With one place for everything.
    pub(super) fn placed(mut self, place: &Span) -> Self {
        self.place = Some(place.clone());
        self
    }

    pub(super) fn into_diagnostics(self) -> Diagnostics {
        self.diagnostics
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The text of a place in the tree, as it really stands in the source.
    pub(super) fn source(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The place in the source of a place in the tree.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        if let Some(place) = &self.place {
            return place.clone();
        }
        Span::new(self.file, range.start.saturating_sub(self.added)..range.end.saturating_sub(self.added))
    }

    pub(super) fn body(&mut self, body: &structure::Body, outer: Range<usize>) -> Body {
        let mut lowered =
            Body { attributes: Vec::new(), blocks: Vec::new(), span: self.span(outer.clone()), syntax: Syntax::Native };
        for item in body.iter() {
            match item {
                Structure::Attribute(attribute) => {
                    let attribute = self.attribute(attribute, &outer);
                    // The parser lets no other attribute through that is there already.
                    let repaired = self.repaired.original(attribute.name_span.range.start + self.added).is_some();
                    if repaired && let Some(first) = lowered.attribute(&attribute.name) {
                        let diagnostic = self.redefined(&attribute, first);
                        self.report(diagnostic);
                    } else {
                        lowered.attributes.push(attribute);
                    }
                }
                Structure::Block(block) => {
                    let block = self.block(block, &outer);
                    lowered.blocks.push(block);
                }
            }
        }
        lowered
    }

    fn attribute(&mut self, attribute: &structure::Attribute, outer: &Range<usize>) -> Attribute {
        let mut name_range = attribute.key.span().unwrap_or_else(|| outer.clone());
        let name = match self.repaired.original(name_range.start) {
            Some((original, Kind::Attribute)) => {
                name_range.end = name_range.start + original.len();
                original.to_owned()
            }
            _ => attribute.key.as_str().to_owned(),
        };
        let name_span = self.span(name_range);
        let expr = self.expr(&attribute.value);
        Attribute { name, span: name_span.to(&expr.span), name_span, expr }
    }

    fn redefined(&self, attribute: &Attribute, first: &Attribute) -> Diagnostic {
        let before = self.source(&(0..first.name_span.range.start + self.added));
        let line = before.matches('\n').count() + 1;
        let detail = format!(
            "The argument \"{}\" was already set on line {line}. Each argument may be set only once.",
            attribute.name
        );
        Diagnostic::error("Attribute redefined", detail).at(&attribute.name_span)
    }

    fn block(&mut self, block: &structure::Block, outer: &Range<usize>) -> Block {
        let whole = block.span().unwrap_or_else(|| outer.clone());
        let kind_range = block.ident.span().unwrap_or(whole.start..whole.start);
        let kind_span = self.span(kind_range);
        let labels: Vec<Label> = block
            .labels
            .iter()
            .map(|label| {
                let range = label.span().unwrap_or_else(|| whole.clone());
                Label { text: label.as_str().to_owned(), span: self.span(range) }
            })
            .collect();
        let header = labels.last().map_or_else(|| kind_span.clone(), |label| kind_span.to(&label.span));
        let inside = self.inside_braces(&header, &whole);
        let body = Arc::new(self.body(&block.body, inside));
        Block { kind: block.ident.as_str().to_owned(), kind_span, labels, body, header, span: self.span(whole) }
    }

    /// From the opening to the closing brace of a block.
    fn inside_braces(&self, header: &Span, whole: &Range<usize>) -> Range<usize> {
        let after = header.range.end + self.added;
        let open = self.text.get(after..whole.end).and_then(|rest| rest.find('{')).map_or(after, |at| after + at);
        open..whole.end
    }

    pub(super) fn expr(&mut self, expr: &Expression) -> Expr {
        let range = range_of(expr);
        let kind = match expr {
            Expression::Null(_) => ExprKind::Literal(Value::null(Type::Dynamic)),
            Expression::Bool(value) => ExprKind::Literal(Value::bool(*value.value())),
            Expression::Number(_) => self.number(&range),
            Expression::String(text) => ExprKind::Literal(Value::string(text.as_str())),
            Expression::StringTemplate(template) => template_kind(self.template(template, Style::Quoted)),
            Expression::HeredocTemplate(heredoc) => {
                let indented = self.source(&range).starts_with("<<-");
                let style = if indented { Style::IndentedLines } else { Style::Lines };
                template_kind(self.template(&heredoc.template, style))
            }
            Expression::Array(items) => ExprKind::Tuple(items.iter().map(|item| self.expr(item)).collect()),
            Expression::Object(object) => self.object(object),
            Expression::Parenthesis(inner) => ExprKind::Parenthesis(Box::new(self.expr(inner.inner()))),
            Expression::Variable(name) => ExprKind::Variable(name.as_str().to_owned()),
            Expression::Conditional(conditional) => ExprKind::Conditional(Box::new(Conditional {
                condition: self.expr(&conditional.cond_expr),
                yes: self.expr(&conditional.true_expr),
                no: self.expr(&conditional.false_expr),
            })),
            Expression::FuncCall(call) => self.call(call, &range),
            Expression::Traversal(traversal) => {
                let start = self.expr(&traversal.expr);
                return self.traverse(start, &traversal.operators);
            }
            Expression::UnaryOp(op) => {
                let operator = match op.operator.value() {
                    edit::UnaryOperator::Neg => UnaryOperator::Negate,
                    edit::UnaryOperator::Not => UnaryOperator::Not,
                };
                ExprKind::Unary(operator, Box::new(self.expr(&op.expr)))
            }
            Expression::BinaryOp(op) => return self.chain(op),
            Expression::ForExpr(expr) => self.for_expr(expr),
        };
        Expr { kind, span: self.span(range) }
    }

    /// Operators of one precedence in a row: the parser nests them, each in the left operand of the next one.
    fn chain(&mut self, last: &edit::BinaryOp) -> Expr {
        let precedence = last.operator.value().precedence();
        let mut rest = Vec::new();
        let mut op = last;
        let first = loop {
            let operator = binary_operator(*op.operator.value());
            rest.push((operator, self.expr(&op.rhs_expr)));
            match &op.lhs_expr {
                Expression::BinaryOp(left) if left.operator.value().precedence() == precedence => op = left,
                first => break self.expr(first),
            }
        };
        rest.reverse();
        let span = rest.last().map_or_else(|| first.span.clone(), |(_, right)| first.span.to(&right.span));
        Expr { kind: ExprKind::Chain(Box::new(Chain { first, rest })), span }
    }

    /// The parser reads numbers as doubles; the text has more digits.
    fn number(&mut self, range: &Range<usize>) -> ExprKind {
        let source = self.source(range);
        let digits = source.trim_start_matches('-').trim_start_matches(|c: char| !c.is_ascii_digit());
        match Number::parse(digits) {
            Some(number) if source.starts_with('-') => ExprKind::Literal(Value::number(number.neg())),
            Some(number) => ExprKind::Literal(Value::number(number)),
            None => {
                let span = self.span(range.clone());
                self.report(
                    Diagnostic::error("Invalid number", "The number is too large to be worked with.").at(&span),
                );
                ExprKind::Literal(Value::unknown(Type::Number))
            }
        }
    }

    fn object(&mut self, object: &edit::Object) -> ExprKind {
        let mut items = Vec::new();
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        for (key, value) in object.iter() {
            let (key, span) = self.key(key, value.expr());
            if let Some(name) = literal_key(&key) {
                if seen.contains_key(&name) {
                    let detail = format!("The object has the key {name:?} more than once; the last one counts.");
                    self.report(Diagnostic::warning("Duplicate object key", detail).at(&span));
                }
                seen.insert(name, span);
            }
            items.push((key, self.expr(value.expr())));
        }
        ExprKind::Object(items)
    }

    fn key(&mut self, key: &ObjectKey, value: &Expression) -> (Key, Span) {
        let range = key.span().unwrap_or_else(|| range_of(value));
        if let Some((original, Kind::Key)) = self.repaired.original(range.start) {
            let start = range.start;
            return (self.repaired_key(original, start), self.span(start..start + original.len()));
        }
        let span = self.span(range);
        let key = match key {
            ObjectKey::Ident(name) => Key::Name(Member { name: name.as_str().to_owned(), span: span.clone() }),
            ObjectKey::Expression(expr) => Key::Expr(self.key_expr(expr)),
        };
        (key, span)
    }

    /// A key with a dot could mean a reference or a name.
    fn key_expr(&mut self, expr: &Expression) -> Expr {
        let lowered = self.expr(expr);
        if matches!(expr, Expression::Traversal(_)) {
            let detail = "If this is a reference, put it in parentheses; if it is a name with dots, put it in quotes.";
            self.report(Diagnostic::error("Ambiguous attribute key", detail).at(&lowered.span));
        }
        lowered
    }

    /// A key that was hidden from the parser, read on its own.
    fn repaired_key(&mut self, original: &str, start: usize) -> Key {
        let span = self.span(start..start + original.len());
        if original.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
            && !original.starts_with(|c: char| c.is_ascii_digit())
        {
            return Key::Name(Member { name: original.to_owned(), span });
        }
        let kind = match hcl::edit::parser::parse_expr(original) {
            Ok(expr) => {
                let repaired = Repaired::new(original);
                let mut lower = Lower::new(self.file, original, 0, &repaired);
                let kind = lower.expr(&expr).kind;
                self.diagnostics.extend(lower.into_diagnostics());
                kind
            }
            Err(_) => ExprKind::Literal(Value::string(original)),
        };
        Key::Expr(Expr { kind, span })
    }

    fn call(&mut self, call: &edit::FuncCall, range: &Range<usize>) -> ExprKind {
        let parts = call.name.namespace.iter().chain([&call.name.name]);
        let name: Vec<&str> = parts.map(|part| part.as_str()).collect();
        let name = name.join("::");
        let name_range = range.start..(range.start + name.len()).min(range.end);
        let last = if call.args.expand_final() { LastArgument::Expanded } else { LastArgument::Plain };
        let args = call.args.iter().map(|arg| self.expr(arg)).collect();
        ExprKind::Call(Box::new(Call { name, name_span: self.span(name_range), args, last }))
    }

    /// Applies the operators of a traversal one after the other; a splat takes those that belong to its elements.
    fn traverse(&mut self, start: Expr, operators: &[hcl::edit::Decorated<TraversalOperator>]) -> Expr {
        let mut current = start;
        let mut rest = operators;
        if operators.len() > MAX_STEPS {
            let detail = format!("An expression can have at most {MAX_STEPS} attributes and indexes in a row.");
            self.report(Diagnostic::error("Expression too long", detail).at(&current.span));
            return current;
        }
        while let Some((operator, more)) = rest.split_first() {
            rest = more;
            let range = operator.span().unwrap_or_default();
            let span = current.span.to(&self.span(range.clone()));
            let kind = match operator.value() {
                TraversalOperator::GetAttr(name) => {
                    let name_range = name.span().unwrap_or_else(|| range.clone());
                    let member = Member { name: name.as_str().to_owned(), span: self.span(name_range) };
                    ExprKind::Attribute(Box::new(current), member)
                }
                TraversalOperator::Index(key) => {
                    let key = self.expr(key);
                    ExprKind::Index(Box::new(current), Box::new(key))
                }
                TraversalOperator::LegacyIndex(index) => {
                    let key = ExprKind::Literal(Value::number(*index.value()));
                    let key = Expr { kind: key, span: self.span(range.clone()) };
                    ExprKind::Index(Box::new(current), Box::new(key))
                }
                // After `[*]` everything belongs to the elements, after `.*` only names and `.0` do.
                TraversalOperator::FullSplat(_) => {
                    let each = self.splat_element(&span, rest);
                    rest = &[];
                    ExprKind::Splat(Box::new(current), Box::new(each))
                }
                TraversalOperator::AttrSplat(_) => {
                    let is_dot = |operator: &hcl::edit::Decorated<TraversalOperator>| {
                        matches!(operator.value(), TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_))
                    };
                    let count = rest.iter().take_while(|operator| is_dot(operator)).count();
                    let (dots, others) = rest.split_at(count);
                    let each = self.splat_element(&span, dots);
                    rest = others;
                    ExprKind::Splat(Box::new(current), Box::new(each))
                }
            };
            let span = if let ExprKind::Splat(_, each) = &kind { span.to(&each.span) } else { span };
            current = Expr { kind, span };
        }
        current
    }

    fn splat_element(&mut self, span: &Span, operators: &[hcl::edit::Decorated<TraversalOperator>]) -> Expr {
        self.traverse(Expr { kind: ExprKind::SplatElement, span: span.clone() }, operators)
    }

    fn for_expr(&mut self, expr: &edit::ForExpr) -> ExprKind {
        ExprKind::For(Box::new(For {
            key_name: expr.intro.key_var.as_ref().map(|name| name.as_str().to_owned()),
            value_name: expr.intro.value_var.as_str().to_owned(),
            collection: self.expr(&expr.intro.collection_expr),
            key: expr.key_expr.as_ref().map(|key| self.expr(key)),
            value: self.expr(&expr.value_expr),
            condition: expr.cond.as_ref().map(|condition| self.expr(&condition.expr)),
            grouping: if expr.grouping { Grouping::Grouped } else { Grouping::Distinct },
        }))
    }
}

/// The text of a key that needs no evaluation.
fn literal_key(key: &Key) -> Option<String> {
    match key {
        Key::Name(member) => Some(member.name.clone()),
        Key::Expr(Expr { kind: ExprKind::Literal(value), .. }) => value.to_text(),
        Key::Expr(_) => None,
    }
}

/// Where an expression is; operations that the parser built from parts lie around their parts.
fn range_of(expr: &Expression) -> Range<usize> {
    expr.span().unwrap_or_else(|| match expr {
        Expression::BinaryOp(op) => range_of(&op.lhs_expr).start..range_of(&op.rhs_expr).end,
        Expression::Conditional(op) => range_of(&op.cond_expr).start..range_of(&op.false_expr).end,
        _ => 0..0,
    })
}

fn binary_operator(operator: edit::BinaryOperator) -> BinaryOperator {
    match operator {
        edit::BinaryOperator::Plus => BinaryOperator::Add,
        edit::BinaryOperator::Minus => BinaryOperator::Subtract,
        edit::BinaryOperator::Mul => BinaryOperator::Multiply,
        edit::BinaryOperator::Div => BinaryOperator::Divide,
        edit::BinaryOperator::Mod => BinaryOperator::Remainder,
        edit::BinaryOperator::Eq => BinaryOperator::Equal,
        edit::BinaryOperator::NotEq => BinaryOperator::NotEqual,
        edit::BinaryOperator::Less => BinaryOperator::Less,
        edit::BinaryOperator::LessEq => BinaryOperator::LessOrEqual,
        edit::BinaryOperator::Greater => BinaryOperator::Greater,
        edit::BinaryOperator::GreaterEq => BinaryOperator::GreaterOrEqual,
        edit::BinaryOperator::And => BinaryOperator::And,
        edit::BinaryOperator::Or => BinaryOperator::Or,
    }
}
