//! Cuts a template into tokens: text, and what stands between `{{` and `}}`. White space inside an action is a token,
//! since `$x.A` and `$x .A` differ. Trim markers and comments are dealt with here and leave no trace.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Open,
    Close,
    Space,
    Identifier,
    Keyword,
    Bool,
    Nil,
    Dot,
    /// `.Name`
    Field,
    /// `$` or `$name`
    Variable,
    Declare,
    Assign,
    Pipe,
    LeftParen,
    RightParen,
    Char,
    Number,
    QuotedString,
    RawString,
    /// A printable character without a meaning of its own, such as the comma.
    Other,
    /// The last token of a text that could not be cut; its text is the message.
    Error,
    End,
}

/// A piece of the text. `text` is the piece itself, but for [`Kind::Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub text: String,
    /// Byte offset.
    pub position: usize,
    /// From 1.
    pub line: usize,
}

const KEYWORDS: [&str; 10] = ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];

/// Cuts the whole text. The last token is of kind `End` or `Error`.
pub fn tokens(input: &str) -> Vec<Token> {
    let mut lexer = Lexer { input, start: 0, position: 0, counted: 0, line: 1, tokens: Vec::new() };
    if let Err(message) = lexer.run() {
        lexer.counted_to(lexer.start);
        let token = Token { kind: Kind::Error, text: message, position: lexer.start, line: lexer.line };
        lexer.tokens.push(token);
    }
    lexer.tokens
}

struct Lexer<'t> {
    input: &'t str,
    /// Where the token under way begins.
    start: usize,
    position: usize,
    /// Up to here line ends have been counted.
    counted: usize,
    line: usize,
    tokens: Vec<Token>,
}

type Lexed = Result<(), String>;

impl<'t> Lexer<'t> {
    fn run(&mut self) -> Lexed {
        while let Some(offset) = self.rest().find("{{") {
            self.text(offset);
            let body = if self.trims_left() { 4 } else { 2 };
            if self.rest()[body..].starts_with("/*") {
                self.position += body;
                self.start = self.position;
                self.comment()?;
            } else {
                self.position += 2;
                self.emit(Kind::Open);
                self.position += body - 2;
                self.start = self.position;
                self.action()?;
            }
        }
        self.position = self.input.len();
        self.emit_if_any(Kind::Text);
        self.emit(Kind::End);
        Ok(())
    }

    fn rest(&self) -> &'t str {
        &self.input[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let found = self.peek();
        self.position += found.map_or(0, char::len_utf8);
        found
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.position += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    }

    fn counted_to(&mut self, position: usize) {
        if position > self.counted {
            self.line += self.input[self.counted..position].matches('\n').count();
            self.counted = position;
        }
    }

    fn emit(&mut self, kind: Kind) {
        self.counted_to(self.start);
        let text = self.input[self.start..self.position].to_string();
        self.tokens.push(Token { kind, text, position: self.start, line: self.line });
        self.start = self.position;
    }

    fn emit_if_any(&mut self, kind: Kind) {
        if self.position > self.start {
            self.emit(kind);
        }
    }

    /// The text before an action, without the white space that the action's marker cuts off.
    fn text(&mut self, length: usize) {
        let open = self.position + length;
        self.position = open;
        let trims = self.trims_left();
        let text = &self.input[self.start..open];
        self.position = self.start + if trims { text.trim_end_matches(is_space).len() } else { text.len() };
        self.emit_if_any(Kind::Text);
        self.position = open;
        self.start = open;
    }

    /// Whether the `{{` here is followed by a minus sign and white space.
    fn trims_left(&self) -> bool {
        let mut after = self.rest()[2..].chars();
        after.next() == Some('-') && after.next().is_some_and(is_space)
    }

    /// Whether a closing delimiter stands here; its length with the marker, if it has one.
    fn closes(&self) -> Option<usize> {
        let rest = self.rest();
        match rest.strip_prefix(is_space) {
            Some(marker) if marker.starts_with("-}}") => Some(4),
            _ => rest.starts_with("}}").then_some(2),
        }
    }

    fn close(&mut self, length: usize) {
        self.position += length - 2;
        self.start = self.position;
        self.position += 2;
    }

    /// A closing delimiter with a marker eats the white space that follows.
    fn trim_right(&mut self, length: usize) {
        if length > 2 {
            self.skip_while(is_space);
        }
        self.start = self.position;
    }

    fn comment(&mut self) -> Lexed {
        let Some(end) = self.rest()[2..].find("*/") else { return Err("unclosed comment".into()) };
        self.position += end + 4;
        let Some(length) = self.closes() else { return Err("comment ends before closing delimiter".into()) };
        self.position += length;
        self.trim_right(length);
        Ok(())
    }

