//! Asking the person at the terminal. The engine only knows the question; `cli` knows the terminal.

use async_trait::async_trait;

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// There is nobody to ask.
    #[error("no available tty")]
    NoTerminal,
    /// The run was asked to stop while the question stood.
    #[error("interrupted")]
    Interrupted,
}

/// Asks questions on the controlling terminal, one at a time.
#[async_trait]
pub trait Prompt: Send + Sync {
    /// Shows `question` and returns the line that was typed, without its line end.
    async fn ask(&self, question: &str) -> Result<String, PromptError>;
}
