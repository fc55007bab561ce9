//! The parser's errors in the language's words.

use crate::hcl::diagnostics::{Diagnostic, FileId, Span};

/// A syntax error at a place, from the parser's message and from what stands there.
pub(super) fn explain(file: FileId, text: &str, at: usize, message: &str) -> Diagnostic {
    let at = at.min(text.len());
    let rest = text.get(at..).unwrap_or_default();
    let (summary, detail) = by_message(message)
        .or_else(|| by_lines(text, at, message))
        .or_else(|| by_text(text, at))
        .unwrap_or_else(|| by_rest(rest, message));
    let length = match rest.chars().next() {
        None | Some('\n' | '\r') => 0,
        Some(c) if is_part(c) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
        Some(c) => c.len_utf8(),
    };
    Diagnostic::error(summary, detail).at(&Span::new(file, at..at + length))
}

/// The place that the parser means: it has already passed one sign of some that it did not expect.
pub(super) fn real_place(text: &str, at: usize, message: &str) -> usize {
    let Some(last) = text[..at].chars().next_back() else { return at };
    let before = at - last.len_utf8();
    if message.contains("invalid escape sequence") {
        return text[..before].rfind('\\').unwrap_or(before);
    }
    let half = matches!(last, '&' | '|') && !text[..before].ends_with(last) && !text[at..].starts_with(last);
    if half || message.contains("object value assignment") { before } else { at }
}

/// A name in quotes before an equals sign or a colon: the length of the name, and where the sign stands.
pub(super) fn quoted_argument(item: &str) -> Option<(usize, usize)> {
    let name = item.strip_prefix('"')?.split('"').next()?;
    let sign = name.len() + 2;
    let rest = item.get(sign..)?;
    let sign = sign + rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let is_sign = item[sign..].starts_with(':') || item[sign..].starts_with('=') && !item[sign..].starts_with("==");
    (is_name(name) && is_sign).then_some((name.len(), sign))
}

/// What is said of such a name.
pub(super) fn quoted_name(file: FileId, text: &str, start: usize) -> Diagnostic {
    let name = text[start + 1..].split('"').next().unwrap_or_default();
    Diagnostic::error("Invalid argument name", "The name of an argument stands without quotes.")
        .at(&Span::new(file, start..start + name.len() + 2))
        .hint(format!("write {name} = …"))
}

/// A text without any expression.
pub(super) fn missing_expression(file: FileId, text: &str) -> Option<Diagnostic> {
    let mut rest = text.trim_start();
    loop {
        rest = match rest.get(..2) {
            _ if rest.starts_with('#') => rest.split_once('\n').map_or("", |(_, rest)| rest),
            Some("//") => rest.split_once('\n').map_or("", |(_, rest)| rest),
            Some("/*") => rest.split_once("*/").map_or("", |(_, rest)| rest),
            _ => break,
        }
        .trim_start();
    }
    rest.is_empty().then(|| {
        Diagnostic::error("Missing expression", "Expected the start of an expression, but found the end of the text.")
            .at(&Span::new(file, text.len()..text.len()))
    })
}

const LONE_RETURN: &str = "Invalid line ends";
const LONE_RETURN_DETAIL: &str =
    "A line ends with a lone CR here, as on very old Macintosh systems. Save the file with LF or CRLF line ends.";

/// A file whose only line ends are lone CRs: to the language it is one line, and wholly a comment if it begins with one.
pub(super) fn lone_returns(file: FileId, text: &str) -> Option<Diagnostic> {
    let at = text.trim_end().find('\r').filter(|_| !text.contains('\n'))?;
    Some(Diagnostic::error(LONE_RETURN, LONE_RETURN_DETAIL).at(&Span::new(file, at..at + 1)))
}

/// What the parser says clearly.
fn by_message(message: &str) -> Option<(&'static str, String)> {
    let is = |part: &str| message.contains(part);
    let (summary, detail) = if is("nesting depth") {
        ("Too many nested levels", "Blocks, expressions and templates can be nested at most 64 levels deep.")
    } else if is("chained binary operators") {
        ("Expression too long", "At most 128 operators can follow each other; put parts of the expression into locals.")
    } else if is("heredoc end delimiter") {
        ("Unterminated heredoc", "The word that starts the heredoc must stand alone on a line to end it.")
    } else if is("invalid escape sequence") {
        (
            "Invalid escape sequence",
            "After a backslash only n, r, t, \", \\, u and U are allowed. For a backslash itself, write two.",
        )
    } else if is("hex code") {
        ("Invalid escape sequence", "\\u takes four hexadecimal digits and \\U eight, of an existing character.")
    } else if is("redefined object key") {
        ("Duplicate object key", "The object has this key twice.")
    } else if is("redefined attribute") {
        ("Attribute redefined", "The body has this attribute twice.")
    } else if is("object value assignment") {
        ("Missing value in object", "After an object's key, = and a value are expected.")
    } else if is("traversal operator") {
        ("Invalid attribute name", "An attribute name, an index or * is expected after a dot.")
    } else {
        return None;
    };
    Some((summary, detail.to_owned()))
}

