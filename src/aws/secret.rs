//! Secrets Manager: the value of a secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::clients::Aws;
use super::error::{Error, Kind};
use super::json_call::{SECRETS_MANAGER, call};

/// Which version of a secret.
pub enum Version<'a> {
    /// By its id.
    Id(&'a str),
    /// By its stage, `AWSCURRENT` for one.
    Stage(&'a str),
}

/// A secret's value: a text or bytes.
pub struct Secret {
    /// The text, when it is one.
    pub text: Option<String>,
    /// The bytes, when it is none.
    pub bytes: Option<Vec<u8>>,
    /// Id of the version.
    pub version: String,
}

/// The value of the secret with that name or ARN.
pub async fn get(aws: &Aws, name: &str, version: &Version<'_>) -> Result<Secret, Error> {
    let input = match version {
        Version::Id(id) => json!({"SecretId": name, "VersionId": id}),
        Version::Stage(stage) => json!({"SecretId": name, "VersionStage": stage}),
    };
    let reply = call(aws, &SECRETS_MANAGER, "GetSecretValue", name, &input).await?;
    let text = |field: &str| reply.get(field).and_then(Json::as_str);
    let bytes = text("SecretBinary").map(|bytes| STANDARD.decode(bytes)).transpose();
    Ok(Secret {
        text: text("SecretString").map(str::to_owned),
        bytes: bytes.map_err(|error| Error::new("GetSecretValue", name, Kind::Invalid, error.to_string()))?,
        version: text("VersionId").unwrap_or_default().to_owned(),
    })
}
