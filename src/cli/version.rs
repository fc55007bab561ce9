//! `kiln version`.

use std::process::ExitCode;

use crate::plan::legacy::PACKER_VERSION;
use crate::report;

use super::exit;
use super::settings::Settings;

/// Shows the version
#[derive(clap::Args)]
pub struct Args {
    /// Packer's `version` ignores whatever follows it, and so do scripts' typing errors.
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _ignored: Vec<String>,
}

/// Runs the verb.
pub fn run(_: &Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => reporter,
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let version = env!("CARGO_PKG_VERSION");
    reporter.record("", "version", &[version]);
    reporter.record("", "version-prelease", &[""]);
    reporter.record("", "version-commit", &[""]);
    reporter.print(format!("Kiln v{version} (reads templates of Packer v{PACKER_VERSION})"));
    exit::ending(&reporter, ExitCode::SUCCESS)
}
