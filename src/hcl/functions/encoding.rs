//! Functions between text, bytes in base64 and the query form of URLs.

use std::io::Write;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use flate2::{Compression, GzBuilder};

use super::arguments::{string, text, text_param};
use super::{Call, Function, FunctionError};
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("base64decode", &[text_param("str")], string, base64decode),
    Function::new("base64encode", &[text_param("str")], string, base64encode),
    Function::new("base64gzip", &[text_param("str")], string, base64gzip),
    Function::new("urlencode", &[text_param("str")], string, urlencode),
];

/// Bits left over at the end may have any value, as most decoders allow.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The operating system in a gzip header: unknown, so that the result is the same everywhere.
const UNKNOWN_SYSTEM: u8 = 255;

fn base64encode(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(STANDARD.encode(text(args, 0)?)))
}

fn base64decode(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let bytes = from_base64(text(args, 0)?).map_err(|message| FunctionError::argument(0, message))?;
    let decoded = String::from_utf8(bytes)
        .map_err(|_| FunctionError::argument(0, "the decoded bytes are no UTF-8 text; textdecodebase64 knows others"))?;
    Ok(Value::string(decoded))
}

/// The bytes of a base64 text; line breaks in it do not count.
pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    let joined: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    LENIENT.decode(joined).map_err(|error| format!("this is no base64: {error}"))
}

fn base64gzip(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let failed = |error: std::io::Error| FunctionError::failed(format!("cannot compress: {error}"));
    let mut gzip = GzBuilder::new().operating_system(UNKNOWN_SYSTEM).write(Vec::new(), Compression::default());
    gzip.write_all(text(args, 0)?.as_bytes()).map_err(failed)?;
    gzip.flush().map_err(failed)?;
    Ok(Value::string(STANDARD.encode(gzip.finish().map_err(failed)?)))
}

/// A blank becomes `+`; letters, digits and `-_.~` stay.
fn urlencode(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let encoded = text(args, 0)?.bytes().map(|byte| match byte {
        b' ' => "+".to_owned(),
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    Ok(Value::string(encoded.collect::<String>()))
}
