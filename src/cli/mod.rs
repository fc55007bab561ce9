//! The command line: one file a verb. This module only finds the verb.

mod args;
mod build;
mod cleanup;
mod console;
mod crash;
mod docs;
mod ec2_local;
mod exit;
mod files;
mod fix;
mod flags;
mod fmt;
mod hcl2_upgrade;
mod host;
mod init;
mod inspect;
mod inspect_json;
mod interrupt;
mod load;
mod local;
mod local_ec2;
mod overview;
mod past_runs;
mod plugins;
mod records;
mod reference;
mod resume;
mod runs;
mod schema;
mod settings;
mod terminal;
mod validate;
mod version;
mod whole_file;

use std::process::ExitCode;

use clap::{Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use records::Begin;
use settings::Settings;

/// Bytes of stack of every thread: templates are evaluated on them, which nest as deep as on the main thread.
const STACK: usize = 8 << 20;

/// Bakes golden machine images from Packer's HCL templates and leaves nothing behind.
#[derive(Parser)]
#[command(name = "kiln", disable_version_flag = true, max_term_width = 120, args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Build(build::Args),
    Cleanup(cleanup::Args),
    Console(console::Args),
    Docs(docs::Args),
    Ec2Local(ec2_local::Args),
    Fmt(fmt::Args),
    Init(init::Args),
    #[command(hide = true)]
    Fix(fix::Args),
    #[command(name = "hcl2_upgrade")]
    Hcl2Upgrade(hcl2_upgrade::Args),
    Inspect(inspect::Args),
    #[command(subcommand)]
    Local(local::Verb),
    #[command(subcommand, alias = "plugin")]
    Plugins(plugins::Verb),
    Resume(resume::Args),
    Runs(runs::Args),
    Schema(schema::Args),
    Validate(validate::Args),
    Version(version::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    crash::install();
    if let Some(code) = crash::hidden_verb(&words[words.len().min(1)..]) {
        return code;
    }
    let hidden = words.get(1).map(String::as_str).unwrap_or_default();
    if let Some(code) = local_ec2::hidden_verb(hidden, &words[words.len().min(2)..]) {
        return code;
    }
    let command = command();
    let (words, machine_readable) = args::normalized(words, &command);
    let settings = Settings::from_environment(machine_readable);
    let matched = command.clone().try_get_matches_from(&words);
    match matched.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => run(cli.verb, settings),
        Err(error) => args::refused(&error, &words, command),
    }
}

/// All verbs with their flags.
fn command() -> Command {
    with_bools(Cli::command())
}

/// The command with flags that may have a bool after `=` shown as such.
fn with_bools(command: Command) -> Command {
    let command = command.mut_args(|arg| if arg.is_require_equals_set() { arg.value_name("BOOL") } else { arg });
    command.mut_subcommands(with_bools)
}

fn run(verb: Verb, settings: Settings) -> ExitCode {
    let settings = &settings;
    match verb {
        Verb::Build(args) => wait(Threads::Many, settings, build::run(args, settings, Begin::Anew)),
        Verb::Cleanup(args) => wait(Threads::Many, settings, cleanup::run(args, settings)),
        Verb::Console(args) => wait(Threads::One, settings, console::run(&args, settings)),
        Verb::Docs(args) => docs::run(&args, settings),
        Verb::Ec2Local(args) => wait(Threads::Many, settings, ec2_local::run(args, settings)),
        Verb::Fix(args) => fix::run(&args, settings),
        Verb::Fmt(args) => fmt::run(&args, settings),
        Verb::Hcl2Upgrade(args) => hcl2_upgrade::run(&args, settings),
        Verb::Init(args) => wait(Threads::One, settings, init::run(&args, settings)),
        Verb::Inspect(args) => wait(Threads::One, settings, inspect::run(args, settings)),
        Verb::Local(verb) => wait(Threads::Many, settings, local::run(verb, settings)),
        Verb::Plugins(verb) => wait(Threads::One, settings, plugins::run(&verb, settings)),
        Verb::Resume(args) => resume::run(&args, settings),
        Verb::Runs(args) => runs::run(&args, settings),
        Verb::Schema(args) => schema::run(&args, settings),
        Verb::Validate(args) => wait(Threads::One, settings, validate::run(args, settings)),
        Verb::Version(args) => version::run(&args, settings),
    }
}

/// How many threads a verb keeps busy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Threads {
    /// It reads, evaluates and prints: more threads would cost more than they do.
    One,
    /// As many as there are cores.
    Many,
}

/// Runs a verb to its end.
fn wait(threads: Threads, settings: &Settings, verb: impl Future<Output = ExitCode>) -> ExitCode {
    let mut builder = match threads {
        Threads::One => tokio::runtime::Builder::new_current_thread(),
        Threads::Many => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match builder.thread_stack_size(STACK).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::failed(settings, &format!("start the runtime: {error}")),
    };
    let code = runtime.block_on(verb);
    // Threads that still read a terminal or wait for a hung peer must not keep the process.
    runtime.shutdown_background();
    code
}