/// Lines that end where they should not, or do not end where they should.
fn by_lines(text: &str, at: usize, message: &str) -> Option<(&'static str, String)> {
    let rest = text.get(at..)?;
    let before = text[..at].rsplit('\n').next().unwrap_or_default();
    let opened = || before.matches('{').count() > before.matches('}').count();
    let (summary, detail) = match rest.chars().next()? {
        '\r' if !rest.starts_with("\r\n") => (LONE_RETURN, LONE_RETURN_DETAIL),
        '\n' | '\r' if message.contains("`}`") && message.contains("identifier") && opened() => (
            "Missing closing brace",
            "A block that has an argument on the line of its opening brace must close on that line, too. Write the closing \
             brace there, or every argument on a line of its own.",
        ),
        '}' if message.contains("newline") && before.contains('=') && !opened() => {
            ("Missing line break", "The closing brace of a block over several lines must stand on a line of its own.")
        }
        _ => return None,
    };
    Some((summary, detail.to_owned()))
}

/// What the character at the place tells.
fn by_text(text: &str, at: usize) -> Option<(&'static str, String)> {
    let rest = text.get(at..)?;
    let line = rest.lines().next().unwrap_or_default();
    let before = text[..at].rsplit('\n').next().unwrap_or_default();
    let (summary, detail) = match rest.chars().next() {
        None if in_string(before) => {
            ("Unterminated string", "No closing quote was found on the string's line.".to_owned())
        }
        None if before.trim_end().ends_with('=') => {
            ("Missing expression", "Expected the start of an expression, but found the end of the text.".to_owned())
        }
        None => ("Unexpected end", "The text ends in the middle of an expression or block.".to_owned()),
        Some('>') if before.ends_with('=') => {
            ("Invalid expression", "A key and its value are joined by = or :, as in { key = value }.".to_owned())
        }
        Some(c) if is_part(c) && number_before(before).is_some() => {
            let word = format!("{}{}", number_before(before)?, rest.split(|c| !is_part(c)).next().unwrap_or_default());
            ("Invalid number", format!("{word} is neither a number nor a name. A text stands in quotes: \"{word}\"."))
        }
        Some('\'') => {
            ("Invalid character", "Single quotes are not valid. Use double quotes (\") around strings.".to_owned())
        }
        Some(';') => (
            "Invalid character",
            "A semicolon is not valid. Use line breaks between arguments and blocks, and commas between items."
                .to_owned(),
        ),
        Some(c) if is_stray(c) => {
            let number = u32::from(c);
            ("Invalid character", format!("The control character U+{number:04X} is not valid here. Delete it."))
        }
        Some(':') if is_name(before.trim()) => (
            "Missing equals sign",
            format!("An argument is written {} = …, with an equals sign instead of the colon.", before.trim()),
        ),
        Some(',') if before.contains('{') && before.contains('=') => (
            "Invalid separator",
            "The arguments of a block are not separated by commas: write each on a line of its own.".to_owned(),
        ),
        Some('}') if before.trim().is_empty() && !text[..at].contains('{') => {
            ("Unexpected closing brace", "There is no opening brace that belongs to this closing one.".to_owned())
        }
        Some(c) if c.is_alphabetic() && before.trim_end().ends_with('"') && line.contains('"') => (
            "Unexpected text after a string",
            "The string ends before this. A double quote inside a string is written \\\".".to_owned(),
        ),
        Some(_) if operator(before, line).is_some() => {
            let (word, sign) = operator(before, line)?;
            ("Invalid expression", format!("There is no word {word} in expressions: write {sign}."))
        }
        Some('`') => ("Invalid character", "A back-quote is not valid. Use a heredoc for text over several lines.".into()),
        Some('\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}') => {
            ("Invalid character", "Typographic quotes are not valid. Use straight double quotes (\").".into())
        }
        Some('"') if in_string(before) && before.contains("${") => (
            "Unclosed template interpolation",
            "There is no closing brace for the ${ before the end of the string. Write $${ for a literal ${.".to_owned(),
        ),
        Some('"') if !closes(line) => ("Unterminated string", "No closing quote was found on the string's line.".into()),
        _ if line.starts_with('"') && (line.contains("${") || line.contains("%{"))
            || line.starts_with("%{")
            || line.starts_with("${")
            || is_name(line.split('=').next().unwrap_or_default().trim()) && line.contains("%{") => (
            "Invalid template",
            "The string's template is not well-formed: check that every ${ and %{ is closed, and that every if and for \
             has its endif or endfor. Write $${ and %%{ for a literal ${ and %{."
                .to_owned(),
        ),
        Some(c) if "&|".contains(c) && !before.ends_with(c) => {
            ("Unsupported operator", format!("There is no {c} operator. Did you mean {c}{c}?"))
        }
        _ => return None,
    };
    Some((summary, detail))
}

