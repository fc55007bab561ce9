//! `shell-local`: runs scripts on the machine that Kiln runs on, between other provisioners.

use async_trait::async_trait;

use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::scripts::local::{Caller, Options};

use super::{Context, Kind, Provisioner};

/// The kind.
pub const KIND: Kind =
    Kind { name: "shell-local", deferred: &["execute_command"], prepare, schema: || schemars::schema_for!(Options) };

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn Provisioner>, Diagnostics> {
    let options = decode::<Options>(body)?;
    let problems = options.problems();
    if problems.is_empty() {
        return Ok(Box::new(options));
    }
    Err(body.refused(&problems))
}

#[async_trait(?Send)]
impl Provisioner for Options {
    async fn provision(&self, context: &Context<'_>) -> Result<(), Cause> {
        let render = |text: &str, fields: &[(&str, &str)]| context.render("execute_command", text, fields);
        let (build_name, build_type) = (context.build_name, context.build_type);
        self.run(&Caller { events: context.events(), build_name, build_type, render: &render }).await
    }
}
