//! `packer` blocks: which versions of Packer and of its plugins a template was written for.

use super::plugins::{Requirement, Requirements};
use super::schema::{BlockKind, Schema};
use super::version::{Constraints, Version};
use super::world::keep;
use crate::hcl::ast::Block;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics};
use crate::hcl::eval::{Scope, evaluate};
use crate::hcl::value::Value;

const SCHEMA: Schema = Schema {
    attributes: &["required_version"],
    required: &[],
    blocks: &[BlockKind { kind: "required_plugins", labels: &[] }],
};

/// Checks that all `required_version`s allow a version.
pub(super) fn check_version(blocks: &[&Block], version: &str, diagnostics: &mut Diagnostics) {
    let Some(running) = Version::parse(version).map(Version::released) else { return };
    for attribute in blocks.iter().filter_map(|block| block.body.attribute("required_version")) {
        let Some(value) = keep(evaluate(&attribute.expr, &Scope::literal()), diagnostics) else { continue };
        if value.is_null() {
            continue;
        }
        match constraints(&value) {
            Ok(constraints) if constraints.allow(&running) => {}
            Ok(_) => diagnostics.push(unsupported(&value, &running).at(&attribute.expr.span)),
            Err(why) => {
                diagnostics.push(Diagnostic::error("Invalid version constraint", why).at(&attribute.expr.span));
            }
        }
    }
}

fn constraints(value: &Value) -> Result<Constraints, String> {
    let text = value.to_text().ok_or("A version constraint is a string such as \">= 1.9.0\".")?;
    Constraints::parse(&text).map_err(|error| format!("The text {error}."))
}

fn unsupported(value: &Value, running: &Version) -> Diagnostic {
    let wanted = value.to_text().unwrap_or_default();
    let detail = format!(
        "This template requires a version {wanted} of Packer. Kiln reads templates as version {running} of Packer does."
    );
    Diagnostic::error("Unsupported Packer Core version", detail)
}

/// Checks everything else in `packer` blocks, and gives the plugins that they ask for.
pub(super) fn check(blocks: &[&Block], diagnostics: &mut Diagnostics) -> Vec<Requirement> {
    let mut requirements = Requirements::default();
    for block in blocks {
        SCHEMA.check(&block.body, &block.header, diagnostics);
        for plugins in block.body.blocks_of("required_plugins") {
            requirements.read(&plugins.body, diagnostics);
        }
    }
    requirements.list
}
