//! `packer` blocks: which versions of Packer and of its plugins a template was written for.

use std::collections::BTreeMap;

use super::schema::{BlockKind, Schema, refuse_blocks};
use super::version::{Constraints, Version};
use super::world::keep;
use crate::hcl::ast::{Attribute, Block, Body, Expr, ExprKind, Key};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::hcl::eval::{Scope, evaluate};
use crate::hcl::value::Value;

const SCHEMA: Schema = Schema {
    attributes: &["required_version"],
    required: &[],
    blocks: &[BlockKind { kind: "required_plugins", labels: &[] }],
};
const KEYS: [&str; 2] = ["version", "source"];

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

/// Checks everything else in `packer` blocks.
pub(super) fn check(blocks: &[&Block], diagnostics: &mut Diagnostics) {
    let mut seen = BTreeMap::new();
    for block in blocks {
        SCHEMA.check(&block.body, &block.header, diagnostics);
        for plugins in block.body.blocks_of("required_plugins") {
            check_plugins(&plugins.body, &mut seen, diagnostics);
        }
    }
}

fn check_plugins<'b>(body: &'b Body, seen: &mut BTreeMap<&'b str, &'b Span>, diagnostics: &mut Diagnostics) {
    refuse_blocks(body, "A plugin requirement is an argument: a name and an object.", diagnostics);
    for attribute in &body.attributes {
        let name = attribute.name.as_str();
        if seen.insert(name, &attribute.name_span).is_some() {
            let summary = format!("Duplicate required_plugin.\"{name}\" block");
            let detail = format!("The plugin \"{name}\" is required more than once.");
            diagnostics.push(Diagnostic::error(summary, detail).at(&attribute.name_span));
        }
        if !is_plugin_name(name) {
            let detail = "A plugin's local name has lower-case letters, digits and single dashes between them.";
            diagnostics.push(Diagnostic::error("Invalid plugin local name", detail).at(&attribute.name_span));
        }
        check_plugin(attribute, diagnostics);
    }
}

fn is_plugin_name(name: &str) -> bool {
    let lower = name.chars().all(|c| c == '-' || (c.is_alphanumeric() && c.to_lowercase().eq([c])));
    lower && !name.is_empty() && !name.starts_with('-') && !name.ends_with('-') && !name.contains("--")
}

fn check_plugin(attribute: &Attribute, diagnostics: &mut Diagnostics) {
    let ExprKind::Object(items) = &attribute.expr.kind else {
        let detail = "A plugin requirement is an object with a version and a source.";
        let example = format!("{} = {{ version = \">= 1.0.0\", source = \"github.com/…/…\" }}", attribute.name);
        let diagnostic = Diagnostic::error("Invalid plugin requirement", detail).at(&attribute.expr.span);
        diagnostics.push(diagnostic.hint(Some(format!("write {example}"))));
        return;
    };
    let mut fields: BTreeMap<&str, &Expr> = BTreeMap::new();
    for (key, expr) in items {
        match key_name(key) {
            Some(name) if KEYS.contains(&name) => _ = fields.insert(name, expr),
            name => {
                let name = name.unwrap_or("…");
                let detail = format!("A plugin requirement has a version and a source, but no \"{name}\".");
                let diagnostic = Diagnostic::error("Invalid required_plugins object", detail).at(&expr.span);
                diagnostics.push(diagnostic.hint(did_you_mean(name, KEYS)));
            }
        }
    }
    match fields.get("version") {
        Some(expr) => check_plugin_version(expr, diagnostics),
        None => {
            let detail = "A plugin requirement must say which versions fit: version = \">= 1.0.0\".";
            diagnostics.push(Diagnostic::error("No version constraint was set", detail).at(&attribute.expr.span));
        }
    }
    match fields.get("source") {
        Some(expr) => check_source(expr, diagnostics),
        None => {
            let detail = "A plugin requirement must say where the plugin comes from: source = \"github.com/…/…\".";
            diagnostics.push(Diagnostic::error("No source was set", detail).at(&attribute.expr.span));
        }
    }
}

fn key_name(key: &Key) -> Option<&str> {
    match key {
        Key::Name(member) => Some(&member.name),
        Key::Expr(Expr { kind: ExprKind::Literal(value), .. }) => value.as_str(),
        Key::Expr(_) => None,
    }
}

fn check_plugin_version(expr: &Expr, diagnostics: &mut Diagnostics) {
    let Some(value) = keep(evaluate(expr, &Scope::literal()), diagnostics) else { return };
    let problem = match value.as_str().map(Constraints::parse) {
        None => "A version constraint is a string such as \">= 1.0.0\".".to_owned(),
        Some(Err(error)) => format!("The text {error}."),
        Some(Ok(constraints)) if constraints.has_prerelease() => {
            "A constraint on a plugin's version can't name a pre-release.".to_owned()
        }
        Some(Ok(_)) => return,
    };
    diagnostics.push(Diagnostic::error("Invalid version constraint", problem).at(&expr.span));
}

fn check_source(expr: &Expr, diagnostics: &mut Diagnostics) {
    let Some(value) = keep(evaluate(expr, &Scope::literal()), diagnostics) else { return };
    let Some(source) = value.as_str() else {
        let detail = "A plugin's source is a string such as \"github.com/hashicorp/amazon\".";
        diagnostics.push(Diagnostic::error("Invalid source", detail).at(&expr.span));
        return;
    };
    if let Some(problem) = source_problem(source) {
        diagnostics.push(Diagnostic::error("Failed to parse source", problem).at(&expr.span));
    }
}

fn source_problem(source: &str) -> Option<String> {
    let parts: Vec<&str> = source.split('/').collect();
    let name = parts.last().copied().unwrap_or_default();
    let why = if source.contains("://") {
        "it must not have a scheme such as https://".to_owned()
    } else if source.contains(['?', '#']) {
        "it must not have a query or a fragment".to_owned()
    } else if parts.iter().any(|part| part.is_empty()) {
        "it must not have a leading, trailing or double slash".to_owned()
    } else if !(3..=16).contains(&parts.len()) {
        "it has a host, a namespace and a name, separated by slashes".to_owned()
    } else if let Some(bare) = name.strip_prefix("packer-plugin-") {
        format!("its last part must not start with packer-plugin-: write {bare:?}")
    } else if name.starts_with("packer-") {
        "its last part must not start with packer-".to_owned()
    } else {
        return None;
    };
    Some(format!("The plugin source {source:?} is not valid: {why}."))
}
