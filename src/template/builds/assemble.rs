//! From build blocks to the plans of the selected builds.

use std::sync::Arc;

use super::post_processor::PostProcessor;
use super::provisioner::Provisioner;
use super::uses::Use;
use super::{BuildBlock, Context, Options};
use crate::hcl::ast::Body;
use crate::hcl::body::{EvaluatedBody, evaluate_body};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::hcl::references::references_in;
use crate::hcl::value::Value;
use crate::plan::{BuildPlan, Pending, PostProcessorSpec, ProvisionerSpec};
use crate::template::data::DataBlocks;
use crate::template::graph::{Node, targets};
use crate::template::kinds::Role;
use crate::template::selection::Selection;
use crate::template::sources::SourceBlock;
use crate::template::world::Names;

/// Sources that are named when another one is not found.
const MAX_LISTED: usize = 50;

/// The plans of the selected builds, and what they are made from.
pub(in crate::template) struct Assembled {
    pub builds: Vec<BuildPlan>,
    pub needs: Needs,
}

/// The bodies that make up builds.
#[derive(Default)]
pub(in crate::template) struct Needs {
    selected: Vec<Arc<Body>>,
    others: Vec<Arc<Body>>,
}

impl Needs {
    /// The locals and data sources that the selected builds refer to.
    pub fn selected(&self, data: &DataBlocks) -> Vec<Node> {
        nodes(&self.selected, data)
    }

    /// The locals and data sources that any build or source refers to.
    pub fn all(&self, data: &DataBlocks) -> Vec<Node> {
        let mut all = nodes(&self.others, data);
        all.extend(self.selected(data));
        all
    }
}

fn nodes(bodies: &[Arc<Body>], data: &DataBlocks) -> Vec<Node> {
    let references = bodies.iter().flat_map(|body| references_in(body));
    references.flat_map(|reference| targets(&reference, data)).map(|(node, _)| node).collect()
}

/// Makes the plans of the selected builds. Sources of all builds must be declared, but only what selected builds
/// use must be of a known type: a provisioner that `only` keeps for another cloud's build is not used.
pub(in crate::template) fn assemble(
    blocks: &[BuildBlock],
    context: &Context<'_>,
    selection: &Selection,
    diagnostics: &mut Diagnostics,
) -> Assembled {
    let mut assembled = Assembled { builds: Vec::new(), needs: Needs::default() };
    let (mut names, mut excluded) = (Vec::new(), 0);
    diagnostics.extend(slips(blocks, context));
    for block in blocks {
        let mut is_selected = false;
        for source in &block.uses {
            let name = block.full_name(source);
            let included = selection.includes(&name);
            let planned = selection.selects(&name);
            excluded += usize::from(included && !planned);
            names.push(name);
            let declared = declared(source, planned, context, diagnostics);
            if !planned {
                continue;
            }
            is_selected = true;
            let Some(declared) = declared else { continue };
            assembled.needs.selected.push(Arc::clone(&declared.body));
            let mut builder = Builder { block, source, declared, context, selection, excluded: 0 };
            let plan = builder.plan(diagnostics);
            excluded += builder.excluded;
            assembled.builds.extend(plan);
        }
        let bodies = if is_selected { &mut assembled.needs.selected } else { &mut assembled.needs.others };
        bodies.push(Arc::clone(&block.body));
    }
    assembled.needs.others.extend(context.sources.values().map(|source| Arc::clone(&source.body)));
    let selected = names.iter().filter(|name| selection.selects(name)).count();
    diagnostics.extend(selection.warnings(selected, excluded, &names));
    assembled
}

/// Warnings of names in `only` and `except` that are misspelt names of uses of sources, or of sources that no build uses.
fn slips(blocks: &[BuildBlock], context: &Context<'_>) -> Diagnostics {
    let used = blocks.iter().flat_map(|block| &block.uses).map(Use::title);
    let declared = context.sources.keys().map(|(kind, name)| format!("{kind}.{name}"));
    let titles: Vec<String> = used.chain(declared).collect();
    let provisioners = blocks.iter().flat_map(|block| block.provisioners.iter().chain(&block.cleanup));
    let processors = blocks.iter().flat_map(|block| block.chains.iter().flatten());
    let filters = provisioners.map(|own| &own.filter).chain(processors.map(|own| &own.filter));
    filters.flat_map(|filter| filter.slips(&titles)).collect()
}

