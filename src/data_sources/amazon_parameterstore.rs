//! `amazon-parameterstore`: a parameter of AWS Systems Manager.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::parameter::{self, Decryption};
use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::{Type, Value};
use crate::sources::World;
use crate::sources::options::access::AccessOptions;
use crate::sources::options::take;

use super::{DataSource, Kind};

/// The kind.
pub const KIND: Kind = Kind {
    name: "amazon-parameterstore",
    prepare,
    output: || Type::object(["value", "version", "arn"].map(|name| (name, Type::String))),
    schema: || vec![schemars::schema_for!(AccessOptions), schemars::schema_for!(Options)],
};

/// Reads a parameter of AWS Systems Manager.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// Its name, or its ARN. `NAME:VERSION` reads an older version. Required.
    name: String,
    /// Decrypts a `SecureString`.
    with_decryption: bool,
}

struct Parameterstore {
    access: AccessOptions,
    options: Options,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn DataSource>, Diagnostics> {
    let mut rest = body.clone();
    let access = take::<AccessOptions>(&mut rest)?;
    let options = decode::<Options>(&rest)?;
    let mut problems = access.problems();
    if options.name.is_empty() {
        problems.push("a `name` must be provided".to_owned());
    }
    if problems.is_empty() {
        return Ok(Box::new(Parameterstore { access, options }));
    }
    Err(body.refused(&problems))
}

#[async_trait(?Send)]
impl DataSource for Parameterstore {
    async fn read(&self, world: &World) -> Result<Value, Cause> {
        let aws = world.aws(&self.access.access()).await?;
        let decryption = if self.options.with_decryption { Decryption::Plain } else { Decryption::Encrypted };
        let found = parameter::get(&aws, &self.options.name, decryption).await?;
        let texts = [("value", found.value), ("version", found.version), ("arn", found.arn)];
        Ok(Value::object(texts.map(|(name, text)| (name.to_owned(), Value::string(text))).into()))
    }
}
