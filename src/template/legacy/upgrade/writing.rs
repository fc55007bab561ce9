//! Pieces of HCL text.

use std::fmt::Write as _;

use crate::template::identifier::is_identifier;

/// A text as what stands between the quotes of a string: nothing in it means anything.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if rest.peek() == Some(&'{') => out.extend([c, c]),
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// A text as a string.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// The key of an object's item, without quotes where it needs none.
pub(super) fn key(name: &str) -> String {
    if is_identifier(name) { name.to_owned() } else { quoted(name) }
}

/// A block; an empty one on one line.
pub(super) fn block(header: &str, body: &str) -> String {
    if body.is_empty() { format!("{header} {{}}\n") } else { format!("{header} {{\n{body}}}\n") }
}

/// A text as comment lines.
pub(super) fn comment(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", format!("# {line}").trim_end())).collect()
}

/// The name as an identifier: what no identifier may hold becomes an underscore.
pub(super) fn identifier(name: &str) -> String {
    let mut out: String =
        name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect();
    if !is_identifier(&out) {
        out.insert(0, '_');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_mean_nothing() {
        assert_eq!(quoted("a\"\\\n${x} $x %{y} 50% $${z}\u{1}"), r#""a\"\\\n$${x} $x %%{y} 50% $$${z}\u0001""#);
        assert_eq!(
            (identifier("a.b c"), identifier("8-x"), identifier("")),
            ("a_b_c".into(), "_8-x".into(), "_".into())
        );
        assert_eq!((key("a-b"), key("tag:Name")), ("a-b".into(), "\"tag:Name\"".into()));
        assert_eq!(comment("a\n\nb"), "# a\n#\n# b\n");
    }
}
