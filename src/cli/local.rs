//! `kiln local …`: what local EC2 keeps.

mod base;
mod export;
mod images;
mod rm;
mod run;

use std::process::ExitCode;
use std::sync::Arc;

use crate::local_ec2::store::Store;
use crate::report::{self, Reporter};

use super::exit;
use super::settings::Settings;

/// What local EC2 keeps: images, layers, bases
#[derive(clap::Subcommand)]
#[command(about = "What local EC2 keeps: images, layers, bases")]
pub enum Verb {
    Images(images::Args),
    Run(run::Args),
    Export(export::Args),
    Rm(rm::Args),
    #[command(subcommand)]
    Base(base::Verb),
}

/// What the verbs need.
struct Room<'a> {
    settings: &'a Settings,
    reporter: Arc<Reporter>,
}

impl Room<'_> {
    fn store(&self) -> Result<Store, String> {
        super::local_ec2::open_store(&self.settings.data)
    }
}

/// Runs the verb.
pub async fn run(verb: Verb, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => Arc::new(reporter),
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let room = Room { settings, reporter };
    let result = match verb {
        Verb::Images(args) => images::run(&args, &room).map(|()| ExitCode::SUCCESS),
        Verb::Run(args) => run::run(&args, &room).await,
        Verb::Export(args) => export::run(&args, &room).map(|()| ExitCode::SUCCESS),
        Verb::Rm(args) => rm::run(&args, &room).await.map(|()| ExitCode::SUCCESS),
        Verb::Base(verb) => base::run(verb, &room).await.map(|()| ExitCode::SUCCESS),
    };
    let code = result.unwrap_or_else(|text| {
        room.reporter.print_error(format!("Error: {text}"));
        ExitCode::from(exit::FAILURE)
    });
    exit::ending(&room.reporter, code)
}
