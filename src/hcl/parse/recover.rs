//! Going on after a syntax error: the broken block is taken out of sight and the rest is read again.

use std::ops::Range;

use hcl::edit::parser::Error;

use super::explain;
use super::repair::{Repaired, place};
use super::slips;
use crate::hcl::diagnostics::{Diagnostic, FileId, Span};

/// Whether it is worth to look for more errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The broken part is out of sight: parse again.
    Again,
    /// Nothing can be told apart any more.
    Stop,
}

/// Describes a syntax error and takes the block that has it out of sight.
pub(super) fn after(file: FileId, text: &str, repaired: &mut Repaired<'_>, error: &Error) -> (Diagnostic, Next) {
    let at = place(text, error);
    let starts = block_starts(text);
    let from = starts.iter().copied().filter(|start| *start <= at).max().unwrap_or(0);
    if let Some(slip) = slips::find(file, repaired.seen(), from, at) {
        // What follows an open string was read as its text, so only what starts after the slip's own block is to be trusted.
        let start = slip.span.as_ref().map_or(0, |span| span.range.start);
        let from = starts.iter().copied().filter(|own| *own <= start).max().unwrap_or(0);
        let until = starts.iter().copied().find(|own| *own > start);
        if from == 0 && until.is_none() {
            return (slip, Next::Stop);
        }
        repaired.blank(from..until.unwrap_or(text.len()));
        return (slip, Next::Again);
    }
    if text[at..].trim().len() <= 1
        && !text[at..].starts_with(explain::is_stray)
        && let Some(header) = unclosed(text, &starts)
    {
        let detail = "There is no closing brace for this block before the next one or the end of the file.";
        return (Diagnostic::error("Unclosed configuration block", detail).at(&Span::new(file, header)), Next::Stop);
    }
    let diagnostic = explain::explain(file, text, at, error.message());
    let Some(until) = starts.iter().copied().find(|start| *start > at) else {
        // The last block: what stands before it may still have errors of another kind.
        if from == 0 {
            return (diagnostic, Next::Stop);
        }
        repaired.blank(from..text.len());
        return (diagnostic, Next::Again);
    };
    repaired.blank(from..until);
    (diagnostic, Next::Again)
}

/// Where lines start that look like the header of a block at the left margin.
fn block_starts(text: &str) -> Vec<usize> {
    let mut at = 0;
    let mut starts = Vec::new();
    for line in text.split_inclusive('\n') {
        if is_header(line) {
            starts.push(at);
        }
        at += line.len();
    }
    starts
}

/// A word, any more words or strings, and a brace: `kind "label" {`.
fn is_header(line: &str) -> bool {
    let Some(head) = line.split('{').next().filter(|head| head.len() < line.len()) else { return false };
    let word = |text: &str| text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    let label = |text: &str| word(text) || (text.len() > 1 && text.starts_with('"') && text.ends_with('"'));
    let starts_well = head.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let mut parts = head.split_whitespace();
    starts_well && parts.next().is_some_and(word) && parts.all(label)
}

/// The first line of the first block that does not end before the next one starts.
fn unclosed(text: &str, starts: &[usize]) -> Option<Range<usize>> {
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let mut blocks = starts.iter().copied().zip(ends);
    let (start, _) = blocks.find(|(start, end)| hcl::edit::parser::parse_body(&text[*start..*end]).is_err())?;
    let line = text[start..].lines().next().unwrap_or_default();
    Some(start..start + line.trim_end().len())
}