/// The declaration of a source. Its type must be known if the build is selected.
fn declared<'a>(
    source: &Use,
    planned: bool,
    context: &Context<'a>,
    diagnostics: &mut Diagnostics,
) -> Option<&'a SourceBlock> {
    let found = context.sources.get(&(source.kind.clone(), source.name.clone()));
    if planned && !context.kinds.has(Role::Source, &source.kind) {
        diagnostics.push(unknown_kind(Role::Source, "source", &source.kind, context).at(&source.span));
        return None;
    }
    if found.is_none() {
        let title = format!("{}.{}", source.kind, source.name);
        let mut known: Vec<String> = context.sources.keys().map(|(kind, name)| format!("{kind}.{name}")).collect();
        let hint = did_you_mean(&title, known.iter().map(String::as_str));
        let more = known.len().saturating_sub(MAX_LISTED);
        known.truncate(MAX_LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let detail = match known.as_slice() {
            [] => "The template declares no source.".to_owned(),
            known => format!("The template declares these sources: {}{more}.", known.join(", ")),
        };
        let hint = hint.or_else(|| {
            let (kind, name) = (&source.kind, &source.name);
            known.is_empty().then(|| format!("to declare it, write: source \"{kind}\" \"{name}\" {{ … }}"))
        });
        diagnostics.push(Diagnostic::error(format!("Unknown source {title}"), detail).at(&source.span).hint(hint));
    }
    found
}

fn unknown_kind(role: Role, word: &str, kind: &str, context: &Context<'_>) -> Diagnostic {
    let names = context.kinds.names(role);
    let shown = if role == Role::Source { kind.to_owned() } else { format!("\"{kind}\"") };
    let mut detail = format!("Kiln has no {word} of this type. It has: {}.", names.join(", "));
    if let Some(requirement) = context.requirements.iter().find(|requirement| requirement.provides(kind)) {
        let source = &requirement.source;
        let plugin = format!(
            "\n\nThe template requires the plugin {source} for it. Kiln's plugins are built in, and it runs no others."
        );
        detail.push_str(&plugin);
    }
    Diagnostic::error(format!("Unknown {word} type {shown}"), detail).hint(did_you_mean(kind, names))
}

/// Makes the plan of one build.
struct Builder<'a> {
    block: &'a BuildBlock,
    source: &'a Use,
    declared: &'a SourceBlock,
    context: &'a Context<'a>,
    selection: &'a Selection,
    /// How many post-processors `-except` matched.
    excluded: usize,
}