    fn action(&mut self) -> Lexed {
        let mut depth = 0usize;
        loop {
            self.start = self.position;
            if let Some(length) = self.closes() {
                if depth > 0 {
                    return Err("unclosed left paren".into());
                }
                self.close(length);
                self.emit(Kind::Close);
                self.trim_right(length);
                return Ok(());
            }
            match self.next() {
                Some('(') => {
                    depth += 1;
                    self.emit(Kind::LeftParen);
                }
                Some(')') => {
                    depth = depth.checked_sub(1).ok_or("unexpected right paren")?;
                    self.emit(Kind::RightParen);
                }
                first => self.token(first)?,
            }
        }
    }

    /// One token of an action, whose first character has been taken.
    fn token(&mut self, first: Option<char>) -> Lexed {
        let Some(first) = first else { return Err("unclosed action".into()) };
        match first {
            _ if is_space(first) => self.space(),
            '=' => self.emit(Kind::Assign),
            '|' => self.emit(Kind::Pipe),
            ':' if self.peek() == Some('=') => {
                self.position += 1;
                self.emit(Kind::Declare);
            }
            ':' => return Err("expected :=".into()),
            '"' => self.quoted('"', Kind::QuotedString, "unterminated quoted string")?,
            '\'' => self.quoted('\'', Kind::Char, "unterminated character constant")?,
            '`' => self.raw_string()?,
            '$' => self.name(Kind::Variable, Kind::Variable)?,
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => self.name(Kind::Field, Kind::Dot)?,
            '.' | '+' | '-' | '0'..='9' => {
                self.position = self.start;
                self.number()?;
            }
            _ if is_name(first) => self.identifier()?,
            ' '..='~' => self.emit(Kind::Other),
            _ => return Err(format!("unrecognized character in action: {}", code_point(first))),
        }
        Ok(())
    }

    /// White space, but for its last character if that begins a closing delimiter.
    fn space(&mut self) {
        self.skip_while(is_space);
        if self.rest().starts_with("-}}") {
            self.position -= 1;
        }
        self.emit_if_any(Kind::Space);
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Lexed {
        loop {
            match self.next() {
                Some('\\') => match self.next() {
                    None | Some('\n') => return Err(unterminated.into()),
                    Some(_) => {}
                },
                None | Some('\n') => return Err(unterminated.into()),
                Some(c) if c == quote => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    fn raw_string(&mut self) -> Lexed {
        let Some(end) = self.rest().find('`') else { return Err("unterminated raw quoted string".into()) };
        self.position += end + 1;
        self.emit(Kind::RawString);
        Ok(())
    }

    /// `.Name` or `$name`; `alone` is what the sign is without a name.
    fn name(&mut self, kind: Kind, alone: Kind) -> Lexed {
        if self.at_terminator() {
            self.emit(alone);
            return Ok(());
        }
        self.skip_while(is_name);
        self.terminated()?;
        self.emit(kind);
        Ok(())
    }

    fn identifier(&mut self) -> Lexed {
        self.skip_while(is_name);
        self.terminated()?;
        let kind = match &self.input[self.start..self.position] {
            "true" | "false" => Kind::Bool,
            "nil" => Kind::Nil,
            word if KEYWORDS.contains(&word) => Kind::Keyword,
            _ => Kind::Identifier,
        };
        self.emit(kind);
        Ok(())
    }

    fn terminated(&self) -> Lexed {
        match self.peek() {
            Some(c) if !self.at_terminator() => Err(format!("bad character {}", code_point(c))),
            _ => Ok(()),
        }
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None => true,
            Some(c) => is_space(c) || ".,|:()".contains(c) || self.rest().starts_with("}}"),
        }
    }

    /// A number with a sign before or, as in `1+2i`, amidst. What it means is found out by the parser.
    fn number(&mut self) -> Lexed {
        let mut good = self.scan_number();
        if good && matches!(self.peek(), Some('+' | '-')) {
            good = self.scan_number() && self.input[..self.position].ends_with('i');
        }
        if !good {
            let text = &self.input[self.start..self.position];
            return Err(format!("bad number syntax: {}", super::format::quote(text)));
        }
        self.emit(Kind::Number);
        Ok(())
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let (mut digits, mut exponent) = ("0123456789_", "eE");
        if self.accept("0") {
            if self.accept("xX") {
                (digits, exponent) = ("0123456789abcdefABCDEF_", "pP");
            } else if self.accept("oO") {
                (digits, exponent) = ("01234567_", "");
            } else if self.accept("bB") {
                (digits, exponent) = ("01_", "");
            }
        }
        self.skip_while(|c| digits.contains(c));
        if self.accept(".") {
            self.skip_while(|c| digits.contains(c));
        }
        if self.accept(exponent) {
            self.accept("+-");
            self.skip_while(|c| c.is_ascii_digit() || c == '_');
        }
        self.accept("i");
        let ends = !self.peek().is_some_and(is_name);
        if !ends {
            self.next();
        }
        ends
    }

    fn accept(&mut self, any_of: &str) -> bool {
        let found = self.peek().is_some_and(|c| any_of.contains(c));
        self.position += usize::from(found);
        found
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn code_point(c: char) -> String {
    let character = if super::format::is_printable(c) { format!(" '{c}'") } else { String::new() };
    format!("U+{:04X}{character}", u32::from(c))
}
