//! The patterns of `format`, taken apart.

/// Wider or more precise output is refused, as Go's formatting refuses it.
const MAX_WIDTH: usize = 1_000_000;

/// A part of a pattern.
pub(super) enum Part<'p> {
    /// Text that is copied.
    Literal(&'p str),
    /// A value's place.
    Verb(Verb<'p>),
}

/// The place of a value and how it is shown: `%` flags, width, precision, `[argument]` and a letter, in this order.
pub(super) struct Verb<'p> {
    /// As it is written.
    pub(super) text: &'p str,
    /// The argument's number, from 1.
    pub(super) argument: usize,
    /// The letter.
    pub(super) letter: char,
    /// `+`
    pub(super) plus: bool,
    /// `-`
    pub(super) minus: bool,
    /// `#`
    pub(super) sharp: bool,
    /// A blank.
    pub(super) space: bool,
    /// `0`
    pub(super) zero: bool,
    /// Characters to fill.
    pub(super) width: Option<usize>,
    /// Digits or characters to show.
    pub(super) precision: Option<usize>,
}

/// Takes a pattern apart; an error says what is wrong with it.
pub(super) fn parse(pattern: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    let mut next_argument = 1;
    while let Some(at) = rest.find('%') {
        parts.push(Part::Literal(&rest[..at]));
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("%%") {
            parts.push(Part::Literal("%"));
            rest = after;
            continue;
        }
        let (verb, after) = verb(rest, next_argument)?;
        next_argument = verb.argument + 1;
        rest = after;
        parts.push(Part::Verb(verb));
    }
    parts.push(Part::Literal(rest));
    Ok(parts)
}

fn verb(text: &str, argument: usize) -> Result<(Verb<'_>, &str), String> {
    let after = text.strip_prefix('%').unwrap_or(text);
    let flags = after.find(|c| !matches!(c, '+' | '-' | '#' | ' ' | '0')).unwrap_or(after.len());
    let (flags, rest) = after.split_at(flags);
    let (width, rest) = number(rest)?;
    let (precision, rest) = match rest.strip_prefix('.') {
        None => (None, rest),
        Some(rest) => number(rest).map(|(precision, rest)| (Some(precision.unwrap_or(0)), rest))?,
    };
    let (argument, rest) = match rest.strip_prefix('[') {
        None => (argument, rest),
        Some(inner) => explicit(inner)?,
    };
    let Some(letter) = rest.chars().next() else {
        return Err(format!("`{text}` is not complete; a `%` of its own is written `%%`"));
    };
    let rest = &rest[letter.len_utf8()..];
    let written = &text[..text.len() - rest.len()];
    if !letter.is_ascii_alphabetic() {
        return Err(format!("`{written}` has no letter that says how to show a value"));
    }
    let has = |flag: char| flags.contains(flag);
    let verb = Verb {
        text: written,
        argument,
        letter,
        plus: has('+'),
        minus: has('-'),
        sharp: has('#'),
        space: has(' '),
        zero: has('0'),
        width,
        precision,
    };
    Ok((verb, rest))
}

/// The digits in front, if any, and what follows.
fn number(text: &str) -> Result<(Option<usize>, &str), String> {
    let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(length);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    match digits.parse() {
        Ok(number) if number <= MAX_WIDTH => Ok((Some(number), rest)),
        _ => Err(format!("{digits} is more than {MAX_WIDTH}")),
    }
}

/// The argument's number after a `[`.
fn explicit(inner: &str) -> Result<(usize, &str), String> {
    let (digits, rest) = inner.split_once(']').ok_or_else(|| format!("`[{inner}` is not closed"))?;
    match number(digits)? {
        (Some(argument), "") => Ok((argument, rest)),
        _ => Err(format!("`[{digits}]` is no number of an argument")),
    }
}
