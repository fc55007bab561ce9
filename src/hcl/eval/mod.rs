//! Evaluation of expressions.
//!
//! Total: every fault is a diagnostic with its place, and independent faults of one expression are all found. Unknown
//! values make what depends on them unknown; sensitive values make what is made from them sensitive.

mod access;
mod call;
mod collections;
mod nowhere;
mod operators;
mod scope;
mod template;
mod work;

use super::ast::{Conditional, Expr, ExprKind};
use super::convert::{ConvertError, convert};
use super::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use super::types::{Type, unify};
use super::value::Value;

pub use call::{RenderError, render_template};
pub use scope::{Advice, Adviser, Missing, Scope, Variables};
pub use work::Work;

/// The value of an expression.
pub fn evaluate(expr: &Expr, scope: &Scope<'_>) -> Result<Value, Diagnostics> {
    let mut evaluator = Evaluator::new(scope.work().clone());
    evaluator.eval(expr, scope).map_err(|Failed| evaluator.diagnostics)
}

/// The value of an expression, converted to a type.
pub fn evaluate_as(expr: &Expr, ty: &Type, scope: &Scope<'_>) -> Result<Value, Diagnostics> {
    let value = evaluate(expr, scope)?;
    convert(&value, ty).map_err(|error| {
        Diagnostic::error("Unsuitable value type", format!("Unsuitable value: {error}.")).at(&expr.span).into()
    })
}

/// An expression failed; the diagnostics say why.
struct Failed;

/// Collects the faults of one expression.
struct Evaluator {
    diagnostics: Diagnostics,
    work: Work,
}

type Evaluated<T = Value> = Result<T, Failed>;

impl Evaluator {
    fn new(work: Work) -> Self {
        Self { diagnostics: Diagnostics::new(), work }
    }

    fn fail<T>(&mut self, span: &Span, summary: &str, detail: impl Into<String>) -> Evaluated<T> {
        self.fail_with(Diagnostic::error(summary, detail).at(span))
    }

    fn fail_with<T>(&mut self, diagnostic: Diagnostic) -> Evaluated<T> {
        self.diagnostics.push(diagnostic);
        Err(Failed)
    }

    fn eval(&mut self, expr: &Expr, scope: &Scope<'_>) -> Evaluated {
        self.step(&expr.span)?;
        match &expr.kind {
            ExprKind::Literal(value) => Ok(value.clone()),
            ExprKind::Template(parts) => self.template(parts, &expr.span, scope),
            ExprKind::Tuple(items) => {
                let values = self.all(items, scope)?;
                self.made(Value::tuple(values), &expr.span)
            }
            ExprKind::Object(items) => {
                let value = self.object(items, scope)?;
                self.made(value, &expr.span)
            }
            ExprKind::Parenthesis(inner) => self.eval(inner, scope),
            ExprKind::Variable(name) => self.variable(name, &expr.span, scope, Reading::Alone),
            ExprKind::SplatElement => self.variable(scope::SPLAT_ELEMENT, &expr.span, scope, Reading::Root),
            ExprKind::Conditional(conditional) => self.conditional(conditional, &expr.span, scope),
            ExprKind::Call(call) => {
                let value = self.call(call, &expr.span, scope)?;
                self.made(value, &expr.span)
            }
            ExprKind::Attribute(inner, member) => {
                if scope.variables() == Variables::Refused && unknown_root(expr, scope) {
                    return self.refused(&expr.span);
                }
                let value = match &inner.kind {
                    ExprKind::Variable(name) => self.variable(name, &inner.span, scope, Reading::Root)?,
                    _ => self.eval(inner, scope)?,
                };
                self.attribute(&value, member, inner, scope)
            }
            ExprKind::Index(inner, key) => {
                let (value, key_value) = self.both(inner, key, scope)?;
                self.index(&value, &key_value, &key.span)
            }
            ExprKind::Splat(inner, each) => {
                let value = self.eval(inner, scope)?;
                self.splat(&value, each, scope)
            }
            ExprKind::Unary(operator, operand) => self.unary(*operator, operand, scope),
            ExprKind::Chain(chain) => self.chain(chain, scope),
            ExprKind::For(parts) => {
                let value = self.for_expr(parts, &expr.span, scope)?;
                self.made(value, &expr.span)
            }
        }
    }

    /// Evaluates all, so that the faults of all are found.
    fn all(&mut self, exprs: &[Expr], scope: &Scope<'_>) -> Evaluated<Vec<Value>> {
        let mut values = Vec::with_capacity(exprs.len());
        for expr in exprs {
            values.extend(self.eval(expr, scope));
        }
        if values.len() == exprs.len() { Ok(values) } else { Err(Failed) }
    }

    fn both(&mut self, left: &Expr, right: &Expr, scope: &Scope<'_>) -> Evaluated<(Value, Value)> {
        let (left, right) = (self.eval(left, scope), self.eval(right, scope));
        Ok((left?, right?))
    }

