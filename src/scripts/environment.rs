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

/// All variables, sorted by name, each through a printf-like format that takes key and value; single quotes in values are made safe for a shell.
pub fn formatted(variables: &BTreeMap<String, String>, format: &str) -> String {
    let one = |(key, value): (&String, &String)| {
        let quoted = value.replace('\'', r#"'"'"'"#);
        let (before, rest) = format.split_once("%s").unwrap_or((format, ""));
        let (between, after) = rest.split_once("%s").unwrap_or((rest, ""));
        format!("{before}{key}{between}{quoted}{after}").replace("%%", "%")
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
        let text = formatted(&variables(("n", "t"), &list, &map), "%s='%s' ");
        assert_eq!(text, r#"A='x' B='it'"'"'s' PACKER_BUILDER_TYPE='t' PACKER_BUILD_NAME='mine' "#);
    }

    #[test]
    fn malformed_pairs_are_found() {
        let list = ["A=1".to_owned(), "=x".to_owned()];
        assert_eq!(malformed(&list), Some(&"=x".to_owned()));
        assert_eq!(malformed(&["B".to_owned()]), Some(&"B".to_owned()));
        assert_eq!(malformed(&["B=".to_owned()]), None);
    }
}
