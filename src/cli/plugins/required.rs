//! `kiln plugins required`: what a template asks for, one plugin a line.

use super::{NOTHING_REQUIRED, Standing, standing};
use crate::cli::flags::{InputArgs, NoSelectionArgs};
use crate::cli::load;
use crate::cli::settings::Settings;
use crate::template::Requirement;

/// Lists the plugins that a template asks for
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: InputArgs,
    /// The template: a .pkr.hcl file or a directory with such files.
    #[arg(value_name = "TEMPLATE")]
    template: String,
    #[command(flatten)]
    _selection: NoSelectionArgs,
}

/// The list.
pub async fn text(args: &Args, settings: &Settings) -> Result<String, String> {
    let read = load::read_requirements(&args.template, &args.inputs, settings);
    let read = read.await.map_err(|error| format!("Error: {error}"))?;
    if read.diagnostics.has_errors() {
        return Err(load::rendered(&read));
    }
    if read.requirements.is_empty() {
        return Ok(NOTHING_REQUIRED.to_owned());
    }
    Ok(read.requirements.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Packer's columns, with what is built in where Packer has a path.
fn line(requirement: &Requirement) -> String {
    let Requirement { name, source, constraint, .. } = requirement;
    let place = match standing(requirement) {
        Standing::BuiltIn(version) => format!(" (built in, as of version {version})"),
        Standing::Unfit(_) | Standing::Missing => String::new(),
    };
    format!("{name} {source} {constraint:?}{place}")
}
