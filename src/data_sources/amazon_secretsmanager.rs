//! `amazon-secretsmanager`: a secret of AWS Secrets Manager.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::aws::secret::{self, Version};
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
    name: "amazon-secretsmanager",
    prepare,
    output: || Type::object(["value", "secret_string", "secret_binary", "version_id"].map(|name| (name, Type::String))),
    schema: || vec![schemars::schema_for!(AccessOptions), schemars::schema_for!(Options)],
};

/// Reads a secret of AWS Secrets Manager.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// Its name, or its ARN. Required.
    name: String,
    /// The member that `value` is, when the secret is a JSON object; its first one when unset.
    key: String,
    /// Id of the version; wins over `version_stage`.
    version_id: String,
    /// Stage of the version; `AWSCURRENT` when unset.
    version_stage: String,
}

struct SecretsManager {
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
        return Ok(Box::new(SecretsManager { access, options }));
    }
    Err(body.refused(&problems))
}

/// A member that is no text and no number.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the member `{key}` of the secret {name} is neither text nor a number: decode `secret_string` with jsondecode() instead"
)]
struct Unsupported {
    name: String,
    key: String,
}

#[async_trait(?Send)]
impl DataSource for SecretsManager {
    async fn read(&self, world: &World) -> Result<Value, Cause> {
        let aws = world.aws(&self.access.access()).await?;
        let Options { name, key, version_id, version_stage } = &self.options;
        let stage = if version_stage.is_empty() { "AWSCURRENT" } else { version_stage };
        let version = if version_id.is_empty() { Version::Stage(stage) } else { Version::Id(version_id) };
        let found = secret::get(&aws, name, &version).await?;
        let text = found.text.unwrap_or_default();
        let member = member(&text, key).map_err(|key| Unsupported { name: name.clone(), key })?;
        let bytes = String::from_utf8_lossy(&found.bytes.unwrap_or_default()).into_owned();
        let texts =
            [("value", member), ("secret_string", text), ("secret_binary", bytes), ("version_id", found.version)];
        Ok(Value::object(texts.map(|(name, text)| (name.to_owned(), Value::string(text))).into()))
    }
}

/// What `value` is: the text itself unless it is a JSON object; there the member of that key, empty when it has none. The error is the key of a member
/// that cannot be one. Without a key it is the first member that can (Packer takes one at random).
fn member(text: &str, key: &str) -> Result<String, String> {
    let Ok(members) = serde_json::from_str::<Map<String, Json>>(text) else { return Ok(text.to_owned()) };
    if key.is_empty() {
        return Ok(members.values().find_map(shown).unwrap_or_default());
    }
    match members.get(key) {
        None => Ok(String::new()),
        Some(member) => shown(member).ok_or_else(|| key.to_owned()),
    }
}

fn shown(member: &Json) -> Option<String> {
    match member {
        Json::String(text) => Some(text.clone()),
        // Numbers without decimals, as Packer has them.
        Json::Number(number) => Some(format!("{:.0}", number.as_f64()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let object = r#"{"list": [], "n": 3.7, "s": "x"}"#;
        for (text, key, value) in [
            ("plain", "k", "plain"),
            (object, "n", "4"),
            (object, "s", "x"),
            (object, "none", ""),
            (object, "", "4"),
            ("", "", ""),
        ] {
            assert_eq!(member(text, key).as_deref(), Ok(value), "{text} {key}");
        }
        assert_eq!(member(object, "list"), Err("list".to_owned()));
    }
}
