//! `kiln fmt`: brings templates into canonical format (packer-core.md section 8.1).

mod diff;
mod find;
mod replace;

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use crate::hcl::diagnostics::{Sources, render};
use crate::hcl::encoding::{self, Tolerance};
use crate::hcl::format::format;
use crate::hcl::parse::parse_body;
use crate::report::{self, Reporter};

use super::args::go_bool;
use super::exit;
use super::files::reason;
use super::flags::NoInputArgs;
use super::settings::Settings;

/// Brings templates and variable files into canonical format
#[derive(clap::Args)]
pub struct Args {
    /// Changes nothing; exit code 3 says that something would change.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    check: bool,
    /// Shows what changes, by the program `diff`.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    diff: bool,
    /// Writes files; -write=false only names them.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true", value_parser = go_bool, action = clap::ArgAction::Set)]
    write: bool,
    /// Goes into directories within directories.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    recursive: bool,
    /// Files named *.pkr.hcl or *.pkrvars.hcl, directories with such files, or - for standard input.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    #[command(flatten)]
    _inputs: NoInputArgs,
}

/// Runs the verb.
pub fn run(args: &Args, settings: &Settings) -> ExitCode {
    let reporter = match report::start(settings.plain(), Box::new(std::io::stdout())) {
        Ok(reporter) => reporter,
        Err(error) => return exit::failed(settings, &format!("start the reporter: {error}")),
    };
    let mut formatter = Formatter { args, reporter: &reporter, changes: false, problems: Vec::new() };
    args.paths.iter().for_each(|path| formatter.argument(path));
    let Formatter { changes, problems, .. } = formatter;
    problems.iter().for_each(|problem| reporter.print_error(problem.as_str()));
    let code = match (problems.is_empty(), changes && args.check) {
        (false, _) => ExitCode::from(exit::FAILURE),
        (true, true) => ExitCode::from(exit::UNFORMATTED),
        (true, false) => ExitCode::SUCCESS,
    };
    exit::ending(&reporter, code)
}

struct Formatter<'a> {
    args: &'a Args,
    reporter: &'a Reporter,
    /// Whether any file is not in canonical format.
    changes: bool,
    /// Printed after the names of all files.
    problems: Vec<String>,
}

impl Formatter<'_> {
    fn argument(&mut self, path: &str) {
        if path == "-" {
            return self.stdin();
        }
        if Path::new(path).is_dir() {
            let found = find::files(Path::new(path), self.args.recursive);
            found.files.iter().for_each(|file| self.file(&file.to_string_lossy(), file));
            self.problems.extend(found.problems);
        } else if find::is_template(path) {
            self.file(path, Path::new(path));
        } else {
            self.problems.push(format!(
                "Error: {path} is no template: only files named *.pkr.hcl or *.pkrvars.hcl are formatted\n"
            ));
        }
    }

    fn stdin(&mut self) {
        let mut text = Vec::new();
        if let Err(error) = std::io::stdin().read_to_end(&mut text) {
            self.problems.push(format!("Error: standard input: {error}\n"));
            return;
        }
        match formatted("<stdin>", &text) {
            Ok(new) => {
                let changed = new.as_bytes() != text;
                self.changes |= changed;
                if !changed || (self.args.write && !self.args.check) {
                    self.reporter.print_raw(new);
                }
            }
            Err(problem) => self.problems.push(problem),
        }
    }

    fn file(&mut self, name: &str, path: &Path) {
        let old = match std::fs::read(path) {
            Ok(old) => old,
            Err(error) => return self.problems.push(format!("Error: {name}: {}\n", reason(path, &error))),
        };
        let new = match formatted(name, &old) {
            Ok(new) => new.into_bytes(),
            Err(problem) => return self.problems.push(problem),
        };
        if new == old {
            return;
        }
        self.changes = true;
        self.reporter.print_raw(format!("{name}\n"));
        if self.args.write
            && !self.args.check
            && let Err(error) = replace::replace(path, &new)
        {
            return self.problems.push(format!("Error: {name} was not written: {}\n", reason(path, &error)));
        }
        if self.args.diff {
            match diff::unified(name, &old, &new) {
                Ok(text) => self.reporter.print_raw(text),
                Err(why) => self.problems.push(format!("Error: no differences can be shown of {name}: {why}\n")),
            }
        }
    }
}

/// A file's content in canonical format; the diagnostics as text if it is no HCL. A byte order mark stays.
fn formatted(name: &str, content: &[u8]) -> Result<String, String> {
    let mut sources = Sources::default();
    let text = encoding::read(name, content, Tolerance::None, &mut sources).map_err(|problem| (*problem).into());
    let checked = text.and_then(|(file, text)| match parse_body(file, &text).1 {
        problems if problems.has_errors() => Err(problems),
        _ => Ok(text),
    });
    let text = checked.map_err(|problems| render(&problems, &sources))?;
    let mark = if content.starts_with(b"\xef\xbb\xbf") { "\u{feff}" } else { "" };
    Ok(format!("{mark}{}", format(&text)))
}
