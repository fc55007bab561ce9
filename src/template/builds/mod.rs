//! `build` blocks: what they say, and the plan of each selected build.

mod arguments;
mod assemble;
mod common;
mod post_processor;
mod provisioner;
mod reference;
mod uses;

use std::sync::Arc;

use super::kinds::Kinds;
use super::plugins::Requirement;
use super::schema::{BlockKind, Schema};
use super::sources::SourceBlocks;
use super::world::{Health, Names, World};
use crate::hcl::ast::{Block, Body};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::hcl::dynamic::{Expanded, expand_blocks};
use crate::hcl::types::Type;
use crate::plan::BuildOverview;
use post_processor::PostProcessor;
use provisioner::Provisioner;
use uses::Use;

pub use arguments::{PostProcessorArguments, ProvisionerArguments};
pub(super) use assemble::{Assembled, Needs, assemble};
pub(super) use common::only_and_except;

const SCHEMA: Schema = Schema {
    attributes: &["name", "description", "sources"],
    required: &[],
    blocks: &[
        BlockKind { kind: "source", labels: &["reference"] },
        BlockKind { kind: "provisioner", labels: &["type"] },
        BlockKind { kind: "error-cleanup-provisioner", labels: &["type"] },
        BlockKind { kind: "post-processor", labels: &["type"] },
        BlockKind { kind: "post-processors", labels: &[] },
        BlockKind { kind: "hcp_packer_registry", labels: &[] },
        BlockKind { kind: "from", labels: &["type"] },
    ],
};
const CHAIN_SCHEMA: Schema =
    Schema { attributes: &[], required: &[], blocks: &[BlockKind { kind: "post-processor", labels: &["type"] }] };

/// What builds are read with.
pub(super) struct Context<'a> {
    pub world: &'a World,
    pub sources: &'a SourceBlocks,
    pub kinds: &'a dyn Kinds,
    /// The plugins that the template asks for.
    pub requirements: &'a [Requirement],
}

/// A build block.
pub(super) struct BuildBlock {
    /// Empty when it has none.
    name: String,
    description: String,
    uses: Vec<Use>,
    provisioners: Vec<Provisioner>,
    cleanup: Option<Provisioner>,
    chains: Vec<Vec<PostProcessor>>,
    body: Arc<Body>,
}

/// A component's options, still to be evaluated.
struct Options {
    body: Arc<Body>,
    /// Names that only this block knows.
    names: Names,
    /// Its header.
    span: Span,
}

/// Reads all build blocks.
pub(super) fn read(blocks: &[Block], context: &Context<'_>, diagnostics: &mut Diagnostics) -> Vec<BuildBlock> {
    let builds = blocks.iter().filter(|block| block.kind == "build");
    builds.map(|block| BuildBlock::read(block, context, diagnostics)).collect()
}

impl BuildBlock {
    fn read(block: &Block, context: &Context<'_>, diagnostics: &mut Diagnostics) -> Self {
        let world = context.world;
        let body = &block.body;
        SCHEMA.check_attributes(body, &block.header, diagnostics);
        let before = diagnostics.len();
        let outer = world.outer_scope();
        let name = text(body, "name", world, diagnostics);
        let mut build = Self {
            description: text(body, "description", world, diagnostics),
            uses: uses::listed(body, world, &outer, diagnostics),
            name,
            provisioners: Vec::new(),
            cleanup: None,
            chains: Vec::new(),
            body: Arc::clone(body),
        };
        let (blocks, problems) = expand_blocks(body, &outer);
        diagnostics.extend(problems);
        for expanded in blocks {
            if SCHEMA.accepts(&expanded.block, diagnostics) {
                build.add(expanded, world, diagnostics);
            }
        }
        let is_explained = diagnostics.len() > before || world.health == Health::Damaged;
        let names_none = body.attribute("sources").is_none() && body.blocks.iter().all(|block| !is_source(block));
        if build.uses.is_empty() && (names_none || !is_explained) {
            let detail = "A build block must name at least one source to build.";
            let hint =
                context.sources.keys().next().map(|(kind, name)| format!("write sources = [\"source.{kind}.{name}\"]"));
            diagnostics.push(Diagnostic::error("Missing source reference", detail).at(&block.header).hint(hint));
        }
        build
    }

