//! `kiln hcl2_upgrade`: writes a JSON template of the older form as HCL (packer-core.md appendix D).

use std::path::PathBuf;
use std::process::ExitCode;

use crate::report::{self, Reporter};
use crate::run::kinds::Registered;
use crate::template::legacy::upgrade::{Annotations, upgrade};

use super::files::{self, Found};
use super::flags::ConfigType;
use super::settings::Settings;
use super::{exit, load};

/// Writes a JSON template of the older form as HCL
#[derive(clap::Args)]
pub struct Args {
    /// Where the HCL goes; TEMPLATE.pkr.hcl when not given.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Explains the parts of the HCL in comments.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = super::args::go_bool, action = clap::ArgAction::Set)]
    with_annotations: bool,
    /// The JSON template.
    #[arg(value_name = "TEMPLATE")]
    template: String,
}

/// Runs the verb.
pub fn run(args: &Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => reporter,
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let code = write(args, &reporter).unwrap_or_else(|text| {
        reporter.print_error(format!("Error: {text}"));
        exit::FAILURE
    });
    exit::ending(&reporter, ExitCode::from(code))
}

fn write(args: &Args, reporter: &Reporter) -> Result<u8, String> {
    let found = files::find(&args.template, ConfigType::Json).map_err(|error| error.to_string())?;
    let files = match found {
        Found::Legacy(found) => found.files,
        Found::Hcl(_) => Vec::new(),
    };
    let Some(file) = files.first() else {
        return Err(format!("{} is HCL already: only JSON templates of the older form are upgraded", args.template));
    };
    let annotations = if args.with_annotations { Annotations::Written } else { Annotations::None };
    let upgraded = upgrade(file, &Registered, annotations);
    load::print(reporter, &upgraded.diagnostics, &upgraded.sources);
    let Some(text) = upgraded.text else { return Ok(exit::FAILURE) };
    let output = match &args.output_file {
        Some(path) => path.clone(),
        None if args.template == "-" => return Err("a template from stdin needs -output-file FILE".to_owned()),
        None => PathBuf::from(format!("{}.pkr.hcl", args.template)),
    };
    std::fs::write(&output, text).map_err(|error| format!("write {}: {error}", output.display()))?;
    let code = if upgraded.diagnostics.has_errors() { exit::FAILURE } else { 0 };
    reporter.print(format!("Successfully created {}. Exit {code}", output.display()));
    Ok(code)
}
