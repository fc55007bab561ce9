//! Runs the provisioners of one build: in order, with their pauses, retries and time limits.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use crate::communicator::Communicator;
use crate::communicator::nowhere::Nowhere;
use crate::engine::ledger::{Entry, Known};
use crate::engine::mode::OnError;
use crate::engine::step::{Choice, Cx, Decided};
use crate::engine::{Cause, chain};
use crate::hcl::Value;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::diagnostics::{Diagnostics, Sources, render_line};
use crate::hcl::duration::GoDuration;
use crate::plan::legacy::Names;
use crate::plan::{OnFailure, ProvisionerSpec};
use crate::provisioners::{self, Context, Provisioner};
use crate::secret::Secrets;
use crate::sources::{Hook, Inquest};
use async_trait::async_trait;

use super::inputs::digest;
use super::prepare::{PreparedBuild, evaluated};
use super::standing::{Review, Standing, Today};

/// The provisioners of one build.
pub struct Provisioning<'a> {
    /// The build's engine context.
    pub cx: &'a Cx,
    /// The build.
    pub build: &'a PreparedBuild,
    /// The source files, for diagnostics.
    pub sources: &'a Sources,
    /// Texts to mask.
    pub secrets: &'a Secrets,
    /// The provisioner that failed for good, as an error names it.
    culprit: OnceLock<String>,
}

impl<'a> Provisioning<'a> {
    /// Those of a build.
    pub fn new(cx: &'a Cx, build: &'a PreparedBuild, sources: &'a Sources, secrets: &'a Secrets) -> Self {
        Self { cx, build, sources, secrets, culprit: OnceLock::new() }
    }

    /// The provisioner that failed for good: `provisioner "shell" at t.pkr.hcl:7`.
    pub fn culprit(&self) -> Option<String> {
        self.culprit.get().cloned()
    }

    /// A provisioner's options with the build's facts.
    fn options(
        &self,
        spec: &ProvisionerSpec,
        facts: &BTreeMap<String, Value>,
        deferred: &[&str],
    ) -> (EvaluatedBody, Diagnostics) {
        let plan = &self.build.plan;
        let names = Names { build_name: &plan.source_name, build_type: &plan.source_type };
        evaluated(&spec.options, &names, facts, self.build.values, deferred)
    }

    /// A digest of what the template says: another machine, or the same one at another address, makes no other provisioner of it.
    fn digest(&self, spec: &ProvisionerSpec) -> String {
        let deferred = provisioners::kind(&spec.kind).map_or(&[][..], |kind| kind.deferred);
        digest(&spec.kind, &self.options(spec, &BTreeMap::new(), deferred).0)
    }

    fn today(&self) -> Vec<Today> {
        let today = |spec: &ProvisionerSpec| Today { kind: spec.kind.clone(), digest: self.digest(spec) };
        self.build.plan.provisioners.iter().map(today).collect()
    }

    /// How the provisioners stand as the machine is about to get them. It is on disk when this returns.
    fn begin(&self) -> Result<Review, Cause> {
        let (ledger, today) = (self.cx.journal.ledger(), self.today());
        let before = ledger.provisioners(&self.cx.build).unwrap_or_default();
        let review = Review::new(before, &today);
        self.tell_dropped(&review, before);
        let known = review.known(before, &today);
        self.cx.journal.append(&Entry::Provisioners { build: self.cx.build.to_string(), known })?;
        Ok(review)
    }

    fn tell_dropped(&self, review: &Review, before: &[Known]) {
        for was in &review.dropped {
            let (number, kind) = (was + 1, &before[*was].kind);
            let text = "ended well and is not in the template any more: what it did stays";
            self.cx.events.say(format!("Provisioner {number} ({kind}) of the earlier template {text}"));
        }
    }