    fn add(&mut self, expanded: Expanded, world: &World, diagnostics: &mut Diagnostics) {
        match expanded.block.kind.as_str() {
            "source" => self.uses.extend(Use::read(&expanded, world, diagnostics)),
            "provisioner" => self.provisioners.push(Provisioner::read(expanded, &self.name, world, diagnostics)),
            "error-cleanup-provisioner" if self.cleanup.is_some() => {
                let detail = "A build has at most one error-cleanup-provisioner; there is one before this.";
                let diagnostic = Diagnostic::error("Only one error-cleanup-provisioner is allowed", detail);
                diagnostics.push(diagnostic.at(&expanded.block.header));
            }
            "error-cleanup-provisioner" => {
                self.cleanup = Some(Provisioner::read(expanded, &self.name, world, diagnostics));
            }
            "post-processor" => {
                self.chains.push(vec![PostProcessor::read(expanded, &self.name, world, diagnostics)]);
            }
            "post-processors" => {
                let chain = self.chain(&expanded, world, diagnostics);
                self.chains.push(chain);
            }
            // Registries are checked elsewhere, and `from` means nothing.
            _ => {}
        }
    }

    fn chain(&self, outer: &Expanded, world: &World, diagnostics: &mut Diagnostics) -> Vec<PostProcessor> {
        let mut names = world.build_names(&self.name);
        names.extend(outer.names.clone());
        let scope = world.scope(names);
        CHAIN_SCHEMA.check_attributes(&outer.block.body, &outer.block.header, diagnostics);
        let mut chain = Vec::new();
        let (blocks, problems) = expand_blocks(&outer.block.body, &scope);
        diagnostics.extend(problems);
        for mut expanded in blocks {
            if CHAIN_SCHEMA.accepts(&expanded.block, diagnostics) {
                let inner = std::mem::replace(&mut expanded.names, outer.names.clone());
                expanded.names.extend(inner);
                chain.push(PostProcessor::read(expanded, &self.name, world, diagnostics));
            }
        }
        chain
    }

    /// What `inspect` shows of it.
    pub fn overview(&self) -> BuildOverview {
        let titles = |chain: &Vec<PostProcessor>| chain.iter().map(PostProcessor::title).collect();
        BuildOverview {
            name: self.name.clone(),
            description: self.description.clone(),
            sources: self.uses.iter().map(Use::title).collect(),
            provisioners: self.provisioners.iter().map(Provisioner::title).collect(),
            post_processors: self.chains.iter().map(titles).filter(|chain: &Vec<String>| !chain.is_empty()).collect(),
        }
    }

    /// The name under which a use of a source is built.
    fn full_name(&self, source: &Use) -> String {
        match self.name.as_str() {
            "" => source.title(),
            name => format!("{name}.{}", source.title()),
        }
    }
}

/// Whether a block of a build names a source, or may generate one that does.
fn is_source(block: &Block) -> bool {
    block.kind == "source" || (block.kind == "dynamic" && block.label(0) == Some("source"))
}

/// A text that a build block says of itself; empty if it says none.
fn text(body: &Body, name: &str, world: &World, diagnostics: &mut Diagnostics) -> String {
    let Some(attribute) = body.attribute(name) else { return String::new() };
    let before = diagnostics.len();
    let scope = world.outer_scope();
    let value = world.known(&attribute.expr, &Type::String, &scope, diagnostics);
    if value.is_none() && diagnostics.len() == before && world.health == Health::Sound {
        let detail = format!("Unsuitable value: the {name} of a build must not be null.");
        diagnostics.push(Diagnostic::error("Unsuitable value type", detail).at(&attribute.expr.span));
    }
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// `type` or `type.name`.
fn title(kind: &str, name: &str) -> String {
    if name.is_empty() { kind.to_owned() } else { format!("{kind}.{name}") }
}
