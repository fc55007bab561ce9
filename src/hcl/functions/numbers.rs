//! Functions on numbers.

use num_bigint::BigUint;

use super::arguments::{number, number_param, numeral, value, whole};
use super::doubles::{self, ln};
use super::{Call, Function, FunctionError, Param};
use crate::hcl::number::Number;
use crate::hcl::value::Value;

/// `parseint` takes text only, where other parameters would turn a number into text.
const DIGITS: Param = super::arguments::parts_param("number");

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("abs", &[number_param("num")], number, abs),
    Function::new("ceil", &[number_param("num")], number, ceil),
    Function::new("floor", &[number_param("num")], number, floor),
    Function::new("log", &[number_param("num"), number_param("base")], number, log),
    Function::new("max", &[], number, max).with_variadic(number_param("numbers")),
    Function::new("min", &[], number, min).with_variadic(number_param("numbers")),
    Function::new("parseint", &[DIGITS, number_param("base")], number, parseint),
    Function::new("pow", &[number_param("num"), number_param("power")], number, pow),
    Function::new("signum", &[number_param("num")], number, signum),
];

fn abs(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::number(numeral(args, 0)?.abs()))
}

fn ceil(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::number(numeral(args, 0)?.ceil()))
}

fn floor(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::number(numeral(args, 0)?.floor()))
}

fn signum(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::number(whole(args, 0)?.signum()))
}

fn max(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    outermost(args, |numbers| numbers.iter().max().cloned())
}

fn min(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    outermost(args, |numbers| numbers.iter().min().cloned())
}

fn outermost(args: &[Value], choose: fn(&[Number]) -> Option<Number>) -> Result<Value, FunctionError> {
    let numbers: Vec<Number> = args.iter().filter_map(Value::as_number).cloned().collect();
    choose(&numbers).map(Value::number).ok_or_else(|| FunctionError::failed("at least one number is required"))
}

/// Computed with doubles, as the language has it.
fn log(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    double(ln(numeral(args, 0)?.to_f64()) / ln(numeral(args, 1)?.to_f64()))
}

/// Computed with doubles, as the language has it.
fn pow(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    double(doubles::pow(numeral(args, 0)?.to_f64(), numeral(args, 1)?.to_f64()))
}

fn double(result: f64) -> Result<Value, FunctionError> {
    Number::from_f64(result).map(Value::number).ok_or_else(|| FunctionError::failed("the result is not a number"))
}

fn parseint(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let given = value(args, 0)?;
    let text = given.as_str().ok_or_else(|| {
        FunctionError::argument(0, format!("the first argument must be a string, not {}", given.ty().kind()))
    })?;
    let base = u32::try_from(whole(args, 1)?).ok().filter(|base| (2..=62).contains(base));
    let base = base.ok_or_else(|| FunctionError::argument(1, "the base must be between 2 and 62"))?;
    let number = parse(text, base)
        .ok_or_else(|| FunctionError::argument(0, format!("{text:?} is no whole number in base {base}")))?;
    Ok(Value::number(number))
}

fn parse(text: &str, base: u32) -> Option<Number> {
    let (negative, digits) = match text.chars().next()? {
        '-' => (true, &text[1..]),
        '+' => (false, &text[1..]),
        _ => (false, text),
    };
    let mut magnitude = BigUint::default();
    for c in digits.chars() {
        magnitude = magnitude * base + digit(c, base)?;
    }
    (!digits.is_empty()).then(|| Number::from_integer(negative, magnitude))
}

/// Up to base 36 case does not matter; beyond it capitals come after small letters.
fn digit(c: char, base: u32) -> Option<u32> {
    let digit = match c {
        '0'..='9' => u32::from(c) - u32::from('0'),
        'a'..='z' => u32::from(c) - u32::from('a') + 10,
        'A'..='Z' if base <= 36 => u32::from(c) - u32::from('A') + 10,
        'A'..='Z' => u32::from(c) - u32::from('A') + 36,
        _ => return None,
    };
    (digit < base).then_some(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_in_any_base() {
        let cases = [
            ("FF", 16, Some("255")),
            ("-ff", 16, Some("-255")),
            ("z", 62, Some("35")),
            ("Z", 62, Some("61")),
            ("Z", 36, Some("35")),
            ("12", 2, None),
            ("", 10, None),
            ("-", 10, None),
            ("0x1f", 16, None),
            ("1_000", 10, None),
        ];
        for (text, base, want) in cases {
            assert_eq!(parse(text, base).map(|number| number.to_string()).as_deref(), want, "{text} {base}");
        }
    }
}
