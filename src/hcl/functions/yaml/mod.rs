//! YAML as text.

mod decode;
mod encode;
mod scalar;

use super::arguments::{any, string, text, text_param, value};
use super::{Call, Function, FunctionError, Nulls, Param, Unknowns};
use crate::hcl::types::Type;
use crate::hcl::value::Value;

/// What is encoded may be null.
const ENCODED: Param = Param { name: "value", ty: any, nulls: Nulls::Taken, unknowns: Unknowns::None };

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("yamldecode", &[text_param("src")], any, yamldecode),
    Function::new("yamlencode", &[ENCODED], string, yamlencode),
];

/// A lone null comes out as unknown: templates may have come to rely on it.
fn yamldecode(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let decoded = decode::decode(text(args, 0)?).map_err(|message| FunctionError::argument(0, message))?;
    Ok(if decoded.is_null() { Value::unknown(Type::Dynamic) } else { decoded })
}

fn yamlencode(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    encode::encode(value(args, 0)?).map(Value::string).map_err(FunctionError::failed)
}
