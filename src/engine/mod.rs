//! What every step of a build stands on, with no word of AWS: the journal of what was made, its ledger, the step runner, the one waiter, cancellation.

pub mod cancel;
pub mod continuation;
pub mod journal;
pub mod ledger;
pub mod mode;
pub mod offload;
pub mod prompt;
pub mod step;
pub mod wait;

/// Why something failed, as a chain of sources.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The whole chain of an error, outermost first, on one line. An error's `Display` never contains its source, so nothing is said twice.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let part = source.to_string();
        // A transparent wrapper repeats its source's text; once is enough.
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = source.source();
    }
    text
}
