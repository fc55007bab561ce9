//! `powershell`: runs PowerShell scripts on a Windows machine.

mod generated;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::duration::GoDuration;
use crate::scripts::environment::{self, Quoting};
use crate::scripts::{Source, unique};

use super::remote::{self, Failure, START_RETRY, Script};
use super::{Context, Kind, Provisioner};

use generated::Account;

/// The kind.
pub const KIND: Kind = Kind {
    name: "powershell",
    deferred: &["execute_command", "elevated_execute_command"],
    prepare,
    schema: || schemars::schema_for!(Options),
};

/// Where what the template does not name goes on the machine: there on every Windows, and writable.
const FOLDER: &str = "c:/Windows/Temp";
/// How a variable is set, in a file of its own or in an inline script.
const VARIABLE: &str = "$env:%s=\"%s\"; ";
/// How long the machine may take to be reached for the clean-up.
const CLEANING: Duration = Duration::from_secs(60);
/// What `execution_policy` may be.
const POLICIES: [&str; 8] =
    ["bypass", "allsigned", "default", "remotesigned", "restricted", "undefined", "unrestricted", "none"];

/// Runs PowerShell scripts on the machine that is built.
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
    /// Variables as `KEY=value`.
    environment_vars: Vec<String>,
    /// Variables by name; they win over `environment_vars`.
    env: BTreeMap<String, String>,
    /// How one variable is set: a format that takes key and value.
    env_var_format: Option<String>,
    /// The same for elevated scripts.
    elevated_env_var_format: Option<String>,
    /// Path of the script on the machine. With a separator at its end it is a folder, in which a script keeps its name.
    remote_path: Option<String>,
    /// Path of the file that sets the variables on the machine.
    remote_env_var_path: Option<String>,
    /// `bypass` (default), `allsigned`, `default`, `remotesigned`, `restricted`, `undefined`, `unrestricted`, or `none` for the machine's own.
    execution_policy: Option<String>,
    /// Runs `pwsh` (PowerShell 6 and newer) instead of `powershell`.
    use_pwsh: bool,
    /// Trace level of the script, 0 (none) to 2.
    debug_mode: u8,
    /// Runs scripts as this user with all its rights; `SYSTEM` needs no password.
    elevated_user: String,
    /// Password of that user.
    elevated_password: String,
    /// The command that runs a script: `{{ .Path }}` and `{{ .Vars }}` are known.
    execute_command: Option<String>,
    /// The same for elevated scripts.
    elevated_execute_command: Option<String>,
    /// How long an upload that fails or a lost connection is tried again; 5 minutes when unset.
    start_retry_timeout: Option<GoDuration>,
    /// Leaves the scripts on the machine.
    skip_clean: bool,
    /// Scripts are uploaded byte for byte with or without it.
    binary: bool,
    /// Pause after success.
    pause_after: Option<GoDuration>,
}

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
        context.events().say("Provisioning with Powershell...");
        let variables = self.variables(context);
        let variables_path = self.remote_env_var_path.clone().unwrap_or_else(|| path("packer-ps-env-vars"));
        let mut uploaded = Vec::new();
        if self.command().contains(".Vars") {
            self.upload(context, &generated::with_mark(variables.clone()), &variables_path).await?;
            uploaded.push(variables_path.clone());
        }
        let inline =
            || Script::inline("powershell-provisioner", generated::inline(&self.inline, &variables, self.debug_mode));
        let inline = (!self.inline.is_empty()).then(inline);
        for script in Script::all(inline, &self.source().files())? {
            context.events().say(format!("Provisioning with powershell script: {}", script.label));
            uploaded.extend(self.run_script(context, &script, &variables_path).await?);
        }
        if !self.skip_clean {
            clean(context, &uploaded).await;
        }
        remote::pause_after(context, self.pause_after).await;
        Ok(())
    }
}

