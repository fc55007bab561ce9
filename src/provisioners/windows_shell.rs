//! `windows-shell`: runs batch scripts on a Windows machine.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::duration::GoDuration;
use crate::scripts::Source;
use crate::scripts::environment::{self, Quoting};

use super::remote::{self, START_RETRY, Script};
use super::{Context, Kind, Provisioner};

/// The kind.
pub const KIND: Kind =
    Kind { name: "windows-shell", deferred: &["execute_command"], prepare, schema: || schemars::schema_for!(Options) };

/// Runs batch scripts on the machine that is built.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// Commands, joined to one script.
    inline: Vec<String>,
    /// A local script.
    script: Option<String>,
    /// Local scripts, run in order.
    scripts: Vec<String>,
    /// Exit codes that count as success; 0 when unset.
    valid_exit_codes: Vec<u32>,
    /// Variables as `KEY=value`. Values are not quoted: `cmd` has no way to.
    environment_vars: Vec<String>,
    /// Variables by name; they win over `environment_vars`.
    env: BTreeMap<String, String>,
    /// How one variable is set: a format that takes key and value.
    env_var_format: Option<String>,
    /// Path of the script on the machine; `c:/Windows/Temp/script.bat` when unset.
    remote_path: Option<String>,
    /// The command that runs a script: `{{ .Vars }}` and `{{ .Path }}` are known.
    execute_command: Option<String>,
    /// How long an upload that fails or a lost connection is tried again; 5 minutes when unset.
    start_retry_timeout: Option<GoDuration>,
    /// Scripts are uploaded byte for byte with or without it.
    binary: bool,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn Provisioner>, Diagnostics> {
    let options = decode::<Options>(body)?;
    let mut problems = options.source().problems();
    let malformed = environment::malformed(&options.environment_vars);
    problems.extend(malformed.map(|pair| format!("Environment variable not in format 'key=value': {pair}")));
    if problems.is_empty() {
        return Ok(Box::new(options));
    }
    Err(body.refused(&problems))
}

#[async_trait(?Send)]
impl Provisioner for Options {
    async fn provision(&self, context: &Context<'_>) -> Result<(), Cause> {
        context.events().say("Provisioning with windows-shell...");
        let path = self.remote_path.as_deref().unwrap_or("c:/Windows/Temp/script.bat");
        let variables =
            environment::variables((context.build_name, context.build_type), &self.environment_vars, &self.env);
        let format = self.env_var_format.as_deref().unwrap_or("set \"%s=%s\" && ");
        let variables = environment::formatted(&variables, format, Quoting::Verbatim);
        let template = self.execute_command.as_deref().unwrap_or("{{.Vars}}\"{{.Path}}\"");
        let command = context.render("execute_command", template, &[("Vars", &variables), ("Path", path)])?;
        let limit = self.start_retry_timeout.map_or(START_RETRY, Duration::from);
        for script in self.scripts()? {
            context.events().say(format!("Provisioning with shell script: {}", script.label));
            let exit = remote::upload_and_run(context, limit, (&script.bytes, path), &command).await?;
            remote::check_exit(exit, &self.valid_exit_codes)?;
        }
        Ok(())
    }
}

impl Options {
    fn source(&self) -> Source<'_> {
        Source { inline: &self.inline, script: self.script.as_deref(), scripts: &self.scripts }
    }

    fn scripts(&self) -> Result<Vec<Script>, remote::Failure> {
        let text = || self.inline.iter().fold(String::new(), |text, item| text + item + "\n");
        let inline = (!self.inline.is_empty()).then(|| Script::inline("windows-shell-provisioner", text()));
        Script::all(inline, &self.source().files())
    }
}
