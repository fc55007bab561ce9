//! Tags as templates give them: a map, or repeated blocks.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// One tag as a block.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Tag {
    /// Key of the tag.
    pub key: String,
    /// Value of the tag.
    pub value: String,
}

/// One volume tag as a block: here the key is called `name` (packer-amazon.md section 11.6).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NamedTag {
    /// Key of the tag, called `name` here.
    pub name: String,
    /// Value of the tag.
    pub value: String,
}

/// Map and blocks together; blocks win.
pub fn all(map: &BTreeMap<String, String>, blocks: &[Tag]) -> BTreeMap<String, String> {
    let mut all = map.clone();
    all.extend(blocks.iter().map(|tag| (tag.key.clone(), tag.value.clone())));
    all
}
