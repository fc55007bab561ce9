//! Cuts a file into tokens that keep every byte of it, but for the blanks between them. It knows quotes, heredocs and the
//! interpolations in them, and takes whatever it does not know for a token of its own: it never fails.

/// What a token is, as far as formatting cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Identifier,
    Number,
    /// An arithmetic, comparing or logical operator that has no kind of its own here.
    Operator,
    /// Another sign, such as `=>` or `;`.
    Sign,
    Minus,
    Bang,
    Equal,
    Question,
    Colon,
    DoubleColon,
    Comma,
    Dot,
    Ellipsis,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    OpenParen,
    CloseParen,
    OpenQuote,
    CloseQuote,
    /// `<<NAME` with its line end.
    OpenHeredoc,
    /// The end marker, with the blanks around it.
    CloseHeredoc,
    /// Text between quotes or in a heredoc.
    Text,
    /// `${`, `%{`, also with `~`.
    OpenTemplate,
    /// The `}` or `~}` that ends one.
    CloseTemplate,
    /// A comment; those of `#` and `//` include their line end.
    Comment,
    Newline,
    Unknown,
}

/// A token and the blanks that stood before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'t> {
    pub kind: Kind,
    pub text: &'t str,
}

/// Cuts the text. Joined, the tokens are the text without the blanks between them. Also tells how many blanks stand after
/// the last token.
pub fn tokens(text: &str) -> (Vec<Token<'_>>, usize) {
    let mut lexer =
        Lexer { text, position: 0, contexts: Vec::new(), tokens: Vec::new(), blanks: 0, comments_unclosed: false };
    while lexer.position < text.len() {
        lexer.blanks = 0;
        lexer.next();
    }
    (lexer.tokens, lexer.blanks)
}

/// What the lexer is inside of.
#[derive(Clone, Copy)]
enum Context<'t> {
    Quotes,
    Heredoc {
        marker: &'t str,
    },
    /// An interpolation or a directive, with so many braces open in it.
    Template {
        braces: usize,
    },
}

