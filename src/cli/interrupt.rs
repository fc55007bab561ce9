//! Signals to urgency: first unwind, second hurry, third leave now.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::engine::cancel::{Cancel, Cancelled, Canceller, Urgency};
use crate::report::Reporter;

use super::exit;

/// How long the last lines may take on the third signal.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How long work that is given up may take to stop by itself, and with it the programs that it has started.
const GIVING_UP: Duration = Duration::from_millis(200);

/// Listens for SIGINT, SIGTERM and SIGHUP as long as the process lives.
///
/// # Errors
/// A text that says so when the system lets us not listen.
pub fn listen(reporter: &Arc<Reporter>) -> Result<Cancel, String> {
    let (canceller, cancel) = Canceller::new();
    escalate_on_signals(canceller, reporter.clone()).map_err(|error| format!("listen for signals: {error}"))?;
    Ok(cancel)
}

/// Runs what makes nothing and may take as long as the author of a template wishes: expressions are evaluated in one
/// go, and files may be pipes. The first signal ends the wait; work that does not notice goes on in its thread until
/// the process ends, which is soon, so it must have nothing to say that matters.
///
/// # Errors
/// When a signal came first.
pub async fn evaluate<T, F>(cancel: &Cancel, work: impl FnOnce() -> F + Send + 'static) -> Result<T, Cancelled>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (runtime, own) = (Handle::current(), cancel.clone());
    let thread = tokio::task::spawn_blocking(move || runtime.block_on(own.guard(work())));
    let given_up = async {
        cancel.reached(Urgency::Unwind).await;
        tokio::time::sleep(GIVING_UP).await;
    };
    tokio::select! {
        // A panic ends the process before it comes here.
        ended = thread => ended.unwrap_or(Err(Cancelled)),
        () = given_up => Err(Cancelled),
    }
}

fn escalate_on_signals(canceller: Canceller, reporter: Arc<Reporter>) -> std::io::Result<()> {
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
