//! `kiln init`: says which of the plugins that a template asks for are there. Packer downloads them here; Kiln's are
//! built in.

use std::process::ExitCode;

use crate::hcl::diagnostics::{Diagnostic, Diagnostics};
use crate::report::{self, Reporter};
use crate::template::Requirement;

use super::args::go_bool;
use super::exit;
use super::flags::{InputArgs, NoSelectionArgs};
use super::load;
use super::plugins::{NOTHING_REQUIRED, Standing, standing};
use super::settings::Settings;

/// Says which of the plugins that a template asks for are built in
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: InputArgs,
    /// The template: a .pkr.hcl file or a directory with such files.
    #[arg(value_name = "TEMPLATE")]
    template: String,
    #[command(flatten)]
    _selection: NoSelectionArgs,
    /// Plugins come with Kiln, and there is nothing to upgrade but Kiln.
    #[arg(long = "upgrade", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set, help_heading = "Accepted as in Packer, without meaning here")]
    _upgrade: bool,
    /// Plugins come with Kiln, and there is nothing to install again.
    #[arg(long = "force", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set, help_heading = "Accepted as in Packer, without meaning here")]
    _force: bool,
}

/// Runs the verb.
pub async fn run(args: &Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => reporter,
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let code = match say(args, settings, &reporter).await {
        Ok(code) => code,
        Err(text) => {
            reporter.print_error(format!("Error: {text}"));
            ExitCode::from(exit::FAILURE)
        }
    };
    exit::ending(&reporter, code)
}

async fn say(args: &Args, settings: &Settings, reporter: &Reporter) -> Result<ExitCode, String> {
    let read = load::read_requirements(&args.template, &args.inputs, settings).await.map_err(|e| e.to_string())?;
    load::print(reporter, &read.diagnostics, &read.sources);
    if read.diagnostics.has_errors() {
        return Ok(ExitCode::from(exit::FAILURE));
    }
    if read.requirements.is_empty() {
        reporter.print(NOTHING_REQUIRED);
    }
    let mut problems = Diagnostics::new();
    for requirement in &read.requirements {
        let Requirement { source, constraint, .. } = requirement;
        match standing(requirement) {
            Standing::BuiltIn(version) => {
                reporter.print(format!("{source} {constraint}: built in, as of version {version}"));
            }
            Standing::Unfit(version) => problems.push(unfit(requirement, version)),
            Standing::Missing => problems.push(missing(requirement)),
        }
    }
    load::print(reporter, &problems, &read.sources);
    Ok(if problems.has_errors() { ExitCode::from(exit::FAILURE) } else { ExitCode::SUCCESS })
}

fn unfit(requirement: &Requirement, version: &str) -> Diagnostic {
    let Requirement { source, constraint, .. } = requirement;
    let summary = format!("The built-in {source} is not of a version {constraint}");
    let detail = format!("Kiln reads the options of this plugin as its version {version} does.");
    let hint = format!("change the constraint to one that allows {version}");
    Diagnostic::error(summary, detail).at(&requirement.span).hint(hint)
}

fn missing(requirement: &Requirement) -> Diagnostic {
    let Requirement { source, name, .. } = requirement;
    let summary = format!("Kiln has no plugin {source}");
    let detail = format!(
        "Kiln's plugins are built in; it downloads and runs no others. Builds with components of this plugin ({name}, {name}-…) fail. Those without them run as if it were not required."
    );
    let hint = "leave the builds that need it out with -only or -except";
    Diagnostic::warning(summary, detail).at(&requirement.span).hint(hint.to_owned())
}