struct Lexer<'t> {
    text: &'t str,
    position: usize,
    contexts: Vec<Context<'t>>,
    tokens: Vec<Token<'t>>,
    /// Length of the blanks just passed.
    blanks: usize,
    /// Set once a `/*` had no end, so that the next one is not looked for in vain.
    comments_unclosed: bool,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.position..]
    }

    fn emit(&mut self, kind: Kind, length: usize) {
        let text = &self.rest()[..length];
        self.tokens.push(Token { kind, text });
        self.position += length;
    }

    fn next(&mut self) {
        match self.contexts.last().copied() {
            Some(Context::Quotes) => self.quoted(),
            Some(Context::Heredoc { marker }) => self.heredoc(marker),
            Some(Context::Template { .. }) | None => self.expression(),
        }
    }

    /// The text of a template up to what interrupts it, or the interruption.
    fn quoted(&mut self) {
        let rest = self.rest();
        match template_text(rest, Within::Quotes) {
            0 if rest.starts_with('"') => {
                self.contexts.pop();
                self.emit(Kind::CloseQuote, 1);
            }
            0 if rest.starts_with(['\n', '\r']) => {
                // No string goes over the line end; the quote was a slip.
                self.contexts.pop();
            }
            0 => self.open_template(),
            length => self.emit(Kind::Text, length),
        }
    }

    /// A line of a heredoc, up to an interpolation in it, or the end marker.
    fn heredoc(&mut self, marker: &'t str) {
        let rest = self.rest();
        if self.text[..self.position].ends_with('\n') {
            let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
            if line.trim() == marker {
                self.contexts.pop();
                return self.emit(Kind::CloseHeredoc, line.trim_end_matches('\r').len());
            }
        }
        match template_text(rest, Within::Heredoc) {
            0 => self.open_template(),
            length => self.emit(Kind::Text, length),
        }
    }

    fn open_template(&mut self) {
        let length = if self.rest()[2..].starts_with('~') { 3 } else { 2 };
        self.contexts.push(Context::Template { braces: 0 });
        self.emit(Kind::OpenTemplate, length);
    }

    fn expression(&mut self) {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        match first {
            ' ' | '\t' => {
                self.blanks = run(rest, |c| matches!(c, ' ' | '\t'));
                self.position += self.blanks;
            }
            '\n' => self.emit(Kind::Newline, 1),
            '\r' if rest.starts_with("\r\n") => self.emit(Kind::Newline, 2),
            '#' => self.line_comment(),
            '/' if rest.starts_with("//") => self.line_comment(),
            '/' if rest.starts_with("/*") && !self.comments_unclosed => self.block_comment(),
            '"' => {
                self.contexts.push(Context::Quotes);
                self.emit(Kind::OpenQuote, 1);
            }
            '<' if rest.starts_with("<<") => self.heredoc_start(),
            '{' | '}' | '~' => self.brace(first),
            '0'..='9' => self.emit(Kind::Number, number(rest)),
            _ if is_name_start(first) => self.emit(Kind::Identifier, run(rest, is_name)),
            _ => self.sign(first),
        }
    }

    fn block_comment(&mut self) {
        match self.rest()[2..].find("*/") {
            Some(end) => self.emit(Kind::Comment, end + 4),
            None => {
                self.comments_unclosed = true;
                self.emit(Kind::Operator, 1);
            }
        }
    }

    fn line_comment(&mut self) {
        let rest = self.rest();
        self.emit(Kind::Comment, rest.find('\n').map_or(rest.len(), |end| end + 1));
    }

    fn heredoc_start(&mut self) {
        let rest = self.rest();
        let sign = if rest.starts_with("<<-") { 3 } else { 2 };
        let name = run(&rest[sign..], is_name);
        let blanks = run(&rest[sign + name..], |c| matches!(c, ' ' | '\t'));
        let end = sign + name + blanks;
        let line_end = ["\n", "\r\n"].into_iter().find(|line_end| rest[end..].starts_with(line_end));
        match line_end {
            Some(line_end) if rest[sign..].starts_with(is_name_start) => {
                let marker = &rest[sign..sign + name];
                self.contexts.push(Context::Heredoc { marker });
                self.emit(Kind::OpenHeredoc, end + line_end.len());
            }
            _ => self.emit(Kind::Operator, 1),
        }
    }

    /// Braces are counted, to know which one ends the interpolation that they are in.
    fn brace(&mut self, first: char) {
        let rest = self.rest();
        let close_template = if rest.starts_with("~}") { 2 } else { 1 };
        match (first, self.contexts.last_mut()) {
            ('{', Some(Context::Template { braces })) => {
                *braces += 1;
                self.emit(Kind::OpenBrace, 1);
            }
            ('{', _) => self.emit(Kind::OpenBrace, 1),
            (_, Some(Context::Template { braces: 0 })) if first == '}' || close_template == 2 => {
                self.contexts.pop();
                self.emit(Kind::CloseTemplate, close_template);
            }
            ('}', Some(Context::Template { braces })) => {
                *braces -= 1;
                self.emit(Kind::CloseBrace, 1);
            }
            ('}', _) => self.emit(Kind::CloseBrace, 1),
            _ => self.emit(Kind::Sign, 1),
        }
    }

    fn sign(&mut self, first: char) {
        let rest = self.rest();
        if rest.starts_with("...") {
            return self.emit(Kind::Ellipsis, 3);
        }
        if rest.starts_with("::") {
            return self.emit(Kind::DoubleColon, 2);
        }
        if rest.starts_with("=>") {
            return self.emit(Kind::Sign, 2);
        }
        if ["==", "!=", ">=", "<=", "&&", "||"].iter().any(|pair| rest.starts_with(pair)) {
            return self.emit(Kind::Operator, 2);
        }
        let kind = match first {
            '-' => Kind::Minus,
            '!' => Kind::Bang,
            '=' => Kind::Equal,
            '?' => Kind::Question,
            ':' => Kind::Colon,
            ',' => Kind::Comma,
            '.' => Kind::Dot,
            '[' => Kind::OpenBracket,
            ']' => Kind::CloseBracket,
            '(' => Kind::OpenParen,
            ')' => Kind::CloseParen,
            '+' | '*' | '/' | '%' | '<' | '>' => Kind::Operator,
            _ if first.is_ascii_punctuation() => Kind::Sign,
            _ => Kind::Unknown,
        };
        self.emit(kind, first.len_utf8());
    }
}

