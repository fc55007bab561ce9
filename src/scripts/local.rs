//! `shell-local`, the provisioner and the post-processor alike: runs scripts on the machine that Kiln runs on.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::engine::Cause;
use crate::event::{Events, Stream};

use super::group::Group;
use super::{Lines, Source, environment, inline_text, refused};

/// Runs scripts on the machine that Kiln runs on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    /// One command; the same as an `inline` of one item. One of `command`, `inline`, `script` and `scripts` must be given.
    pub command: Option<String>,
    /// Commands, joined to one script that runs with `inline_shebang`.
    pub inline: Vec<String>,
    /// A script file to run.
    pub script: Option<String>,
    /// Script files to run, in order.
    pub scripts: Vec<String>,
    /// The program that runs a script, and its arguments; `{{.Vars}}`, `{{.Script}}` and `{{.Command}}` stand for variables, script and its path. Default: `/bin/sh -c` with variables and script.
    pub execute_command: Vec<String>,
    /// First line of an inline script, without `#!`. Default: `/bin/sh -e`.
    pub inline_shebang: Option<String>,
    /// Environment variables of the scripts, each `KEY=value`.
    pub environment_vars: Vec<String>,
    /// Environment variables of the scripts, by name; they win over `environment_vars`.
    pub env: BTreeMap<String, String>,
    /// How one variable is written: a format whose first `%s` is the key and whose second is the value. Default: `%s='%s' `.
    pub env_var_format: Option<String>,
    /// Exit codes that count as success. Default: 0 alone.
    pub valid_exit_codes: Vec<u32>,
    /// Operating systems to run on (`linux`, `darwin`, `windows` and so on); on others it is skipped. Default: all.
    pub only_on: Vec<String>,
    /// File ending of an inline script's temporary file, for programs that look at it. Default: none.
    pub tempfile_extension: Option<String>,
    /// For Packer on Windows: paths of scripts as the Windows Subsystem for Linux knows them. Changes nothing on other systems; does not go with `inline` or `command`. Default: `false`.
    pub use_linux_pathing: bool,
}

/// Why a script did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It ended with a code that is not allowed.
    #[error("{0}")]
    Exit(String),
    /// It could not be started.
    #[error("Error executing script: {script}")]
    Start { script: String, source: std::io::Error },
    /// An inline script could not be written.
    #[error("write temporary script `{path}` (TMPDIR names the directory for it)")]
    Write { path: PathBuf, source: std::io::Error },
}

/// Renders a text with some fields.
pub type Render<'a> = dyn Fn(&str, &[(&str, &str)]) -> Result<String, Cause> + 'a;

/// Whom a script runs for.
pub struct Caller<'a> {
    /// Where its output goes.
    pub events: &'a Events,
    /// Declared name of the source.
    pub build_name: &'a str,
    /// Type of the source.
    pub build_type: &'a str,
    /// Renders one argument of `execute_command` with these fields.
    pub render: &'a Render<'a>,
}

/// Systems that `only_on` may name.
const SYSTEMS: [&str; 6] = ["darwin", "freebsd", "linux", "openbsd", "solaris", "windows"];

impl Options {
    fn inline(&self) -> Vec<String> {
        if self.inline.is_empty() { self.command.iter().cloned().collect() } else { self.inline.clone() }
    }

