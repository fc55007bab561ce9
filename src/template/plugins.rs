//! `required_plugins`: what a template asks for, and whether what is built in is that.

use std::collections::{BTreeMap, BTreeSet};

use super::kinds::Kinds;
use super::schema::refuse_blocks;
use super::version::{Constraints, Version};
use super::world::keep;
use crate::hcl::ast::{Attribute, Body, Expr, ExprKind, Key};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::hcl::eval::{Scope, evaluate};

const KEYS: [&str; 2] = ["version", "source"];

/// A plugin that a template asks for.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// Its local name, which its component types begin with.
    pub name: String,
    /// Where it comes from: `github.com/hashicorp/amazon`.
    pub source: String,
    /// Which versions fit, as written.
    pub constraint: String,
    /// The place of the constraint.
    pub span: Span,
    constraints: Constraints,
}

impl Requirement {
    /// Whether a version fits; the pre-release of a version fits where the version does.
    pub fn allows(&self, version: &str) -> bool {
        Version::parse(version).is_some_and(|version| self.constraints.allow(&version.released()))
    }

    /// Whether a component type is one of the plugin's: it has the plugin's name, or begins with it and a dash.
    pub fn provides(&self, kind: &str) -> bool {
        let own = self.source.rsplit('/').next().unwrap_or_default();
        let of = |name: &str| kind.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        of(&self.name) || of(own)
    }
}

/// The plugins that are built in, but stand for a version that the template does not allow. Only plugins that the
/// selected builds use count, `used` being the types of their components.
pub(super) fn unfit(requirements: &[Requirement], used: &BTreeSet<&str>, kinds: &dyn Kinds) -> Diagnostics {
    let is_used = |requirement: &&Requirement| used.iter().any(|kind| requirement.provides(kind));
    let problem = |requirement: &Requirement| {
        let version = kinds.plugin(&requirement.source).filter(|version| !requirement.allows(version))?;
        let (name, constraint) = (&requirement.name, &requirement.constraint);
        let summary = format!("Unsupported version of the plugin \"{name}\"");
        let detail = format!(
            "This template requires a version {constraint} of {}. It is built into Kiln, which reads its options as version {version} does.",
            requirement.source
        );
        let hint = format!("change the constraint to one that allows {version}");
        Some(Diagnostic::error(summary, detail).at(&requirement.span).hint(hint))
    };
    requirements.iter().filter(is_used).filter_map(problem).collect()
}

/// Collects the requirements of several blocks.
#[derive(Default)]
pub(super) struct Requirements {
    pub list: Vec<Requirement>,
    seen: BTreeMap<String, Span>,
}

impl Requirements {
    /// Reads a `required_plugins` block.
    pub fn read(&mut self, body: &Body, diagnostics: &mut Diagnostics) {
        refuse_blocks(body, "A plugin requirement is an argument: a name and an object.", diagnostics);
        for attribute in &body.attributes {
            let name = attribute.name.as_str();
            if self.seen.insert(name.to_owned(), attribute.name_span.clone()).is_some() {
                let summary = format!("Duplicate required_plugin.\"{name}\" block");
                let detail = format!("The plugin \"{name}\" is required more than once.");
                diagnostics.push(Diagnostic::error(summary, detail).at(&attribute.name_span));
            }
            if !is_plugin_name(name) {
                let detail = "A plugin's local name has lower-case letters, digits and single dashes between them.";
                diagnostics.push(Diagnostic::error("Invalid plugin local name", detail).at(&attribute.name_span));
            }
            self.list.extend(requirement(attribute, diagnostics));
        }
    }
}

fn is_plugin_name(name: &str) -> bool {
    let lower = name.chars().all(|c| c == '-' || (c.is_alphanumeric() && c.to_lowercase().eq([c])));
    lower && !name.is_empty() && !name.starts_with('-') && !name.ends_with('-') && !name.contains("--")
}

fn requirement(attribute: &Attribute, diagnostics: &mut Diagnostics) -> Option<Requirement> {
    let ExprKind::Object(items) = &attribute.expr.kind else {
        let detail = "A plugin requirement is an object with a version and a source.";
        let example = format!("{} = {{ version = \">= 1.0.0\", source = \"github.com/…/…\" }}", attribute.name);
        let diagnostic = Diagnostic::error("Invalid plugin requirement", detail).at(&attribute.expr.span);
        diagnostics.push(diagnostic.hint(Some(format!("write {example}"))));
        return None;
    };
    let fields = fields(items, diagnostics);
    let version = match fields.get("version") {
        Some(expr) => version(expr, diagnostics),
        None => {
            let detail = "A plugin requirement must say which versions fit: version = \">= 1.0.0\".";
            diagnostics.push(Diagnostic::error("No version constraint was set", detail).at(&attribute.expr.span));
            None
        }
    };
    let source = match fields.get("source") {
        Some(expr) => source(expr, diagnostics),
        None => {
            let detail = "A plugin requirement must say where the plugin comes from: source = \"github.com/…/…\".";
            diagnostics.push(Diagnostic::error("No source was set", detail).at(&attribute.expr.span));
            None
        }
    };
    let ((constraint, constraints, span), source) = (version?, source?);
    Some(Requirement { name: attribute.name.clone(), source, constraint, span, constraints })
}

fn fields<'e>(items: &'e [(Key, Expr)], diagnostics: &mut Diagnostics) -> BTreeMap<&'e str, &'e Expr> {
    let mut fields = BTreeMap::new();
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
    fields
}

fn key_name(key: &Key) -> Option<&str> {
    match key {
        Key::Name(member) => Some(&member.name),
        Key::Expr(Expr { kind: ExprKind::Literal(value), .. }) => value.as_str(),
        Key::Expr(_) => None,
    }
}

/// The constraint as written, as read, and its place.
fn version(expr: &Expr, diagnostics: &mut Diagnostics) -> Option<(String, Constraints, Span)> {
    let value = keep(evaluate(expr, &Scope::literal()), diagnostics)?;
    let problem = match value.as_str().map(|text| (text, Constraints::parse(text))) {
        None => "A version constraint is a string such as \">= 1.0.0\".".to_owned(),
        Some((_, Err(error))) => format!("The text {error}."),
        Some((_, Ok(constraints))) if constraints.has_prerelease() => {
            "A constraint on a plugin's version can't name a pre-release.".to_owned()
        }
        Some((text, Ok(constraints))) => return Some((text.to_owned(), constraints, expr.span.clone())),
    };
    diagnostics.push(Diagnostic::error("Invalid version constraint", problem).at(&expr.span));
    None
}

fn source(expr: &Expr, diagnostics: &mut Diagnostics) -> Option<String> {
    let value = keep(evaluate(expr, &Scope::literal()), diagnostics)?;
    let Some(source) = value.as_str() else {
        let detail = "A plugin's source is a string such as \"github.com/hashicorp/amazon\".";
        diagnostics.push(Diagnostic::error("Invalid source", detail).at(&expr.span));
        return None;
    };
    if let Some(problem) = source_problem(source) {
        diagnostics.push(Diagnostic::error("Failed to parse source", problem).at(&expr.span));
    }
    Some(source.to_owned())
}

/// What is wrong with a plugin's source; none if nothing is.
pub fn source_problem(source: &str) -> Option<String> {
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
