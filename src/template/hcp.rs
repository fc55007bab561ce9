//! `hcp_packer_registry` blocks: there is no registry to report to, so they are read and have no effect.

use super::schema::Schema;
use crate::hcl::ast::Block;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics};

const SCHEMA: Schema = Schema {
    attributes: &["bucket_name", "description", "bucket_labels", "build_labels", "labels", "channels"],
    required: &[],
    blocks: &[],
};
const KIND: &str = "hcp_packer_registry";

/// Checks all such blocks, on their own and in builds, and says that they have no effect.
pub(super) fn check(blocks: &[Block], diagnostics: &mut Diagnostics) {
    let outer: Vec<&Block> = blocks.iter().filter(|block| block.kind == KIND).collect();
    let builds = blocks.iter().filter(|block| block.kind == "build");
    let inner: Vec<Vec<&Block>> = builds.map(|build| build.body.blocks_of(KIND).collect()).collect();
    let levels = std::iter::once(&outer).chain(&inner).filter(|level| !level.is_empty());
    for (at, level) in levels.enumerate() {
        for (position, block) in level.iter().enumerate() {
            SCHEMA.check(&block.body, &block.header, diagnostics);
            diagnostics.push(verdict(at, position).at(&block.header));
        }
    }
}

fn verdict(level: usize, position: usize) -> Diagnostic {
    match (level, position) {
        (0, 0) => {
            let detail = "Kiln reports to no registry; the block is read and has no effect.";
            Diagnostic::warning("hcp_packer_registry has no effect", detail)
        }
        (_, 0) => {
            let detail = "There is another block of this type in the template.";
            Diagnostic::error("Multiple HCP Packer registry block declaration", detail)
        }
        _ => Diagnostic::error("Only one hcp_packer_registry is allowed", "There is another one beside it."),
    }
}