    /// What is wrong with the options, one text each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let given = [self.command.is_some(), !self.inline.is_empty(), self.script.is_some(), !self.scripts.is_empty()];
        match given.iter().filter(|given| **given).count() {
            0 => problems.push("Command, Inline, Script and Scripts options cannot all be empty.".to_owned()),
            1 => {}
            _ => problems.push("Only one of command, inline, script or scripts can be specified.".to_owned()),
        }
        let source = Source { inline: &[], script: self.script.as_deref(), scripts: &self.scripts };
        if !source.files().is_empty() && given.iter().filter(|given| **given).count() == 1 {
            problems.extend(source.problems());
        }
        if self.use_linux_pathing && (given[0] || given[1]) {
            problems.push("use_linux_pathing does not go with inline or command: use script or scripts.".to_owned());
        }
        let malformed = environment::malformed(&self.environment_vars);
        problems.extend(malformed.map(|pair| format!("Environment variable not in format 'key=value': {pair}")));
        let unknown = self.only_on.iter().filter(|system| !SYSTEMS.contains(&system.as_str()));
        problems.extend(unknown.map(|system| {
            format!("Invalid OS specified in only_on: '{system}'. Supported OS names: {}", SYSTEMS.join(", "))
        }));
        problems
    }

    /// Runs all scripts.
    pub async fn run(&self, caller: &Caller<'_>) -> Result<(), Cause> {
        if !self.only_on.is_empty() && !self.only_on.iter().any(|system| system == go_os()) {
            caller.events.say("Skipping shell-local due to runtime OS");
            return Ok(());
        }
        let inline = self.inline();
        if !inline.is_empty() {
            // The file goes when it is dropped, also when the build is cancelled.
            let file = self.write(&inline)?;
            return self.run_one(caller, &file, &file.display().to_string()).await;
        }
        let source = Source { inline: &[], script: self.script.as_deref(), scripts: &self.scripts };
        for file in source.files() {
            let label = file.display().to_string();
            let path = std::path::absolute(&file).map_err(|source| Failure::Start { script: label.clone(), source })?;
            self.run_one(caller, &path, &label).await?;
        }
        Ok(())
    }

    fn write(&self, inline: &[String]) -> Result<tempfile::TempPath, Failure> {
        let shebang = self.inline_shebang.as_deref().unwrap_or("/bin/sh -e");
        let ending = match self.tempfile_extension.as_deref().map(|ending| ending.trim_start_matches('.')) {
            None | Some("") => String::new(),
            Some(ending) => format!(".{ending}"),
        };
        let at = |path: &Path| {
            let path = path.to_owned();
            |source| Failure::Write { path, source }
        };
        let path = temporary(&ending).map_err(at(&std::env::temp_dir()))?.into_temp_path();
        std::fs::write(&path, inline_text(inline, Some(shebang))).map_err(at(&path))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).map_err(at(&path))?;
        Ok(path)
    }

    async fn run_one(&self, caller: &Caller<'_>, path: &Path, label: &str) -> Result<(), Cause> {
        caller.events.say(format!("Running local shell script: {label}"));
        let start = |source| Failure::Start { script: path.display().to_string(), source };
        let mut group = Group::start(self.command(caller, path)?).map_err(start)?;
        let (stdout, stderr) = group.streams();
        tokio::join!(forward(stdout, caller.events, Stream::Stdout), forward(stderr, caller.events, Stream::Stderr));
        let status = code(group.wait().await.map_err(start)?);
        refused(status, &self.valid_exit_codes).map_or(Ok(()), |text| Err(Failure::Exit(text).into()))
    }

    fn command(&self, caller: &Caller<'_>, path: &Path) -> Result<Command, Cause> {
        let variables =
            environment::variables((caller.build_name, caller.build_type), &self.environment_vars, &self.env);
        let format = self.env_var_format.as_deref().unwrap_or("%s='%s' ");
        let variables = environment::formatted(&variables, format, environment::Quoting::Shell);
        let script = path.display().to_string();
        let fields = [("Vars", variables.as_str()), ("Script", &script), ("Command", &script)];
        let default = ["/bin/sh", "-c", "{{.Vars}} {{.Script}}"].map(str::to_owned).to_vec();
        let parts = if self.execute_command.is_empty() { &default } else { &self.execute_command };
        let parts: Vec<String> =
            parts.iter().map(|part| (caller.render)(part, &fields)).collect::<Result<_, Cause>>()?;
        let mut command = Command::new(&parts[0]);
        command.args(&parts[1..]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }
}

/// A file named as Packer names it, with a number that no other file has.
fn temporary(ending: &str) -> std::io::Result<tempfile::NamedTempFile> {
    loop {
        let prefix = format!("packer-shell{}", rand::random::<u32>());
        match tempfile::Builder::new().prefix(&prefix).rand_bytes(0).suffix(ending).tempfile() {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
    }
}

async fn forward(stream: Option<impl AsyncRead + Unpin>, events: &Events, kind: Stream) {
    let Some(mut stream) = stream else { return };
    let (mut lines, mut buffer) = (Lines::new(events), vec![0; 16 * 1024]);
    // A read error means that the child is gone; its status tells the rest.
    while let Ok(n) = stream.read(&mut buffer).await
        && n > 0
    {
        lines.take(kind, &buffer[..n]);
    }
    lines.flush();
}

/// The status as a shell reports it: 128 + n for a signal.
fn code(status: std::process::ExitStatus) -> u32 {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = || 128 + status.signal().unwrap_or_default();
    u32::try_from(status.code().unwrap_or_else(signal)).unwrap_or(1)
}

/// This system's name as templates write it.
fn go_os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_of_source_is_needed() {
        assert_eq!(Options::default().problems().len(), 1);
        let both = Options { command: Some("a".into()), inline: vec!["b".into()], ..Options::default() };
        assert_eq!(both.problems().len(), 1);
        let good = Options { command: Some("a".into()), only_on: vec!["linux".into()], ..Options::default() };
        assert!(good.problems().is_empty());
        let bad = Options { command: Some("a".into()), only_on: vec!["beos".into()], ..Options::default() };
        assert!(bad.problems()[0].contains("beos"));
        let wsl = |inline: bool| {
            let command = inline.then(|| "a".to_owned());
            let script = (!inline).then(|| "/dev/null".to_owned());
            Options { command, script, use_linux_pathing: true, ..Options::default() }.problems().len()
        };
        assert_eq!((wsl(true), wsl(false)), (1, 0));
    }
}
