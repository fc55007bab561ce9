//! Going on after a syntax error: the broken argument or block is taken out of sight and the rest is read again.

use hcl::edit::parser::Error;

use super::explain;
use super::outline::{Crossed, Item, Opened, Outline, Part, outline};
use super::repair::{Repaired, place};
use super::slips;
use crate::hcl::diagnostics::{Diagnostic, FileId, Span};
use crate::hcl::format::{Kind, tokens_with_places};

/// Whether it is worth to look for more errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The broken part is out of sight: parse again.
    Again,
    /// Nothing can be told apart any more.
    Stop,
}

/// Describes a syntax error and takes the item that has it out of sight.
pub(super) fn after(file: FileId, text: &str, repaired: &mut Repaired<'_>, error: &Error) -> (Diagnostic, Next) {
    if let Some(problem) = slips::json(file, text) {
        return (problem, Next::Stop);
    }
    let mut message = error.message().to_owned();
    let seen = repaired.seen().to_owned();
    let mut at = explain::real_place(&seen, error_place(&seen, error), &message);
    // The parser reads an open string on to the next quote, however many lines that is: then the slip is far above.
    let above = slips::find(file, &seen, 0, line_end(&seen, at)).and_then(|slip| slip.span);
    at = above.map_or(at, |slip| slip.range.start.min(at));
    let around = outline(&seen, at);
    let start = around.item.map_or(at, |item| item.start);
    // Where the parser does not say how far it came, the mistake is anywhere in the item.
    let until = match resume(&seen, start, at, None) {
        _ if at > start => line_end(&seen, at),
        Resume::At(next) | Resume::Header(next) => next,
        Resume::Never => seen.len(),
    };
    let slip = slips::find(file, &seen, start, until);
    if slip.is_none()
        && at == start
        && let Some((place, own)) = in_value(&seen, start, until)
    {
        (at, message) = (place, own);
    }
    let message = message.as_str();
    if slip.is_none() && seen[at..].trim().is_empty() {
        if message.contains("block body") {
            return unclosed(file, &seen, repaired, &around);
        }
        if let Some(bracket) = around.bracket {
            let sign = &seen[bracket..bracket + 1];
            let detail = format!("The text ends, but nothing closes this {sign}.");
            let place = Span::new(file, bracket..bracket + 1);
            return (Diagnostic::error("Unexpected end", detail).at(&place), hide(repaired, &around, start, at, None));
        }
    }
    if let Some(next) = quoted_name(repaired, &around) {
        return (explain::quoted_name(file, text, start), next);
    }
    let in_head = matches!(around.item, Some(Item { part: Part::Head, .. }));
    let neither = || slips::neither(file, &seen, start, at).filter(|_| in_head);
    let diagnostic = slip.clone().or_else(neither).unwrap_or_else(|| explain::explain(file, text, at, message));
    let place = slip.and_then(|slip| slip.span);
    (diagnostic, hide(repaired, &around, start, at, place.as_ref()))
}

/// Where the parser gave up. It counts the end of the text as the last byte: whether that is meant shows when more follows.
fn error_place(seen: &str, error: &Error) -> usize {
    let at = place(seen, error);
    if seen[at..].chars().nth(1).is_some() {
        return at;
    }
    let longer = format!("{seen} ");
    match hcl::edit::parser::parse_body(&longer) {
        Err(error) if place(&longer, &error) >= seen.len() => seen.len(),
        _ => at,
    }
}

/// The fault in the value of an argument that the parser refused as a whole: its place and the parser's message.
fn in_value(seen: &str, start: usize, until: usize) -> Option<(usize, String)> {
    let item = &seen[start..until];
    let (name, value) = item.split_once('=')?;
    if value.starts_with(['=', '>']) || !explain::is_name(name.trim()) {
        return None;
    }
    let blanks = |text: &str| text.len() - text.trim_start_matches([' ', '\t']).len();
    let from = start + name.len() + 1 + blanks(value);
    let value = seen[from..until].trim_end();
    if value.is_empty() {
        return Some((from, "invalid expression".to_owned()));
    }
    let error = hcl::edit::parser::parse_expr(value).err()?;
    let at = from + place(value, &error);
    let real = explain::real_place(seen, at, error.message());
    let at = if real == at { at + blanks(&seen[at..]) } else { real };
    Some((at, error.message().to_owned()))
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length + 1)
}

