//! Systems Manager: the value of a parameter.

use serde_json::{Value as Json, json};

use super::clients::Aws;
use super::error::Error;
use super::json_call::{SSM, call};

/// Whether a `SecureString` is decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decryption {
    /// It is.
    Plain,
    /// Its encrypted form is given.
    Encrypted,
}

/// A parameter.
pub struct Parameter {
    /// Its value.
    pub value: String,
    /// Its version.
    pub version: String,
    /// Its ARN.
    pub arn: String,
}

/// The parameter of that name (`name`, `name:version`, `name:label` or an ARN).
pub async fn get(aws: &Aws, name: &str, decryption: Decryption) -> Result<Parameter, Error> {
    let input = json!({"Name": name, "WithDecryption": decryption == Decryption::Plain});
    let reply = call(aws, &SSM, "GetParameter", name, &input).await?;
    let field = |field: &str| reply.pointer(&format!("/Parameter/{field}"));
    let text = |name: &str| field(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let version = field("Version").map(Json::to_string).unwrap_or_default();
    Ok(Parameter { value: text("Value"), version, arn: text("ARN") })
}
