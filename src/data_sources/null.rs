//! `null`: gives back what it gets.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics};
use crate::hcl::{Type, Value};
use crate::sources::World;

use super::{DataSource, Kind};

/// The kind.
pub const KIND: Kind = Kind {
    name: "null",
    prepare,
    output: || Type::object([("output", Type::String)]),
    schema: || vec![schemars::schema_for!(Options)],
};

/// Gives back what it gets.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// The text that it gives back, as `output`. Required.
    input: String,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn DataSource>, Diagnostics> {
    let options = decode::<Options>(body)?;
    if options.input.is_empty() {
        return Err(Diagnostic::error("The `input` must be specified", "").at(&body.span).into());
    }
    Ok(Box::new(options))
}

#[async_trait(?Send)]
impl DataSource for Options {
    async fn read(&self, _: &World) -> Result<Value, Cause> {
        Ok(Value::object([("output".to_owned(), Value::string(&self.input))].into()))
    }
}
