//! `breakpoint`: stops the build until somebody presses enter.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::Cause;
use crate::engine::prompt::PromptError;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;

use super::{Context, Kind, Provisioner};

/// The kind.
pub const KIND: Kind = Kind { name: "breakpoint", deferred: &[], prepare, schema: || schemars::schema_for!(Options) };

/// Pauses the build so that the machine can be looked at.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// A text that is shown with the pause, to tell several apart.
    note: String,
    /// Goes on at once instead of pausing. Default: `false`.
    disable: bool,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn Provisioner>, Diagnostics> {
    Ok(Box::new(decode::<Options>(body)?))
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("Error asking for input")]
struct NoAnswer(#[source] PromptError);

#[async_trait(?Send)]
impl Provisioner for Options {
    async fn provision(&self, context: &Context<'_>) -> Result<(), Cause> {
        let note = if self.note.is_empty() { String::new() } else { format!(" with note \"{}\"", self.note) };
        if self.disable {
            context.events().say(format!("Breakpoint provisioner{note} disabled; continuing..."));
            return Ok(());
        }
        context.events().say(format!("Pausing at breakpoint provisioner{note}."));
        context.cx.ask("Press enter to continue.").await.map_err(NoAnswer)?;
        Ok(())
    }
}
