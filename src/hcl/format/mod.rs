//! The canonical format of HCL: indentation, single spaces, aligned equals signs and comments. Only blanks change: tokens,
//! line ends, comments and the text of strings and heredocs stay as they are.
//!
//! ```text
//! lexer -> line (cells) -> indent -> spacing -> align -> text
//! ```

mod align;
mod indent;
mod lexer;
mod line;
mod spacing;

use std::ops::Range;

pub(super) use lexer::Kind;
use line::Line;

/// The text in canonical format. Text that is no HCL is formatted as far as its tokens go; nothing of it is lost.
pub fn format(text: &str) -> String {
    let (tokens, trailing) = lexer::tokens(text);
    let mut lines = line::lines(tokens);
    indent::indent(&mut lines);
    lines.iter_mut().for_each(space);
    align::align(&mut lines);
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for placed in lines.iter().flat_map(|line| &line.tokens) {
        out.extend(std::iter::repeat_n(' ', placed.spaces));
        out.push_str(placed.token.text);
    }
    // Blanks at the end of the file are kept, as spaces.
    out.extend(std::iter::repeat_n(' ', trailing));
    out
}

/// Where the comments of a text are, in order.
pub fn comments(text: &str) -> Vec<Range<usize>> {
    tokens_with_places(text).filter(|(kind, _)| *kind == Kind::Comment).map(|(_, place)| place).collect()
}

/// The kinds of the tokens of a text, each with its place.
pub(super) fn tokens_with_places(text: &str) -> impl Iterator<Item = (Kind, Range<usize>)> {
    let (tokens, _) = lexer::tokens(text);
    tokens.into_iter().map(|token| {
        let start = token.text.as_ptr().addr() - text.as_ptr().addr();
        (token.kind, start..start + token.text.len())
    })
}

/// Sets the spaces between the tokens of a line.
fn space(line: &mut Line<'_>) {
    for index in 1..line.tokens.len() {
        let before = index.checked_sub(2).map(|before| line.tokens[before].token);
        let (left, right) = (line.tokens[index - 1].token, line.tokens[index].token);
        line.tokens[index].spaces = usize::from(spacing::is_spaced(before.as_ref(), &left, &right));
    }
}

#[cfg(test)]
mod tests;
