//! `windows-restart`: restarts a Windows machine and waits until it is back.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::communicator::{Error, Exit};
use crate::engine::Cause;
use crate::engine::wait::{Pace, Probe, WaitError, until};
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::duration::GoDuration;

use super::{Context, Kind, Provisioner};

/// The kind.
pub const KIND: Kind =
    Kind { name: "windows-restart", deferred: &[], prepare, schema: || schemars::schema_for!(Options) };

/// Restarts at once; programs are closed by force, since nobody is there to be asked.
const RESTART: &str = "shutdown /r /f /t 0 /c \"packer restart\"";
/// Asks for another restart, to see whether one is under way, and takes it back.
const ASK_AGAIN: &str = "shutdown /r /f /t 60 /c \"packer restart test\"";
const TAKE_BACK: &str = "shutdown /a";
/// How long all of it may take, unless the template says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// A machine that goes down or comes up is asked this often.
const PACE: Pace = Pace { first: Duration::from_secs(1), factor: 1.5, longest: Duration::from_secs(5) };
/// Where Windows notes that an installation wants a restart.
const REGISTRY_KEYS: [&str; 3] = [
    r"HKLM:SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending",
    r"HKLM:SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\PackagesPending",
    r"HKLM:SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootInProgress",
];
/// What a machine that is up writes.
const UP: &str = "restarted.";

/// Restarts the machine that is built and waits until it is back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// The command that restarts it; a `shutdown` without delay when unset.
    restart_command: Option<String>,
    /// A command that must have run before the machine counts as back, besides Kiln's own check.
    restart_check_command: Option<String>,
    /// How long all of it may take; 5 minutes when unset.
    restart_timeout: Option<GoDuration>,
    /// Waits until the registry has no note of a restart that is still wanted.
    check_registry: bool,
    /// The registry keys that are such notes; those of Windows' own installer when unset.
    registry_keys: Vec<String>,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn Provisioner>, Diagnostics> {
    Ok(Box::new(decode::<Options>(body)?))
}

/// Why the restart did not succeed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("Restart script exited with non-zero exit status: {0}")]
    Exit(u32),
    #[error("Timeout waiting for machine to restart: it is {0}")]
    Timeout(&'static str),
}

#[async_trait(?Send)]
impl Provisioner for Options {
    async fn provision(&self, context: &Context<'_>) -> Result<(), Cause> {
        context.events().say("Restarting Machine");
        match context.run(self.restart_command.as_deref().unwrap_or(RESTART)).await? {
            // A machine that goes down at once does not say so; 1115 and 1190 say that it is on its way down.
            Exit::Disconnected | Exit::Status(0 | 1115 | 1190) => {}
            Exit::Status(status) => return Err(Failure::Exit(status).into()),
        }
        context.events().say("Waiting for machine to restart...");
        let state = std::cell::Cell::new("going down");
        let limit = self.restart_timeout.map_or(TIMEOUT, Duration::from);
        let waiting = async {
            wait_until_down(context).await?;
            context.communicator.disconnect().await;
            state.set("not up again");
            self.wait_until_up(context).await?;
            if self.check_registry {
                state.set("up, but its registry says that a restart is wanted");
                self.wait_for_registry(context).await?;
            }
            Ok::<_, Cause>(())
        };
        tokio::time::timeout(limit, waiting).await.map_err(|_| Failure::Timeout(state.get()))??;
        context.events().say("Machine successfully restarted, moving on");
        Ok(())
    }
}

/// A machine that takes another restart has done the first one, or not begun it; one that refuses, or does not answer, is on its way.
async fn wait_until_down(context: &Context<'_>) -> Result<(), Cause> {
    look_until(async || match context.ask(ASK_AGAIN).await? {
        (Exit::Status(0), _) => {
            context.ask(TAKE_BACK).await?;
            Ok(true)
        }
        (Exit::Status(_) | Exit::Disconnected, _) => Ok(false),
    })
    .await
}

/// Looks until the answer is yes. A machine that cannot be reached has not answered yet.
async fn look_until(look: impl AsyncFn() -> Result<bool, Error>) -> Result<(), Cause> {
    let probe = async || match look().await {
        Ok(true) => Ok(Probe::Ready(())),
        Ok(false) => Ok(Probe::NotYet("restarting".into(), None)),
        Err(error @ (Error::Unsupported(_) | Error::HostKey { .. } | Error::Local { .. })) => Err(error),
        Err(error) => Ok(Probe::NotYet(error.to_string(), None)),
    };
    match until(PACE, None, probe, |_, _| ()).await {
        Ok(()) => Ok(()),
        Err(WaitError::Hopeless(error)) => Err(error.into()),
        Err(timed_out) => Err(timed_out.into()),
    }
}

impl Options {
    async fn wait_until_up(&self, context: &Context<'_>) -> Result<(), Cause> {
        let check = encoded("echo \"$([System.Net.Dns]::GetHostName()) restarted.\"");
        look_until(async || {
            if let Some(command) = &self.restart_check_command {
                context.run(command).await?;
            }
            let (_, output) = context.ask(&check).await?;
            let up = output.contains(UP);
            if up {
                context.events().say(output.trim());
            }
            Ok(up)
        })
        .await
    }

    async fn wait_for_registry(&self, context: &Context<'_>) -> Result<(), Cause> {
        let own: Vec<String> = REGISTRY_KEYS.map(str::to_owned).to_vec();
        let keys = if self.registry_keys.is_empty() { &own } else { &self.registry_keys };
        let look = encoded(&registry_look(keys));
        look_until(async || Ok(context.ask(&look).await?.0 == Exit::Status(0))).await
    }
}

/// Ends with 1 as long as there is one of the keys.
fn registry_look(keys: &[String]) -> String {
    let look = |key: &String| format!("if (Test-Path -LiteralPath '{}') {{ exit 1 }}\n", key.replace('\'', "''"));
    keys.iter().map(look).collect::<String>() + "exit 0\n"
}

/// A command line that runs PowerShell text, whatever shell takes the line.
fn encoded(script: &str) -> String {
    let units: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
    format!("powershell -NoProfile -NonInteractive -EncodedCommand {}", STANDARD.encode(units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powershell_text_is_utf_16_in_base64() {
        assert!(encoded("a").ends_with(" YQA="));
    }

    #[test]
    fn all_registry_keys_are_looked_at() {
        let text = registry_look(&["HKLM:a".into(), "HKLM:it's".into()]);
        assert_eq!(
            text,
            "if (Test-Path -LiteralPath 'HKLM:a') { exit 1 }\nif (Test-Path -LiteralPath 'HKLM:it''s') { exit 1 }\nexit 0\n"
        );
    }
}
