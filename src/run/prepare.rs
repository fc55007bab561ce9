//! Checks the options of every component of a plan, with placeholders for what only a running build knows. `validate` stops here.

use std::collections::BTreeMap;

use crate::engine::mode::Force;
use crate::hcl::ast::Syntax;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::plan::legacy::{self, Names};
use crate::plan::{BuildPlan, Pending, Plan, build_values};
use crate::secret::Secrets;
use crate::sources::{self, Prepared, Source};
use crate::{post_processors, provisioners};

use super::engine_facts;

/// A build whose options have been checked.
pub struct PreparedBuild {
    /// What to do.
    pub plan: BuildPlan,
    /// What its things are recorded under: its name, numbered where an earlier build has the same.
    pub key: String,
    /// The checked source.
    pub source: Box<dyn Source>,
    /// Names that `build.NAME` knows besides the common ones.
    pub values: &'static [&'static str],
    /// Whether people ask where the time of such a build went.
    pub timed: bool,
    /// What Kiln cannot do of it, though the template is right.
    refusals: Diagnostics,
}

/// Prepares all builds. A build with errors is left out; the others can run.
pub fn prepare(plan: &Plan, force: Force, secrets: &Secrets) -> (Vec<PreparedBuild>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let builds = plan.builds.iter().filter_map(|build| {
        let (prepared, found) = prepare_build(build, force, secrets);
        diagnostics.extend(found);
        prepared
    });
    let builds = builds.collect();
    // Builds share their provisioners, and with them the mistakes.
    (builds, diagnostics.distinct())
}

/// What is wrong with the options of a plan that is wrong already: names and types, which do not depend on values that could not be computed.
pub fn check_names(plan: &Plan, secrets: &Secrets) -> Diagnostics {
    const CERTAIN: [&str; 3] = ["Unsupported argument", "Unsupported block type", "Incorrect attribute value type"];
    let (_, found) = prepare(plan, Force::No, secrets);
    found.into_iter().filter(|problem| CERTAIN.contains(&problem.summary.as_str())).collect()
}

/// Prepares all builds that shall run: one that asks for something that Kiln does not have is refused now, before it has made anything.
pub fn prepare_to_run(plan: &Plan, force: Force, secrets: &Secrets) -> (Vec<PreparedBuild>, Diagnostics) {
    let (builds, mut diagnostics) = prepare(plan, force, secrets);
    let possible = builds.into_iter().filter_map(|mut build| {
        let refusals = std::mem::take(&mut build.refusals);
        let possible = refusals.is_empty();
        diagnostics.extend(refusals);
        possible.then_some(build)
    });
    (told_apart(possible.collect()), diagnostics)
}

/// Two builds of one name must not take each other's machines for their own.
fn told_apart(mut builds: Vec<PreparedBuild>) -> Vec<PreparedBuild> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for build in &mut builds {
        let number = seen.entry(build.plan.name.clone()).or_default();
        *number += 1;
        if *number > 1 {
            build.key = format!("{} ({number})", build.plan.name);
        }
    }
    builds
}

fn prepare_build(build: &BuildPlan, force: Force, secrets: &Secrets) -> (Option<PreparedBuild>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let Some(kind) = sources::kind(&build.source_type) else {
        let text = format!("Unknown source type {}", build.source_type);
        return (None, Diagnostic::error(text, "").at(&build.span).into());
    };
    let names = Names { build_name: &build.source_name, build_type: &build.source_type };
    let mut body = build.source.clone();
    engine_facts::drop_from(&mut body);
    diagnostics.extend(legacy::prepare(&mut body, &names, kind.deferred));
    let within = format!("source \"{}\" \"{}\"", build.source_type, build.source_name);
    let source = match (kind.prepare)(&body, &Prepared { name: &build.source_name, force, secrets }) {
        Ok(source) => source,
        Err(found) => {
            diagnostics = consequent(found, &diagnostics, &body.span).into_iter().chain(diagnostics).collect();
            let found = diagnostics.sorted().into_iter().map(|diagnostic| diagnostic.within(&within));
            let components = check_components(build, &names, kind.values, &mut Diagnostics::new());
            return (None, found.chain(components).collect());
        }
    };
    let warnings = source.warnings().into_iter().map(|text| Diagnostic::warning(text, "").at_line_of(&build.span));
    diagnostics.extend(warnings);
    let mut refusals = Diagnostics::new();
    refusals.extend(source.refusal().map(|text| Diagnostic::error(text, "").at(&build.span)));
    diagnostics.extend(check_components(build, &names, kind.values, &mut refusals));
    let (plan, key, timed) = (build.clone(), build.name.clone(), kind.timed);
    let prepared = PreparedBuild { plan, key, source, values: kind.values, timed, refusals };
    ((!diagnostics.has_errors()).then_some(prepared), diagnostics)
}

