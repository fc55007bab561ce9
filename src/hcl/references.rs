//! Which names expressions refer to, so that what they depend on can be evaluated first.

use std::borrow::Cow;

use super::ast::{Body, Expr, ExprKind, Key, Part};
use super::diagnostics::Span;

/// A root name and the constant names and keys that follow it: `a.b["c"][0].d` is `a` with `b`, `c`, `0`, `d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traversal<'e> {
    /// The root name.
    pub root: &'e str,
    /// What follows, as far as it is constant.
    pub path: Vec<Cow<'e, str>>,
    /// The place of root and path.
    pub span: Span,
}

/// What an expression refers to, without the names that it binds itself.
pub fn references(expr: &Expr) -> Vec<Traversal<'_>> {
    let mut finder = Finder::default();
    finder.expr(expr);
    finder.found
}

/// What the expressions of a body and of its blocks at any depth refer to.
///
/// In `dynamic` blocks the iterator's name is bound by the block and left out.
pub fn references_in(body: &Body) -> Vec<Traversal<'_>> {
    let mut finder = Finder::default();
    finder.body(body);
    finder.found
}

#[derive(Default)]
struct Finder<'e> {
    found: Vec<Traversal<'e>>,
    /// The names that are bound where the search is.
    bound: Vec<Cow<'e, str>>,
}

impl<'e> Finder<'e> {
    fn body(&mut self, body: &'e Body) {
        body.attributes.iter().for_each(|attribute| self.expr(&attribute.expr));
        for block in &body.blocks {
            match super::dynamic::iterator_name(block) {
                Some(iterator) => self.dynamic(&block.body, iterator.into()),
                None => self.body(&block.body),
            }
        }
    }

    fn dynamic(&mut self, body: &'e Body, iterator: Cow<'e, str>) {
        for attribute in &body.attributes {
            match attribute.name.as_str() {
                // A bare word that is no reference.
                "iterator" => {}
                "for_each" => self.expr(&attribute.expr),
                _ => self.with(vec![iterator.clone()], |finder| finder.expr(&attribute.expr)),
            }
        }
        self.with(vec![iterator], |finder| body.blocks.iter().for_each(|block| finder.body(&block.body)));
    }

    fn with(&mut self, names: Vec<Cow<'e, str>>, run: impl FnOnce(&mut Self)) {
        let before = self.bound.len();
        self.bound.extend(names);
        run(self);
        self.bound.truncate(before);
    }

    fn expr(&mut self, expr: &'e Expr) {
        if let Some(traversal) = traversal(expr) {
            if !self.bound.iter().any(|bound| bound == traversal.root) {
                self.found.push(traversal);
            }
            return;
        }
        match &expr.kind {
            ExprKind::Literal(_) | ExprKind::Variable(_) | ExprKind::SplatElement => {}
            ExprKind::Template(parts) => parts.iter().for_each(|part| self.part(part)),
            ExprKind::Tuple(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Object(items) => items.iter().for_each(|(key, value)| {
                if let Key::Expr(key) = key {
                    self.expr(key);
                }
                self.expr(value);
            }),
            ExprKind::Parenthesis(inner) | ExprKind::Attribute(inner, _) | ExprKind::Unary(_, inner) => {
                self.expr(inner);
            }
            ExprKind::Conditional(parts) => {
                [&parts.condition, &parts.yes, &parts.no].into_iter().for_each(|part| self.expr(part));
            }
            ExprKind::Call(call) if call.name == "convert" => call.args.iter().take(1).for_each(|arg| self.expr(arg)),
            ExprKind::Call(call) => call.args.iter().for_each(|arg| self.expr(arg)),
            ExprKind::Index(left, right) | ExprKind::Splat(left, right) => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Chain(chain) => {
                self.expr(&chain.first);
                chain.rest.iter().for_each(|(_, operand)| self.expr(operand));
            }
            ExprKind::For(parts) => {
                self.expr(&parts.collection);
                let names = parts.key_name.iter().chain([&parts.value_name]).map(Cow::from).collect();
                self.with(names, |finder| {
                    parts.key.iter().chain([&parts.value]).chain(&parts.condition).for_each(|part| finder.expr(part));
                });
            }
        }
    }

    fn part(&mut self, part: &'e Part) {
        match part {
            Part::Literal(_) => {}
            Part::Interpolation(expr) => self.expr(expr),
            Part::If(part) => {
                self.expr(&part.condition);
                part.yes.iter().chain(&part.no).for_each(|part| self.part(part));
            }
            Part::For(part) => {
                self.expr(&part.collection);
                let names = part.key_name.iter().chain([&part.value_name]).map(Cow::from).collect();
                self.with(names, |finder| part.parts.iter().for_each(|part| finder.part(part)));
            }
        }
    }
}

/// The expression as a root with a constant path; none if any step of it must be evaluated.
fn traversal(expr: &Expr) -> Option<Traversal<'_>> {
    match &expr.kind {
        ExprKind::Variable(name) => Some(Traversal { root: name, path: Vec::new(), span: expr.span.clone() }),
        ExprKind::Attribute(inner, member) => extended(inner, Cow::from(&member.name), expr),
        ExprKind::Index(inner, key) => match &key.kind {
            ExprKind::Literal(value) => extended(inner, value.to_text()?.into(), expr),
            _ => None,
        },
        _ => None,
    }
}

fn extended<'e>(inner: &'e Expr, step: Cow<'e, str>, expr: &Expr) -> Option<Traversal<'e>> {
    let mut traversal = traversal(inner)?;
    traversal.path.push(step);
    traversal.span = expr.span.clone();
    Some(traversal)
}

#[cfg(test)]
mod tests {
    use super::super::diagnostics::Sources;
    use super::super::parse::{parse_body, parse_expr};
    use super::*;

    fn shown(found: &[Traversal<'_>]) -> Vec<String> {
        found
            .iter()
            .map(|t| std::iter::once(t.root).chain(t.path.iter().map(AsRef::as_ref)).collect::<Vec<_>>().join("."))
            .collect()
    }

    #[test]
    fn of_expressions() {
        let cases: [(&str, &[&str]); 8] = [
            ("local.a + var.b[\"c\"][0].d", &["local.a", "var.b.c.0.d"]),
            ("\"${local.a}%{ if var.b }${data.x.y}%{ endif }\"", &["local.a", "var.b", "data.x.y"]),
            ("[for k, v in var.m : \"${k}${v.x}${local.y}\" if v.z]", &["var.m", "local.y"]),
            ("var.m[local.key].x", &["var.m", "local.key"]),
            ("local.l[*].x", &["local.l"]),
            ("convert(var.x, list(string))", &["var.x"]),
            ("{ a = b, (c) = d }", &["b", "c", "d"]),
            ("try(a.b, f(c...))", &["a.b", "c"]),
        ];
        for (text, want) in cases {
            let file = Sources::default().add("t", text);
            let expr = parse_expr(file, text).unwrap();
            assert_eq!(shown(&references(&expr)), want, "{text}");
        }
    }

    #[test]
    fn of_bodies() {
        let text = "a = x.y\nb {\n c = z\n}\ndynamic \"d\" {\n for_each = l.m\n iterator = it\n content {\n  e = it.value\n  f = d.value\n }\n}\n";
        let file = Sources::default().add("t", text);
        let body = parse_body(file, text).0.unwrap();
        assert_eq!(shown(&references_in(&body)), ["x.y", "z", "l.m", "d.value"]);
    }
}
