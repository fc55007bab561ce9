//! `kiln validate`: checks a template without making anything.

use std::process::ExitCode;

use crate::engine::mode::Force;
use crate::report::{self, Reporter};
use crate::run::data::Reading;
use crate::run::prepare::prepare;
use crate::sources::World;
use crate::template::{Mode, Undeclared};

use super::args::go_bool;
use super::flags::{InputArgs, OrderArgs, PrereleaseArgs, SelectionArgs};
use super::load::{self, How, Template};
use super::settings::Settings;
use super::{exit, local_ec2};

/// Checks a template without making anything
#[derive(clap::Args)]
pub struct Args {
    /// Checks syntax only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    syntax_only: bool,
    /// Does not warn of variables in variable files that the template does not declare.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    no_warn_undeclared_var: bool,
    /// Asks data sources instead of taking their values for unknown.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    evaluate_datasources: bool,
    /// Asks data sources of local EC2.
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    order: OrderArgs,
    /// The template: a .pkr.hcl file or a directory with such files.
    #[arg(value_name = "TEMPLATE")]
    template: String,
    #[command(flatten)]
    _prerelease: PrereleaseArgs,
}

/// Runs the verb.
pub async fn run(args: Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => std::sync::Arc::new(reporter),
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let local = match args.local && args.evaluate_datasources {
        true => local_ec2::start(settings, local_ec2::Wishes::default(), &reporter).await.map(Some),
        false => Ok(None),
    };
    let result = match &local {
        Ok(local) => check(&args, settings, &reporter, World::new(local.as_ref().map(|l| l.endpoint()))).await,
        Err(text) => Err(text.clone()),
    };
    if let Ok(Some(local)) = local {
        local.stop().await;
    }
    let code = result.unwrap_or_else(|text| {
        reporter.print_error(format!("Error: {text}"));
        ExitCode::from(exit::FAILURE)
    });
    // A closed pipe is nobody to tell.
    let _ = reporter.finish();
    code
}

async fn check(args: &Args, settings: &Settings, reporter: &Reporter, world: World) -> Result<ExitCode, String> {
    let how = How {
        mode: if args.syntax_only { Mode::SyntaxOnly } else { Mode::Full },
        undeclared: if args.no_warn_undeclared_var { Undeclared::Ignore } else { Undeclared::Warn },
        reading: if args.evaluate_datasources { Reading::Execute } else { Reading::Check },
        order: (&args.order).into(),
    };
    let template = Template { argument: Some(&args.template), inputs: &args.inputs, selection: &args.selection };
    let read = load::read(&template, &how, settings, &world).await.map_err(|e| e.to_string())?;
    let mut diagnostics = read.diagnostics;
    if let (Some(plan), false) = (&read.plan, args.syntax_only) {
        diagnostics.extend(prepare(plan, Force::No, &settings.secrets).1);
    }
    load::print(reporter, &diagnostics, &read.sources);
    if diagnostics.has_errors() {
        return Ok(ExitCode::from(exit::FAILURE));
    }
    reporter.print(match args.syntax_only {
        true => "Syntax-only check passed. Everything looks okay.",
        false => "The configuration is valid.",
    });
    Ok(ExitCode::SUCCESS)
}
