//! `source` blocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::hcl::ast::{Block, Body};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};

/// A source, which a build may use.
pub(super) struct SourceBlock {
    pub body: Arc<Body>,
    /// Its header.
    pub span: Span,
}

/// The declared sources by type and name.
pub(super) type SourceBlocks = BTreeMap<(String, String), SourceBlock>;

/// Reads all `source` blocks.
pub(super) fn declare(blocks: &[Block], diagnostics: &mut Diagnostics) -> SourceBlocks {
    let mut found = SourceBlocks::new();
    for block in blocks.iter().filter(|block| block.kind == "source") {
        let [kind, name] = block.labels.as_slice() else { continue };
        let key = (kind.text.clone(), name.text.clone());
        if let Some(first) = found.get(&key) {
            let detail = format!("The source {}.{} is defined more than once.", key.0, key.1);
            diagnostics.push(
                Diagnostic::error("Duplicate source block", detail)
                    .at(&block.header)
                    .beside("It is defined here already", &first.span),
            );
            continue;
        }
        found.insert(key, SourceBlock { body: Arc::clone(&block.body), span: block.header.clone() });
    }
    found
}
