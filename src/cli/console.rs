//! `kiln console`: evaluates expressions against a template (packer-core.md section 8.3).

mod completion;
mod editor;
mod openness;
mod session;

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use crate::event::Events;
use crate::report::{self, Reporter};
use crate::run::data::Reading;
use crate::sources::World;
use crate::template::{Mode, Undeclared};

use super::flags::{InputArgs, NoSelectionArgs, OrderArgs, SelectionArgs};
use super::load::{self, How, Template};
use super::settings::Settings;
use super::{exit, overview};
use session::Session;

/// Evaluates expressions, with the variables and locals of a template if one is given
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    order: OrderArgs,
    /// The template: a .pkr.hcl file or a directory with such files.
    #[arg(value_name = "TEMPLATE")]
    template: Option<String>,
    #[command(flatten)]
    _selection: NoSelectionArgs,
}

/// Runs the verb.
pub async fn run(args: &Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => reporter,
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let code = match session(args, settings, &reporter).await {
        Ok(session) => converse(&session, &reporter),
        Err(text) => Err(text),
    };
    let code = code.unwrap_or_else(|text| {
        reporter.print_error(text);
        ExitCode::from(exit::FAILURE)
    });
    exit::ending(&reporter, code)
}

async fn session(args: &Args, settings: &Settings, reporter: &Reporter) -> Result<Session, String> {
    let how = How {
        mode: Mode::Overview,
        undeclared: Undeclared::Ignore,
        reading: Reading::Execute,
        order: (&args.order).into(),
    };
    let selection = SelectionArgs::default();
    let template = Template { argument: args.template.as_deref(), inputs: &args.inputs, selection: &selection };
    let world = World::default().telling(Events::new(reporter.sink()));
    let read = load::read(&template, &how, settings, &world).await.map_err(|e| format!("Error: {e}"))?;
    match (&read.plan, read.diagnostics.has_errors()) {
        (Some(plan), false) if plan.overview.json.is_some() => {
            Err("Error: the console evaluates HCL, and this is a JSON template: upgrade it with kiln hcl2_upgrade"
                .to_owned())
        }
        (Some(plan), false) => {
            load::print(reporter, &read.diagnostics, &read.sources);
            let variables = overview::variables(&plan.overview, &read.sensitive);
            Ok(Session::new(read.names, read.host, variables))
        }
        _ => Err(load::rendered(&read)),
    }
}

/// A pipe is answered at its end, a terminal and a file line by line, as Packer does.
fn converse(session: &Session, reporter: &Reporter) -> Result<ExitCode, String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return editor::converse(session, reporter).map_err(|error| format!("Error: the terminal: {error}"));
    }
    let unreadable = |error| format!("Error: standard input: {error}");
    if is_pipe() {
        let mut text = Vec::new();
        stdin.lock().read_to_end(&mut text).map_err(unreadable)?;
        return Ok(batch(&String::from_utf8_lossy(&text), session, reporter));
    }
    for line in stdin.lock().split(b'\n') {
        let line = line.map_err(unreadable)?;
        let line = String::from_utf8_lossy(&line);
        match line.trim() {
            "exit" => break,
            "" => {}
            line => show(session.answer(line), reporter),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn is_pipe() -> bool {
    let stat = nix::sys::stat::fstat(std::io::stdin().as_fd());
    stat.is_ok_and(|stat| {
        let kind = nix::sys::stat::SFlag::from_bits_truncate(stat.st_mode) & nix::sys::stat::SFlag::S_IFMT;
        kind == nix::sys::stat::SFlag::S_IFIFO
    })
}

/// Evaluates every line; errors are shown as they come, of the results only the last.
fn batch(text: &str, session: &Session, reporter: &Reporter) -> ExitCode {
    let (mut last, mut code) = (String::new(), ExitCode::SUCCESS);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line == "exit" {
            // It ends conversations, and this is none.
            last.clear();
            continue;
        }
        last = session.answer(line).unwrap_or_else(|problems| {
            reporter.print_error(problems);
            code = ExitCode::from(exit::FAILURE);
            String::new()
        });
    }
    reporter.print(last);
    code
}

fn show(answer: Result<String, String>, reporter: &Reporter) {
    match answer {
        Ok(text) => reporter.print(text),
        Err(problems) => reporter.print_error(problems),
    }
}
