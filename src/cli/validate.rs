//! `kiln validate`: checks a template without making anything.

use std::process::ExitCode;
use std::sync::Arc;

use crate::engine::cancel::Cancelled;
use crate::engine::mode::Force;
use crate::event::Events;
use crate::report::{self, Reporter};
use crate::run::data::Reading;
use crate::run::prepare::prepare;
use crate::sources::World;
use crate::template::{Mode, Undeclared};

use super::args::go_bool;
use super::flags::{InputArgs, OrderArgs, PrereleaseArgs, SelectionArgs};
use super::load::{self, How, Template};
use super::settings::Settings;
use super::{exit, interrupt, local_ec2};

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
        Ok(reporter) => Arc::new(reporter),
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let code = check_here(args, settings, &reporter).await.unwrap_or_else(|text| {
        reporter.print_error(format!("Error: {text}"));
        ExitCode::from(exit::FAILURE)
    });
    exit::ending(&reporter, code)
}

/// Checks until a signal comes, with local EC2 if that is wished for.
async fn check_here(args: Args, settings: &Settings, reporter: &Arc<Reporter>) -> Result<ExitCode, String> {
    let cancel = interrupt::listen(reporter)?;
    let local = match args.local && args.evaluate_datasources {
        true => Some(local_ec2::start(settings, local_ec2::Wishes::default(), reporter).await?),
        false => None,
    };
    let world = World::new(local.as_ref().map(|local| local.endpoint())).telling(Events::new(reporter.sink()));
    let (settings, reporter) = (settings.clone(), reporter.clone());
    let checked =
        interrupt::evaluate(&cancel, move || async move { check(&args, &settings, &reporter, world).await }).await;
    if let Some(local) = local {
        local.stop().await;
    }
    checked.unwrap_or_else(|Cancelled| Ok(ExitCode::from(exit::FAILURE)))
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
