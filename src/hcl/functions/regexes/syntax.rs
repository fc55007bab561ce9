//! RE2's syntax in that of the `regex` crate.
//!
//! Both are much alike and match alike, but RE2 has `\Q…\E`, takes `[a[b]` and `{` for what they look like, means ASCII by
//! `\d`, `\w` and `\b`, and refuses `a**`. Patterns are therefore read by RE2's rules and written anew without anything
//! that the two understand differently.

use std::fmt::Write;

use super::class;

/// The most that an item may repeat, all repetitions around it counted in.
const MAX_REPEAT: u64 = 1000;

/// A pattern for the `regex` crate.
pub(super) struct Translated {
    /// The pattern; no group in it has a name, because the crate does not take all of RE2's names.
    pub(super) pattern: String,
    /// The groups in order and their names.
    pub(super) names: Vec<Option<String>>,
}

/// Reads an RE2 pattern; an error says what is wrong with it.
pub(super) fn translate(pattern: &str) -> Result<Translated, String> {
    let mut translator = Translator {
        rest: pattern,
        out: String::with_capacity(pattern.len()),
        names: Vec::new(),
        groups: vec![1],
        previous: Previous::Nothing,
    };
    while !translator.rest.is_empty() {
        translator.item()?;
    }
    if translator.groups.len() > 1 {
        return Err("a group is not closed: missing `)`".into());
    }
    Ok(Translated { pattern: translator.out, names: translator.names })
}

struct Translator<'p> {
    rest: &'p str,
    out: String,
    names: Vec<Option<String>>,
    /// The open groups, the whole pattern first: how often anything in each may repeat.
    groups: Vec<u64>,
    previous: Previous,
}

/// What a repetition would apply to.
#[derive(Clone, Copy)]
enum Previous {
    Nothing,
    /// Something in which nothing repeats more often than this.
    Atom(u64),
    Repetition,
}

type Step = Result<(), String>;

