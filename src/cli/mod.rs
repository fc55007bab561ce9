//! The command line: one file a verb. This module only finds the verb.

mod args;
mod build;
mod cleanup;
mod ec2_local;
mod exit;
mod files;
mod host;
mod inspect;
mod interrupt;
mod load;
mod local;
mod local_ec2;
mod settings;
mod terminal;
mod validate;
mod version;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use settings::Settings;

/// Bakes golden machine images from Packer's HCL templates and leaves nothing behind.
#[derive(Parser)]
#[command(name = "kiln", disable_version_flag = true, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Build(build::Args),
    Cleanup(cleanup::Args),
    Ec2Local(ec2_local::Args),
    Inspect(inspect::Args),
    #[command(subcommand)]
    Local(local::Verb),
    Validate(validate::Args),
    Version(version::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let hidden = words.get(1).map(String::as_str).unwrap_or_default();
    if let Some(code) = local_ec2::hidden_verb(hidden, &words[words.len().min(2)..]) {
        return code;
    }
    let (words, machine_readable) = args::normalized(words);
    let settings = Settings::from_environment(machine_readable);
    match Cli::try_parse_from(&words) {
        Ok(cli) => run(cli.verb, settings),
        Err(error) => args::refused(&error, &words),
    }
}

fn run(verb: Verb, settings: Settings) -> ExitCode {
    match verb {
        Verb::Version(args) => version::run(&args, &settings),
        verb => run_async(verb, settings),
    }
}

fn run_async(verb: Verb, settings: Settings) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::failed(&settings, &format!("start the runtime: {error}")),
    };
    let code = runtime.block_on(async {
        match verb {
            Verb::Build(args) => build::run(args, &settings).await,
            Verb::Cleanup(args) => cleanup::run(args, &settings).await,
            Verb::Ec2Local(args) => ec2_local::run(args, &settings).await,
            Verb::Inspect(args) => inspect::run(args, &settings).await,
            Verb::Local(verb) => local::run(verb, &settings).await,
            Verb::Validate(args) => validate::run(args, &settings).await,
            Verb::Version(args) => version::run(&args, &settings),
        }
    });
    // Threads that still read a terminal or wait for a hung peer must not keep the process.
    runtime.shutdown_background();
    code
}
