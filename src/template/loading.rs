//! Reading a template, step by step: whoever drives it runs the data sources in between.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::builds::{self, Context};
use super::data::{self, DataBlocks};
use super::files::{Purpose, read};
use super::graph::{Graph, Node, Ordered};
use super::inputs::{File, Inputs, Mode, Order, Undeclared};
use super::kinds::Role;
use super::locals::{self, Locals};
use super::plugins::{self, Requirement};
use super::selection::Selection;
use super::sources::{self, SourceBlocks};
use super::variables::{self, Variables};
use super::world::{Health, Names, World, keep, secret_texts};
use super::{hcp, packer_block, top_level};
use crate::hcl::ast::Block;
use crate::hcl::body::{EvaluatedBody, evaluate_body};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Severity, Sources, Span, did_you_mean};
use crate::hcl::eval::evaluate;
use crate::hcl::types::Type;
use crate::hcl::value::Value;
use crate::plan::{BuildPlan, Overview, Plan};

/// More diagnostics are not shown. A slip in a generated template is in every line of it, and looking for names that
/// are like a wrong one takes time.
const MAX_DIAGNOSTICS: usize = 200;

/// A data source to run, or to skip: then its answer is an unknown value of its output type.
#[derive(Clone, Debug)]
pub struct DataRequest {
    /// Its type.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its options.
    pub body: EvaluatedBody,
    /// The header of its block.
    pub span: Span,
}

/// What came of a template.
pub struct Loaded {
    /// What to do; none if there is any error.
    pub plan: Option<Plan>,
    /// What would be to do, as far as it is known, if there is an error: there may be more wrong with it.
    pub draft: Option<Plan>,
    /// All that was found wrong. In [`Mode::Overview`] only what is wrong with syntax, blocks and variables.
    pub diagnostics: Diagnostics,
    /// The texts that diagnostics point into.
    pub sources: Arc<Sources>,
    /// Texts that must be masked in output; also known when there is no plan.
    pub sensitive: Vec<String>,
    /// The plugins that the template asks for.
    pub requirements: Vec<Requirement>,
    /// `var`, `local`, `path`, `packer`, `source`, `build` as expressions outside of builds see them, for `console`.
    pub names: Names,
}

/// A template that is being read.
///
/// [`Loading::next_data`] and [`Loading::supply`] take turns until there is no request any more; then
/// [`Loading::finish`].
pub struct Loading {
    inputs: Inputs,
    texts: Sources,
    diagnostics: Diagnostics,
    /// How many diagnostics were found before anything was evaluated.
    early: usize,
    blocks: Vec<Block>,
    requirements: Vec<Requirement>,
    variables: Variables,
    locals: Locals,
    data: DataBlocks,
    graph: Graph,
    world: World,
    /// What is still to be evaluated.
    left: VecDeque<Node>,
    /// The data source that was asked for and not yet answered.
    asked: Option<(String, String)>,
    /// Data sources of a type that does not exist.
    unknown_data: BTreeSet<Node>,
    stage: Stage,
}

/// How far reading goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Something is wrong so early that the rest would only give follow-up errors.
    Stopped,
    /// Everything was well so far and nothing more was asked for.
    SyntaxChecked,
    /// Expressions are evaluated.
    Evaluating,
}

impl Loading {
    /// Reads everything up to the first data source.
    pub fn start(inputs: Inputs) -> Self {
        let world = World::new(Arc::clone(&inputs.host), &inputs.root, &inputs.cwd, &inputs.version);
        let mut loading = Self {
            inputs,
            texts: Sources::default(),
            diagnostics: Diagnostics::new(),
            early: 0,
            blocks: Vec::new(),
            requirements: Vec::new(),
            variables: Variables::new(),
            locals: Locals::new(),
            data: DataBlocks::new(),
            graph: Graph::new(&Locals::new(), &DataBlocks::new()),
            world,
            left: VecDeque::new(),
            asked: None,
            unknown_data: BTreeSet::new(),
            stage: Stage::Stopped,
        };
        loading.parse();
        loading.early = loading.diagnostics.len();
        if loading.stage == Stage::Evaluating {
            loading.prepare();
        }
        loading
    }