impl<'p> Translator<'p> {
    fn item(&mut self) -> Step {
        let Some(c) = self.next() else { return Ok(()) };
        match c {
            '(' => return self.open(),
            ')' => return self.close(),
            '|' => {
                self.out.push('|');
                self.previous = Previous::Nothing;
            }
            '*' | '+' | '?' => return self.repeat(&c.to_string(), 1),
            '{' => match counts(self.rest) {
                Some(counts) => return self.counted(&counts),
                None => self.literal(c),
            },
            '[' => {
                let (written, rest) = class::bracketed(self.rest)?;
                self.rest = rest;
                self.atom(&written);
            }
            '.' | '^' | '$' => self.atom(&c.to_string()),
            '\\' => return self.escape(),
            c => self.literal(c),
        }
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn atom(&mut self, written: &str) {
        self.out.push_str(written);
        self.previous = Previous::Atom(1);
    }

    fn literal(&mut self, c: char) {
        self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
        self.previous = Previous::Atom(1);
    }

    fn repeat(&mut self, operator: &str, times: u64) -> Step {
        let weight = match self.previous {
            Previous::Nothing => return Err(format!("there is nothing that `{operator}` could repeat")),
            Previous::Repetition => return Err(format!("`{operator}` follows another repetition")),
            Previous::Atom(weight) => weight.saturating_mul(times.max(1)),
        };
        if times > 1 && weight > MAX_REPEAT {
            return Err(format!("`{operator}` makes something repeat more than {MAX_REPEAT} times"));
        }
        self.out.push_str(operator);
        if let Some(rest) = self.rest.strip_prefix('?') {
            self.rest = rest;
            self.out.push('?');
        }
        self.weigh(weight);
        self.previous = Previous::Repetition;
        Ok(())
    }

    fn weigh(&mut self, weight: u64) {
        if let Some(group) = self.groups.last_mut() {
            *group = weight.max(*group);
        }
    }

    fn counted(&mut self, counts: &Counts) -> Step {
        self.rest = &self.rest[counts.length..];
        if let Some(most) = counts.most
            && most < counts.least
        {
            return Err(format!("`{}` counts down", counts.operator()));
        }
        let most = counts.most.unwrap_or(counts.least);
        if most > MAX_REPEAT {
            return Err(format!("`{}` repeats more than {MAX_REPEAT} times", counts.operator()));
        }
        self.repeat(&counts.operator(), most)
    }

    fn open(&mut self) -> Step {
        self.previous = match self.rest.strip_prefix('?') {
            None => {
                self.names.push(None);
                self.out.push('(');
                Previous::Nothing
            }
            Some(after) => match named(after)? {
                Some((name, rest)) => {
                    self.names.push(Some(name.to_owned()));
                    self.out.push('(');
                    self.rest = rest;
                    Previous::Nothing
                }
                None => return self.flags(after),
            },
        };
        self.groups.push(1);
        Ok(())
    }

    /// `(?i)` for all that follows, or `(?i:` for a group.
    fn flags(&mut self, after: &'p str) -> Step {
        let length = after.find([')', ':']).ok_or("`(?` is not closed")?;
        let (flags, rest) = after.split_at(length);
        let (on, off) = flags.split_once('-').unwrap_or((flags, ""));
        let known = |flags: &str| flags.chars().all(|flag| matches!(flag, 'i' | 'm' | 's' | 'U'));
        if !known(on) || !known(off) || (flags.contains('-') && off.is_empty()) {
            return Err(format!(
                "`(?{flags}` is not known; there is no looking ahead or behind, and only flags i, m, s, U"
            ));
        }
        let group = rest.starts_with(':');
        self.rest = &after[length + 1..];
        if group {
            let _ = write!(self.out, "(?{flags}:");
            self.groups.push(1);
            self.previous = Previous::Nothing;
        } else if !flags.is_empty() {
            let _ = write!(self.out, "(?{flags})");
        }
        Ok(())
    }

    fn close(&mut self) -> Step {
        let (true, Some(weight)) = (self.groups.len() > 1, self.groups.pop()) else {
            return Err("there is a `)` too many".into());
        };
        self.weigh(weight);
        self.out.push(')');
        self.previous = Previous::Atom(weight);
        Ok(())
    }

    fn escape(&mut self) -> Step {
        if let Some(after) = self.rest.strip_prefix('Q') {
            let (literal, rest) = after.split_once("\\E").unwrap_or((after, ""));
            literal.chars().for_each(|c| self.literal(c));
            self.rest = rest;
            return Ok(());
        }
        let assertion = match self.rest.chars().next() {
            Some('A') => Some(r"\A"),
            Some('z') => Some(r"\z"),
            Some('b') => Some(r"(?-u:\b)"),
            Some('B') => Some(r"(?-u:\B)"),
            _ => None,
        };
        if let Some(assertion) = assertion {
            self.next();
            self.atom(assertion);
            return Ok(());
        }
        if let Some((class, rest)) = class::escaped(self.rest)? {
            self.rest = rest;
            self.atom(&format!("[{class}]"));
            return Ok(());
        }
        let (c, rest) = class::escaped_char(self.rest)?;
        self.rest = rest;
        self.literal(c);
        Ok(())
    }
}

/// The name of a group and what follows, if this is what comes after `(?`.
fn named(after: &str) -> Result<Option<(&str, &str)>, String> {
    let Some(inner) = after.strip_prefix("P<").or_else(|| after.strip_prefix('<')) else { return Ok(None) };
    let (name, rest) = inner.split_once('>').ok_or("the name of a group is not closed: missing `>`")?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_word) {
        return Err(format!("`{name}` is no name for a group"));
    }
    Ok(Some((name, rest)))
}

/// `{2}`, `{2,}` or `{2,3}`
struct Counts {
    least: u64,
    most: Option<u64>,
    open: bool,
    /// Bytes after the `{`.
    length: usize,
}

impl Counts {
    fn operator(&self) -> String {
        match (self.open, self.most) {
            (false, _) => format!("{{{}}}", self.least),
            (true, None) => format!("{{{},}}", self.least),
            (true, Some(most)) => format!("{{{},{most}}}", self.least),
        }
    }
}

/// The counts after a `{`; none if it begins no repetition and stands for itself.
fn counts(rest: &str) -> Option<Counts> {
    let length = rest.find('}')?;
    let inner = &rest[..length];
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        (plain && (digits == "0" || !digits.starts_with('0'))).then(|| digits.parse().unwrap_or(u64::MAX))
    };
    let (least, most, open) = match inner.split_once(',') {
        None => (number(inner)?, Some(number(inner)?), false),
        Some((least, "")) => (number(least)?, None, true),
        Some((least, most)) => (number(least)?, Some(number(most)?), true),
    };
    Some(Counts { least, most, open, length: length + 1 })
}
