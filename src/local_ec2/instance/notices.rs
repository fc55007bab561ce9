//! What people should be told about how their instances run, each thing once.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

/// Where notices go; they can be taken from the channel that [`Notices::new`] gives.
#[derive(Debug)]
pub struct Notices {
    said: Mutex<HashSet<String>>,
    out: mpsc::UnboundedSender<String>,
}

impl Notices {
    /// An empty list and its channel.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<String>) {
        let (out, receiver) = mpsc::unbounded_channel();
        (Self { said: Mutex::default(), out }, receiver)
    }

    /// Says it, unless it was said.
    pub fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
            // Nobody may be listening.
            let _ = self.out.send(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        let (notices, mut out) = Notices::new();
        notices.say("a");
        notices.say("a");
        assert_eq!(out.try_recv().as_deref(), Ok("a"));
        assert!(out.try_recv().is_err());
    }
}
