//! The patterns of `fileset`: `*`, `?`, `[a-z]` and `{a,b}` within names, `**` for any folders.

use regex::Regex;

/// More alternatives are refused.
const MAX_ALTERNATIVES: usize = 10_000;

/// One step down a path.
pub(super) enum Component {
    /// This name.
    Name(String),
    /// The names that match.
    Names(Regex),
    /// `**`: any number of folders, or none.
    Folders,
}

/// The patterns that one with `{a,b}` stands for.
pub(super) fn alternatives(pattern: &str) -> Result<Vec<String>, String> {
    let mut pending = vec![pattern.to_owned()];
    let mut done = Vec::new();
    while let Some(pattern) = pending.pop() {
        match first_braces(&pattern)? {
            None => done.push(pattern),
            Some((before, choices, after)) => {
                pending.extend(choices.iter().map(|choice| format!("{before}{choice}{after}")));
            }
        }
        if pending.len() + done.len() > MAX_ALTERNATIVES {
            return Err(format!("the pattern has more than {MAX_ALTERNATIVES} alternatives"));
        }
    }
    Ok(done)
}

type Braces<'p> = (&'p str, Vec<&'p str>, &'p str);

/// The text before the first braces, what is between their commas, and the text after them.
fn first_braces(pattern: &str) -> Result<Option<Braces<'_>>, String> {
    let mut depth = 0_usize;
    let mut open = 0;
    let mut choices = Vec::new();
    let mut choice = 0;
    let mut in_class = false;
    let mut chars = pattern.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            ']' => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            '{' => {
                depth += 1;
                if depth == 1 {
                    (open, choice) = (at, at + 1);
                }
            }
            ',' if depth == 1 => {
                choices.push(&pattern[choice..at]);
                choice = at + 1;
            }
            '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    choices.push(&pattern[choice..at]);
                    return Ok(Some((&pattern[..open], choices, &pattern[at + 1..])));
                }
            }
            _ => {}
        }
    }
    if depth > 0 { Err(format!("a brace in the pattern {pattern:?} is not closed")) } else { Ok(None) }
}

/// The steps of a pattern below a folder, with `.` and `..` resolved as in a path.
pub(super) fn components(folder: &str, pattern: &str) -> Result<Vec<Component>, String> {
    let mut steps: Vec<(&str, bool)> = Vec::new();
    let in_folder = folder.split('/').map(|part| (part, false));
    for (part, is_pattern) in in_folder.chain(pattern.split('/').map(|part| (part, true))) {
        match part {
            "" | "." => {}
            ".." if steps.last().is_some_and(|(last, _)| *last != "..") => {
                steps.pop();
            }
            ".." if folder.starts_with('/') => {}
            part => steps.push((part, is_pattern)),
        }
    }
    steps.into_iter().map(|(part, is_pattern)| component(part, is_pattern)).collect()
}

fn component(part: &str, is_pattern: bool) -> Result<Component, String> {
    if !is_pattern || !part.contains(['*', '?', '[', '\\']) {
        return Ok(Component::Name(part.to_owned()));
    }
    if part == "**" {
        return Ok(Component::Folders);
    }
    let expression = expression(part).ok_or_else(|| format!("the pattern {part:?} is not complete"))?;
    Regex::new(&expression).map(Component::Names).map_err(|_| format!("the pattern {part:?} is not valid"))
}

/// The pattern of a name as a regular expression; none if a bracket or a backslash lacks what belongs to it.
fn expression(part: &str) -> Option<String> {
    let mut out = String::from("^(?s:");
    let mut rest = part;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => rest = class(rest, &mut out)?,
            '\\' => {
                let (escaped, after) = first(rest)?;
                out.push_str(&literal(escaped));
                rest = after;
            }
            c => out.push_str(&literal(c)),
        }
    }
    out.push_str(")$");
    Some(out)
}

/// A class, whose `[` has been read. `^` negates, `!` does not.
fn class<'p>(text: &'p str, out: &mut String) -> Option<&'p str> {
    let (negation, mut rest) = text.strip_prefix('^').map_or(("", text), |rest| ("^", rest));
    out.push('[');
    out.push_str(negation);
    let mut empty = true;
    loop {
        if let Some(after) = rest.strip_prefix(']') {
            out.push(']');
            return (!empty).then_some(after);
        }
        empty = false;
        let (low, after) = class_char(rest)?;
        out.push_str(&literal(low));
        rest = after;
        if let Some(after) = rest.strip_prefix('-').filter(|after| !after.starts_with(']')) {
            let (high, after) = class_char(after)?;
            out.push('-');
            out.push_str(&literal(high));
            rest = after;
        }
    }
}

fn class_char(text: &str) -> Option<(char, &str)> {
    first(text.strip_prefix('\\').unwrap_or(text))
}

fn first(text: &str) -> Option<(char, &str)> {
    let c = text.chars().next()?;
    Some((c, &text[c.len_utf8()..]))
}

fn literal(c: char) -> String {
    format!("\\x{{{:X}}}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces() {
        let mut found = alternatives("a{b,c{d,e}}f{g,}").unwrap();
        found.sort();
        assert_eq!(found, ["abf", "abfg", "acdf", "acdfg", "acef", "acefg"]);
        assert_eq!(alternatives(r"\{a,b[{]").unwrap(), [r"\{a,b[{]"]);
        assert!(alternatives("{a").is_err());
    }

    #[test]
    fn names() {
        let cases = [
            ("*.txt", ".a.txt", true),
            ("?.b", "é.b", true),
            ("[ab]c", "bc", true),
            ("[^ab]c", "bc", false),
            ("[!a]c", "bc", false),
            ("[a-c]x", "bx", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("a+b*", "a+bc", true),
        ];
        for (pattern, name, want) in cases {
            let Component::Names(regex) = component(pattern, true).unwrap() else {
                assert_eq!(pattern == name, want);
                continue;
            };
            assert_eq!(regex.is_match(name), want, "{pattern} {name}");
        }
        for pattern in ["[", "[]", "[a", r"a\", "[a-", "[b-a]"] {
            assert!(component(pattern, true).is_err(), "{pattern}");
        }
    }
}