/// Whether a character is none that a text editor shows.
pub(super) fn is_stray(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
}

/// The digits right before a place, if they are no part of a name.
fn number_before(before: &str) -> Option<&str> {
    let start = before.trim_end_matches(|c: char| is_part(c) || c == '.').len();
    Some(&before[start..]).filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// Whether a text is one name.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// A word that other languages have where this one has a sign, at the place or right before it.
fn operator(before: &str, line: &str) -> Option<(&'static str, &'static str)> {
    const WORDS: [(&str, &str); 6] = [
        ("and", "&&"),
        ("or", "||"),
        ("not", "!"),
        ("if", "CONDITION ? YES : NO"),
        ("then", "CONDITION ? YES : NO"),
        ("else", "CONDITION ? YES : NO"),
    ];
    let here = line.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let last = before.trim_end().rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    WORDS.into_iter().find(|(word, _)| *word == here || *word == last)
}

/// Whether a string that starts the line ends on it.
fn closes(line: &str) -> bool {
    let mut escaped = false;
    line.chars().skip(1).any(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })
}

/// Whether every parenthesis is closed; those in strings count too, which at worst gives a less fitting message.
pub(super) fn is_balanced(text: &str) -> bool {
    text.matches('(').count() == text.matches(')').count()
}

/// Whether a string is open where the line's beginning ends.
fn in_string(before: &str) -> bool {
    let mut escaped = false;
    let quotes = before.chars().filter(|c| {
        let counts = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        counts
    });
    quotes.count() % 2 == 1
}

/// What is there and what the parser would rather have.
fn by_rest(rest: &str, message: &str) -> (&'static str, String) {
    let found = match rest.chars().next() {
        Some('\n' | '\r') => "a line break".to_owned(),
        Some(c) if is_part(c) => format!("{:?}", rest.chars().take_while(|c| is_part(*c)).take(40).collect::<String>()),
        Some(c) => format!("{:?}", c.to_string()),
        None => "the end of the text".to_owned(),
    };
    let expected = message.strip_prefix("expected ").or(message.split_once("; expected ").map(|(_, rest)| rest));
    let summary = match message {
        _ if message.contains("invalid expression") && matches!(rest.chars().next(), Some('\n' | '\r') | None) => {
            return ("Missing expression", format!("Expected the start of an expression, but found {found}."));
        }
        _ if message.contains("invalid expression") => {
            return ("Invalid expression", format!("Expected the start of an expression, but found {found}."));
        }
        _ if message.contains("`}`") && message.contains("`,`") => {
            let detail = format!("Items of an object are separated by commas or line breaks, but found {found}.");
            return ("Missing item separator", detail);
        }
        _ if rest.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && (message.contains("block body") || message.contains("structure") || message.contains("newline"))
            || message.contains("`}`") && message.contains("identifier") && rest.starts_with(char::is_alphabetic) =>
        {
            return (
                "Missing line break",
                format!("Each argument and block stands on a line of its own; found {found}."),
            );
        }
        _ if rest.starts_with("=>") || rest.starts_with('>') && message.contains("invalid expression") => {
            return (
                "Invalid expression",
                "A key and its value are joined by = or :, as in { key = value }.".to_owned(),
            );
        }
        _ if message.contains("`)`") => {
            return (
                "Missing closing parenthesis",
                format!("A parenthesis is open and not closed: expected ) or a comma, but found {found}."),
            );
        }
        _ if message == "expected `:`" => {
            return (
                "Incomplete conditional",
                format!("After ? and a value, a colon and the other value are expected, but found {found}."),
            );
        }
        "expected `]`" => {
            return ("Missing item separator", format!("Expected a comma or ] after the item, but found {found}."));
        }
        _ if message.contains("invalid structure") && rest.trim_start().starts_with('{') => {
            let detail = "The opening brace of a block must stand on the line of the block's type and labels.";
            return ("Invalid block definition", detail.to_owned());
        }
        _ if message.contains("structure") || message.contains("block body") => "Invalid argument or block",
        _ if message.contains("object") => "Invalid object",
        _ => "Invalid syntax",
    };
    let detail = match expected {
        None => format!("Unexpected {found} here."),
        Some(expected) => {
            let expected = expected
                .replace("`\\n`", "a line break")
                .replace("newline", "a line break")
                .replace("eof", "the end of the file");
            format!("Expected {expected}, but found {found}.")
        }
    };
    (summary, detail)
}