    /// All that needs no evaluation but of literals.
    fn parse(&mut self) {
        let files = std::mem::take(&mut self.inputs.files);
        let bodies: Vec<_> = files
            .iter()
            .filter_map(|file| read(file, Purpose::Template, &mut self.texts, &mut self.diagnostics))
            .collect();
        if self.diagnostics.has_errors() {
            // What is wrong with the syntax of the other files is said, too; their meaning hangs on the template.
            let (texts, diagnostics) = (&mut self.texts, &mut self.diagnostics);
            self.inputs.variable_files().for_each(|file| _ = read(file, Purpose::Variables, texts, diagnostics));
            return;
        }
        let packer: Vec<&Block> = bodies.iter().flat_map(|body| body.blocks_of("packer")).collect();
        packer_block::check_version(&packer, &self.inputs.version, &mut self.diagnostics);
        if self.diagnostics.has_errors() {
            return;
        }
        let diagnostics = &mut self.diagnostics;
        self.blocks = bodies.into_iter().flat_map(|body| top_level::blocks(body, diagnostics)).collect();
        let packer: Vec<&Block> = self.blocks.iter().filter(|block| block.kind == "packer").collect();
        self.requirements = packer_block::check(&packer, diagnostics);
        self.variables = variables::declare(&self.blocks, self.world.host.as_ref(), diagnostics);
        self.data = data::declare(&self.blocks, diagnostics);
        self.locals = locals::declare(&self.blocks, diagnostics);
        self.assign_variables();
        if !self.diagnostics.has_errors() {
            let only_syntax = self.inputs.mode == Mode::SyntaxOnly;
            self.stage = if only_syntax { Stage::SyntaxChecked } else { Stage::Evaluating };
        }
    }

    fn assign_variables(&mut self) {
        let inputs = &self.inputs;
        let (texts, diagnostics) = (&mut self.texts, &mut self.diagnostics);
        variables::assign_environment(&mut self.variables, &inputs.env, texts, diagnostics);
        let files: Vec<&File> = inputs.variable_files().collect();
        let undeclared: Undeclared = inputs.undeclared;
        for file in files {
            if let Some(body) = read(file, Purpose::Variables, texts, diagnostics) {
                variables::assign_file(&mut self.variables, &body, undeclared, diagnostics);
            }
        }
        variables::assign_arguments(&mut self.variables, &inputs.vars, texts, diagnostics);
    }

    /// Checks the variables and finds the order of evaluation.
    fn prepare(&mut self) {
        if self.inputs.mode == Mode::Full {
            variables::check(&self.variables, &self.world.host, &mut self.diagnostics);
        }
        self.world.set_variables(variables::values(&self.variables));
        self.graph = Graph::new(&self.locals, &self.data);
        if self.inputs.order == Order::DataFirst {
            self.graph = std::mem::take(&mut self.graph).data_first();
        }
        let Ordered { nodes, stuck, problems } = self.graph.order();
        if problems.has_errors() {
            self.world.health = Health::Damaged;
        }
        self.diagnostics.extend(problems);
        if self.world.health == Health::Damaged && self.inputs.mode == Mode::Overview {
            return;
        }
        stuck.iter().for_each(|node| self.set_unknown(node, Type::Dynamic));
        self.left = nodes.into();
    }

    /// Evaluates on to the next data source. A request that was not answered counts as unknown.
    pub fn next_data(&mut self) -> Option<DataRequest> {
        if let Some((kind, name)) = self.asked.take() {
            let output = self.inputs.kinds.data_output(&kind).unwrap_or(Type::Dynamic);
            self.set_unknown(&Node::Data(kind, name), output);
        }
        while let Some(node) = self.left.pop_front() {
            if self.diagnostics.len() > MAX_DIAGNOSTICS {
                self.set_unknown(&node, Type::Dynamic);
                continue;
            }
            match node {
                Node::Local(name) => self.evaluate_local(&name),
                Node::Data(kind, name) => {
                    let request = self.request(&kind, &name);
                    if request.is_some() {
                        self.asked = Some((kind, name));
                        return request;
                    }
                }
            }
        }
        None
    }

