//! The structure of a JSON template: its keys at the top level, and lists of components.

use super::component::{Component, entries, text, unfit};
use crate::hcl::ast::{Expr, ExprKind, Key};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::hcl::eval::{Scope, evaluate};
use crate::hcl::value::Data;

const KEYS: [&str; 9] = [
    "builders",
    "description",
    "error-cleanup-provisioner",
    "min_packer_version",
    "post-processors",
    "provisioners",
    "push",
    "sensitive-variables",
    "variables",
];
/// Keys of HCL in JSON syntax.
const HCL_KEYS: [&str; 8] = ["build", "data", "local", "locals", "packer", "source", "sources", "variable"];

/// A template as it is written.
#[derive(Default)]
pub(super) struct Document {
    /// Comments at the top level that are texts.
    pub comments: Vec<String>,
    /// Empty when it has none.
    pub description: String,
    pub min_version: Option<(String, Span)>,
    /// By name.
    pub variables: Vec<Variable>,
    /// Names of variables whose values are not to be shown.
    pub sensitive: Vec<(String, Span)>,
    pub builders: Vec<Component>,
    pub provisioners: Vec<Component>,
    pub cleanup: Option<Component>,
    /// Post-processors by chain.
    pub chains: Vec<Vec<Component>>,
}

/// A user variable.
pub(super) struct Variable {
    pub name: String,
    pub name_span: Span,
    /// A template; none: it must be set from outside.
    pub default: Option<String>,
    /// The place of the default.
    pub span: Span,
}

impl Document {
    /// Reads the whole; none if it is no object.
    pub fn read(root: &Expr, diagnostics: &mut Diagnostics) -> Option<Self> {
        let entries = entries(root, "A template", diagnostics)?;
        let mut document = Self { comments: comments(root), ..Self::default() };
        for (name, name_span, value) in entries.iter().filter(|(name, ..)| !name.starts_with('_')) {
            match name.as_str() {
                "description" => document.description = text(value, name, diagnostics).unwrap_or_default(),
                "min_packer_version" => {
                    document.min_version = text(value, name, diagnostics).map(|text| (text, value.span.clone()));
                }
                "variables" => document.variables = variables(value, diagnostics),
                "sensitive-variables" => {
                    let names = items(value, name, diagnostics).into_iter();
                    let name = |item: &Expr| Some((text(item, name, diagnostics)?, item.span.clone()));
                    document.sensitive = names.filter_map(name).collect();
                }
                "builders" => document.builders = components(value, name, "builder", diagnostics),
                "provisioners" => document.provisioners = components(value, name, "provisioner", diagnostics),
                "error-cleanup-provisioner" => document.cleanup = Component::read(value, name, diagnostics),
                "post-processors" => document.chains = chains(value, diagnostics),
                // Of a service that is no more.
                "push" => {}
                _ => diagnostics.push(unknown_key(name).at(name_span)),
            }
        }
        Some(document)
    }

    /// All components.
    pub fn components_mut(&mut self) -> impl Iterator<Item = &mut Component> {
        let components = self.builders.iter_mut().chain(&mut self.provisioners).chain(&mut self.cleanup);
        components.chain(self.chains.iter_mut().flatten())
    }
}

/// The values of keys that begin with an underscore, where they are texts.
fn comments(root: &Expr) -> Vec<String> {
    let ExprKind::Object(entries) = &root.kind else { return Vec::new() };
    let is_comment = |key: &Key| matches!(key, Key::Name(key) if key.name.starts_with('_'));
    let values = entries.iter().filter(|(key, _)| is_comment(key)).map(|(_, value)| &value.kind);
    let texts = values.filter_map(|kind| if let ExprKind::Literal(value) = kind { value.as_str() } else { None });
    texts.map(str::to_owned).collect()
}

fn unknown_key(name: &str) -> Diagnostic {
    let detail = format!(
        "A JSON template has no key {name:?} at its top level. A comment has a key that begins with an underscore: \
         \"_{name}\"."
    );
    let hint = match HCL_KEYS.contains(&name) {
        true => Some("this is HCL in JSON syntax: such a file is named *.pkr.json".to_owned()),
        false => did_you_mean(name, KEYS),
    };
    Diagnostic::error(format!("Unknown root level key in template: '{name}'"), detail).hint(hint)
}

/// The items of a list; a lone value that is no list is an error.
fn items<'e>(value: &'e Expr, name: &str, diagnostics: &mut Diagnostics) -> Vec<&'e Expr> {
    match &value.kind {
        ExprKind::Tuple(items) => items.iter().collect(),
        _ => {
            diagnostics.push(unfit(name, "a list is required", &value.span));
            Vec::new()
        }
    }
}

fn components(value: &Expr, name: &str, word: &str, diagnostics: &mut Diagnostics) -> Vec<Component> {
    let items = items(value, name, diagnostics).into_iter();
    items.filter_map(|item| Component::read(item, word, diagnostics)).collect()
}

/// Each item is a chain: a list of post-processors, or a lone one.
fn chains(value: &Expr, diagnostics: &mut Diagnostics) -> Vec<Vec<Component>> {
    let mut chains = Vec::new();
    for item in items(value, "post-processors", diagnostics) {
        let members: Vec<&Expr> =
            if let ExprKind::Tuple(members) = &item.kind { members.iter().collect() } else { vec![item] };
        let members = members.into_iter();
        chains.push(members.filter_map(|member| Component::read(member, "post-processor", diagnostics)).collect());
    }
    chains
}

fn variables(value: &Expr, diagnostics: &mut Diagnostics) -> Vec<Variable> {
    let mut variables = Vec::new();
    for (name, name_span, value) in entries(value, "\"variables\"", diagnostics).unwrap_or_default() {
        let span = value.span.clone();
        if let Ok(default) = default(value) {
            variables.push(Variable { name, name_span, default, span });
        } else {
            let detail = "A variable is a text, a number or a truth value, or null if it must be set from outside. \
                          For an option that is a list, write its items into one text with commas between them.";
            let summary = format!("Invalid default of the variable {name}");
            diagnostics.push(Diagnostic::error(summary, detail).at(&span));
        }
    }
    variables.sort_by(|left, right| left.name.cmp(&right.name));
    variables
}

/// A truth value is the text `1` or `0`.
fn default(value: &Expr) -> Result<Option<String>, ()> {
    let value = evaluate(value, &Scope::literal()).map_err(|_| ())?;
    match value.data() {
        Data::Null(_) => Ok(None),
        Data::Bool(value) => Ok(Some(if *value { "1" } else { "0" }.to_owned())),
        _ => value.to_text().map(Some).ok_or(()),
    }
}
