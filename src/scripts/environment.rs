//! The variables that scripts see: the build's own, then the template's, in one format.

use std::collections::BTreeMap;

/// The template's variables: a list of `K=V`, then a map that wins over it (packer-core.md section 5.1).
pub fn variables(
    (build_name, build_type): (&str, &str),
    list: &[String],
    map: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("PACKER_BUILD_NAME".to_owned(), build_name.to_owned()),
        ("PACKER_BUILDER_TYPE".to_owned(), build_type.to_owned()),
    ]);
    let pairs = list.iter().filter_map(|pair| pair.split_once('='));
    all.extend(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
    all.extend(map.clone());
    all
}

/// The first entry that is not `key=value`.
pub fn malformed(list: &[String]) -> Option<&String> {
    list.iter().find(|pair| pair.split_once('=').is_none_or(|(key, _)| key.is_empty()))
}

/// What would end a value before its end, and is made safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// Single quotes, for a POSIX shell.
    Shell,
    /// What PowerShell reads in double quotes.
    PowerShell,
    /// Nothing: `cmd` has no quoting that a value could be made safe with.
    Verbatim,
}

impl Quoting {
    fn apply(self, value: &str) -> String {
        match self {
            Self::Shell => value.replace('\'', r#"'"'"'"#),
            Self::PowerShell => {
                let escape = |c| if "$\"`'".contains(c) { format!("`{c}") } else { String::from(c) };
                value.chars().map(escape).collect()
            }
            Self::Verbatim => value.to_owned(),
        }
    }
}

/// All variables, sorted by name, each through a printf-like format that takes key and value.
pub fn formatted(variables: &BTreeMap<String, String>, format: &str, quoting: Quoting) -> String {
    // Cut before anything is put in, so that a value is never taken for a part of the format.
    let pieces: Vec<String> = format.splitn(3, "%s").map(|piece| piece.replace("%%", "%")).collect();
    let piece = |n: usize| pieces.get(n).map_or("", String::as_str);
    let one = |(key, value): (&String, &String)| {
        let value = if pieces.len() > 2 { quoting.apply(value) } else { String::new() };
        let key = if pieces.len() > 1 { key } else { "" };
        [piece(0), key, piece(1), &value, piece(2)].concat()
    };
    variables.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_quoted_and_overridable() {
        let list = ["B=it's".to_owned(), "A=1=2".to_owned(), "PACKER_BUILD_NAME=mine".to_owned()];
        let map = BTreeMap::from([("A".to_owned(), "x".to_owned())]);
        let text = formatted(&variables(("n", "t"), &list, &map), "%s='%s' ", Quoting::Shell);
        assert_eq!(text, r#"A='x' B='it'"'"'s' PACKER_BUILDER_TYPE='t' PACKER_BUILD_NAME='mine' "#);
    }

    #[test]
    fn every_shell_has_its_own_dangers() {
        let variables = BTreeMap::from([("P".to_owned(), r#"100%% $x "`'"#.to_owned())]);
        assert_eq!(formatted(&variables, "%s=%s;", Quoting::Verbatim), r#"P=100%% $x "`';"#);
        assert_eq!(formatted(&variables, "$env:%s=\"%s\"; ", Quoting::PowerShell), "$env:P=\"100%% `$x `\"```'\"; ");
    }

    #[test]
    fn malformed_pairs_are_found() {
        let list = ["A=1".to_owned(), "=x".to_owned()];
        assert_eq!(malformed(&list), Some(&"=x".to_owned()));
        assert_eq!(malformed(&["B".to_owned()]), Some(&"B".to_owned()));
        assert_eq!(malformed(&["B=".to_owned()]), None);
    }
}
