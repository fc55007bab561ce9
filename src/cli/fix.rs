//! `kiln fix`: Packer's verb that renames old options in JSON templates. Kiln says what to do instead.

use std::process::ExitCode;

use super::exit;
use super::settings::Settings;

/// Tells what to do with an old JSON template
#[derive(clap::Args)]
pub struct Args {
    /// Whatever Packer's verb takes.
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs the verb.
pub fn run(args: &Args, settings: &Settings) -> ExitCode {
    let template = args.arguments.iter().rfind(|word| !word.starts_with('-')).map_or("TEMPLATE", String::as_str);
    let text = format!(
        "Kiln does not rewrite JSON templates: kiln validate {template} names every option that is not known today, with its line, \
         and kiln hcl2_upgrade {template} writes the template as HCL"
    );
    exit::failed(settings, &text)
}
