//! Which blocks a template file may have.

use super::schema::{BlockKind, Schema};
use crate::hcl::ast::{Block, Body};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics};

const SCHEMA: Schema = Schema {
    attributes: &[],
    required: &[],
    blocks: &[
        BlockKind { kind: "packer", labels: &[] },
        BlockKind { kind: "variable", labels: &["name"] },
        BlockKind { kind: "variables", labels: &[] },
        BlockKind { kind: "locals", labels: &[] },
        BlockKind { kind: "local", labels: &["name"] },
        BlockKind { kind: "data", labels: &["type", "name"] },
        BlockKind { kind: "source", labels: &["type", "name"] },
        BlockKind { kind: "build", labels: &[] },
        BlockKind { kind: "hcp_packer_registry", labels: &[] },
        BlockKind { kind: "communicator", labels: &["type", "name"] },
    ],
};

/// The well-formed blocks of a file; everything else in it is reported.
pub(super) fn blocks(body: Body, diagnostics: &mut Diagnostics) -> Vec<Block> {
    for attribute in &body.attributes {
        let detail = format!("An argument named \"{}\" is not expected here.", attribute.name);
        let hint = "arguments stand in blocks; values for variables go into a file given with -var-file".to_owned();
        let diagnostic = Diagnostic::error("Unsupported argument", detail).at(&attribute.name_span);
        diagnostics.push(diagnostic.hint(Some(hint)));
    }
    body.blocks.into_iter().filter(|block| accepts(block, diagnostics)).collect()
}

fn accepts(block: &Block, diagnostics: &mut Diagnostics) -> bool {
    if matches!(block.kind.as_str(), "provisioner" | "post-processor" | "post-processors") {
        let detail = format!("Blocks of type \"{}\" are not expected here.", block.kind);
        let hint = format!("put the {} block into a build block", block.kind);
        let diagnostic = Diagnostic::error("Unsupported block type", detail).at(&block.header);
        diagnostics.push(diagnostic.hint(Some(hint)));
        return false;
    }
    SCHEMA.accepts(block, diagnostics)
}
