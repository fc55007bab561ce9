//! The inputs of a provisioner as a digest, by which a resumed run knows it again.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::hcl::Value;
use crate::hcl::body::EvaluatedBody;

/// A digest of a provisioner's options and of the files that they name, by which a resumed run knows whether it changed.
pub fn digest(kind: &str, body: &EvaluatedBody) -> String {
    let mut hasher = Sha256::new();
    hasher.update(kind);
    // Their order means nothing.
    let attributes: BTreeMap<_, _> = body.attributes.iter().map(|(name, attribute)| (name, attribute)).collect();
    for (name, attribute) in attributes {
        hasher.update(format!("\0{name}\0{:?}", attribute.value.data()));
        files_of(&attribute.value).for_each(|content| hasher.update(content));
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Longest file that counts for a digest, in bytes: scripts and configuration, not what is merely uploaded.
const LONGEST_HASHED: u64 = 1 << 20;

/// The contents of the regular files that a value names, alone or in a list.
fn files_of(value: &Value) -> impl Iterator<Item = Vec<u8>> {
    let texts = value.as_sequence().unwrap_or(std::slice::from_ref(value));
    texts.iter().filter_map(|text| {
        let path = text.as_str()?.to_owned();
        let file = std::fs::metadata(&path).ok().filter(|meta| meta.is_file() && meta.len() <= LONGEST_HASHED);
        file.and_then(|_| std::fs::read(path).ok())
    })
}