    /// Says how a provisioner stands, where that is worth a word.
    fn tell(&self, review: &Review, index: usize) {
        let say = |text: &str| {
            let (number, kind) = (index + 1, &self.build.plan.provisioners[index].kind);
            self.cx.events.say(format!("Provisioner {number} ({kind}) {text}"));
        };
        match review.standings[index] {
            Standing::Done(_) => say("ended well before: skipped"),
            Standing::Edited(_) => say("ended well before and was changed since: it is not run again"),
            Standing::Unclear => say("is new, or ended well before and was changed since: it runs"),
            Standing::Due | Standing::New => {}
        }
        if review.is_late(index) {
            say("runs now, though some that follow it ended well before: what it does comes after what they did");
        }
    }

    fn blame(&self, spec: &ProvisionerSpec) {
        let span = &spec.options.span;
        let (line, _) = self.sources.position(span);
        // Only the first failure is the build's; a cleanup provisioner may fail after it.
        let place = format!("provisioner \"{}\" at {}:{line}", spec.kind, self.sources.name(span.file));
        let _ = self.culprit.set(place);
    }
}

/// Options that turned out wrong when the build's facts were known.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Invalid(String);

/// The clean-up after a failure failed, too.
#[derive(Debug, thiserror::Error)]
#[error("Cleanup failed: {cleanup}. Original Provisioning error: {original}")]
struct CleanupFailed {
    cleanup: String,
    original: String,
}

/// A provisioner took too long.
#[derive(Debug, thiserror::Error)]
#[error("provisioner {kind} was cancelled after {limit}")]
struct TooLong {
    kind: String,
    limit: GoDuration,
}

#[async_trait(?Send)]
impl Hook for Provisioning<'_> {
    async fn provision(
        &self,
        communicator: &dyn Communicator,
        values: &BTreeMap<String, Value>,
        inquest: Option<&dyn Inquest>,
    ) -> Result<(), Cause> {
        // What a machine makes up for itself (keys, passwords) is as secret as what the template marks.
        values.values().flat_map(Value::sensitive_texts).for_each(|text| self.secrets.register(&text));
        let machine = Machine { of: self, communicator, values };
        let Err(original) = machine.run_all().await else { return Ok(()) };
        let original = match inquest {
            Some(inquest) => inquest.explain(original).await,
            None => original,
        };
        // Asked now, since the cleanup provisioner needs the machine, and only one who gives up on it wants the cleanup.
        let choice = self.cx.choose("StepProvision", &original).await;
        let cause = match choice {
            Choice::CleanUp => machine.run_cleanup(original).await,
            Choice::Abort | Choice::Retry => original,
        };
        Err(Decided { cause, choice }.into())
    }

    fn tell_missed(&self) {
        let ledger = self.cx.journal.ledger();
        let Some(before) = ledger.provisioners(&self.cx.build) else { return };
        let review = Review::new(before, &self.today());
        self.tell_dropped(&review, before);
        for (index, spec) in self.build.plan.provisioners.iter().enumerate() {
            match review.standings[index] {
                Standing::Done(_) | Standing::Due => {}
                Standing::Edited(_) => self.tell(&review, index),
                Standing::New | Standing::Unclear => {
                    let (number, kind) = (index + 1, &spec.kind);
                    let text = "is new or was changed since the machine was provisioned: it is not run, and the image is made without it";
                    self.cx.events.warn(format!("Provisioner {number} ({kind}) {text}"));
                }
            }
        }
    }

    async fn rehearse(&self) -> Result<(), Cause> {
        Machine { of: self, communicator: &Nowhere, values: &BTreeMap::new() }.run_all().await
    }
}

/// The provisioners with the machine that they are for.
struct Machine<'a> {
    of: &'a Provisioning<'a>,
    communicator: &'a dyn Communicator,
    values: &'a BTreeMap<String, Value>,
}

