//! Exit codes, the ones that Packer has and one more.

use std::process::ExitCode;

use super::settings::Settings;

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
        // A closed pipe is nobody to tell.
        let _ = reporter.finish();
    }
    ExitCode::from(FAILURE)
}