    /// Answers the last request: what the data source gave, or why it failed.
    pub fn supply(&mut self, answer: Result<Value, Diagnostics>) {
        let Some((kind, name)) = self.asked.take() else { return };
        match answer {
            Ok(value) => self.world.set_data(&kind, name, value),
            Err(problems) => {
                self.diagnostics.extend(problems);
                self.failed(&Node::Data(kind, name));
            }
        }
    }

    fn evaluate_local(&mut self, name: &str) {
        let Some(local) = self.locals.get(name) else { return };
        let value = evaluate(local.expr(), &self.world.outer_scope());
        match keep(value, &mut self.diagnostics) {
            Some(value) => {
                let value = if local.sensitive { value.sensitive() } else { value };
                self.world.set_local(name.to_owned(), value);
            }
            None => self.failed(&Node::Local(name.to_owned())),
        }
    }

    /// A data source ready to run; none if it can't or need not be run.
    fn request(&mut self, kind: &str, name: &str) -> Option<DataRequest> {
        let node = Node::Data(kind.to_owned(), name.to_owned());
        let Some(output) = self.inputs.kinds.data_output(kind) else {
            self.unknown_data.insert(node.clone());
            self.failed(&node);
            return None;
        };
        let block = self.data.get(&(kind.to_owned(), name.to_owned()))?;
        let (mut body, problems) = evaluate_body(&block.body, &self.world.outer_scope());
        let span = block.span.clone();
        body.span = span.clone();
        if problems.has_errors() {
            self.diagnostics.extend(problems);
            self.failed(&node);
            return None;
        }
        if self.diagnostics.has_errors() {
            // There will be no build, so nothing outside is asked any more.
            self.set_unknown(&node, output);
            return None;
        }
        Some(DataRequest { kind: kind.to_owned(), name: name.to_owned(), body, span })
    }

    /// After a failure an overview shows what was known until then; everything else goes on with an unknown value, to
    /// find what else is wrong.
    fn failed(&mut self, node: &Node) {
        self.world.health = Health::Damaged;
        match self.inputs.mode {
            Mode::Overview => self.left.clear(),
            Mode::Full | Mode::SyntaxOnly => self.set_unknown(node, Type::Dynamic),
        }
    }

    fn set_unknown(&mut self, node: &Node, ty: Type) {
        match node {
            Node::Local(name) => self.world.set_local(name.clone(), Value::unknown(ty)),
            Node::Data(kind, name) => self.world.set_data(kind, name.clone(), Value::unknown(ty)),
        }
    }

    /// Reads sources and builds. Data sources that were not asked for are unknown.
    pub fn finish(mut self) -> Loaded {
        while self.next_data().is_some() {}
        let mut plan = match self.stage {
            Stage::Stopped => None,
            Stage::SyntaxChecked => Some(Plan::default()),
            Stage::Evaluating => Some(self.plan()),
        };
        if self.inputs.mode == Mode::Overview {
            self.diagnostics.truncate(self.early);
        }
        let sensitive = self.sensitive();
        let texts = Arc::new(self.texts);
        if let Some(plan) = &mut plan {
            plan.sensitive.clone_from(&sensitive);
            plan.sources = Arc::clone(&texts);
        }
        let diagnostics = tidy(self.diagnostics);
        let (plan, draft) = if diagnostics.has_errors() { (None, plan) } else { (plan, None) };
        Loaded {
            plan,
            draft,
            diagnostics,
            sources: texts,
            sensitive,
            requirements: self.requirements,
            names: without_data(self.world.outer_names().clone()),
        }
    }