impl Machine<'_> {
    async fn run_all(&self) -> Result<(), Cause> {
        let (cx, specs) = (self.of.cx, &self.of.build.plan.provisioners);
        let review = self.of.begin()?;
        for (index, spec) in specs.iter().enumerate() {
            self.of.tell(&review, index);
            if review.standings[index].is_over() {
                continue;
            }
            cx.pause("Pausing before the next provisioner . Press enter to continue.").await?;
            let digest = self.of.digest(spec);
            match self.run_with_retries(spec).await {
                Ok(()) => {}
                Err(error) if spec.on_failure == OnFailure::Continue => {
                    cx.events.say(format!(
                        "Warning: Provisioner failed with {:?}, but continue_on_error is set; continuing the build.",
                        chain(error.as_ref())
                    ));
                    continue;
                }
                Err(error) => {
                    self.of.blame(spec);
                    return Err(error);
                }
            }
            let (build, kind) = (cx.build.to_string(), spec.kind.clone());
            cx.journal.append(&Entry::Provisioned { build, index, kind, digest })?;
        }
        Ok(())
    }

    /// The template's last word on the machine after a failure; not after a signal, and not when everything is to be left as it is. Gives the cause of
    /// the failure, to which it may add its own.
    async fn run_cleanup(&self, original: Cause) -> Cause {
        if self.of.cx.mode.on_error == OnError::Abort {
            return original;
        }
        self.of.cx.events.say("Provisioning step had errors: Running the cleanup provisioner, if present...");
        let Some(spec) = &self.of.build.plan.error_cleanup else { return original };
        match self.run_with_retries(spec).await {
            Ok(_) => original,
            Err(cleanup) => {
                let (cleanup, original) = (chain(cleanup.as_ref()), chain(original.as_ref()));
                CleanupFailed { cleanup, original }.into()
            }
        }
    }

    /// What is told and given is the failure of the first attempt: the later ones often only stumble over what it left.
    async fn run_with_retries(&self, spec: &ProvisionerSpec) -> Result<(), Cause> {
        let first = match self.attempt(spec).await {
            Err(error) if spec.max_retries > 0 => error,
            result => return result,
        };
        let text = chain(first.as_ref());
        for left in (1..=spec.max_retries).rev() {
            self.of.cx.events.say(format!("Provisioner failed with {text:?}, retrying with {left} trie(s) left"));
            if let Ok(()) = self.attempt(spec).await {
                return Ok(());
            }
        }
        self.of.cx.events.say("retry limit reached.");
        Err(first)
    }

    async fn attempt(&self, spec: &ProvisionerSpec) -> Result<(), Cause> {
        let events = &self.of.cx.events;
        if !spec.pause_before.is_zero() {
            let pause = GoDuration::from(spec.pause_before);
            events.say(format!("Pausing {pause} before the next provisioner..."));
            tokio::time::sleep(spec.pause_before).await;
        }
        let provisioner = self.prepared(spec)?;
        let plan = &self.of.build.plan;
        let context = Context {
            cx: self.of.cx,
            communicator: self.communicator,
            build_name: &plan.source_name,
            build_type: &plan.source_type,
            values: self.values,
        };
        let work = provisioner.provision(&context);
        match spec.timeout {
            // A provisioner with a pause has no limit, as templates written for Packer expect.
            Some(limit) if spec.pause_before.is_zero() => self.limited(spec, limit, work).await,
            _ => work.await,
        }
    }

    async fn limited(
        &self,
        spec: &ProvisionerSpec,
        limit: Duration,
        work: impl Future<Output = Result<(), Cause>>,
    ) -> Result<(), Cause> {
        let (events, shown) = (&self.of.cx.events, GoDuration::from(limit));
        events.say(format!("Setting a {shown} timeout for the next provisioner..."));
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => {
                events.error("Cancelling provisioner after a timeout...");
                Err(TooLong { kind: spec.kind.clone(), limit: shown }.into())
            }
        }
    }

    /// The provisioner with the build's facts in its options.
    fn prepared(&self, spec: &ProvisionerSpec) -> Result<Box<dyn Provisioner>, Cause> {
        let kind = provisioners::kind(&spec.kind)
            .ok_or_else(|| Invalid(format!("Unknown provisioner type \"{}\"", spec.kind)))?;
        let (body, found) = self.of.options(spec, self.values, kind.deferred);
        if found.has_errors() {
            return Err(self.invalid(found));
        }
        (kind.prepare)(&body).map_err(|found| self.invalid(found))
    }

    fn invalid(&self, found: Diagnostics) -> Cause {
        let lines: Vec<String> = found.iter().map(|diagnostic| render_line(diagnostic, self.of.sources)).collect();
        Invalid(lines.join("\n")).into()
    }
}
