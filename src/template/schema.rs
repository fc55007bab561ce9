//! Which attributes and blocks a body may have, and the diagnostics for all others.

use crate::hcl::ast::{Block, Body};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};

/// A kind of block that a body may have.
pub(super) struct BlockKind {
    /// The block's type.
    pub kind: &'static str,
    /// What its labels say, in order.
    pub labels: &'static [&'static str],
}

/// What a body may have.
pub(super) struct Schema {
    /// Attributes that may be there.
    pub attributes: &'static [&'static str],
    /// Attributes that must be there; they are among `attributes` too.
    pub required: &'static [&'static str],
    /// Blocks that may be there.
    pub blocks: &'static [BlockKind],
}

impl Schema {
    /// Reports what does not belong into a body and what is missing; `owner` is the block's header.
    pub fn check(&self, body: &Body, owner: &Span, diagnostics: &mut Diagnostics) {
        self.check_attributes(body, owner, diagnostics);
        for block in &body.blocks {
            self.accepts(block, diagnostics);
        }
    }

    /// Reports attributes that do not belong into a body, and missing ones.
    pub fn check_attributes(&self, body: &Body, owner: &Span, diagnostics: &mut Diagnostics) {
        for attribute in &body.attributes {
            if !self.attributes.contains(&attribute.name.as_str()) {
                diagnostics.push(self.unexpected_attribute(&attribute.name).at(&attribute.name_span));
            }
        }
        for name in self.required {
            if body.attribute(name).is_none() {
                diagnostics.push(missing_argument(name).at(owner));
            }
        }
    }

    /// Whether a block belongs here and has the right labels; what is wrong with it is reported.
    pub fn accepts(&self, block: &Block, diagnostics: &mut Diagnostics) -> bool {
        let Some(known) = self.blocks.iter().find(|known| known.kind == block.kind) else {
            diagnostics.push(self.unexpected_block(&block.kind).at(&block.header));
            return false;
        };
        let problem = known.label_problem(block);
        let fits = problem.is_none();
        diagnostics.extend(problem);
        fits
    }

    fn unexpected_attribute(&self, name: &str) -> Diagnostic {
        let hint = if self.blocks.iter().any(|block| block.kind == name) {
            Some(format!("{name} is a block: write {name} {{ … }} without the equals sign"))
        } else {
            let all = || {
                let names = self.attributes.join(", ");
                Some(format!("arguments that can stand here: {names}")).filter(|_| !self.attributes.is_empty())
            };
            did_you_mean(name, self.attributes.iter().copied()).or_else(all)
        };
        Diagnostic::error("Unsupported argument", format!("An argument named \"{name}\" is not expected here."))
            .hint(hint)
    }

    fn unexpected_block(&self, kind: &str) -> Diagnostic {
        let hint = if self.attributes.contains(&kind) {
            Some(format!("{kind} is an argument: write {kind} = … with an equals sign"))
        } else {
            let all = || {
                let kinds: Vec<&str> = self.blocks.iter().map(|block| block.kind).collect();
                Some(format!("blocks that can stand here: {}", kinds.join(", "))).filter(|_| !kinds.is_empty())
            };
            did_you_mean(kind, self.blocks.iter().map(|block| block.kind)).or_else(all)
        };
        Diagnostic::error("Unsupported block type", format!("Blocks of type \"{kind}\" are not expected here."))
            .hint(hint)
    }
}

impl BlockKind {
    fn label_problem(&self, block: &Block) -> Option<Diagnostic> {
        let kind = self.kind;
        let wanted = self.labels.len();
        let names = self.labels.join(", ");
        if let Some(missing) = self.labels.get(block.labels.len()) {
            let detail = format!("All {kind} blocks must have {} ({names}).", counted(wanted));
            return Some(Diagnostic::error(format!("Missing {missing} for {kind}"), detail).at(&block.header));
        }
        let extra = block.labels.get(wanted)?;
        let detail = match wanted {
            0 => format!("No labels are expected for {kind} blocks."),
            _ => format!("{kind} blocks have only {} ({names}).", counted(wanted)),
        };
        Some(Diagnostic::error(format!("Extraneous label for {kind}"), detail).at(&extra.span))
    }
}

fn counted(labels: usize) -> String {
    if labels == 1 { "1 label".to_owned() } else { format!("{labels} labels") }
}

/// An argument that must be there is not.
pub(super) fn missing_argument(name: &str) -> Diagnostic {
    let detail = format!("The argument \"{name}\" is required, but no definition was found.");
    Diagnostic::error("Missing required argument", detail)
}

/// Reports the blocks of a body that may only have attributes.
pub(super) fn refuse_blocks(body: &Body, why: &str, diagnostics: &mut Diagnostics) {
    for block in &body.blocks {
        let summary = format!("Unexpected \"{}\" block", block.kind);
        let hint = format!("if {0} is meant to be a value, write {0} = {{ … }}", block.kind);
        diagnostics.push(Diagnostic::error(summary, why).at(&block.header).hint(Some(hint)));
    }
}
