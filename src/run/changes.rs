//! What was edited in a template since a run began, for those who go on with it.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::hcl::body::EvaluatedBody;

use super::prepare::PreparedBuild;

/// Digests of the options of a build's source, by name.
pub fn digests(build: &PreparedBuild) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    collect(&build.plan.source, "", &mut texts);
    texts.into_iter().map(|(name, text)| (name, digest(&text))).collect()
}

/// A block counts as the option of its type, with all blocks of that type.
fn collect(body: &EvaluatedBody, of: &str, texts: &mut BTreeMap<String, String>) {
    for (name, attribute) in &body.attributes {
        let text = format!("\0{name}\0{:?}", attribute.value.data());
        texts.entry(if of.is_empty() { name.clone() } else { of.to_owned() }).or_default().push_str(&text);
    }
    for block in &body.blocks {
        let of = if of.is_empty() { block.kind.as_str() } else { of };
        texts.entry(of.to_owned()).or_default().push_str(&format!("\0{{{}", block.kind));
        collect(&block.body, of, texts);
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names of options that are not what they were.
pub fn changed(then: &BTreeMap<String, String>, today: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = then.keys().chain(today.keys()).collect();
    names.into_iter().filter(|name| then.get(*name) != today.get(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edited_added_and_removed_options_are_named() {
        let of = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (then, today) = (of(&[("a", "1"), ("b", "1"), ("c", "1")]), of(&[("a", "1"), ("b", "2"), ("d", "1")]));
        assert_eq!(changed(&then, &today), ["b", "c", "d"]);
    }
}