/// Takes an item out of sight, or puts another header in place of a broken one.
fn hide(repaired: &mut Repaired<'_>, around: &Outline, start: usize, at: usize, slip: Option<&Span>) -> Next {
    let seen = repaired.seen().to_owned();
    let in_head = matches!(around.item, Some(Item { part: Part::Head, .. }));
    if let Some(open) = brace_after(&seen, start, at).filter(|open| in_head && *open > start) {
        // What is in the block is read all the same, and its closing brace is its own.
        repaired.blank(start..open);
        repaired.write(start, "x");
        // The brace must stand on the header's line.
        if seen[start..open].contains('\n') {
            repaired.blank(open..open + 1);
            repaired.write(start + 1, "{");
        }
        return Next::Again;
    }
    let next = match resume(&seen, start, at, slip) {
        Resume::At(next) => next.max(start + 1),
        Resume::Header(next) => {
            // Nothing of the blocks that are open can be told apart.
            let from = around.blocks.first().map_or(start, |outermost| outermost.start);
            repaired.blank(from..next);
            return Next::Again;
        }
        Resume::Never if around.blocks.is_empty() && start > 0 => seen.len(),
        Resume::Never => return Next::Stop,
    };
    repaired.blank(start..next);
    Next::Again
}

/// A name in quotes before an equals sign, as in JSON: it is read without them.
fn quoted_name(repaired: &mut Repaired<'_>, around: &Outline) -> Option<Next> {
    let item = around.item.filter(|item| item.part != Part::After)?;
    let (name, sign) = explain::quoted_argument(&repaired.seen()[item.start..])?;
    let end = item.start + 1 + name;
    repaired.write(item.start, " ");
    repaired.write(end, " ");
    repaired.write(item.start + sign, "=");
    Some(Next::Again)
}

/// A block that does not end before the file does.
fn unclosed(file: FileId, seen: &str, repaired: &mut Repaired<'_>, around: &Outline) -> (Diagnostic, Next) {
    let header = |opened: &Opened| {
        let line = seen[opened.start..].lines().next().unwrap_or_default();
        opened.start..opened.start + line.trim_end().len()
    };
    let of_block = |opened: &Opened| {
        let detail = "There is no closing brace for this block before the next one or the end of the file.";
        Diagnostic::error("Unclosed configuration block", detail).at(&Span::new(file, header(opened)))
    };
    let diagnostic = match (&around.crossed, around.blocks.last()) {
        (Some(Crossed::Block(opened)), _) | (None, Some(opened)) => of_block(opened),
        (Some(Crossed::Object(brace)), _) => {
            let detail = "There is no closing brace for this object: the one that was taken for it stands further left, and \
                          a block was left open.";
            Diagnostic::error("Unclosed object", detail).at(&Span::new(file, *brace..brace + 1))
        }
        (None, None) => {
            let end = Span::new(file, seen.len()..seen.len());
            Diagnostic::error("Unexpected end", "The text ends in the middle of an expression or block.").at(&end)
        }
    };
    let Some(outermost) = around.blocks.first() else { return (diagnostic, Next::Stop) };
    // What follows was read as a part of the open block: it is read again on its own.
    match header_after(seen, outermost.brace, indentation(seen, outermost.start)) {
        Some(next) => {
            repaired.blank(outermost.start..next);
            (diagnostic, Next::Again)
        }
        None => (diagnostic, Next::Stop),
    }
}

/// Where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resume {
    /// Here, in the body that has the error.
    At(usize),
    /// Here, at the top of the file: nothing before it can be told apart.
    Header(usize),
    /// Nowhere.
    Never,
}

/// The next place after an error that is an item of the same body, or its closing brace.
///
/// `start` is where the item with the error starts, `at` where the parser gave up, `slip` the open string or template part
/// that is to blame. A line counts if all brackets of the item are closed before it, or if it is not indented more than
/// the item: then one of the brackets has no end.
fn resume(text: &str, start: usize, at: usize, slip: Option<&Span>) -> Resume {
    let own = indentation(text, start);
    let (patched, from) = match slip {
        Some(slip) => without(text, start, slip.range.start),
        None => (text[start..].to_owned(), at),
    };
    let (mut depth, mut line_starts) = (0_i32, false);
    // The line of the brackets that close those of the item is no item.
    let mut closers = false;
    for (kind, place) in tokens_with_places(&patched) {
        let here = start + place.start;
        if line_starts && here >= from && here > start && kind != Kind::Newline {
            let line = text[here..].lines().next().unwrap_or_default();
            let left = indentation(text, here) <= own;
            if (depth <= 0 || left) && starts_item(line) {
                return Resume::At(here);
            }
            closers = depth > 0 && indentation(text, here) == own && line.starts_with(['}', ']', ')']);
            if kind == Kind::CloseBrace && !closers && left {
                return Resume::At(here);
            }
        }
        line_starts = kind == Kind::Newline || kind == Kind::Comment && patched[place].ends_with('\n');
        match kind {
            Kind::OpenBrace | Kind::OpenBracket | Kind::OpenParen => depth += 1,
            Kind::CloseBrace if depth <= 0 && here >= from => return Resume::At(here),
            Kind::CloseBrace | Kind::CloseBracket | Kind::CloseParen => depth = (depth - 1).max(0),
            _ => {}
        }
        if line_starts && std::mem::take(&mut closers) {
            depth = 0;
        }
    }
    header_after(text, at, 0).map_or(Resume::Never, Resume::Header)
}

