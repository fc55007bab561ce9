//! From builders, provisioners and post-processors to the plans of the selected builds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::component::Component;
use super::document::Document;
use super::engine;
use crate::hcl::body::evaluate_body;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::hcl::eval::Scope;
use crate::plan::{BuildPlan, OnFailure, Pending, PostProcessorSpec, ProvisionerSpec, Replaced};
use crate::template::builds::only_and_except;
use crate::template::inputs::Inputs;
use crate::template::kinds::Role;

/// Arguments of provisioners that are no options.
pub(super) const OF_PROVISIONERS: [&str; 6] = ["only", "except", "override", "pause_before", "max_retries", "timeout"];
/// Arguments of post-processors that are no options.
pub(super) const OF_POST_PROCESSORS: [&str; 4] = ["name", "only", "except", "keep_input_artifact"];

/// A builder and its name.
struct Builder<'a> {
    /// Its name, rendered.
    name: String,
    component: &'a Component,
}

impl Builder<'_> {
    /// What output and lists call it.
    fn title(&self) -> String {
        match self.name == self.component.kind {
            true => self.name.clone(),
            false => format!("{}.{}", self.component.kind, self.name),
        }
    }

    /// Whether a list of names of builders names it.
    fn is_named_in(&self, names: &[(String, Span)]) -> bool {
        names.iter().any(|(name, _)| *name == self.name)
    }
}

/// Makes the plans of the selected builds, by name.
pub(super) fn assemble(document: &Document, inputs: &Inputs, diagnostics: &mut Diagnostics) -> Vec<BuildPlan> {
    let builders = builders(document, inputs, diagnostics);
    let mut assembly = Assembly { document, inputs, builders: &builders, excluded: Vec::new() };
    assembly.check_names(diagnostics);
    let mut plans = Vec::new();
    for builder in &builders {
        let included = inputs.only.is_empty() || inputs.only.contains(&builder.name);
        if included && inputs.except.contains(&builder.name) {
            assembly.excluded.push(builder.name.clone());
        } else if included {
            plans.extend(assembly.plan(builder, diagnostics));
        }
    }
    assembly.check_selection(diagnostics);
    plans
}

/// The builders, by name; two of one name are an error.
fn builders<'a>(document: &'a Document, inputs: &Inputs, diagnostics: &mut Diagnostics) -> Vec<Builder<'a>> {
    let mut builders: Vec<Builder<'_>> = Vec::new();
    for component in &document.builders {
        let span = component.attribute("name").map_or(&component.span, |attribute| &attribute.expr.span);
        let name = engine::render(component.own_name(), inputs).unwrap_or_else(|why| {
            diagnostics.push(Diagnostic::error("Invalid name of a builder", format!("{why}.")).at(span));
            component.own_name().to_owned()
        });
        if builders.iter().any(|other| other.name == name) {
            let detail = "Each builder has a name of its own; one without a name is called by its type.";
            let summary = format!("There is more than one builder with the name '{name}'");
            diagnostics.push(Diagnostic::error(summary, detail).at(span));
            continue;
        }
        builders.push(Builder { name, component });
    }
    builders.sort_by(|left, right| left.name.cmp(&right.name));
    builders
}

struct Assembly<'a> {
    document: &'a Document,
    inputs: &'a Inputs,
    builders: &'a [Builder<'a>],
    /// What `-except` left out.
    excluded: Vec<String>,
}

