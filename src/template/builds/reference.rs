//! References to sources: `null.a`, `source.null.a`, `sources.null.a`.

use crate::template::identifier::is_identifier;

/// What a reference says, as type and name; none if it is none. The first of three words is not looked at, and words
/// after the third are not either.
pub(super) fn parse_reference(text: &str) -> Option<(&str, &str)> {
    let words: Vec<&str> = text.split('.').collect();
    let (kind, name) = match words.as_slice() {
        [kind, name] | [_, kind, name, ..] => (*kind, *name),
        _ => return None,
    };
    (is_identifier(kind) && is_identifier(name)).then_some((kind, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for text in ["null.a", "source.null.a", "sources.null.a", "x.null.a", "source.null.a.b"] {
            assert_eq!(parse_reference(text), Some(("null", "a")), "{text}");
        }
        for text in ["", "a", ".", "null.", "null.a b", "source..a"] {
            assert_eq!(parse_reference(text), None, "{text}");
        }
    }
}