    /// Evaluates without keeping the faults.
    fn quietly<T>(&mut self, run: impl FnOnce(&mut Self) -> Evaluated<T>) -> Result<T, Diagnostics> {
        let mut inner = Self::new(self.work.clone());
        run(&mut inner).map_err(|Failed| inner.diagnostics)
    }

    fn variable(&mut self, name: &str, span: &Span, scope: &Scope<'_>, reading: Reading) -> Evaluated {
        if let Some(value) = scope.get(name) {
            return Ok(value.clone());
        }
        if scope.variables() == Variables::Refused {
            return self.refused(span);
        }
        let names = scope.names();
        self.compare(names.len(), span)?;
        let quotes =
            || Some(format!("for the text {name:?}, write it in quotes")).filter(|_| reading == Reading::Alone);
        let path = || scope.path_to(name).map(|path| format!("did you mean {path}?"));
        let hint = path()
            .or_else(|| did_you_mean(name, names))
            .or_else(|| scope.advice(Missing::Name(name)).hint)
            .or_else(quotes);
        self.fail_with(
            Diagnostic::error("Unknown variable", format!("There is no variable named \"{name}\"."))
                .at(span)
                .hint(hint),
        )
    }

    fn refused<T>(&mut self, span: &Span) -> Evaluated<T> {
        let detail = "Variables may not be used here: the value must be written out.";
        self.fail(span, "Variables not allowed", detail)
    }

    /// A known bool; none if it is unknown.
    fn condition(&mut self, value: &Value, span: &Span) -> Evaluated<Option<bool>> {
        if value.is_null() {
            let detail = "The condition value is null. Conditions must either be true or false.";
            return self.fail(span, "Null condition", detail);
        }
        match convert(value, &Type::Bool) {
            Ok(value) => Ok(value.as_bool()),
            Err(_) => self.fail(span, "Incorrect condition type", "The condition expression must be of type bool."),
        }
    }

    /// Only the branch that is taken must succeed; the other one's type counts if it has one.
    fn conditional(&mut self, conditional: &Conditional, span: &Span, scope: &Scope<'_>) -> Evaluated {
        let condition = self.eval(&conditional.condition, scope)?;
        let chosen = self.condition(&condition, &conditional.condition.span)?;
        let result = match chosen {
            Some(true) => self.branch(&conditional.yes, &conditional.no, span, scope, Order::Straight)?,
            Some(false) => self.branch(&conditional.no, &conditional.yes, span, scope, Order::Swapped)?,
            None => self.undecided(conditional, scope)?,
        };
        Ok(result.sensitive_like([&condition]))
    }

    fn branch(&mut self, taken: &Expr, other: &Expr, span: &Span, scope: &Scope<'_>, order: Order) -> Evaluated {
        let value = self.eval(taken, scope)?;
        let Ok(other) = self.quietly(|inner| inner.eval(other, scope)) else { return Ok(value) };
        let types = [value.ty(), other.ty()];
        if let Some(Ok(converted)) = unify(&types).map(|ty| convert(&value, &ty)) {
            return Ok(converted);
        }
        let [taken, other] = types;
        let (yes, no) = if order == Order::Straight { (taken, other) } else { (other, taken) };
        let detail = format!(
            "The true and false result expressions must have consistent types. The 'true' value is {}, but the 'false' \
             value is {}.",
            yes.kind(),
            no.kind()
        );
        self.fail(span, "Inconsistent conditional result types", detail)
    }

    /// The condition is unknown: so is the result, and its type if the branches do not agree.
    fn undecided(&mut self, conditional: &Conditional, scope: &Scope<'_>) -> Evaluated {
        let yes = self.quietly(|inner| inner.eval(&conditional.yes, scope));
        let no = self.quietly(|inner| inner.eval(&conditional.no, scope));
        let ty = match (yes, no) {
            (Ok(yes), Ok(no)) => {
                let ty = unify(&[yes.ty(), no.ty()]).unwrap_or(Type::Dynamic);
                return Ok(Value::unknown(ty).sensitive_like([&yes, &no]));
            }
            (Ok(value), Err(_)) | (Err(_), Ok(value)) => value.ty(),
            (Err(first), Err(_)) => {
                self.diagnostics.extend(first);
                return Err(Failed);
            }
        };
        Ok(Value::unknown(ty))
    }

    fn converted(&mut self, result: Result<Value, ConvertError>, span: &Span, summary: &str, what: &str) -> Evaluated {
        result.or_else(|error| self.fail(span, summary, format!("{what}: {error}.")))
    }
}

/// How a name is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As a value of its own.
    Alone,
    /// As what a path starts from.
    Root,
}

/// Whether a path starts from a name that the scope does not have.
fn unknown_root(expr: &Expr, scope: &Scope<'_>) -> bool {
    match &expr.kind {
        ExprKind::Attribute(inner, _) | ExprKind::Index(inner, _) | ExprKind::Splat(inner, _) => {
            unknown_root(inner, scope)
        }
        ExprKind::Variable(name) => scope.get(name).is_none(),
        _ => false,
    }
}

/// Whether the branch taken is the one for true.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Straight,
    Swapped,
}

#[cfg(test)]
pub(crate) mod tests;
