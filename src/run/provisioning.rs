//! Runs the provisioners of one build: in order, with their pauses, retries and time limits.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::communicator::Communicator;
use crate::communicator::nowhere::Nowhere;
use crate::engine::ledger::Entry;
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
use crate::sources::Hook;

use super::prepare::{PreparedBuild, evaluated};

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
    async fn provision(&self, communicator: &dyn Communicator, values: &BTreeMap<String, Value>) -> Result<(), Cause> {
        // What a machine makes up for itself (keys, passwords) is as secret as what the template marks.
        values.values().flat_map(Value::sensitive_texts).for_each(|text| self.secrets.register(&text));
        let machine = Machine { of: self, communicator, values };
        let Err(original) = machine.run_all().await else { return Ok(()) };
        // Asked now, since the cleanup provisioner needs the machine, and only one who gives up on it wants the cleanup.
        let choice = self.cx.choose("StepProvision", &original).await;
        let cause = match choice {
            Choice::CleanUp => machine.run_cleanup(original).await,
            Choice::Abort | Choice::Retry => original,
        };
        Err(Decided { cause, choice }.into())
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
        let cx = self.of.cx;
        for (index, spec) in self.of.build.plan.provisioners.iter().enumerate() {
            if self.ran_before(index, spec) {
                continue;
            }
            cx.pause("Pausing before the next provisioner . Press enter to continue.").await?;
            let digest = match self.run_with_retries(spec).await {
                Ok(digest) => digest,
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
            };
            cx.journal.append(&Entry::Provisioned { build: cx.build.to_string(), index, digest })?;
        }
        Ok(())
    }

    /// Whether a provisioner ended well before this run was resumed. The machine has what it did; what was edited since is named.
    fn ran_before(&self, index: usize, spec: &ProvisionerSpec) -> bool {
        let ledger = self.of.cx.journal.ledger();
        let Some(digest) = ledger.provisioned(&self.of.cx.build, index) else { return false };
        let (number, kind) = (index + 1, &spec.kind);
        let same = self.prepared(spec).is_ok_and(|(_, today)| today == digest);
        self.of.cx.events.say(match same {
            true => format!("Provisioner {number} ({kind}) ended well before: skipped"),
            false => {
                format!("Provisioner {number} ({kind}) ended well before and was changed since: it is not run again")
            }
        });
        true
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
    async fn run_with_retries(&self, spec: &ProvisionerSpec) -> Result<String, Cause> {
        let first = match self.attempt(spec).await {
            Err(error) if spec.max_retries > 0 => error,
            result => return result,
        };
        let text = chain(first.as_ref());
        for left in (1..=spec.max_retries).rev() {
            self.of.cx.events.say(format!("Provisioner failed with {text:?}, retrying with {left} trie(s) left"));
            if let Ok(digest) = self.attempt(spec).await {
                return Ok(digest);
            }
        }
        self.of.cx.events.say("retry limit reached.");
        Err(first)
    }

    async fn attempt(&self, spec: &ProvisionerSpec) -> Result<String, Cause> {
        let events = &self.of.cx.events;
        if !spec.pause_before.is_zero() {
            let pause = GoDuration::from(spec.pause_before);
            events.say(format!("Pausing {pause} before the next provisioner..."));
            tokio::time::sleep(spec.pause_before).await;
        }
        let (provisioner, digest) = self.prepared(spec)?;
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
            Some(limit) if spec.pause_before.is_zero() => self.limited(spec, limit, work).await?,
            _ => work.await?,
        }
        Ok(digest)
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

    /// The provisioner with the build's facts in its options, and the digest of those.
    fn prepared(&self, spec: &ProvisionerSpec) -> Result<(Box<dyn Provisioner>, String), Cause> {
        let build = self.of.build;
        let kind = provisioners::kind(&spec.kind)
            .ok_or_else(|| Invalid(format!("Unknown provisioner type \"{}\"", spec.kind)))?;
        let names = Names { build_name: &build.plan.source_name, build_type: &build.plan.source_type };
        let (body, found) = evaluated(&spec.options, &names, self.values, build.values, kind.deferred);
        if found.has_errors() {
            return Err(self.invalid(found));
        }
        let digest = digest(&spec.kind, &body);
        Ok(((kind.prepare)(&body).map_err(|found| self.invalid(found))?, digest))
    }

    fn invalid(&self, found: Diagnostics) -> Cause {
        let lines: Vec<String> = found.iter().map(|diagnostic| render_line(diagnostic, self.of.sources)).collect();
        Invalid(lines.join("\n")).into()
    }
}

/// A digest of a provisioner's options and of the files that they name, by which a resumed run knows whether it changed.
fn digest(kind: &str, body: &EvaluatedBody) -> String {
    let mut hasher = Sha256::new();
    hasher.update(kind);
    for (name, attribute) in &body.attributes {
        hasher.update(format!("\0{name}\0{:?}", attribute.value.data()));
        files_of(&attribute.value).for_each(|content| hasher.update(content));
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Longest file that counts for a digest, in bytes: scripts and configuration, not what is merely uploaded.
const LONGEST_HASHED: u64 = 1 << 20;

/// The contents of the regular files that a value names, alone or in a list.
fn files_of(value: &Value) -> impl Iterator<Item = Vec<u8>> {
    let texts = value.as_sequence().unwrap_or(std::slice::from_ref(value));
    texts.iter().filter_map(|text| {
        let path = text.as_str()?.to_owned();
        let file = std::fs::metadata(&path).ok().filter(|meta| meta.is_file() && meta.len() <= LONGEST_HASHED);
        file.and_then(|_| std::fs::read(path).ok())
    })
}
