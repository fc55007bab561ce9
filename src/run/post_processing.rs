//! Runs the post-processors of one build: chain after chain, each from the builder's artifact (packer-core.md section 2.10).

use crate::artifact::{Artifact, Destroy};
use crate::engine::step::Cx;
use crate::engine::{Cause, chain};
use crate::hcl::diagnostics::{Sources, render_line};
use crate::plan::PostProcessorSpec;
use crate::plan::legacy::Names;
use crate::post_processors::{self, Context, Keep, Processed};

use super::prepare::{PreparedBuild, evaluated};

/// What post-processing came to.
#[derive(Default)]
pub struct Outcome {
    /// The artifacts of the build, in order.
    pub artifacts: Vec<Artifact>,
    /// Artifacts that nobody keeps, in the order in which they are to be destroyed.
    pub unwanted: Vec<Artifact>,
    /// What failed.
    pub errors: Vec<String>,
}

/// A post-processor that cannot run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Invalid(String);

/// Runs all chains. One that fails does not keep the others from running.
pub async fn run(build: &PreparedBuild, cx: &Cx, sources: &Sources, artifact: &Artifact) -> Outcome {
    let runner = Runner { build, cx, sources };
    let (mut outcome, mut kept) = (Outcome::default(), build.plan.post_processors.is_empty());
    let mut results = Vec::new();
    for specs in &build.plan.post_processors {
        let mut chain = Chain { current: artifact.clone(), first_kept: false, results: &mut results };
        let failed = runner.run_chain(specs, &mut chain, &mut outcome).await;
        // A failed chain says nothing of keeping. A file goes with its failed build, as with Packer; an image does not: nobody wants
        // to bake for a quarter of an hour again because a script failed.
        kept |= chain.first_kept || (failed && artifact.destroy != Destroy::Files);
    }
    match kept {
        true => outcome.artifacts.push(artifact.clone()),
        false => outcome.unwanted.push(artifact.clone()),
    }
    for unwanted in outcome.unwanted.iter_mut().filter(|unwanted| unwanted.destroy == Destroy::Files) {
        // What came later may have kept a file, or put another in its place: that one is not what is to go.
        unwanted.files.retain(|file| !results.iter().any(|result| result.files.contains(file)));
    }
    outcome.artifacts.extend(results);
    outcome
}

struct Runner<'a> {
    build: &'a PreparedBuild,
    cx: &'a Cx,
    sources: &'a Sources,
}

/// Where one chain stands.
struct Chain<'a> {
    current: Artifact,
    first_kept: bool,
    results: &'a mut Vec<Artifact>,
}

impl Runner<'_> {
    /// True when the chain failed.
    async fn run_chain(&self, specs: &[PostProcessorSpec], chain: &mut Chain<'_>, outcome: &mut Outcome) -> bool {
        for (at, spec) in specs.iter().enumerate() {
            let before = chain.current.clone();
            let processed = match self.run_one(spec, &before).await {
                Ok(processed) => processed,
                Err(error) => {
                    outcome.errors.push(format!("Post-processor failed: {}", self::chain(error.as_ref())));
                    return true;
                }
            };
            let keep = keeps(processed.keep, spec.keep_input);
            match (at, keep) {
                (0, keep) => chain.first_kept = keep,
                (_, true) => chain.results.push(before),
                (_, false) => outcome.unwanted.push(before),
            }
            chain.current = processed.artifact;
        }
        if !specs.is_empty() {
            chain.results.push(chain.current.clone());
        }
        false
    }

    async fn run_one(&self, spec: &PostProcessorSpec, artifact: &Artifact) -> Result<Processed, Cause> {
        let plan = &self.build.plan;
        let names = Names { build_name: &plan.source_name, build_type: &plan.source_type };
        let kind = post_processors::kind(&spec.kind)
            .ok_or_else(|| Invalid(format!("Unknown post-processor type \"{}\"", spec.kind)))?;
        // An unnamed one is announced by its empty name, as scripts that read Packer's output know it.
        self.cx.events.say(match spec.name == spec.kind {
            true => format!("Running post-processor: {}", spec.name),
            false => format!("Running post-processor: {} (type {})", spec.name, spec.kind),
        });
        let (body, found) = evaluated(&spec.options, &names, &artifact.values, self.build.values, kind.deferred);
        let told = |found: crate::hcl::Diagnostics| {
            let lines: Vec<String> = found.iter().map(|one| render_line(one, self.sources)).collect();
            Invalid(lines.join("\n"))
        };
        if found.has_errors() {
            return Err(told(found).into());
        }
        let context = Context {
            events: &self.cx.events.for_post_processor(&spec.kind),
            run: &self.cx.run,
            build_name: &plan.source_name,
            build_type: &plan.source_type,
            force: self.cx.mode.force,
            values: &artifact.values,
        };
        (kind.prepare)(&body).map_err(told)?.process(artifact.clone(), &context).await
    }
}

fn keeps(keep: Keep, asked: Option<bool>) -> bool {
    match keep {
        Keep::Always => true,
        Keep::ByDefault => asked.unwrap_or(true),
        Keep::ByRequest => asked.unwrap_or(false),
    }
}