/// What a template stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Quotes,
    Heredoc,
}

/// Length of the text before an interpolation: in quotes also before the closing quote and the line end, in a heredoc with
/// the line end. It is cut at ASCII characters only, so always between characters.
fn template_text(text: &str, within: Within) -> usize {
    let bytes = text.as_bytes();
    let quotes = within == Within::Quotes;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\n' if !quotes => return at + 1,
            b'"' | b'\n' if quotes => return at,
            b'\r' if quotes && bytes.get(at + 1) == Some(&b'\n') => return at,
            // An escaped line end is none: the string ends there all the same.
            b'\\' if quotes && !matches!(bytes.get(at + 1), None | Some(b'\n' | b'\r')) => at += 2,
            // `$${` and `%%{` are how one writes `${` and `%{`.
            sign @ (b'$' | b'%') if bytes.get(at + 1) == Some(&sign) && bytes.get(at + 2) == Some(&b'{') => at += 3,
            b'$' | b'%' if bytes.get(at + 1) == Some(&b'{') => return at,
            _ => at += 1,
        }
    }
    text.len()
}

/// Length of a number: digits with points, exponents and their signs, but no point at the end.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = run(text, |c| c.is_ascii_digit());
    loop {
        let digits = |from: usize| bytes[from.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
        let sign = match bytes.get(end) {
            Some(b'.') => 1,
            Some(b'e' | b'E') if matches!(bytes.get(end + 1), Some(b'+' | b'-')) => 2,
            Some(b'e' | b'E') => 1,
            _ => return end,
        };
        match digits(end + sign) {
            0 => return end,
            count => end += sign + count,
        }
    }
}

/// Length of what the text begins with.
fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

fn is_name_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_name(c: char) -> bool {
    matches!(c, '_' | '-')
        || c.is_alphanumeric()
        || !c.is_ascii() && !c.is_whitespace() && !c.is_control() && is_mark(c)
}

/// Combining marks go on with a name: the standard library escapes them, and them only, at the start of a text.
fn is_mark(c: char) -> bool {
    c.escape_debug().len() > 1 && ['a', c].iter().collect::<String>().escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        tokens(text).0.into_iter().map(|token| (token.kind, token.text)).collect()
    }

    #[test]
    fn interpolations_within_quotes_within_interpolations() {
        use Kind::{CloseQuote, CloseTemplate, OpenQuote, OpenTemplate, Text};
        let expected = [
            (OpenQuote, "\""),
            (Text, "a$${b}\\\""),
            (OpenTemplate, "${~"),
            (Kind::OpenBrace, "{"),
            (OpenQuote, "\""),
            (OpenTemplate, "%{"),
            (Kind::Identifier, "x"),
            (CloseTemplate, "~}"),
            (CloseQuote, "\""),
            (Kind::CloseBrace, "}"),
            (CloseTemplate, "}"),
            (CloseQuote, "\""),
        ];
        assert_eq!(kinds("\"a$${b}\\\"${~ {\"%{ x ~}\"} }\""), expected);
    }

    #[test]
    fn heredocs() {
        use Kind::{CloseHeredoc, CloseTemplate, Identifier, Newline, OpenHeredoc, OpenTemplate, Text};
        let expected = [
            (OpenHeredoc, "<<-EOT\n"),
            (Text, "  a EOT\n"),
            (Text, "\n"),
            (OpenTemplate, "${"),
            (Identifier, "x"),
            (CloseTemplate, "}"),
            (Text, " \"\n"),
            (CloseHeredoc, "  EOT"),
            (Newline, "\n"),
        ];
        assert_eq!(kinds("<<-EOT\n  a EOT\n\n${x} \"\n  EOT\n"), expected);
    }

    #[test]
    fn numbers_and_names() {
        use Kind::{Dot, Identifier, Number};
        assert_eq!(kinds("1.5e-3"), [(Number, "1.5e-3")]);
        assert_eq!(kinds("1.a"), [(Number, "1"), (Dot, "."), (Identifier, "a")]);
        assert_eq!(kinds("a-b_1"), [(Identifier, "a-b_1")]);
    }
}
