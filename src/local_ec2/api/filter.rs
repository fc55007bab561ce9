//! `Filter.N`: filters AND, values OR, `*` and `?` as wildcards.

use crate::local_ec2::state::Tags;
use crate::local_ec2::wire::{Error, Params};

/// The filters of one request.
#[derive(Debug, Default)]
pub struct Filters(Vec<(String, Vec<String>)>);

/// EC2's bound on the values of all filters of a request.
const MAX_VALUES: usize = 200;

impl Filters {
    /// Reads them; `known` are the names that the action has besides `tag:KEY`, `tag-key` and `tag-value`.
    pub fn read(params: &Params, known: &[&str]) -> Result<Self, Error> {
        let mut filters = Vec::new();
        for filter in params.each("Filter") {
            let name = filter.need("Name")?.to_owned();
            let is_tag = name.starts_with("tag:") || name == "tag-key" || name == "tag-value";
            if !is_tag && !known.contains(&name.as_str()) {
                return Err(Error::value(format!("The filter '{name}' is invalid")));
            }
            filters.push((name, values(&filter)));
        }
        if filters.iter().map(|(_, values)| values.len()).sum::<usize>() > MAX_VALUES {
            let text = format!("The maximum number of filter values specified on a single call is {MAX_VALUES}");
            return Err(Error::new("FilterLimitExceeded", text));
        }
        Ok(Self(filters))
    }

    /// True when an object passes. `value` gives what it has under a filter's name: several for lists, none for what is unset.
    pub fn pass(&self, tags: &Tags, value: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let found = match name.as_str() {
                "tag-key" => tags.keys().cloned().collect(),
                "tag-value" => tags.values().cloned().collect(),
                name => match name.strip_prefix("tag:") {
                    Some(key) => tags.get(key).cloned().into_iter().collect(),
                    None => value(name),
                },
            };
            found.iter().any(|text| patterns.iter().any(|pattern| matches(pattern, text)))
        })
    }
}

/// A filter's values. Unlike elsewhere an empty one counts: `tag:x` with an empty value finds the tag that has one.
fn values(filter: &Params) -> Vec<String> {
    let mut numbered: Vec<(u32, String)> = filter
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("Value.")?.parse().ok()?, value.to_owned())))
        .collect();
    numbered.sort();
    numbered.into_iter().map(|(_, value)| value).collect()
}

/// Matches a whole text: `*` is any run, `?` one character, `\` takes the next one as it is.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern = tokens(pattern);
    let text: Vec<char> = text.chars().collect();
    // The greedy walk: on a mismatch go back to the last star only, which bounds the work by pattern times text.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(Token::Run) => {
                star = Some((p, t));
                p += 1;
            }
            Some(Token::One) => (p, t) = (p + 1, t + 1),
            Some(Token::Char(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|token| *token == Token::Run)
}

#[derive(PartialEq)]
enum Token {
    Run,
    One,
    Char(char),
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut chars = pattern.chars();
    let mut tokens = Vec::new();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::Run,
            '?' => Token::One,
            '\\' => Token::Char(chars.next().unwrap_or('\\')),
            c => Token::Char(c),
        });
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text, want) in [
            ("ubuntu/images/*22.04*amd64*", "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-1", true),
            ("a*b", "ab", true),
            ("a*b", "abc", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("*", "", true),
            ("", "", true),
            ("X", "x", false),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn filters_and_their_values_or() {
        let params = Params::parse(
            "Filter.1.Name=tag:a&Filter.1.Value.1=x&Filter.1.Value.2=y&Filter.2.Name=state&Filter.2.Value.1=on",
        );
        let filters = Filters::read(&params, &["state"]).unwrap();
        let tags = Tags::from([("a".to_owned(), "y".to_owned())]);
        assert!(filters.pass(&tags, |_| vec!["on".into()]));
        assert!(!filters.pass(&tags, |_| vec!["off".into()]));
        assert!(!filters.pass(&Tags::new(), |_| vec!["on".into()]));
        let error = Filters::read(&params, &[]).unwrap_err();
        assert_eq!(error.message, "The filter 'state' is invalid");
    }
}
