//! Patterns that select builds by name. Names have no separators: `*` matches dots too.

/// A pattern of `*`, `?`, `[abc]`, `[!a-z]`, `{one,two}` and `\` before a character meant literally.
pub(super) struct Glob(Vec<Token>);

enum Token {
    One(char),
    Any,
    Run,
    Class { negated: bool, ranges: Vec<(char, char)> },
    Alternatives(Vec<Vec<Token>>),
}

impl Glob {
    /// Reads a pattern. The error is a fragment that says what is wrong.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        let characters: Vec<char> = pattern.chars().collect();
        let mut at = 0;
        let tokens = sequence(&characters, &mut at, Inside::Pattern)?;
        Ok(Self(tokens))
    }

    /// Whether the pattern matches the whole name.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        ends(&self.0, &name, 0).contains(&name.len())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Pattern,
    Braces,
}

/// The tokens up to the end, or to the comma or brace that ends an alternative.
fn sequence(text: &[char], at: &mut usize, inside: Inside) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    while let Some(&character) = text.get(*at) {
        if inside == Inside::Braces && matches!(character, ',' | '}') {
            break;
        }
        *at += 1;
        tokens.push(match character {
            '*' => Token::Run,
            '?' => Token::Any,
            '[' => class(text, at)?,
            '{' => alternatives(text, at)?,
            '\\' => {
                let escaped = text.get(*at).copied().ok_or("it ends with a backslash")?;
                *at += 1;
                Token::One(escaped)
            }
            other => Token::One(other),
        });
    }
    Ok(tokens)
}

fn class(text: &[char], at: &mut usize) -> Result<Token, String> {
    let negated = text.get(*at) == Some(&'!');
    *at += usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        let start = *text.get(*at).ok_or("a [ is not closed")?;
        *at += 1;
        match (start, text.get(*at), text.get(*at + 1)) {
            (']', ..) if ranges.is_empty() => return Err("[] matches nothing".to_owned()),
            (']', ..) => return Ok(Token::Class { negated, ranges }),
            (_, Some('-'), Some(&end)) if end != ']' => {
                *at += 2;
                ranges.push((start, end));
            }
            _ => ranges.push((start, start)),
        }
    }
}

/// What follows an open brace. One that is never closed is closed by the end: commas split patterns on the command
/// line, so that `x.{a,b}` arrives as `x.{a` and `b}`.
fn alternatives(text: &[char], at: &mut usize) -> Result<Token, String> {
    let mut all = Vec::new();
    loop {
        all.push(sequence(text, at, Inside::Braces)?);
        let end = text.get(*at).copied();
        *at += 1;
        if end != Some(',') {
            return Ok(Token::Alternatives(all));
        }
    }
}

/// All places where a match that starts at `from` may end, in rising order and without repeats.
fn ends(tokens: &[Token], name: &[char], from: usize) -> Vec<usize> {
    let mut places = vec![from];
    for token in tokens {
        let mut next: Vec<usize> = places.iter().flat_map(|&place| step(token, name, place)).collect();
        next.sort_unstable();
        next.dedup();
        places = next;
    }
    places
}

fn step(token: &Token, name: &[char], at: usize) -> Vec<usize> {
    let one = |fits: bool| if fits { vec![at + 1] } else { Vec::new() };
    match (token, name.get(at)) {
        (Token::Run, _) => (at..=name.len()).collect(),
        (Token::Alternatives(all), _) => all.iter().flat_map(|tokens| ends(tokens, name, at)).collect(),
        (_, None) => Vec::new(),
        (Token::Any, Some(_)) => one(true),
        (Token::One(wanted), Some(found)) => one(wanted == found),
        (Token::Class { negated, ranges }, Some(found)) => {
            one(ranges.iter().any(|(start, end)| (start..=end).contains(&found)) != *negated)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching() {
        let cases = [
            ("*", "null.a", true),
            ("null.a", "null.a", true),
            ("null", "null.a", false),
            ("n*.?", "null.a", true),
            ("**.a", "b.null.a", true),
            ("null.[a-c]", "null.b", true),
            ("null.[!a-c]", "null.b", false),
            ("null.{a,b}", "null.b", true),
            ("null.{a", "null.a", true),
            ("b}", "b}", true),
            ("null\\.\\*", "null.*", true),
            ("null\\.\\*", "null.a", false),
            ("", "null.a", false),
            (" null.a", "null.a", false),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (pattern, name, want) in cases {
            assert_eq!(Glob::parse(pattern).unwrap().matches(name), want, "{pattern} {name}");
        }
        for pattern in ["[a", "a\\", "[]"] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
    }
}
