//! The lines of a file as the formatter sees them: what leads, what is assigned, and the comment at the end.

use super::lexer::{Kind, Token};
use super::spacing::bracket;

/// A token and how many spaces stand before it.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'t> {
    pub token: Token<'t>,
    pub spaces: usize,
}

/// The tokens of a line, its end included, and where its cells begin. A line goes on through heredocs.
#[derive(Debug)]
pub struct Line<'t> {
    pub tokens: Vec<Placed<'t>>,
    /// Index of the equals sign, if what it assigns ends on this line.
    pub assign: Option<usize>,
    /// Index of the comment, if something stands before it.
    pub comment: Option<usize>,
}

impl<'t> Line<'t> {
    fn new(tokens: Vec<Placed<'t>>) -> Line<'t> {
        let comment = tokens.len().checked_sub(1).filter(|last| *last > 0 && tokens[*last].token.kind == Kind::Comment);
        let code = &tokens[..comment.unwrap_or(tokens.len())];
        let assign = assignment(code);
        Line { tokens, assign, comment }
    }

    /// The tokens before the comment.
    pub fn code(&self) -> &[Placed<'t>] {
        &self.tokens[..self.comment.unwrap_or(self.tokens.len())]
    }

    pub fn is_blank(&self) -> bool {
        self.tokens.first().is_none_or(|first| first.token.kind == Kind::Newline)
    }
}

/// Index of the first equals sign, unless the line begins with it or leaves brackets open behind it.
fn assignment(code: &[Placed<'_>]) -> Option<usize> {
    let equal = code.iter().skip(1).position(|placed| placed.token.kind == Kind::Equal)? + 1;
    let open: i32 = code[equal..].iter().map(|placed| bracket(placed.token.kind)).sum();
    (open == 0).then_some(equal)
}

/// Cuts the tokens into lines. Comments that include their line end also end the line.
pub fn lines(tokens: Vec<Token<'_>>) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut current = Vec::new();
    for token in tokens {
        let ends = token.kind == Kind::Newline || (token.kind == Kind::Comment && token.text.ends_with('\n'));
        current.push(Placed { token, spaces: 0 });
        if ends {
            lines.push(Line::new(std::mem::take(&mut current)));
        }
    }
    if !current.is_empty() {
        lines.push(Line::new(current));
    }
    lines
}
