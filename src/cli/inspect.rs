//! `kiln inspect`: shows what a template consists of (packer-core.md section 8.2).

use std::process::ExitCode;
use std::sync::Arc;

use crate::event::Events;
use crate::report::{self, Reporter};
use crate::run::data::Reading;
use crate::sources::World;
use crate::template::{Mode, Undeclared};

use super::flags::{InputArgs, NoSelectionArgs, OrderArgs, SelectionArgs};
use super::load::{self, How, Template};
use super::settings::Settings;
use super::{exit, inspect_json, interrupt, overview};

/// Shows the variables, locals and builds of a template
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    order: OrderArgs,
    /// The templates: .pkr.hcl files or directories with such files; the working directory when none is given.
    #[arg(value_name = "TEMPLATE")]
    templates: Vec<String>,
    #[command(flatten)]
    _selection: NoSelectionArgs,
}

/// Runs the verb.
pub async fn run(args: Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => Arc::new(reporter),
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let code = show_all(args, settings, &reporter).await.unwrap_or_else(|text| {
        reporter.print_error(format!("Error: {text}"));
        ExitCode::from(exit::FAILURE)
    });
    exit::ending(&reporter, code)
}

async fn show_all(args: Args, settings: &Settings, reporter: &Arc<Reporter>) -> Result<ExitCode, String> {
    let cancel = interrupt::listen(reporter)?;
    let (settings, reporter) = (settings.clone(), reporter.clone());
    let shown = interrupt::evaluate(&cancel, move || async move {
        let here = [".".to_owned()];
        let templates = if args.templates.is_empty() { &here[..] } else { &args.templates };
        let mut code = ExitCode::SUCCESS;
        for template in templates {
            if let Err(text) = show(template, &args, &settings, &reporter).await {
                reporter.print_error(text);
                code = ExitCode::from(exit::FAILURE);
            }
        }
        code
    });
    Ok(shown.await.unwrap_or(ExitCode::from(exit::FAILURE)))
}

async fn show(template: &str, args: &Args, settings: &Settings, reporter: &Reporter) -> Result<(), String> {
    let how = How {
        mode: Mode::Overview,
        undeclared: Undeclared::Ignore,
        reading: Reading::Execute,
        order: (&args.order).into(),
    };
    let selection = SelectionArgs::default();
    let template = Template { argument: Some(template), inputs: &args.inputs, selection: &selection };
    let world = World::default().telling(Events::new(reporter.sink()));
    let read = load::read(&template, &how, settings, &world).await.map_err(|e| format!("Error: {e}"))?;
    match (&read.plan, read.diagnostics.has_errors()) {
        (Some(plan), false) => {
            load::print(reporter, &read.diagnostics, &read.sources);
            let text = match &plan.overview.json {
                Some(json) => inspect_json::text(json),
                None => overview::text(&plan.overview, &read.sensitive),
            };
            // The message's own line break, which every format has in its way.
            reporter.print(text.strip_suffix('\n').unwrap_or(&text));
            Ok(())
        }
        _ => Err(load::rendered(&read)),
    }
}
