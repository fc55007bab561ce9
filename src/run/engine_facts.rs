//! What Packer itself tells its components among their options.
//!
//! Packer hands the facts of a run to every component under these names, so each component's schema has them, and a template
//! that sets one is accepted there (packer-core.md section 2.13). Packer's own values win over the template's, so nothing that
//! a template says under these names has an effect; here it is dropped.

use crate::hcl::body::EvaluatedBody;

/// The names.
pub const NAMES: [&str; 8] = [
    "packer_build_name",
    "packer_builder_type",
    "packer_core_version",
    "packer_debug",
    "packer_force",
    "packer_on_error",
    "packer_sensitive_variables",
    "packer_user_variables",
];

/// Drops them from a component's options.
pub fn drop_from(body: &mut EvaluatedBody) {
    body.attributes.retain(|(name, _)| !NAMES.contains(&name.as_str()));
}
