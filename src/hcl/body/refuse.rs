//! From what a component says of its options to diagnostics with places.

use super::EvaluatedBody;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::hcl::value::Value;

/// A longer text is a detail, with a short summary above it.
const MAX_SUMMARY: usize = 90;

impl EvaluatedBody {
    /// Problems with the options of this body, each an error at the first option that its text names and the body has, else at the whole.
    pub fn refused(&self, problems: &[String]) -> Diagnostics {
        problems.iter().map(|problem| self.problem(problem)).collect()
    }

    fn problem(&self, text: &str) -> Diagnostic {
        let named = self.named_in(text);
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let summary = first.trim_end_matches('.');
        let diagnostic = match (&named, summary.chars().count() <= MAX_SUMMARY) {
            (_, true) => Diagnostic::error(summary, rest.trim()),
            (Some((name, _)), false) => Diagnostic::error(format!("Invalid value of \"{name}\""), text),
            (None, false) => Diagnostic::error("Invalid options", text),
        };
        diagnostic.at(named.map_or(&self.span, |(_, span)| span))
    }

    /// The option that a text names first, of those that are given.
    fn named_in(&self, text: &str) -> Option<(&str, &Span)> {
        let folded = text.to_ascii_lowercase();
        let text_and_case = text;
        let text = folded.as_str();
        let attributes = self.attributes.iter().map(|(name, attribute)| (name.as_str(), &attribute.value_span));
        let blocks = self.blocks.iter().map(|block| (block.kind.as_str(), &block.span));
        let found = attributes.chain(blocks).filter_map(|(name, span)| Some((word_at(text, name)?, name, span)));
        found.min_by_key(|(at, ..)| *at).map(|(_, name, span)| (name, span)).or_else(|| self.quoted_in(text_and_case))
    }

    /// The option with a value that a text has in quotes, or after its last colon.
    fn quoted_in(&self, text: &str) -> Option<(&str, &Span)> {
        let quoted = |value: &str| {
            let in_quotes = ['\'', '"', '`'].iter().any(|quote| text.contains(&format!("{quote}{value}{quote}")));
            value.len() > 1 && (in_quotes || text.ends_with(&format!(": {value}")))
        };
        let has = |value: &Value| value.as_str().is_some_and(quoted);
        let found = self.attributes.iter().find(|(_, attribute)| {
            has(&attribute.value) || attribute.value.as_sequence().is_some_and(|values| values.iter().any(has))
        });
        found.map(|(name, attribute)| (name.as_str(), &attribute.value_span))
    }
}

/// Where a text has a name as a word of its own.
fn word_at(text: &str, name: &str) -> Option<usize> {
    let is_inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let mut found = text.match_indices(name).filter_map(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        let alone = !before.is_some_and(is_inner) && !after.is_some_and(|c| is_inner(c) && c != '.');
        alone.then_some(at)
    });
    found.next()
}

#[cfg(test)]
mod tests {
    use crate::hcl::body::evaluate_body;
    use crate::hcl::diagnostics::{Sources, render_line};
    use crate::hcl::eval::Scope;
    use crate::hcl::parse::parse_body;

    #[test]
    fn problems_find_their_options() {
        let mut sources = Sources::default();
        let file = sources.add("t", "ssh_port = 1\nsource = \"s\"\nscript = \"xyz\"\n");
        let (body, _) = evaluate_body(&parse_body(file, sources.text(file)).0.unwrap(), &Scope::literal());
        for (text, wanted) in [
            ("ssh_port must be larger.", "t:1,12-13: ssh_port must be larger"),
            ("Bad file 'x': no such file", "t:1,1-4,1: Bad file 'x': no such file"),
            ("Bad file 'xyz': no such file", "t:3,10-15: Bad file 'xyz': no such file"),
            ("`source` must be given\nNote: always.", "t:2,10-13: `source` must be given; Note: always."),
            ("xssh_port is odd", "t:1,1-4,1: xssh_port is odd"),
        ] {
            let problems = body.refused(&[text.to_owned()]);
            assert_eq!(problems.iter().map(|p| render_line(p, &sources)).collect::<Vec<_>>(), [wanted]);
        }
    }
}
