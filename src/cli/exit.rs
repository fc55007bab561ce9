//! Exit codes, the ones that Packer has and one more.

use std::io::{self, Write as _};
use std::process::ExitCode;

use nix::errno::Errno;

use super::settings::Settings;
use crate::report::Reporter;

/// Anything failed, was interrupted, or was asked for wrongly.
pub const FAILURE: u8 = 1;
/// `fmt -check` found files that are not in canonical format.
pub const UNFORMATTED: u8 = 3;
/// Something was left behind; what and how to remove it was printed.
pub const LEFTOVERS: u8 = 4;
/// There is no such command.
pub const NO_COMMAND: u8 = 127;

/// Reports an error that ends the command.
pub fn failed(settings: &Settings, text: &str) -> ExitCode {
    if let Ok(reporter) = crate::report::start(settings.plain(), Box::new(std::io::stdout())) {
        reporter.print_error(format!("Error: {text}"));
        return ending(&reporter, ExitCode::from(FAILURE));
    }
    ExitCode::from(FAILURE)
}

/// Ends a command's output and gives the exit code: that of the command, unless what it had to say could not be
/// written. A reader that went away wants to know nothing more, so that is no failure.
pub fn ending(reporter: &Reporter, code: ExitCode) -> ExitCode {
    written(reporter.finish(), code)
}

/// The exit code of a command whose output was written with this result; says what went wrong with it.
pub fn written(result: io::Result<()>, code: ExitCode) -> ExitCode {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            // If this cannot be written either, the exit code alone must say it.
            let _ = writeln!(io::stderr(), "Error: write to standard output: {}", reason(&error));
            // That something was left behind stays the more important news.
            if code == ExitCode::from(LEFTOVERS) { code } else { ExitCode::from(FAILURE) }
        }
        _ => code,
    }
}

/// The system's words without the number that Rust appends.
fn reason(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| Errno::from_raw(number).desc().to_owned())
}