/// Options are checked with placeholders now, so that a mistake is found before a machine is paid for.
fn check_components(build: &BuildPlan, names: &Names<'_>, values: &[&str], refusals: &mut Diagnostics) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let facts = BTreeMap::new();
    for spec in build.provisioners.iter().chain(&build.error_cleanup) {
        match provisioners::kind(&spec.kind) {
            None => diagnostics.push(unknown("provisioner", &spec.kind, &spec.options)),
            Some(kind) => {
                let (body, found) = evaluated(&spec.options, names, &facts, values, kind.deferred);
                let within = format!("provisioner \"{}\"", spec.kind);
                let prepared = (kind.prepare)(&body);
                if let Ok(provisioner) = &prepared {
                    let at = &spec.options.span;
                    let warnings = provisioner.warnings();
                    diagnostics.extend(warnings.into_iter().map(|text| Diagnostic::warning(text, "").at(at)));
                    refusals.extend(provisioner.refusal().map(|text| Diagnostic::error(text, "").at(at)));
                }
                let problems = problems(prepared, &spec.options, &found);
                diagnostics.extend(found.into_iter().chain(problems).map(|diagnostic| diagnostic.within(&within)));
            }
        }
    }
    for spec in build.post_processors.iter().flatten() {
        match post_processors::kind(&spec.kind) {
            None => diagnostics.push(unknown("post-processor", &spec.kind, &spec.options)),
            Some(kind) => {
                let (body, found) = evaluated(&spec.options, names, &facts, values, kind.deferred);
                let problems = problems((kind.prepare)(&body), &spec.options, &found);
                let within = format!("post-processor \"{}\"", spec.kind);
                diagnostics.extend(found.into_iter().chain(problems).map(|diagnostic| diagnostic.within(&within)));
            }
        }
    }
    diagnostics
}

/// Evaluates a component's options with the facts known so far and renders its `{{ }}`.
pub fn evaluated(
    options: &Pending,
    names: &Names<'_>,
    facts: &BTreeMap<String, crate::hcl::Value>,
    values: &[&str],
    deferred: &[&str],
) -> (EvaluatedBody, Diagnostics) {
    let (mut body, mut diagnostics) = options.evaluate(facts, values);
    engine_facts::drop_from(&mut body);
    diagnostics.extend(match body.syntax {
        Syntax::Loose => legacy::prepare_with(&mut body, names, deferred, &build_values(facts, values)),
        Syntax::Native | Syntax::Json => legacy::prepare(&mut body, names, deferred),
    });
    (body, diagnostics)
}

/// What a component refuses. Where an option could not be evaluated, what it says of the block as a whole (that the option is missing, for one) is
/// only a consequence.
fn problems<T>(prepared: Result<T, Diagnostics>, options: &Pending, found: &Diagnostics) -> Diagnostics {
    consequent(prepared.err().unwrap_or_default(), found, &options.span)
}

/// The problems that are none of another one's consequences: those say something of the block as a whole, or of an option that is at fault already.
fn consequent(problems: Diagnostics, found: &Diagnostics, whole: &Span) -> Diagnostics {
    let holds = |outer: &Span, inner: &Span| {
        outer.file == inner.file && outer.range.start <= inner.range.start && inner.range.end <= outer.range.end
    };
    let is_known = |span: &Span| {
        span == whole || found.iter().filter_map(|known| known.span.as_ref()).any(|known| holds(span, known))
    };
    let mut problems = problems.into_iter().collect::<Vec<_>>();
    problems.retain(|problem| !found.has_errors() || !problem.span.as_ref().is_some_and(is_known));
    problems.into_iter().collect()
}

fn unknown(role: &str, kind: &str, options: &Pending) -> Diagnostic {
    Diagnostic::error(format!("Unknown {role} type \"{kind}\""), "").at(&options.span)
}
