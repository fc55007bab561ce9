//! Signals to urgency: first unwind, second hurry, third leave now.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::engine::cancel::{Canceller, Urgency};
use crate::report::Reporter;

use super::exit;

/// How long the last lines may take on the third signal.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Listens for SIGINT, SIGTERM and SIGHUP as long as the process lives.
pub fn listen(canceller: Canceller, reporter: Arc<Reporter>) -> std::io::Result<()> {
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    let hangup = if is_nohup() { None } else { Some(signal(SignalKind::hangup())?) };
    tokio::spawn(escalate(Signals { interrupt, terminate, hangup }, canceller, reporter));
    Ok(())
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// A closed terminal; `None` under `nohup`, whose whole point is that it does not matter.
    hangup: Option<Signal>,
}

/// Whether SIGHUP is ignored, which is how `nohup` starts a program. It is bit 0 of the mask that the kernel shows.
fn is_nohup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

async fn hung_up(hangup: &mut Option<Signal>) {
    if let Some(signal) = hangup
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

async fn escalate(mut signals: Signals, canceller: Canceller, reporter: Arc<Reporter>) {
    loop {
        let name = tokio::select! {
            Some(()) = signals.interrupt.recv() => "interrupt",
            Some(()) = signals.terminate.recv() => "terminated",
            () = hung_up(&mut signals.hangup) => "hangup",
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
