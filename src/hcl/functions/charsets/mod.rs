//! Functions between text and the bytes of other character sets.

mod charset;
mod code_pages;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::arguments::{string, text, text_param};
use super::encoding::from_base64;
use super::{Call, Function, FunctionError};
use crate::hcl::value::Value;
use charset::Charset;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("textdecodebase64", &[text_param("source"), text_param("encoding")], string, textdecodebase64),
    Function::new("textencodebase64", &[text_param("string"), text_param("encoding")], string, textencodebase64),
];

/// The character set that an argument names.
fn charset(args: &[Value], at: usize) -> Result<Charset, FunctionError> {
    let name = text(args, at)?;
    Charset::named(name)
        .ok_or_else(|| FunctionError::argument(at, format!("{name:?} is no character set that is supported")))
}

fn textencodebase64(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (text, charset) = (text(args, 0)?, charset(args, 1)?);
    let bytes = charset
        .encode(text)
        .ok_or_else(|| FunctionError::argument(0, "the text has characters that this character set does not have"))?;
    Ok(Value::string(STANDARD.encode(bytes)))
}

fn textdecodebase64(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let bytes = from_base64(text(args, 0)?).map_err(|message| FunctionError::argument(0, message))?;
    let text = charset(args, 1)?
        .decode(&bytes)
        .ok_or_else(|| FunctionError::argument(0, "the decoded bytes stand for no text in this character set"))?;
    Ok(Value::string(text))
}
