//! What happens after a panic. There is no unwinding (the release profile aborts, which makes the program a quarter smaller), so the process
//! becomes another one that removes what the run made: a crash leaves no more behind than a failure does.

use std::os::unix::process::CommandExt as _;
use std::panic::PanicHookInfo;
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use super::settings::Settings;
use super::{Threads, cleanup, wait};

/// What Packer ends with when it crashes.
const CRASHED: u8 = 2;
/// The hidden verb that a crashed process goes on as.
const VERB: &str = "after-crash";

/// The run that this process works on.
static RUN: OnceLock<String> = OnceLock::new();

/// Takes over from the standard hook, which still prints.
pub fn install() {
    let standard = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| end(&standard, info)));
}

/// From here on a crash removes what this run made.
pub fn clean_up_after(run: &str) {
    // Set once: a process has one run.
    let _ = RUN.set(run.to_owned());
}

#[expect(clippy::exit, reason = "a panic hook cannot return an exit code")]
fn end(standard: &dyn Fn(&PanicHookInfo<'_>), info: &PanicHookInfo<'_>) {
    standard(info);
    if let (Some(run), Ok(program)) = (RUN.get(), std::env::current_exe()) {
        // Replaces this process; it comes back only when that failed, and then the journal is still there for `kiln cleanup`.
        let _ = Command::new(program).args([VERB, run]).exec();
    }
    std::process::exit(CRASHED.into());
}

/// Runs the hidden verb, when `words` (after the program's name) are that.
pub fn hidden_verb(words: &[String]) -> Option<ExitCode> {
    let [verb, run] = words else { return None };
    (verb == VERB).then(|| after(run))
}

fn after(run: &str) -> ExitCode {
    let settings = Settings::from_environment(false);
    wait(Threads::Many, &settings, cleanup::run(cleanup::Args::of_run(run), &settings));
    ExitCode::from(CRASHED)
}