/// The text from an item on, with blanks for the rest of the line of a slip; and where to look on from.
fn without(text: &str, start: usize, slip: usize) -> (String, usize) {
    let end = text[slip..].find('\n').map_or(text.len(), |length| slip + length);
    let from = slip.max(start);
    (format!("{}{:width$}{}", &text[start..from], "", &text[end..], width = end - from), end)
}

/// Whether a line begins like an argument or a block.
fn starts_item(line: &str) -> bool {
    let name = line.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(line.len());
    if name == 0 || line.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return false;
    }
    let rest = line[name..].trim_start_matches([' ', '\t']);
    rest.starts_with('=') && !rest.starts_with("==") && !rest.starts_with("=>") || is_header(line)
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

/// The first header of a block on a line after a place that is indented at most so much.
fn header_after(text: &str, at: usize, most: usize) -> Option<usize> {
    let mut start = at + text[at..].find('\n')? + 1;
    for line in text[start..].split_inclusive('\n') {
        let own = line.len() - line.trim_start_matches([' ', '\t']).len();
        if own <= most && is_header(&line[own..]) {
            return Some(start + own);
        }
        start += line.len();
    }
    None
}

/// The opening brace of a block whose header is wrong: the last sign of its line, or the first one of the next line.
fn brace_after(text: &str, start: usize, at: usize) -> Option<usize> {
    let line_end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    let head = text[start..line_end].trim_end();
    if head.ends_with('{') {
        return Some(start + head.len() - 1);
    }
    let rest = &text[line_end..];
    let blanks = rest.len() - rest.trim_start().len();
    (text[at..line_end].trim().is_empty() && rest[blanks..].starts_with('{')).then_some(line_end + blanks)
}

/// The bytes of blanks at the start of a place's line.
pub(super) fn indentation(text: &str, at: usize) -> usize {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    text.as_bytes()[start..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// Whether only blanks stand before a place on its line.
pub(super) fn is_first(text: &str, at: usize) -> bool {
    text[..at].bytes().rev().find(|byte| !matches!(byte, b' ' | b'\t')).is_none_or(|byte| byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_to_go_on() {
        // The item starts at the first line, the error is at the bar.
        for (text, wanted) in [
            ("  a = |\n  b = 1\n}\n", "b = 1"),
            ("  a = [1, 2\n  |b = 3\n}\n", "b = 3"),
            ("  a = [1, 2\n|}\nc {}\n", "}\nc"),
            ("  a = [\n    {\n      x = |,\n      y = 1\n    },\n  ]\n  b = 1\n", "b = 1"),
            ("  a = {\n    x = |\n    y = 1\n  }\n  b = 1\n", "b = 1"),
            ("  a = <<E\n  ${ | }\n  x = 1\n  E\n  b = 1\n", "b = 1"),
            ("  a = | }\nb {}\n", "}\nb"),
            ("  a = (|\n    x\n  # c\n  b \"c\" {\n  }\n", "b \"c\""),
            ("  a = |)\n  1 + 2\n  b = 1\n", "b = 1"),
        ] {
            let at = text.find('|').unwrap();
            let text = text.replacen('|', "", 1);
            match resume(&text, 2, at, None) {
                Resume::At(next) => assert!(text[next..].starts_with(wanted), "{text}: {:?}", &text[next..]),
                other => panic!("{text}: {other:?}"),
            }
        }
        let text = "  a = [<<E\nx\nb {\n";
        assert_eq!(resume(text, 2, 9, None), Resume::Header(13));
        assert_eq!(resume("a = ", 0, 4, None), Resume::Never);
    }
}
