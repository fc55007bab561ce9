//! Functions on text. Positions and lengths count what a reader sees as characters (grapheme clusters).

use unicode_segmentation::UnicodeSegmentation;

use super::arguments::{bool, count, elements, number_param, string, strings, text, text_param, whole};
use super::{Call, Function, FunctionError, Param};
use crate::hcl::types::Type;
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("chomp", &[text_param("str")], string, chomp),
    Function::new("endswith", &[text_param("str"), text_param("suffix")], bool, endswith),
    Function::new("indent", &[number_param("spaces"), text_param("str")], string, indent),
    Function::new("join", &[text_param("separator"), Param::new("lists", strings)], string, join)
        .with_variadic(Param::new("lists", strings)),
    Function::new("replace", &[text_param("str"), text_param("substr"), text_param("replace")], string, replace),
    Function::new("split", &[text_param("separator"), text_param("str")], strings, split),
    Function::new("startswith", &[text_param("str"), text_param("prefix")], bool, startswith),
    Function::new("strcontains", &[text_param("str"), text_param("substr")], bool, strcontains),
    Function::new("strrev", &[text_param("str")], string, strrev),
    Function::new("substr", &[text_param("str"), number_param("offset"), number_param("length")], string, substr),
    Function::new("trim", &[text_param("str"), text_param("cutset")], string, trim),
    Function::new("trimprefix", &[text_param("str"), text_param("prefix")], string, trimprefix),
    Function::new("trimspace", &[text_param("str")], string, trimspace),
    Function::new("trimsuffix", &[text_param("str"), text_param("suffix")], string, trimsuffix),
];

/// Longer results of `indent` are refused: no template means them.
const MAX_INDENTED: usize = 64 << 20;

fn chomp(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(text(args, 0)?.trim_end_matches(['\r', '\n'])))
}

fn endswith(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::bool(text(args, 0)?.ends_with(text(args, 1)?)))
}

fn startswith(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::bool(text(args, 0)?.starts_with(text(args, 1)?)))
}

fn strcontains(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::bool(text(args, 0)?.contains(text(args, 1)?)))
}

/// Blanks after every line break, also before an empty line.
fn indent(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (spaces, text) = (count(args, 0)?, text(args, 1)?);
    let breaks = text.matches('\n').count();
    if breaks == 0 {
        return Ok(Value::string(text));
    }
    if spaces.saturating_mul(breaks) > MAX_INDENTED {
        return Err(FunctionError::argument(0, format!("the result would be longer than {MAX_INDENTED} bytes")));
    }
    Ok(Value::string(text.replace('\n', &format!("\n{}", " ".repeat(spaces)))))
}

fn join(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let separator = text(args, 0)?;
    let mut parts = Vec::new();
    for at in 1..args.len() {
        for (index, element) in elements(args, at)?.iter().enumerate() {
            let text = element.as_str().ok_or_else(|| {
                FunctionError::argument(at, format!("element {index} is null and cannot be joined to text"))
            })?;
            parts.push(text);
        }
    }
    Ok(Value::string(parts.join(separator)))
}

fn replace(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(text(args, 0)?.replace(text(args, 1)?, text(args, 2)?)))
}

fn split(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (separator, text) = (text(args, 0)?, text(args, 1)?);
    if separator.is_empty() {
        return Ok(Value::list(Type::String, text.chars().map(|c| Value::string(c.to_string())).collect()));
    }
    Ok(Value::strings(text.split(separator)))
}

fn strrev(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(text(args, 0)?.graphemes(true).rev().collect::<String>()))
}

/// What lies outside of the text is left out; a negative offset counts from the end, a negative length means all.
fn substr(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (text, offset, length) = (text(args, 0)?, whole(args, 1)?, whole(args, 2)?);
    let graphemes: Vec<&str> = text.graphemes(true).collect();
    let start = if offset < 0 { offset.saturating_add_unsigned(graphemes.len() as u64) } else { offset };
    let start = usize::try_from(start).unwrap_or(0);
    let length = match usize::try_from(length) {
        // Counted from the end, nothing means everything: templates may have come to rely on it.
        Ok(0) if offset < 0 => usize::MAX,
        Ok(length) => length,
        Err(_) => usize::MAX,
    };
    Ok(Value::string(graphemes.into_iter().skip(start).take(length).collect::<String>()))
}

fn trim(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let cutset: Vec<char> = text(args, 1)?.chars().collect();
    Ok(Value::string(text(args, 0)?.trim_matches(cutset.as_slice())))
}

fn trimprefix(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let text_given = text(args, 0)?;
    Ok(Value::string(text_given.strip_prefix(text(args, 1)?).unwrap_or(text_given)))
}

fn trimsuffix(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let text_given = text(args, 0)?;
    Ok(Value::string(text_given.strip_suffix(text(args, 1)?).unwrap_or(text_given)))
}

fn trimspace(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(text(args, 0)?.trim()))
}
