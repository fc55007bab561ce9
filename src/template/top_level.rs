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

/// What to write for a block of Terraform or of the older JSON templates.
fn foreign(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "terraform" => "this is Terraform's: a template says packer { required_version = … }",
        "resource" => "resources are Terraform's: what is built is a source block, named in a build block",
        "provider" => "providers are Terraform's: region and credentials are options of each source",
        "module" => "modules are Terraform's: all *.pkr.hcl files of a directory are read as one template",
        "output" => "outputs are Terraform's: the manifest post-processor writes down what was built",
        "builder" | "builders" => {
            "what the older JSON templates call a builder is a source block here, named in a build block"
        }
        "provisioners" => "write one provisioner \"TYPE\" { … } block for each, in a build block",
        _ => return None,
    })
}

fn accepts(block: &Block, diagnostics: &mut Diagnostics) -> bool {
    if matches!(block.kind.as_str(), "provisioner" | "post-processor" | "post-processors") {
        let detail = format!("Blocks of type \"{}\" are not expected here.", block.kind);
        let hint = format!("put the {} block into a build block", block.kind);
        let diagnostic = Diagnostic::error("Unsupported block type", detail).at(&block.header);
        diagnostics.push(diagnostic.hint(Some(hint)));
        return false;
    }
    if let Some(remedy) = foreign(&block.kind) {
        let detail = format!("Blocks of type \"{}\" are not expected here.", block.kind);
        let diagnostic = Diagnostic::error("Unsupported block type", detail).at(&block.header);
        diagnostics.push(diagnostic.hint(remedy.to_owned()));
        return false;
    }
    SCHEMA.accepts(block, diagnostics)
}
