//! `shell-local`: runs scripts on the machine that Kiln runs on, when the artifact is there.

use async_trait::async_trait;

use crate::artifact::Artifact;
use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::scripts::local::{Caller, Options};

use super::{Context, Keep, Kind, PostProcessor, Processed};

/// The kind.
pub const KIND: Kind =
    Kind { name: "shell-local", deferred: &["execute_command"], prepare, schema: || schemars::schema_for!(Options) };

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn PostProcessor>, Diagnostics> {
    let mut options = decode::<Options>(body)?;
    let problems = options.problems();
    if !problems.is_empty() {
        return Err(body.refused(&problems));
    }
    if let [one] = options.execute_command.as_slice() {
        // As a post-processor, a lone command is a shell's (packer-core.md section 5.3).
        options.execute_command = vec!["sh".to_owned(), "-c".to_owned(), one.clone()];
    }
    Ok(Box::new(options))
}

#[async_trait(?Send)]
impl PostProcessor for Options {
    async fn process(&self, artifact: Artifact, context: &Context<'_>) -> Result<Processed, Cause> {
        let render = |text: &str, fields: &[(&str, &str)]| context.render("execute_command", text, fields);
        let (build_name, build_type) = (context.build_name, context.build_type);
        self.run(&Caller { events: context.events, build_name, build_type, render: &render }).await?;
        Ok(Processed { artifact, keep: Keep::Always })
    }
}
