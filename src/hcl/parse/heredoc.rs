//! Heredocs whose text has lines that start with their own word.
//!
//! The word ends a heredoc only where it stands alone on a line. The parser takes it for the end also where more follows
//! (`EOF | sh`). So the word of such a heredoc is exchanged for another one of the same length before the text is parsed.

use std::ops::Range;

use crate::hcl::format::{Kind, tokens_with_places};

/// More heredocs within each other than the language allows nested levels.
const MAX_NESTED: usize = 64;

/// A heredoc.
struct Heredoc {
    /// Where its mark starts.
    start: usize,
    /// The word that starts it.
    opens: Range<usize>,
    /// From its first line to the line that ends it, or to the end of the text.
    content: Range<usize>,
    /// The word that ends it.
    closes: Option<Range<usize>>,
}

/// The text with other words around the heredocs that the parser would end too early; every byte stays in its place.
pub(super) fn disguised(text: &str) -> String {
    let mut disguised = text.to_owned();
    for heredoc in heredocs(text) {
        if let (true, Some(closes)) = (heredoc.content.is_empty(), &heredoc.closes) {
            // The parser wants a line before the one that ends it.
            let place = heredoc.start..closes.end;
            let empty = format!("{:width$}", "\"\"", width = place.len());
            disguised.replace_range(place, &empty);
            continue;
        }
        let word = &text[heredoc.opens.clone()];
        if !starts_a_line(word, &text[heredoc.content.clone()]) {
            continue;
        }
        let Some(other) = other_word(word.len(), &text[heredoc.content.clone()]) else { continue };
        for place in [Some(heredoc.opens), heredoc.closes].into_iter().flatten() {
            disguised.replace_range(place, &other);
        }
    }
    disguised
}

fn heredocs(text: &str) -> Vec<Heredoc> {
    let (mut found, mut open) = (Vec::new(), Vec::new());
    if !text.contains("<<") {
        return found;
    }
    for (kind, place) in tokens_with_places(text) {
        match kind {
            Kind::OpenHeredoc => {
                let mark = text[place.clone()].trim_end();
                let word = mark.trim_start_matches(['<', '-']);
                let start = place.start + mark.len() - word.len();
                if open.len() == MAX_NESTED {
                    // The parser refuses it; looking into each of thousands would take for ever.
                    return Vec::new();
                }
                let (opens, content) = (start..start + word.len(), place.end..text.len());
                open.push(Heredoc { start: place.start, opens, content, closes: None });
            }
            Kind::CloseHeredoc => {
                let Some(heredoc) = open.pop() else { continue };
                let line = &text[place.clone()];
                let start = place.start + line.len() - line.trim_start().len();
                let closes = Some(start..start + heredoc.opens.len());
                found.push(Heredoc { content: heredoc.content.start..place.start, closes, ..heredoc });
            }
            _ => {}
        }
    }
    found.extend(open);
    found
}

/// Whether a line starts with the word, blanks aside, in a way that the parser takes for the end.
fn starts_a_line(word: &str, content: &str) -> bool {
    let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'));
    let mut lines = content.lines().filter_map(|line| line.trim_start_matches([' ', '\t']).strip_prefix(word));
    lines.any(|rest| !goes_on(rest))
}

/// A word of this many bytes that starts no line.
fn other_word(length: usize, content: &str) -> Option<String> {
    let words = ('a'..='z').chain('A'..='Z').map(|letter| letter.to_string().repeat(length));
    words.into_iter().find(|word| !starts_a_line(word, content))
}
