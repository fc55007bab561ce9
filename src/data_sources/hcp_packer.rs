//! The data sources of HCP Packer: their options are checked, so that templates that use them validate; reading one says that Kiln cannot.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::{Type, Value};
use crate::sources::World;

use super::{DataSource, Kind};

/// `hcp-packer-artifact`.
pub const ARTIFACT: Kind = Kind {
    name: "hcp-packer-artifact",
    prepare: prepare::<Artifact>,
    output: || {
        let texts = "platform component_type created_at build_id version_id channel_id packer_run_uuid external_identifier region";
        texts_and_labels(texts)
    },
    schema: || vec![schemars::schema_for!(Artifact)],
};

/// `hcp-packer-version`.
pub const VERSION: Kind = Kind {
    name: "hcp-packer-version",
    prepare: prepare::<Channel>,
    output: || texts("author_id bucket_name status created_at fingerprint id name updated_at channel_id"),
    schema: || vec![schemars::schema_for!(Channel)],
};

/// `hcp-packer-image`, the older name of an artifact.
pub const IMAGE: Kind = Kind {
    name: "hcp-packer-image",
    prepare: prepare::<Image>,
    output: || {
        texts_and_labels(
            "cloud_provider component_type created_at build_id iteration_id channel_id packer_run_uuid id region",
        )
    },
    schema: || vec![schemars::schema_for!(Image)],
};

/// `hcp-packer-iteration`, the older name of a version.
pub const ITERATION: Kind = Kind {
    name: "hcp-packer-iteration",
    prepare: prepare::<IterationChannel>,
    output: || texts("author_id bucket_name created_at fingerprint id incremental_version updated_at channel_id"),
    schema: || vec![schemars::schema_for!(IterationChannel)],
};

fn texts(names: &str) -> Type {
    Type::object(names.split(' ').map(|name| (name, Type::String)))
}

fn texts_and_labels(names: &str) -> Type {
    Type::object(names.split(' ').map(|name| (name, Type::String)).chain([("labels", Type::map(Type::String))]))
}

/// Finds an artifact in HCP Packer. Checked only.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Artifact {
    /// Name of the bucket. Required.
    bucket_name: String,
    /// Name of the channel; this or `version_fingerprint` is required.
    channel_name: String,
    /// Fingerprint of the version.
    version_fingerprint: String,
    /// Platform, `aws` for one. Required.
    platform: String,
    /// Region of the image. Required.
    region: String,
    /// Type of the source that made it.
    component_type: String,
}

/// Finds a version in HCP Packer. Checked only.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Channel {
    /// Name of the bucket. Required.
    bucket_name: String,
    /// Name of the channel. Required.
    channel_name: String,
}

/// Finds an image in HCP Packer. Checked only.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Image {
    /// Name of the bucket. Required.
    bucket_name: String,
    /// Name of the channel; this or `iteration_id` is required.
    channel: String,
    /// Id of the iteration; this or `channel` is required.
    iteration_id: String,
    /// Cloud, `aws` for one. Required.
    cloud_provider: String,
    /// Region of the image. Required.
    region: String,
    /// Type of the source that made it.
    component_type: String,
}

/// Finds an iteration in HCP Packer. Checked only.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct IterationChannel {
    /// Name of the bucket. Required.
    bucket_name: String,
    /// Name of the channel. Required.
    channel: String,
}

/// The rules of one data source, as data.
trait Rules {
    /// Required options, with their values.
    fn required(&self) -> Vec<(&'static str, &str)>;

    /// Two options of which exactly one is required, with their values.
    fn either(&self) -> Option<[(&'static str, &str); 2]> {
        None
    }
}

impl Rules for Artifact {
    fn required(&self) -> Vec<(&'static str, &str)> {
        vec![("bucket_name", &self.bucket_name), ("platform", &self.platform), ("region", &self.region)]
    }

    fn either(&self) -> Option<[(&'static str, &str); 2]> {
        Some([("channel_name", &self.channel_name), ("version_fingerprint", &self.version_fingerprint)])
    }
}

impl Rules for Channel {
    fn required(&self) -> Vec<(&'static str, &str)> {
        vec![("bucket_name", &self.bucket_name), ("channel_name", &self.channel_name)]
    }
}

impl Rules for Image {
    fn required(&self) -> Vec<(&'static str, &str)> {
        vec![("bucket_name", &self.bucket_name), ("cloud_provider", &self.cloud_provider), ("region", &self.region)]
    }

    fn either(&self) -> Option<[(&'static str, &str); 2]> {
        Some([("channel", &self.channel), ("iteration_id", &self.iteration_id)])
    }
}

impl Rules for IterationChannel {
    fn required(&self) -> Vec<(&'static str, &str)> {
        vec![("bucket_name", &self.bucket_name), ("channel", &self.channel)]
    }
}

fn problems(rules: &impl Rules) -> Vec<String> {
    let missing = rules.required().into_iter().filter(|(_, value)| value.is_empty());
    let mut problems: Vec<String> = missing.map(|(name, _)| format!("the `{name}` must be specified")).collect();
    if let Some([(one, first), (other, second)]) = rules.either()
        && first.is_empty() == second.is_empty()
    {
        problems.push(format!("exactly one of `{one}` and `{other}` must be specified"));
    }
    problems
}

fn prepare<T: Rules + DeserializeOwned + JsonSchema + 'static>(
    body: &EvaluatedBody,
) -> Result<Box<dyn DataSource>, Diagnostics> {
    let problems = problems(&decode::<T>(body)?);
    if problems.is_empty() {
        return Ok(Box::new(OutOfReach));
    }
    Err(body.refused(&problems))
}

/// What only HCP Packer knows.
struct OutOfReach;

#[derive(Debug, thiserror::Error)]
#[error(
    "Kiln does not talk to HCP Packer: give the image id as a variable, or look it up with data \"amazon-ami\" (its tags are filters) or data \"http\""
)]
struct NoHcp;

#[async_trait(?Send)]
impl DataSource for OutOfReach {
    async fn read(&self, _: &World) -> Result<Value, Cause> {
        Err(NoHcp.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_options() {
        assert_eq!(problems(&Channel::default()).len(), 2);
        assert_eq!(problems(&Artifact::default()).len(), 4);
        let both = |iteration_id: &str| Image {
            bucket_name: "b".into(),
            channel: "c".into(),
            iteration_id: iteration_id.into(),
            cloud_provider: "aws".into(),
            region: "r".into(),
            component_type: String::new(),
        };
        assert!(problems(&both("")).is_empty());
        assert_eq!(problems(&both("i")).len(), 1);
    }
}
