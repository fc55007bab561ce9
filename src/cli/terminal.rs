//! Questions on the controlling terminal, which need not be standard input.

use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::engine::prompt::{Prompt, PromptError};
use crate::report::Reporter;

/// Asks on `/dev/tty`, one question at a time, with the live view paused.
pub struct TerminalPrompt {
    reporter: Arc<Reporter>,
    turn: Mutex<()>,
}

impl TerminalPrompt {
    /// A prompt beside this reporter.
    pub fn new(reporter: Arc<Reporter>) -> Self {
        Self { reporter, turn: Mutex::new(()) }
    }
}

#[async_trait]
impl Prompt for TerminalPrompt {
    async fn ask(&self, question: &str) -> Result<String, PromptError> {
        let _turn = self.turn.lock().await;
        // Scripts and CI have no terminal: the question is not even shown.
        let tty = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty");
        let mut tty = tty.map_err(|_| PromptError::NoTerminal)?;
        if !in_foreground(&tty) {
            return Err(PromptError::NoTerminal);
        }
        let _quiet = self.reporter.pause();
        let shown = format!("{} ", self.reporter.redact(question));
        tty.write_all(shown.as_bytes()).map_err(|_| PromptError::NoTerminal)?;
        // The reading thread outlives a cancelled question; the process does not wait for it.
        let answer = tokio::task::spawn_blocking(move || read_line(tty)).await;
        answer.unwrap_or(Err(PromptError::Interrupted))
    }
}

fn read_line(tty: std::fs::File) -> Result<String, PromptError> {
    let mut line = String::new();
    match BufReader::new(tty).read_line(&mut line) {
        Ok(0) | Err(_) => Err(PromptError::Interrupted),
        Ok(_) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

/// A background process that reads its terminal would be stopped by the kernel.
fn in_foreground(tty: &std::fs::File) -> bool {
    nix::unistd::tcgetpgrp(tty).is_ok_and(|group| group == nix::unistd::getpgrp())
}
