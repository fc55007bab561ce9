//! `null`: no machine is made; provisioners run against one that is there already, or against none.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::artifact::Artifact;
use crate::communicator::none::NoCommunicator;
use crate::engine::Cause;
use crate::engine::ledger::Claim;
use crate::engine::step::{Cx, StepError};
use crate::hcl::Value;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;

use super::options::communicator::CommunicatorOptions;
use super::options::take;
use super::{Confirm, Hook, Kind, Prepared, Source, World, connect};

/// The kind.
pub const KIND: Kind = Kind {
    name: "null",
    deferred: &[],
    values: &[],
    timed: false,
    prepare,
    schema: || vec![schemars::schema_for!(CommunicatorOptions), schemars::schema_for!(Options)],
};

/// Makes no machine: provisioners run against one that is there already, or against none.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {}

struct Null {
    communicator: CommunicatorOptions,
}

fn prepare(body: &EvaluatedBody, prepared: &Prepared<'_>) -> Result<Box<dyn Source>, Diagnostics> {
    let mut rest = body.clone();
    let communicator = take::<CommunicatorOptions>(&mut rest);
    let communicator = match (communicator, decode::<Options>(&rest)) {
        (Ok(communicator), Ok(Options {})) => communicator,
        (communicator, rest) => {
            let found = communicator.err().into_iter().chain(rest.err()).flatten();
            return Err(found.collect::<Diagnostics>().sorted());
        }
    };
    let source = Null { communicator };
    source.communicator.secrets().iter().for_each(|text| prepared.secrets.register(text));
    let problems = source.problems();
    if problems.is_empty() {
        return Ok(Box::new(source));
    }
    Err(body.refused(&problems))
}

impl Null {
    fn problems(&self) -> Vec<String> {
        let options = &self.communicator;
        let mut problems = options.problems();
        if options.is_none() || !options.is_known() {
            return problems;
        }
        if options.host().is_empty() {
            let option = if options.is_winrm() { "winrm_host" } else { "ssh_host" };
            problems.push(format!("{option} must be specified: the machine to connect to"));
        }
        if options.is_winrm() {
            if options.password().is_empty() {
                let user = "the password of winrm_username";
                problems.push(format!("winrm_password must be specified: {user}"));
            }
            return problems;
        }
        let ways = [options.ssh_agent_auth, !options.password().is_empty(), options.ssh_private_key_file.is_some()];
        match ways.iter().filter(|way| **way).count() {
            0 => problems
                .push("one of ssh_agent_auth, ssh_password and ssh_private_key_file must be specified".to_owned()),
            1 => {}
            _ => problems.push(
                "only one of ssh_agent_auth, ssh_password, and ssh_private_key_file must be specified".to_owned(),
            ),
        }
        problems
    }

    async fn session(&self, cx: &Cx, hook: &dyn Hook) -> Result<(), StepError> {
        if self.communicator.is_none() {
            // Nothing to connect to, and still a step: what follows a failure counts the steps before it.
            cx.step("StepConnect", async || Ok(())).await?;
            let values = values(cx);
            return cx.step("StepProvision", async || hook.provision(&NoCommunicator, &values, None).await).await;
        }
        let host = self.communicator.ssh_host.clone().unwrap_or_default();
        let connected = async || connect::ssh(&self.communicator, host.clone(), None, &cx.events).await;
        let session = cx.step("StepConnect", connected).await?;
        let values = super::options::communicator::values(&self.communicator, &host, values(cx));
        cx.step("StepProvision", async || hook.provision(&session, &values, None).await).await
    }
}

fn values(cx: &Cx) -> BTreeMap<String, Value> {
    [("ID", "Null"), ("PackerRunUUID", &*cx.run)].map(|(name, value)| (name.to_owned(), Value::string(value))).into()
}

#[async_trait(?Send)]
impl Source for Null {
    async fn build(&self, cx: &Cx, _: &World, hook: &dyn Hook) -> Result<Option<Artifact>, StepError> {
        self.session(cx, hook).await?;
        Ok(Some(Artifact {
            builder_id: "fnoeding.null".into(),
            id: "Null".into(),
            text: "Did not export anything. This is the null builder".into(),
            values: [("ID".to_owned(), Value::string("Null"))].into(),
            ..Artifact::default()
        }))
    }

    fn refusal(&self) -> Option<String> {
        self.communicator.refusal()
    }

    async fn release(&self, _: &Cx, _: &World, _: &Claim, _: Confirm) -> Result<(), Cause> {
        Ok(())
    }
}
