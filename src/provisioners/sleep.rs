//! `sleep`: waits.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::duration::GoDuration;

use super::{Context, Kind, Provisioner};

/// The kind.
pub const KIND: Kind = Kind { name: "sleep", deferred: &[], prepare, schema: || schemars::schema_for!(Options) };

/// Waits for a while, for what cannot be waited for better.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// How long, `30s` or `1m30s` for example; no time when unset.
    duration: Option<GoDuration>,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn Provisioner>, Diagnostics> {
    Ok(Box::new(decode::<Options>(body)?))
}

#[async_trait(?Send)]
impl Provisioner for Options {
    async fn provision(&self, _: &Context<'_>) -> Result<(), Cause> {
        tokio::time::sleep(self.duration.map(Duration::from).unwrap_or_default()).await;
        Ok(())
    }
}
