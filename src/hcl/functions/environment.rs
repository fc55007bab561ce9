//! The environment of the process. The language lets it be read only where defaults of variables are written.

use super::arguments::{string, text, text_param};
use super::{Call, Function, FunctionError};
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[Function::new("env", &[text_param("key")], string, env)];

/// A variable that is not set is empty.
fn env(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(call.host.env(text(args, 0)?).unwrap_or_default()))
}
