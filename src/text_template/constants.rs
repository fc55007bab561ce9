//! Calls whose answer is known before the rest of a template can be rendered: they are replaced by it in the text.

use super::format::quote;
use super::lexer::{Kind, Token, tokens};
use super::parser::unquote;

/// Answers that are known early.
pub struct Known<'k> {
    /// Functions without arguments, and their answers.
    pub constants: &'k [(&'k str, &'k str)],
    /// Functions that go by another name, and that name.
    pub renamed: &'k [(&'k str, &'k str)],
    /// A function of one text.
    pub function: &'k str,
    /// Its answer to a text; none if it is to be left to whoever renders the template.
    pub answer: &'k mut dyn FnMut(&str) -> Option<String>,
}

/// The template with the calls that are known replaced by constants; all else is left as it is, faults too. Only calls
/// whose argument is a constant are seen.
pub fn with_constants(text: &str, known: Known<'_>) -> String {
    if !text.contains("{{") {
        return text.to_owned();
    }
    let tokens = tokens(text);
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Identifier) {
        let named = |list: &[(&str, &str)]| list.iter().find(|(name, _)| *name == token.text).map(|(_, to)| quote(to));
        let renamed = known.renamed.iter().find(|(name, _)| *name == token.text).map(|(_, to)| (*to).to_owned());
        let found = match named(known.constants).or(renamed) {
            Some(written) => Some((written, token)),
            None if token.text == known.function => argument(&tokens[at + 1..])
                .and_then(|(argument, last)| (known.answer)(&argument).map(|answer| (quote(&answer), last))),
            None => None,
        };
        if let Some((written, last)) = found {
            out.push_str(&text[copied..token.position]);
            out.push_str(&written);
            copied = last.position + last.text.len();
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// The constant text that comes next, and its token.
fn argument(rest: &[Token]) -> Option<(String, &Token)> {
    let token = rest.iter().find(|token| token.kind != Kind::Space)?;
    let constant = matches!(token.kind, Kind::QuotedString | Kind::RawString);
    constant.then(|| unquote(&token.text).ok()).flatten().map(|text| (text, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_calls_become_constants() {
        let folded = |text: &str| {
            let mut answer = |name: &str| (name != "unknown").then(|| format!("<{name}\">"));
            let known = Known {
                constants: &[("dir", "/t")],
                renamed: &[("old", "new")],
                function: "user",
                answer: &mut answer,
            };
            with_constants(text, known)
        };
        for (text, expected) in [
            ("plain user `a`", "plain user `a`"),
            ("{{user `a`}} {{ .user }}", "{{\"<a\\\">\"}} {{ .user }}"),
            ("{{ user \"a\\\"\" | upper }}", "{{ \"<a\\\"\\\">\" | upper }}"),
            ("{{ if eq (user `a`) dir }}x{{ end }}", "{{ if eq (\"<a\\\">\") \"/t\" }}x{{ end }}"),
            ("{{ user `unknown` }}{{ user .x }}", "{{ user `unknown` }}{{ user .x }}"),
            ("old {{ old `x` | old }}{{ .old }}", "old {{ new `x` | new }}{{ .old }}"),
            ("é{{- user `a` -}} {{ user", "é{{- \"<a\\\">\" -}} {{ user"),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
    }
}