impl Assembly<'_> {
    /// `only`, `except` and `override` must name builders.
    fn check_names(&self, diagnostics: &mut Diagnostics) {
        let others = self.document.provisioners.iter().chain(&self.document.cleanup);
        for component in others.chain(self.document.chains.iter().flatten()) {
            for list in ["only", "except"] {
                for (name, span) in component.texts(list, diagnostics) {
                    self.check_name(list, &component.kind, &name, &span, diagnostics);
                }
            }
            let names = |list: &str| component.texts(list, &mut Diagnostics::new()).len();
            if let (1.., 1.., Some(except)) = (names("only"), names("except"), component.attribute("except")) {
                diagnostics.push(only_and_except(&except.span));
            }
        }
        for component in &self.document.provisioners {
            for (name, replaced) in component.overrides(diagnostics) {
                self.check_name("override", &component.kind, &name, &replaced.span, diagnostics);
            }
        }
    }

    fn check_name(&self, list: &str, kind: &str, name: &str, span: &Span, diagnostics: &mut Diagnostics) {
        let names = || self.builders.iter().map(|builder| builder.name.as_str());
        if !names().any(|own| own == name) {
            let detail = format!(
                "{list:?} of {kind} names the builder {name:?}. There are: {}.",
                names().collect::<Vec<_>>().join(", ")
            );
            let diagnostic = Diagnostic::error(format!("Unknown builder {name}"), detail).at(span);
            diagnostics.push(diagnostic.hint(did_you_mean(name, names())));
        }
    }

    /// Names on the command line that fit nothing are probably slips.
    fn check_selection(&self, diagnostics: &mut Diagnostics) {
        let names: Vec<&str> = self.builders.iter().map(|builder| builder.name.as_str()).collect();
        let mut warn = |flag: &str, name: &str, why: &str| {
            let detail = format!("{why} Builders: {}.", names.join(", "));
            let warning = Diagnostic::warning(format!("-{flag} {name} fits nothing"), detail);
            diagnostics.push(warning.hint(did_you_mean(name, names.iter().copied())));
        };
        for name in self.inputs.only.iter().filter(|name| !names.contains(&name.as_str())) {
            warn("only", name, "A JSON template's builds are selected by their exact names.");
        }
        for name in
            self.inputs.except.iter().filter(|name| !self.excluded.contains(name) && !names.contains(&name.as_str()))
        {
            warn("except", name, "A JSON template's builds and post-processors are named exactly.");
        }
    }

    fn plan(&mut self, builder: &Builder<'_>, diagnostics: &mut Diagnostics) -> Option<BuildPlan> {
        let component = builder.component;
        let known = self.check_kind(Role::Source, "builder", component, diagnostics);
        let (source, problems) = evaluate_body(&component.options(&["name"]), &Scope::literal());
        diagnostics.extend(problems);
        let of_build = |component: &&Component| admits(component, builder);
        let provisioners: Vec<&Component> = self.document.provisioners.iter().filter(of_build).collect();
        let cleanup = self.document.cleanup.iter().find(of_build);
        let plan = BuildPlan {
            name: builder.title(),
            block_name: String::new(),
            source_type: component.kind.clone(),
            source_name: builder.name.clone(),
            use_name: builder.name.clone(),
            source,
            span: component.span.clone(),
            provisioners: provisioners.into_iter().map(|one| self.provisioner(one, builder, diagnostics)).collect(),
            error_cleanup: cleanup.map(|one| self.provisioner(one, builder, diagnostics)),
            post_processors: self.chains(builder, diagnostics),
        };
        known.then_some(plan)
    }

    fn provisioner(
        &self,
        component: &Component,
        builder: &Builder<'_>,
        diagnostics: &mut Diagnostics,
    ) -> ProvisionerSpec {
        self.check_kind(Role::Provisioner, "provisioner", component, diagnostics);
        let replaced = component.overrides(&mut Diagnostics::new()).remove(&builder.name);
        ProvisionerSpec {
            kind: component.kind.clone(),
            name: String::new(),
            pause_before: component.duration("pause_before", diagnostics).unwrap_or_default(),
            max_retries: component.count("max_retries", diagnostics),
            timeout: component.duration("timeout", diagnostics).filter(|timeout| !timeout.is_zero()),
            on_failure: OnFailure::Fail,
            options: self.pending(component, &OF_PROVISIONERS, replaced),
        }
    }

    /// The post-processors that apply: the rest of a chain goes with the first that `-except` names.
    fn chains(&mut self, builder: &Builder<'_>, diagnostics: &mut Diagnostics) -> Vec<Vec<PostProcessorSpec>> {
        let mut chains = Vec::new();
        for chain in &self.document.chains {
            let excluded = |component: &&Component| self.inputs.except.iter().any(|name| name == component.own_name());
            self.excluded.extend(chain.iter().find(excluded).map(|component| component.own_name().to_owned()));
            let left = chain.iter().take_while(|component| !excluded(component));
            let specs: Vec<_> = left
                .filter(|component| admits(component, builder))
                .map(|component| self.post_processor(component, diagnostics))
                .collect();
            if !specs.is_empty() {
                chains.push(specs);
            }
        }
        chains
    }

    fn post_processor(&self, component: &Component, diagnostics: &mut Diagnostics) -> PostProcessorSpec {
        self.check_kind(Role::PostProcessor, "post-processor", component, diagnostics);
        PostProcessorSpec {
            kind: component.kind.clone(),
            name: component.own_name().to_owned(),
            keep_input: component.truth("keep_input_artifact", diagnostics),
            options: self.pending(component, &OF_POST_PROCESSORS, None),
        }
    }

    fn pending(&self, component: &Component, common: &[&str], replaced: Option<Replaced>) -> Pending {
        Pending {
            body: component.options(common),
            replaced,
            names: Arc::new(BTreeMap::new()),
            block_name: String::new(),
            span: component.span.clone(),
            host: Arc::clone(&self.inputs.host),
        }
    }

    /// Whether a component's type is known; one that is not is reported.
    fn check_kind(&self, role: Role, word: &str, component: &Component, diagnostics: &mut Diagnostics) -> bool {
        let kind = &component.kind;
        let known = self.inputs.kinds.has(role, kind);
        if !known {
            let names = self.inputs.kinds.names(role);
            let detail = format!("Kiln has no {word} of this type. It has: {}.", names.join(", "));
            let diagnostic = Diagnostic::error(format!("Unknown {word} type \"{kind}\""), detail);
            diagnostics.push(diagnostic.at(&component.span).hint(did_you_mean(kind, names)));
        }
        known
    }
}

/// Whether a component counts for a builder. Faults of its lists are reported elsewhere.
fn admits(component: &Component, builder: &Builder<'_>) -> bool {
    let ignored = &mut Diagnostics::new();
    let only = component.texts("only", ignored);
    match only.is_empty() {
        true => !builder.is_named_in(&component.texts("except", ignored)),
        false => builder.is_named_in(&only),
    }
}