impl Options {
    fn source(&self) -> Source<'_> {
        Source { inline: &self.inline, script: self.script.as_deref(), scripts: &self.scripts }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = self.source().problems();
        let malformed = environment::malformed(&self.environment_vars);
        problems.extend(malformed.map(|pair| format!("Environment variable not in format 'key=value': {pair}")));
        if self.elevated_user.is_empty() && !self.elevated_password.is_empty() {
            problems.push("`elevated_password` needs an `elevated_user`".to_owned());
        }
        if !POLICIES.contains(&self.policy().as_str()) {
            let known = POLICIES.join(", ");
            problems.push(format!("`execution_policy` {:?} is not known; there are: {known}", self.policy()));
        }
        if self.debug_mode > 2 {
            problems.push(format!("`debug_mode` {} is no trace level; there are 0, 1 and 2", self.debug_mode));
        }
        problems
    }

    fn policy(&self) -> String {
        self.execution_policy.as_deref().unwrap_or("bypass").to_lowercase()
    }

    fn is_elevated(&self) -> bool {
        !self.elevated_user.is_empty()
    }

    fn variables(&self, context: &Context<'_>) -> String {
        let variables =
            environment::variables((context.build_name, context.build_type), &self.environment_vars, &self.env);
        let format = if self.is_elevated() { &self.elevated_env_var_format } else { &self.env_var_format };
        environment::formatted(&variables, format.as_deref().unwrap_or(VARIABLE), Quoting::PowerShell)
    }

    /// The program with its policy.
    fn start(&self) -> String {
        let program = if self.use_pwsh { "pwsh" } else { "powershell" };
        match self.policy().as_str() {
            "none" => program.to_owned(),
            policy => format!("{program} -executionpolicy {policy}"),
        }
    }

    /// The template of the command that runs a script.
    fn command(&self) -> String {
        let given = if self.is_elevated() { &self.elevated_execute_command } else { &self.execute_command };
        match given {
            Some(command) => command.clone(),
            None if self.inline.is_empty() => generated::file_command(&self.start(), self.debug_mode),
            None => format!("{} -file {{{{.Path}}}}", self.start()),
        }
    }

    fn path(&self, script: &Script) -> String {
        match &self.remote_path {
            None => path("script"),
            Some(given) if given.ends_with(['/', '\\']) => {
                let name = Path::new(&script.label).file_name().unwrap_or_default();
                format!("{given}{}", name.display())
            }
            Some(given) => given.clone(),
        }
    }

    fn start_retry(&self) -> Duration {
        self.start_retry_timeout.map_or(START_RETRY, Duration::from)
    }

    async fn upload(&self, context: &Context<'_>, text: &str, path: &str) -> Result<(), Failure> {
        let upload = async || context.communicator.upload_bytes(text.as_bytes(), path, 0o600).await;
        remote::retried(self.start_retry(), upload).await.map_err(Failure::Upload)
    }

    /// Runs one script. Gives the paths of what it put on the machine.
    async fn run_script(
        &self,
        context: &Context<'_>,
        script: &Script,
        variables_path: &str,
    ) -> Result<Vec<String>, Cause> {
        let script_path = self.path(script);
        let fields = [("Path", script_path.as_str()), ("Vars", variables_path)];
        let option = if self.is_elevated() { "elevated_execute_command" } else { "execute_command" };
        let mut command = context.render(option, &self.command(), &fields)?;
        let mut uploaded = vec![script_path.clone()];
        if self.is_elevated() {
            let runner = path("packer-elevated-shell");
            let account = Account { user: &self.elevated_user, password: &self.elevated_password };
            let text = generated::elevated(&format!("packer-{}", unique()), &command, &account);
            self.upload(context, &text, &runner).await?;
            command = format!("powershell -executionpolicy bypass -file \"{runner}\"");
            uploaded.push(runner);
        }
        let exit = remote::upload_and_run(context, self.start_retry(), (&script.bytes, &script_path), &command).await?;
        remote::check_exit(exit, &self.valid_exit_codes)?;
        Ok(uploaded)
    }
}

/// Removes what was uploaded. The machine is as good with it as without, so a failure is told and no more.
async fn clean(context: &Context<'_>, uploaded: &[String]) {
    let path = path("packer-cleanup");
    let text = generated::with_mark(generated::removal(uploaded));
    let command = format!("powershell -executionpolicy bypass -file \"{path}\"");
    let ended = match remote::upload_and_run(context, CLEANING, (text.as_bytes(), &path), &command).await {
        Ok(exit) => remote::check_exit(exit, &[]),
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        let files = uploaded.join(", ");
        context.events().warn(format!("left on the machine: {files} ({})", crate::engine::chain(&error)));
    }
}

fn path(stem: &str) -> String {
    format!("{FOLDER}/{stem}-{}.ps1", unique())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inline() -> Options {
        Options { inline: vec!["x".into()], ..Options::default() }
    }

    #[test]
    fn problems_are_all_reported() {
        assert_eq!(inline().problems(), Vec::<String>::new());
        let bad = Options {
            elevated_password: "p".into(),
            execution_policy: Some("relaxed".into()),
            debug_mode: 3,
            environment_vars: vec!["x".into()],
            ..Options::default()
        };
        assert_eq!(bad.problems().len(), 5);
    }

    #[test]
    fn commands() {
        assert_eq!(inline().command(), "powershell -executionpolicy bypass -file {{.Path}}");
        let own = Options { use_pwsh: true, execution_policy: Some("None".into()), ..inline() };
        assert_eq!(own.command(), "pwsh -file {{.Path}}");
        let files = Options { script: Some("s".into()), ..Options::default() };
        assert!(files.command().starts_with("powershell -executionpolicy bypass -command \"& {"));
        let elevated =
            Options { elevated_user: "SYSTEM".into(), elevated_execute_command: Some("e".into()), ..inline() };
        assert_eq!(elevated.command(), "e");
    }

    #[test]
    fn remote_paths() {
        let script = Script { label: "dir/a.ps1".into(), bytes: Vec::new() };
        let path =
            |remote_path: Option<&str>| Options { remote_path: remote_path.map(Into::into), ..inline() }.path(&script);
        assert_eq!(path(Some("c:/x/")), "c:/x/a.ps1");
        assert_eq!(path(Some("c:\\x.ps1")), "c:\\x.ps1");
        assert!(path(None).starts_with("c:/Windows/Temp/script-"));
    }
}
