//! `kiln plugins …`: what Packer keeps as plugins is built into Kiln, so there is something to see and nothing to do.

mod install;
mod installed;
mod remove;
mod required;

use std::process::ExitCode;

use crate::report;
use crate::run::kinds::plugins;
use crate::template::Requirement;

use super::exit;
use super::settings::Settings;

/// What `init` and `plugins required` say of a template without requirements; scripts know Packer's words.
pub const NOTHING_REQUIRED: &str = "
No plugins requirement found, make sure you reference a Packer config
containing a packer.required_plugins block. See
https://www.packer.io/docs/templates/hcl_templates/blocks/packer
for more info.";

/// Shows the plugins that are built in and those that a template asks for
#[derive(clap::Subcommand)]
#[command(about = "Shows the plugins that are built in and those that a template asks for")]
pub enum Verb {
    Install(install::Args),
    Installed(installed::Args),
    Remove(remove::Args),
    Required(required::Args),
}

/// How a requirement stands with what is built in.
pub enum Standing {
    /// It is built in and of a fitting version.
    BuiltIn(&'static str),
    /// It is built in, and of another version.
    Unfit(&'static str),
    /// There is no such plugin.
    Missing,
}

/// How a requirement stands.
pub fn standing(requirement: &Requirement) -> Standing {
    match version(&requirement.source) {
        Some(version) if requirement.allows(version) => Standing::BuiltIn(version),
        Some(version) => Standing::Unfit(version),
        None => Standing::Missing,
    }
}

/// The version of a built-in plugin; none if there is none of that source.
fn version(source: &str) -> Option<&'static str> {
    plugins().into_iter().find(|plugin| plugin.source == source).map(|plugin| plugin.version)
}

/// Runs the verb.
pub async fn run(verb: &Verb, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => reporter,
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let result = match verb {
        Verb::Install(args) => install::text(args),
        Verb::Installed(_) => Ok(installed::text()),
        Verb::Remove(args) => Err(remove::refusal(args)),
        Verb::Required(args) => required::text(args, settings).await,
    };
    let code = match result {
        Ok(text) => {
            reporter.print(text);
            ExitCode::SUCCESS
        }
        Err(text) => {
            reporter.print_error(text);
            ExitCode::from(exit::FAILURE)
        }
    };
    exit::ending(&reporter, code)
}
