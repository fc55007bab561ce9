//! Names that can be referred to.

/// Whether a text is an HCL identifier: a letter or underscore, then letters, digits, underscores and dashes.
pub(super) fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    let starts_well = characters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    starts_well && characters.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::is_identifier;

    #[test]
    fn identifiers() {
        for good in ["a", "_a", "my-var_X9", "größe"] {
            assert!(is_identifier(good), "{good}");
        }
        for bad in ["", "9lives", "a.b", "a b", "-a"] {
            assert!(!is_identifier(bad), "{bad}");
        }
    }
}
