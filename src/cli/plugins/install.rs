//! `kiln plugins install`: there is nothing to install, which is well where the plugin is built in.

use super::version;
use crate::cli::args::go_bool;
use crate::cli::flags::NoInputArgs;
use crate::template::{source_problem, version_fits};

/// Says whether a plugin is built in; nothing can be installed
#[derive(clap::Args)]
pub struct Args {
    /// A plugin binary: refused, since Kiln runs none.
    #[arg(long, value_name = "FILE")]
    path: Option<String>,
    /// Where the plugin comes from: `github.com/hashicorp/amazon`.
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Which versions fit: `>= 1.2`.
    #[arg(value_name = "CONSTRAINT")]
    constraint: Option<String>,
    #[command(flatten)]
    _inputs: NoInputArgs,
    /// There is nothing to install again.
    #[arg(long = "force", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set, help_heading = "Accepted as in Packer, without meaning here")]
    _force: bool,
}

/// What there is to say: the plugin is built in, or why it can't be had.
pub fn text(args: &Args) -> Result<String, String> {
    let Args { source, constraint, .. } = args;
    if let Some(path) = &args.path {
        return Err(format!(
            "Error: {path} can't be installed: Kiln's plugins are built in, and it runs no plugin binaries"
        ));
    }
    if let Some(problem) = source_problem(source) {
        return Err(format!("Error: {problem}"));
    }
    let Some(version) = version(source) else {
        return Err(format!(
            "Error: Kiln has no plugin {source}: its plugins are built in, and it downloads no others; kiln plugins installed lists them"
        ));
    };
    let constraint = constraint.as_deref().unwrap_or(">= 0");
    match version_fits(version, constraint).map_err(|error| format!("Error: the text {error}"))? {
        true => Ok(format!("{source} is built in, as of version {version}: there is nothing to install")),
        false => Err(format!("Error: {source} is built in, as of version {version}, which is not {constraint}")),
    }
}
