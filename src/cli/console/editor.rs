//! The conversation on a terminal, with line editing, completion and a history that ends with it: expressions may hold
//! secrets.

use std::cell::Cell;
use std::process::ExitCode;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::session::Session;
use super::{completion, openness, show};
use crate::report::Reporter;

const PROMPT: &str = "> ";

/// Asks and answers until the user leaves.
///
/// # Errors
/// When the terminal can't be read.
pub fn converse(session: &Session, reporter: &Reporter) -> rustyline::Result<ExitCode> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .history_ignore_dups(true)?
        .build();
    let history = MemHistory::with_config(&config);
    let mut editor: Editor<Line<'_>, MemHistory> = Editor::with_history(config, history)?;
    editor.set_helper(Some(Line { session, is_empty: Cell::new(true) }));
    loop {
        if let Some(line) = editor.helper() {
            line.is_empty.set(true);
        }
        // What was answered is on the terminal before the next prompt is.
        let read = reporter.suspend(|| editor.readline(PROMPT));
        match read {
            Ok(text) => match text.trim() {
                "exit" => return Ok(ExitCode::SUCCESS),
                "" => {}
                line => {
                    editor.add_history_entry(line)?;
                    show(session.answer(line), reporter);
                }
            },
            // Ctrl-C gives a line up; on an empty one it leaves.
            Err(ReadlineError::Interrupted) if editor.helper().is_some_and(|line| !line.is_empty.get()) => {}
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => return Ok(ExitCode::SUCCESS),
            Err(ReadlineError::Signal(_)) => {}
            Err(error) => return Err(error),
        }
    }
}

/// What the editor asks about the line being edited.
struct Line<'a> {
    session: &'a Session,
    /// Whether nothing is typed: the editor does not tell when it is interrupted.
    is_empty: Cell<bool>,
}

impl Helper for Line<'_> {}

impl Highlighter for Line<'_> {}

impl Hinter for Line<'_> {
    type Hint = String;

    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        self.is_empty.set(line.is_empty());
        None
    }
}

impl Completer for Line<'_> {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(completion::candidates(self.session, &line[..at]))
    }
}

impl Validator for Line<'_> {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match openness::goes_on(context.input()) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}
