//! Slips of the pen that lead the parser far astray: found by looking at the text, so that the message names the slip and not where it came out.

use crate::hcl::diagnostics::{Diagnostic, FileId, Span};

/// The slip that explains a syntax error, if there is one in the item that starts at `from` and before `until`.
pub(super) fn find(file: FileId, text: &str, from: usize, until: usize) -> Option<Diagnostic> {
    let open = open_text(&text[from..], until.max(from) - from)?;
    let start = from + open.start;
    let (summary, detail) = match open.what {
        What::String => (
            "Unterminated string",
            "The string has no closing quote on its line. Text over several lines is written as a heredoc: <<EOT.",
        ),
        What::Comment => ("Unterminated comment", "The comment has no end: */ is missing."),
        What::Part => (
            "Unclosed template interpolation",
            "There is no closing brace for a ${ or %{ in this string. Write $${ or %%{ for the characters themselves.",
        ),
    };
    let line = text[start..].lines().next().unwrap_or_default();
    Some(Diagnostic::error(summary, detail).at(&Span::new(file, start..start + line.trim_end().len())))
}

/// A text that is JSON.
pub(super) fn json(file: FileId, text: &str) -> Option<Diagnostic> {
    let start = text.len() - text.trim_start_matches('\u{feff}').trim_start().len();
    text[start..].starts_with('{').then(|| {
        let detail = "The text is JSON, but its file is read in the native syntax.";
        let hint = "JSON is read from files whose names end in .json".to_owned();
        Diagnostic::error("Unexpected JSON", detail).at(&Span::new(file, start..start + 1)).hint(hint)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    String,
    Comment,
    /// A `${` or `%{` in a string.
    Part,
}

/// Something that is begun and not ended.
struct Open {
    start: usize,
    what: What,
}

/// The first string that does not end on its line, or a comment that does not end, up to a place.
fn open_text(text: &str, until: usize) -> Option<Open> {
    let mut at = 0;
    // How many braces are open in each template part that is open.
    let mut parts: Vec<(usize, u32)> = Vec::new();
    let mut string: Option<usize> = None;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty() && at < until) {
        let first = rest.chars().next()?;
        let mut step = first.len_utf8();
        match (string, first) {
            (Some(start), '\n') => {
                // The quote that was to end the string began another one in its open part.
                let open = Open { start, what: What::String };
                return Some(parts.first().map_or(open, |(start, _)| Open { start: *start, what: What::Part }));
            }
            (Some(_), '\\') => step += rest[1..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8),
            (Some(_), '$' | '%') if rest[1..].starts_with([first]) && rest[2..].starts_with('{') => step = 3,
            (Some(start), '$' | '%') if rest[1..].starts_with('{') => {
                parts.push((start, 0));
                string = None;
                step = 2;
            }
            (Some(_), '"') => string = None,
            (Some(_), _) => {}
            (None, '"') => string = Some(at),
            (None, '{') => parts.last_mut().into_iter().for_each(|(_, open)| *open += 1),
            (None, '}') => match parts.last_mut() {
                Some((start, 0)) => {
                    string = Some(*start);
                    parts.pop();
                }
                Some((_, open)) => *open -= 1,
                None => {}
            },
            (None, '#') => step = line_length(rest),
            (None, '/') if rest.starts_with("//") => step = line_length(rest),
            (None, '/') if rest.starts_with("/*") => match rest.find("*/") {
                Some(end) => step = end + 2,
                None => return Some(Open { start: at, what: What::Comment }),
            },
            (None, '<') if rest.starts_with("<<") => step = heredoc_length(rest).unwrap_or(step),
            (None, _) => {}
        }
        at += step;
    }
    string.filter(|_| at >= text.len()).map(|start| Open { start, what: What::String })
}

fn line_length(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// The bytes of a heredoc up to its last word; none if it is none, or does not end.
fn heredoc_length(rest: &str) -> Option<usize> {
    let (head, _) = rest.split_once('\n')?;
    let word = head.trim_start_matches('<').trim_start_matches('-').trim();
    if word.is_empty() || !word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        return None;
    }
    let mut at = head.len() + 1;
    for line in rest[at..].split_inclusive('\n') {
        if line.trim() == word {
            return Some(at + line.trim_end_matches(['\r', '\n']).len());
        }
        at += line.len();
    }
    None
}

/// `name "value"` without an equals sign or a brace: the last line before the error that is neither argument nor block.
pub(super) fn neither(file: FileId, text: &str, from: usize, at: usize) -> Option<Diagnostic> {
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    let mut start = from;
    let mut found = None;
    for line in text[from..end].split_inclusive('\n') {
        let own = line.trim();
        let name = own.split_whitespace().next().unwrap_or_default();
        let value = own[name.len()..].trim();
        let is_name =
            name.starts_with(char::is_alphabetic) && name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
        let is_string =
            value.len() > 1 && value.starts_with('"') && value.ends_with('"') && value.matches('"').count() == 2;
        if is_name && is_string {
            let column = start + (line.len() - line.trim_start().len());
            found = Some((name, value, column..column + own.len()));
        }
        start += line.len();
    }
    let (name, value, range) = found?;
    let detail = "This is neither an argument, which has an equals sign, nor a block, which has braces.";
    let hint = format!("write {name} = {value}");
    Some(Diagnostic::error("Missing equals sign", detail).at(&Span::new(file, range)).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hcl::diagnostics::{Sources, render_line};

    #[test]
    fn slips() {
        for (text, wanted) in [
            ("a = \"b\n}\n", "t:1,5-7: Unterminated string"),
            ("a = \"${x[\"y\"]}\"\nb = \"\\\"\n", "t:2,5-8: Unterminated string"),
            ("# \"\n// \"\n/* \" */\na = <<X\n \"\n  X\nb = \"$${\"\nc = [\"", "t:8,6-7: Unterminated string"),
            ("a {}\n/* b", "t:2,1-5: Unterminated comment"),
            ("a = \"${b\"\n", "t:1,5-10: Unclosed template interpolation"),
            ("a = = \"b\"\n", "-"),
        ] {
            let mut sources = Sources::default();
            let file = sources.add("t", text);
            let found = find(file, text, 0, text.len()).map(|slip| render_line(&slip, &sources));
            let found = found.unwrap_or_else(|| "-".to_owned());
            assert_eq!(found.split(';').next().unwrap_or_default(), wanted, "{text}");
        }
    }
}