impl Builder<'_> {
    fn plan(&mut self, diagnostics: &mut Diagnostics) -> Option<BuildPlan> {
        let names = Arc::new(self.names());
        let (block, source) = (self.block, self.source);
        let mut provisioners = Vec::new();
        for provisioner in block.provisioners.iter().filter(|provisioner| provisioner.filter.admits(source)) {
            let (kind, span) = (&provisioner.kind, &provisioner.options.span);
            self.check_kind(Role::Provisioner, "provisioner", kind, span, diagnostics);
            provisioners.push(self.provisioner(provisioner, &names));
        }
        let cleanup = block.cleanup.as_ref().filter(|cleanup| cleanup.filter.admits(source));
        let error_cleanup = cleanup.map(|cleanup| {
            let word = "error-cleanup-provisioner";
            self.check_kind(Role::Provisioner, word, &cleanup.kind, &cleanup.options.span, diagnostics);
            self.provisioner(cleanup, &names)
        });
        let chains = block.chains.iter().map(|chain| self.chain(chain, &names, diagnostics));
        let post_processors = chains.filter(|chain| !chain.is_empty()).collect();
        Some(BuildPlan {
            name: block.full_name(source),
            block_name: block.name.clone(),
            source_type: source.kind.clone(),
            source_name: source.name.clone(),
            use_name: source.use_name.clone(),
            source: self.source_body(&names, diagnostics),
            span: self.declared.span.clone(),
            provisioners,
            error_cleanup,
            post_processors,
        })
    }

    /// All names but `build`.
    fn names(&self) -> Names {
        let mut names = self.context.world.names();
        let source = [("name", &self.source.use_name), ("type", &self.source.kind)];
        let source = source.map(|(name, text)| (name.to_owned(), Value::string(text)));
        names.insert("source".into(), Value::object(source.into()));
        names
    }

    /// The source's options with what the build adds.
    fn source_body(&self, names: &Names, diagnostics: &mut Diagnostics) -> EvaluatedBody {
        let world = self.context.world;
        let mut names = names.clone();
        names.insert("build".into(), Value::object(Names::new()));
        let (mut body, problems) = evaluate_body(&self.declared.body, &world.scope(names.clone()));
        diagnostics.extend(problems);
        body.span = self.declared.span.clone();
        let Some(additions) = &self.source.additions else { return body };
        names.extend(additions.names.clone());
        let (added, problems) = evaluate_body(&additions.body, &world.scope(names));
        diagnostics.extend(problems);
        for (name, attribute) in added.attributes {
            if body.attribute(&name).is_some() {
                let detail = format!("The argument \"{name}\" is already set in the source block.");
                let hint =
                    "a build can only add arguments to a source; set this one in one of the two places".to_owned();
                let diagnostic = Diagnostic::error("Duplicate argument", detail).at(&attribute.name_span);
                let diagnostic = match body.attribute(&name) {
                    Some(first) => diagnostic.beside("It is set here", &first.name_span),
                    None => diagnostic,
                };
                diagnostics.push(diagnostic.hint(Some(hint)));
                continue;
            }
            body.attributes.push((name, attribute));
        }
        body.blocks.extend(added.blocks);
        body
    }

    fn provisioner(&self, provisioner: &Provisioner, names: &Arc<Names>) -> ProvisionerSpec {
        ProvisionerSpec {
            kind: provisioner.kind.clone(),
            name: provisioner.name.clone(),
            pause_before: provisioner.pause_before,
            max_retries: provisioner.max_retries,
            timeout: provisioner.timeout,
            on_failure: provisioner.on_failure,
            options: Pending {
                replaced: provisioner.overrides.get(&self.source.use_name).cloned(),
                ..self.pending(&provisioner.options, names)
            },
        }
    }

    /// The post-processors that apply: the rest of a chain goes with the first that `-except` names.
    fn chain(
        &mut self,
        chain: &[PostProcessor],
        names: &Arc<Names>,
        diagnostics: &mut Diagnostics,
    ) -> Vec<PostProcessorSpec> {
        let mut specs = Vec::new();
        for processor in chain {
            if self.selection.excludes(processor.exception_name()) {
                self.excluded += 1;
                break;
            }
            if processor.filter.admits(self.source) {
                let options = &processor.options;
                self.check_kind(Role::PostProcessor, "post-processor", &processor.kind, &options.span, diagnostics);
                specs.push(PostProcessorSpec {
                    kind: processor.kind.clone(),
                    name: processor.name.clone(),
                    keep_input: processor.keep_input,
                    options: self.pending(options, names),
                });
            }
        }
        specs
    }

    fn pending(&self, options: &Options, names: &Arc<Names>) -> Pending {
        let names = if options.names.is_empty() {
            Arc::clone(names)
        } else {
            let mut all = (**names).clone();
            all.extend(options.names.clone());
            Arc::new(all)
        };
        Pending {
            body: Arc::clone(&options.body),
            replaced: None,
            names,
            block_name: self.block.name.clone(),
            span: options.span.clone(),
            host: Arc::clone(&self.context.world.host),
        }
    }

    fn check_kind(&self, role: Role, word: &str, kind: &str, span: &Span, diagnostics: &mut Diagnostics) {
        if !self.context.kinds.has(role, kind) {
            diagnostics.push(unknown_kind(role, word, kind, self.context).at(span));
        }
    }
}
