//! Checks the options of every component of a plan, with placeholders for what only a running build knows. `validate` stops here.

use std::collections::BTreeMap;

use crate::engine::mode::Force;
use crate::hcl::ast::Syntax;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics};
use crate::plan::legacy::{self, Names};
use crate::plan::{BuildPlan, Pending, Plan, build_values};
use crate::secret::Secrets;
use crate::sources::{self, Prepared, Source};
use crate::{post_processors, provisioners};

/// A build whose options have been checked.
pub struct PreparedBuild {
    /// What to do.
    pub plan: BuildPlan,
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
    (builds.collect(), diagnostics)
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
    (possible.collect(), diagnostics)
}

fn prepare_build(build: &BuildPlan, force: Force, secrets: &Secrets) -> (Option<PreparedBuild>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let Some(kind) = sources::kind(&build.source_type) else {
        let text = format!("Unknown source type {}", build.source_type);
        return (None, Diagnostic::error(text, "").at(&build.span).into());
    };
    let names = Names { build_name: &build.source_name, build_type: &build.source_type };
    let mut body = build.source.clone();
    diagnostics.extend(legacy::prepare(&mut body, &names, kind.deferred));
    let source = match (kind.prepare)(&body, &Prepared { name: &build.source_name, force, secrets }) {
        Ok(source) => source,
        Err(found) => {
            diagnostics.extend(found);
            return (None, diagnostics);
        }
    };
    let warnings = source.warnings().into_iter().map(|text| Diagnostic::warning(text, "").at_line_of(&build.span));
    diagnostics.extend(warnings);
    let mut refusals = Diagnostics::new();
    refusals.extend(source.refusal().map(|text| Diagnostic::error(text, "").at(&build.span)));
    diagnostics.extend(check_components(build, &names, kind.values, &mut refusals));
    let prepared = PreparedBuild { plan: build.clone(), source, values: kind.values, timed: kind.timed, refusals };
    ((!diagnostics.has_errors()).then_some(prepared), diagnostics)
}

/// Options are checked with placeholders now, so that a mistake is found before a machine is paid for.
fn check_components(build: &BuildPlan, names: &Names<'_>, values: &[&str], refusals: &mut Diagnostics) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let facts = BTreeMap::new();
    for spec in build.provisioners.iter().chain(&build.error_cleanup) {
        let what = format!("Failed preparing provisioner-block \"{}\" \"{}\"", spec.kind, spec.name);
        match provisioners::kind(&spec.kind) {
            None => diagnostics.push(unknown("provisioner", &spec.kind, &spec.options)),
            Some(kind) => {
                let (body, found) = evaluated(&spec.options, names, &facts, values, kind.deferred);
                diagnostics.extend(found.into_iter().map(|d| named(d, &what)));
                match (kind.prepare)(&body) {
                    Err(found) => diagnostics.extend(found.into_iter().map(|d| named(d, &what))),
                    Ok(provisioner) => {
                        let at = &spec.options.span;
                        let warnings = provisioner.warnings();
                        diagnostics.extend(warnings.into_iter().map(|text| Diagnostic::warning(text, "").at(at)));
                        refusals.extend(provisioner.refusal().map(|text| Diagnostic::error(text, "").at(at)));
                    }
                }
            }
        }
    }
    for spec in build.post_processors.iter().flatten() {
        let what = format!("Failed preparing post-processor-block \"{}\" \"{}\"", spec.kind, spec.name);
        match post_processors::kind(&spec.kind) {
            None => diagnostics.push(unknown("post-processor", &spec.kind, &spec.options)),
            Some(kind) => {
                let (body, found) = evaluated(&spec.options, names, &facts, values, kind.deferred);
                diagnostics.extend(found.into_iter().chain(problems((kind.prepare)(&body))).map(|d| named(d, &what)));
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
    diagnostics.extend(match body.syntax {
        Syntax::Loose => legacy::prepare_with(&mut body, names, deferred, &build_values(facts, values)),
        Syntax::Native | Syntax::Json => legacy::prepare(&mut body, names, deferred),
    });
    (body, diagnostics)
}

fn problems<T>(prepared: Result<T, Diagnostics>) -> Diagnostics {
    prepared.err().unwrap_or_default()
}

/// A diagnostic that says which component it is about: the component in the summary, as people grep for it, the problem in the detail.
fn named(diagnostic: Diagnostic, what: &str) -> Diagnostic {
    let Diagnostic { summary, detail, .. } = &diagnostic;
    let detail = if detail.is_empty() { summary.clone() } else { format!("{summary}: {detail}") };
    Diagnostic { summary: what.to_owned(), detail, ..diagnostic }
}

fn unknown(role: &str, kind: &str, options: &Pending) -> Diagnostic {
    Diagnostic::error(format!("Unknown {role} type \"{kind}\""), "").at(&options.span)
}
