//! Unary and binary operators.

use super::scope::Scope;
use super::{Evaluated, Evaluator};
use crate::hcl::ast::{BinaryOperator, Chain, Expr, UnaryOperator};
use crate::hcl::convert::convert;
use crate::hcl::diagnostics::Span;
use crate::hcl::number::{NotANumber, Number};
use crate::hcl::types::Type;
use crate::hcl::value::Value;

impl Evaluator {
    pub(super) fn unary(&mut self, operator: UnaryOperator, operand: &Expr, scope: &Scope<'_>) -> Evaluated {
        let value = self.eval(operand, scope)?;
        let ty = match operator {
            UnaryOperator::Negate => Type::Number,
            UnaryOperator::Not => Type::Bool,
        };
        let value = self.operand(&value, &ty, "unary", &operand.span)?;
        let result = match operator {
            UnaryOperator::Negate => value.as_number().map(|number| Value::number(number.neg())),
            UnaryOperator::Not => value.as_bool().map(|value| Value::bool(!value)),
        };
        self.result(result, ty, &[&value], &operand.span)
    }

    /// Works off operators of one precedence from left to right.
    pub(super) fn chain(&mut self, chain: &Chain, scope: &Scope<'_>) -> Evaluated {
        let mut left = Side { value: self.eval(&chain.first, scope), span: chain.first.span.clone() };
        for (operator, right) in &chain.rest {
            let span = left.span.to(&right.span);
            let value = self.binary(left, *operator, right, &span, scope);
            left = Side { value, span };
        }
        left.value
    }

    fn binary(
        &mut self,
        left: Side,
        operator: BinaryOperator,
        right: &Expr,
        span: &Span,
        scope: &Scope<'_>,
    ) -> Evaluated {
        match operator {
            BinaryOperator::And => self.logical(left, right, Decides::False, scope),
            BinaryOperator::Or => self.logical(left, right, Decides::True, scope),
            BinaryOperator::Equal => {
                let right = self.eval(right, scope);
                Ok(left.value?.equals(&right?))
            }
            BinaryOperator::NotEqual => {
                let right = self.eval(right, scope);
                let equal = left.value?.equals(&right?);
                Ok(equal.as_bool().map_or(equal.clone(), |is| Value::bool(!is)).sensitive_like([&equal]))
            }
            _ => self.numeric(left, operator, right, span, scope),
        }
    }

    /// `&&` and `||`: a left side that decides leaves the right side alone; null counts as false.
    fn logical(&mut self, left: Side, right: &Expr, decides: Decides, scope: &Scope<'_>) -> Evaluated {
        let decisive = decides == Decides::True;
        let left = self.logical_operand(left.value?, "left", &left.span)?;
        if left.as_bool() == Some(decisive) {
            return Ok(left);
        }
        let value = self.eval(right, scope)?;
        let right = self.logical_operand(value, "right", &right.span)?;
        let result = match (left.as_bool(), right.as_bool()) {
            (_, Some(right)) if right == decisive => Value::bool(decisive),
            (Some(_), Some(_)) => Value::bool(!decisive),
            _ => Value::unknown(Type::Bool),
        };
        Ok(result.sensitive_like([&left, &right]))
    }

    fn logical_operand(&mut self, value: Value, side: &str, span: &Span) -> Evaluated {
        if value.is_null() {
            return Ok(Value::bool(false).sensitive_like([&value]));
        }
        self.operand(&value, &Type::Bool, side, span)
    }

    fn numeric(
        &mut self,
        left: Side,
        operator: BinaryOperator,
        right: &Expr,
        span: &Span,
        scope: &Scope<'_>,
    ) -> Evaluated {
        let right_value = self.eval(right, scope);
        let (left_value, right_value) = (left.value?, right_value?);
        let left_value = self.operand(&left_value, &Type::Number, "left", &left.span);
        let right_value = self.operand(&right_value, &Type::Number, "right", &right.span);
        let (left, right) = (left_value?, right_value?);
        let ty = if is_arithmetic(operator) { Type::Number } else { Type::Bool };
        let result = match (left.as_number(), right.as_number()) {
            (Some(left), Some(right)) => match compute(left, operator, right) {
                Ok(value) => Some(value),
                Err(NotANumber) => {
                    let detail = format!("The result of {left} and {right} here is not a number.");
                    return self.fail(span, "Operation failed", detail);
                }
            },
            _ => None,
        };
        self.result(result, ty, &[&left, &right], span)
    }

    /// The operand as the type that the operator wants.
    fn operand(&mut self, value: &Value, ty: &Type, side: &str, span: &Span) -> Evaluated {
        let what = format!("Unsuitable value for {side} operand");
        self.converted(convert(value, ty), span, "Invalid operand", &what)
    }

    /// The result of known operands; else unknown, or an error if one is null.
    fn result(&mut self, result: Option<Value>, ty: Type, operands: &[&Value], span: &Span) -> Evaluated {
        if result.is_none() && operands.iter().any(|value| value.is_null()) {
            return self.fail(span, "Operation failed", "Error during operation: argument must not be null.");
        }
        Ok(result.unwrap_or(Value::unknown(ty)).sensitive_like(operands.iter().copied()))
    }
}

/// What stands left of an operator: the result so far, and where it came from.
struct Side {
    value: Evaluated,
    span: Span,
}

/// The operand value that settles `&&` or `||`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decides {
    False,
    True,
}

fn is_arithmetic(operator: BinaryOperator) -> bool {
    use BinaryOperator::{Add, Divide, Multiply, Remainder, Subtract};
    matches!(operator, Add | Subtract | Multiply | Divide | Remainder)
}

fn compute(left: &Number, operator: BinaryOperator, right: &Number) -> Result<Value, NotANumber> {
    let number = match operator {
        BinaryOperator::Add => left.add(right),
        BinaryOperator::Subtract => left.sub(right),
        BinaryOperator::Multiply => left.mul(right),
        BinaryOperator::Divide => left.div(right),
        BinaryOperator::Remainder => left.rem(right),
        BinaryOperator::Less => return Ok(Value::bool(left < right)),
        BinaryOperator::LessOrEqual => return Ok(Value::bool(left <= right)),
        BinaryOperator::Greater => return Ok(Value::bool(left > right)),
        BinaryOperator::GreaterOrEqual => return Ok(Value::bool(left >= right)),
        BinaryOperator::Equal | BinaryOperator::NotEqual | BinaryOperator::And | BinaryOperator::Or => Err(NotANumber),
    };
    number.map(Value::number)
}