    fn plan(&mut self) -> Plan {
        let selection = Selection::new(&self.inputs.only, &self.inputs.except, &mut self.texts, &mut self.diagnostics);
        let sources: SourceBlocks = sources::declare(&self.blocks, &mut self.diagnostics);
        hcp::check(&self.blocks, &mut self.diagnostics);
        let kinds = self.inputs.kinds.as_ref();
        let context = Context { world: &self.world, sources: &sources, kinds, requirements: &self.requirements };
        let read = builds::read(&self.blocks, &context, &mut self.diagnostics);
        if read.is_empty() && self.inputs.mode == Mode::Full {
            let detail = "A build block with one or more sources is required for executing a build.";
            let hint = match sources.keys().next() {
                Some((kind, name)) => format!("write build {{ sources = [\"source.{kind}.{name}\"] }}"),
                None => "a template has at least a source block and a build block that names it".to_owned(),
            };
            self.diagnostics.push(Diagnostic::error("Missing build block", detail).hint(hint));
        }
        let overview = Overview {
            variables: self.world.variables(),
            locals: self.world.locals(),
            builds: read.iter().map(builds::BuildBlock::overview).collect(),
            json: None,
        };
        let assembled = builds::assemble(&read, &context, &selection, &mut self.diagnostics);
        let problems = self.unknown_data_problems(&assembled.needs);
        self.diagnostics.extend(problems);
        let problems = self.unfit_plugins(&assembled);
        self.diagnostics.extend(problems);
        Plan { builds: assembled.builds, overview, ..Plan::default() }
    }

    /// Built-in plugins of a version that the template does not allow, as far as the selected builds use them.
    fn unfit_plugins(&self, assembled: &builds::Assembled) -> Diagnostics {
        let data = self.graph.reach(assembled.needs.selected(&self.data));
        let data =
            data.iter().filter_map(|node| if let Node::Data(kind, _) = node { Some(kind.as_str()) } else { None });
        let used = assembled.builds.iter().flat_map(BuildPlan::kinds).chain(data).collect();
        plugins::unfit(&self.requirements, &used, self.inputs.kinds.as_ref())
    }

    /// Data sources of unknown type matter if a selected build needs them, and if nothing needs them: then the name is
    /// a slip. Those that only other builds need belong to other clouds.
    fn unknown_data_problems(&self, needs: &builds::Needs) -> Diagnostics {
        let needed = self.graph.reach(needs.selected(&self.data));
        let wanted = self.graph.reach(needs.all(&self.data));
        let faulty = |node: &&Node| needed.contains(node) || !wanted.contains(node);
        self.unknown_data.iter().filter(faulty).filter_map(|node| self.unknown_data_problem(node)).collect()
    }

    fn unknown_data_problem(&self, node: &Node) -> Option<Diagnostic> {
        let Node::Data(kind, name) = node else { return None };
        let block = self.data.get(&(kind.clone(), name.clone()))?;
        let names = self.inputs.kinds.names(Role::Data);
        let hint = did_you_mean(kind, names.iter().copied());
        let detail = format!("Kiln has no data source of this type. It has: {}.", names.join(", "));
        Some(Diagnostic::error(format!("Unknown data type {kind}"), detail).at(&block.span).hint(hint))
    }

    fn sensitive(&self) -> Vec<String> {
        let variables = self.variables.values().filter(|variable| variable.sensitive).map(variables::Variable::value);
        let known = self.world.locals();
        let locals = self.locals.iter().filter(|(_, local)| local.sensitive);
        let locals = locals.filter_map(|(name, _)| known.get(name).cloned());
        let mut seen = BTreeSet::new();
        let texts = variables.chain(locals).flat_map(|value| secret_texts(&value).collect::<Vec<_>>());
        texts.filter(|text| seen.insert(text.clone())).collect()
    }
}

/// `console` knows no `data`.
fn without_data(mut names: Names) -> Names {
    names.remove("data");
    names
}

/// Each diagnostic once, errors before warnings, and no more than somebody reads.
pub(super) fn tidy(diagnostics: Diagnostics) -> Diagnostics {
    let mut list: Vec<Diagnostic> = diagnostics.distinct().into_iter().collect();
    list.sort_by_key(|diagnostic| diagnostic.severity == Severity::Warning);
    let more = list.len().saturating_sub(MAX_DIAGNOSTICS);
    if more > 0 {
        list.truncate(MAX_DIAGNOSTICS);
        list.push(Diagnostic::warning(format!("{more} more problems are not shown"), ""));
    }
    list.into_iter().collect()
}
