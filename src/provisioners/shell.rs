//! `shell`: runs scripts on the machine.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::communicator::{Error, Exit};
use crate::engine::Cause;
use crate::engine::wait::{Probe, until};
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::duration::GoDuration;

use crate::scripts::environment::{self, Quoting};
use crate::scripts::{Source, inline_text, random_number};

use super::remote::{self, Failure, PACE, START_RETRY, Script};
use super::{Context, Kind, Provisioner};

/// The kind.
pub const KIND: Kind =
    Kind { name: "shell", deferred: &["execute_command"], prepare, schema: || schemars::schema_for!(Options) };

/// Runs shell scripts on the machine that is built.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// Commands, joined to one script that runs with `inline_shebang`. One of `inline`, `script` and `scripts` must be given.
    inline: Vec<String>,
    /// A script file on this machine.
    script: Option<String>,
    /// Script files on this machine, run in order.
    scripts: Vec<String>,
    /// Exit codes that count as success. Default: 0 alone.
    valid_exit_codes: Vec<u32>,
    /// Environment variables of the scripts, each `KEY=value`.
    environment_vars: Vec<String>,
    /// Environment variables of the scripts, by name; they win over `environment_vars`.
    env: BTreeMap<String, String>,
    /// How one variable is written: a format whose first `%s` is the key and whose second is the value. Default: `%s='%s' `, or `export %s='%s'` and a line break in a file.
    env_var_format: Option<String>,
    /// Writes the variables to a file on the machine, which is read before the script, instead of into the command. Default: `false`.
    use_env_var_file: bool,
    /// Uploads scripts byte for byte; otherwise line ends become Unix ones. Default: `false`.
    binary: bool,
    /// Folder on the machine that scripts are uploaded to. Default: `/tmp`.
    remote_folder: Option<String>,
    /// File name of the script on the machine. Default: `script_NUMBER.sh`, with a random number.
    remote_file: Option<String>,
    /// Path of the script on the machine; wins over `remote_folder` and `remote_file`.
    remote_path: Option<String>,
    /// The command that runs a script; `{{ .Path }}`, `{{ .Vars }}` and `{{ .EnvVarFile }}` stand for script, variables and their file. Default: `chmod +x {{.Path}}; {{.Vars}} {{.Path}}`.
    execute_command: Option<String>,
    /// First line of an inline script, without `#!`. Default: `/bin/sh -e`.
    inline_shebang: Option<String>,
    /// How long an upload that fails or a lost connection is tried again. Default: `5m`.
    start_retry_timeout: Option<GoDuration>,
    /// Leaves the scripts on the machine when they are done. Default: `false`.
    skip_clean: bool,
    /// Takes a lost connection during a script for success, as after a reboot. Default: `false`.
    expect_disconnect: bool,
    /// Pause after success, before whatever comes next. Default: `0s`.
    pause_after: Option<GoDuration>,
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
        let variables =
            environment::variables((context.build_name, context.build_type), &self.environment_vars, &self.env);
        let default = if self.use_env_var_file { "export %s='%s'\n" } else { "%s='%s' " };
        let variables =
            environment::formatted(&variables, self.env_var_format.as_deref().unwrap_or(default), Quoting::Shell);
        let env_file = self.upload_variables(context, &variables).await?;
        for script in self.scripts()? {
            context.events().say(format!("Provisioning with shell script: {}", script.label));
            self.run_script(context, &script, &variables, env_file.as_deref()).await?;
        }
        if let (Some(file), false) = (&env_file, self.skip_clean) {
            self.remove(context, file).await?;
        }
        remote::pause_after(context, self.pause_after).await;
        Ok(())
    }
}

