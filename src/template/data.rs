//! `data` blocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::identifier::is_identifier;
use crate::hcl::ast::{Block, Body};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};

/// A data source.
pub(super) struct DataBlock {
    pub body: Arc<Body>,
    /// Its header.
    pub span: Span,
}

/// The declared data sources by type and name.
pub(super) type DataBlocks = BTreeMap<(String, String), DataBlock>;

/// Reads all `data` blocks.
pub(super) fn declare(blocks: &[Block], diagnostics: &mut Diagnostics) -> DataBlocks {
    let mut found = DataBlocks::new();
    for block in blocks.iter().filter(|block| block.kind == "data") {
        let [kind, name] = block.labels.as_slice() else { continue };
        for (label, summary) in [(kind, "Invalid data source name"), (name, "Invalid data resource name")] {
            if !is_identifier(&label.text) {
                let detail =
                    "A name starts with a letter or underscore and has only letters, digits, underscores and dashes.";
                diagnostics.push(Diagnostic::error(summary, detail).at(&label.span));
            }
        }
        for inner in block.body.blocks.iter().filter(|inner| inner.kind == "dynamic") {
            let detail = "Blocks of type \"dynamic\" are not expected in a data block.";
            diagnostics.push(Diagnostic::error("Unsupported block type", detail).at(&inner.header));
        }
        let key = (kind.text.clone(), name.text.clone());
        if let Some(first) = found.get(&key) {
            let detail = format!("The data source data.{}.{} is defined more than once.", key.0, key.1);
            diagnostics.push(
                Diagnostic::error("Duplicate data block", detail)
                    .at(&block.header)
                    .beside("It is defined here already", &first.span),
            );
            continue;
        }
        found.insert(key, DataBlock { body: Arc::clone(&block.body), span: block.header.clone() });
    }
    found
}
