//! `artifice`: puts files of your choice in the place of the artifact (packer-core.md section 6.4).

use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::artifact::Artifact;
use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;

use super::pattern::Pattern;
use super::{Context, Keep, Kind, PostProcessor, Processed, file_artifact, listed};

/// The kind.
pub const KIND: Kind = Kind { name: "artifice", deferred: &[], prepare, schema: || schemars::schema_for!(Options) };

/// Replaces the artifact by files, for what provisioners or other tools made beside it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// The files, as paths or patterns (`*`, `?`, `[a-z]`). What matches nothing is left out. Required.
    files: Vec<String>,
}

/// Options that have been checked.
struct Artifice(Vec<Pattern>);

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn PostProcessor>, Diagnostics> {
    match decode::<Options>(body)?.checked() {
        Ok(artifice) => Ok(Box::new(artifice)),
        Err(problems) => Err(body.refused(&problems)),
    }
}

impl Options {
    fn checked(self) -> Result<Artifice, Vec<String>> {
        if self.files.is_empty() {
            return Err(vec!["No files specified in artifice configuration".to_owned()]);
        }
        let (mut patterns, mut problems) = (Vec::new(), Vec::new());
        for text in &self.files {
            match Pattern::parse(text) {
                Ok(pattern) => patterns.push(pattern),
                Err(reason) => problems.push(format!("files: `{text}`: {reason}")),
            }
        }
        if problems.is_empty() { Ok(Artifice(patterns)) } else { Err(problems) }
    }
}

#[async_trait(?Send)]
impl PostProcessor for Artifice {
    async fn process(&self, artifact: Artifact, context: &Context<'_>) -> Result<Processed, Cause> {
        if !artifact.files.is_empty() {
            context.events.say(format!("Discarding files from artifact: {}", listed(&artifact.files)));
        }
        let files: Vec<PathBuf> = self.0.iter().flat_map(Pattern::files).collect();
        context.events.say(format!("Using these artifact files: {}", listed(&files)));
        Ok(Processed { artifact: file_artifact("packer.post-processor.artifice", files), keep: Keep::ByDefault })
    }
}
