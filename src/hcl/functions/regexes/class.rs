//! RE2's classes of characters, and characters written with a backslash.

use std::fmt::Write;

/// The classes that `[[:name:]]` knows.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// The class whose `[` has just been read, for the `regex` crate, and what follows it.
pub(super) fn bracketed(text: &str) -> Result<(String, &str), String> {
    let mut out = String::from("[");
    let mut rest = text;
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    let mut first = true;
    loop {
        match rest.strip_prefix(']') {
            Some(after) if !first => {
                out.push(']');
                return Ok((out, after));
            }
            _ => {}
        }
        first = false;
        if rest.is_empty() {
            return Err("a class is not closed: missing `]`".into());
        }
        rest = item(rest, &mut out)?;
    }
}

fn item<'t>(text: &'t str, out: &mut String) -> Result<&'t str, String> {
    if let Some((name, rest)) = text.strip_prefix("[:").and_then(|inner| inner.split_once(":]")) {
        if !POSIX.contains(&name.trim_start_matches('^')) || name.starts_with("^^") {
            return Err(format!("`[:{name}:]` is no class"));
        }
        let _ = write!(out, "[:{name}:]");
        return Ok(rest);
    }
    if let Some(after) = text.strip_prefix('\\')
        && let Some((class, rest)) = escaped(after)?
    {
        let _ = write!(out, "[{class}]");
        return Ok(rest);
    }
    let (low, rest) = single(text)?;
    let range = rest.strip_prefix('-').filter(|after| !after.is_empty() && !after.starts_with(']'));
    let Some(after) = range else {
        let _ = write!(out, "\\x{{{:X}}}", u32::from(low));
        return Ok(rest);
    };
    let (high, rest) = single(after)?;
    if high < low {
        return Err(format!("the range `{low}-{high}` runs backwards"));
    }
    let _ = write!(out, "\\x{{{:X}}}-\\x{{{:X}}}", u32::from(low), u32::from(high));
    Ok(rest)
}

fn single(text: &str) -> Result<(char, &str), String> {
    if let Some(after) = text.strip_prefix('\\') {
        return escaped_char(after);
    }
    let c = text.chars().next().ok_or("a class is not closed: missing `]`")?;
    Ok((c, &text[c.len_utf8()..]))
}

/// The inside of a class for `\d`, `\pL` and their like, and what follows; none if this is another escape.
pub(super) fn escaped(text: &str) -> Result<Option<(String, &str)>, String> {
    let Some(letter) = text.chars().next() else { return Err("a `\\` ends the pattern".into()) };
    let class = match letter {
        'd' => "0-9",
        'D' => "^0-9",
        's' => r"\t\n\f\r ",
        'S' => r"^\t\n\f\r ",
        'w' => "0-9A-Za-z_",
        'W' => "^0-9A-Za-z_",
        'p' | 'P' => return property(letter, &text[1..]).map(Some),
        _ => return Ok(None),
    };
    Ok(Some((class.into(), &text[1..])))
}

/// `\pL`, `\p{Greek}`, `\p{^Greek}`: general categories by one or two letters, scripts by name.
fn property(letter: char, text: &str) -> Result<(String, &str), String> {
    let (name, rest) = match text.strip_prefix('{') {
        Some(inner) => inner.split_once('}').ok_or("`\\p{` is not closed")?,
        None => {
            let length = text.chars().next().ok_or("a class of characters is missing after `\\p`")?.len_utf8();
            text.split_at(length)
        }
    };
    let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphabetic() || c == '_') {
        return Err(format!("`\\p{{{name}}}` is no class of characters"));
    }
    let sign = if negated == (letter == 'P') { 'p' } else { 'P' };
    let class = match name {
        "Any" => format!(r"\{sign}{{Any}}"),
        _ if name.len() <= 2 => format!(r"\{sign}{{gc={name}}}"),
        _ => format!(r"\{sign}{{sc={name}}}"),
    };
    Ok((class, rest))
}

/// The character that an escape stands for, and what follows.
pub(super) fn escaped_char(text: &str) -> Result<(char, &str), String> {
    let c = text.chars().next().ok_or("a `\\` ends the pattern")?;
    let rest = &text[c.len_utf8()..];
    let plain = match c {
        'a' => '\u{7}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        'x' => return hexadecimal(rest),
        '0'..='7' => return octal(text),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
        c => return Err(format!("`\\{c}` is no known escape")),
    };
    Ok((plain, rest))
}

fn hexadecimal(text: &str) -> Result<(char, &str), String> {
    let invalid = || "`\\x` needs two hexadecimal digits, or any number of them in braces".to_owned();
    let (digits, rest) = match text.strip_prefix('{') {
        Some(inner) => inner.split_once('}').ok_or_else(invalid)?,
        None => text.split_at_checked(2).ok_or_else(invalid)?,
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let code = u32::from_str_radix(digits, 16).ok().filter(|_| plain);
    Ok((code.and_then(char::from_u32).ok_or_else(invalid)?, rest))
}

/// Up to three octal digits. A lone one but `\0` would refer back to a group, which RE2 cannot do.
fn octal(text: &str) -> Result<(char, &str), String> {
    let length = text.bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let (digits, rest) = text.split_at(length);
    if length == 1 && digits != "0" {
        return Err(format!("`\\{digits}` would refer to a group, which is not supported"));
    }
    let code = u32::from_str_radix(digits, 8).ok().and_then(char::from_u32);
    Ok((code.ok_or("this is no octal character")?, rest))
}
