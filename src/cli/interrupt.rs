//! Signals to urgency: first unwind, second hurry, third leave now.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::engine::cancel::{Canceller, Urgency};
use crate::report::Reporter;

use super::exit;

/// How long the last lines may take on the third signal.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Listens for SIGINT and SIGTERM as long as the process lives.
pub fn listen(canceller: Canceller, reporter: Arc<Reporter>) -> std::io::Result<()> {
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    tokio::spawn(escalate(interrupt, terminate, canceller, reporter));
    Ok(())
}

async fn escalate(mut interrupt: Signal, mut terminate: Signal, canceller: Canceller, reporter: Arc<Reporter>) {
    loop {
        let name = tokio::select! {
            Some(()) = interrupt.recv() => "interrupt",
            Some(()) = terminate.recv() => "terminated",
            else => return,
        };
        // Said before anything comes of it.
        match canceller.next() {
            Urgency::None | Urgency::Unwind => {
                reporter.print_error(format!("Cancelling build after receiving {name}"));
            }
            Urgency::Hurry => reporter.print_error(
                "Second signal: not waiting for confirmations any more; a third one leaves at once".to_owned(),
            ),
            Urgency::Leave => leave(&reporter),
        }
        canceller.escalate();
    }
}

#[expect(
    clippy::exit,
    reason = "the third signal means now; the journal is on disk, so `kiln cleanup` finds everything"
)]
fn leave(reporter: &Reporter) -> ! {
    reporter.print_error("Third signal: leaving at once; `kiln cleanup` removes what is left".to_owned());
    reporter.leave(LAST_WORDS);
    std::process::exit(exit::LEFTOVERS.into());
}