impl Options {
    fn source(&self) -> Source<'_> {
        Source { inline: &self.inline, script: self.script.as_deref(), scripts: &self.scripts }
    }

    fn scripts(&self) -> Result<Vec<Script>, Failure> {
        let text = || inline_text(&self.inline, self.inline_shebang.as_deref());
        let inline = (!self.inline.is_empty()).then(|| Script::inline("packer-shell", text()));
        let scripts = Script::all(inline, &self.source().files())?;
        Ok(scripts.into_iter().map(|script| Script { bytes: self.on_guest(script.bytes), ..script }).collect())
    }

    /// How long is tried to get a script started.
    fn start_retry(&self) -> Duration {
        self.start_retry_timeout.map_or(START_RETRY, Duration::from)
    }

    /// Unix line ends and a final one, unless the script is binary.
    fn on_guest(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.binary {
            return bytes;
        }
        let mut out = Vec::with_capacity(bytes.len() + 1);
        for (at, byte) in bytes.iter().enumerate() {
            if *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
                out.push(*byte);
            }
        }
        if out.last() != Some(&b'\n') {
            out.push(b'\n');
        }
        out
    }

    fn folder(&self) -> &str {
        self.remote_folder.as_deref().unwrap_or("/tmp")
    }

    fn path(&self) -> String {
        if let Some(path) = &self.remote_path {
            return path.clone();
        }
        let file = self.remote_file.clone().unwrap_or_else(|| format!("script_{}.sh", random_number()));
        format!("{}/{file}", self.folder())
    }

    async fn upload_variables(&self, context: &Context<'_>, text: &str) -> Result<Option<String>, Cause> {
        if !self.use_env_var_file {
            return Ok(None);
        }
        let path = format!("{}/varfile_{}.sh", self.folder(), random_number());
        let upload = async || context.communicator.upload_bytes(text.as_bytes(), &path, 0o600).await;
        remote::retried(self.start_retry(), upload).await.map_err(Failure::Upload)?;
        Ok(Some(path))
    }

    async fn run_script(
        &self,
        context: &Context<'_>,
        script: &Script,
        variables: &str,
        env_file: Option<&str>,
    ) -> Result<(), Cause> {
        let path = self.path();
        let default = match env_file {
            Some(_) => "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}",
            None => "chmod +x {{.Path}}; {{.Vars}} {{.Path}}",
        };
        let fields = [("Path", path.as_str()), ("Vars", variables), ("EnvVarFile", env_file.unwrap_or_default())];
        let template = self.execute_command.as_deref().unwrap_or(default);
        let command = context.render("execute_command", template, &fields)?;
        let exit = remote::upload_and_run(context, self.start_retry(), (&script.bytes, &path), &command).await?;
        if exit == Exit::Disconnected && self.expects_disconnect() {
            context.communicator.disconnect().await;
        } else {
            remote::check_exit(exit, &self.valid_exit_codes)?;
            if self.expect_disconnect {
                wait_for_disconnect(context).await;
            }
        }
        if self.skip_clean { Ok(()) } else { self.remove(context, &path).await }
    }

    /// 2300218 is what Packer reports for a lost connection; templates list it as a valid exit code.
    fn expects_disconnect(&self) -> bool {
        self.expect_disconnect || self.valid_exit_codes.contains(&2_300_218)
    }

    async fn remove(&self, context: &Context<'_>, path: &str) -> Result<(), Cause> {
        let command = format!("rm -f {}", quoted(path));
        let removed = remote::retried(self.start_retry(), async || match context.run(&command).await? {
            Exit::Status(0) => Ok(()),
            // A machine that goes down right after the script takes its time.
            Exit::Disconnected => Err(Error::Lost { what: command.clone() }),
            Exit::Status(status) => {
                let reason = format!("{command} ended with {status}");
                Err(Error::Transfer { what: path.to_owned(), reason })
            }
        });
        Ok(removed.await.map_err(|e| Failure::Clean { path: path.to_owned(), source: e.into() })?)
    }
}

/// Succeeds on a machine that shuts down (or has not finished to boot).
const GOING_DOWN: &str = "[ \"$(systemctl is-system-running 2>/dev/null)\" = stopping ] || [ -e /run/nologin ]";
/// How long a shutdown that was asked for may take to show.
const GRACE: Duration = Duration::from_secs(1);

/// `systemctl reboot` returns before anything happens. The next provisioner would begin in the old boot and be cut off, so this one ends when the
/// connection does, or when the machine evidently stays.
async fn wait_for_disconnect(context: &Context<'_>) {
    let start = tokio::time::Instant::now();
    let probe = async || {
        let going_down = context.run(GOING_DOWN).await;
        Ok::<_, Error>(match going_down {
            Ok(Exit::Status(0)) => Probe::NotYet("shutting down".into(), None),
            Ok(Exit::Status(_)) if start.elapsed() < GRACE => Probe::NotYet("up".into(), None),
            Ok(_) | Err(_) => Probe::Ready(()),
        })
    };
    // A machine that takes longer than this to shut down is left to the retries of what comes next.
    let _ = until(PACE, Some(START_RETRY), probe, |_, _| ()).await;
    context.communicator.disconnect().await;
}

/// A path in single quotes for a shell.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_get_unix_line_ends_unless_binary() {
        let text = |binary, bytes: &str| {
            let options = Options { binary, ..Options::default() };
            String::from_utf8(options.on_guest(bytes.as_bytes().to_vec())).unwrap()
        };
        assert_eq!(text(false, "a\r\nb\rc"), "a\nb\rc\n");
        assert_eq!(text(true, "a\r\nb"), "a\r\nb");
    }

    #[test]
    fn remote_paths() {
        let path = |options: Options| options.path();
        assert_eq!(path(Options { remote_path: Some("/x".into()), ..Options::default() }), "/x");
        let (folder, file) = (Some("/opt".to_owned()), Some("f".to_owned()));
        assert_eq!(path(Options { remote_folder: folder, remote_file: file, ..Options::default() }), "/opt/f");
        assert!(path(Options::default()).starts_with("/tmp/script_"));
    }
}
