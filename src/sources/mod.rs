//! Sources: what a machine image is made from, and how. One folder or file each; adding one is a file, a line in [`KINDS`] and a test.

pub mod amazon_ebs;
mod connect;
pub mod file;
pub mod null;
pub mod options;
pub mod world;

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::artifact::Artifact;
use crate::communicator::Communicator;
use crate::engine::Cause;
use crate::engine::ledger::Claim;
use crate::engine::mode::Force;
use crate::engine::step::{Cx, StepError};
use crate::hcl::Value;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::diagnostics::Diagnostics;
use crate::secret::Secrets;

pub use world::World;

/// Runs the provisioners of a build when the machine is ready for them.
#[async_trait(?Send)]
pub trait Hook {
    /// Runs them all. `values` is what is known of the build (`ID`, `Host`, …). `inquest`, where the source can hold one, has a word on a failure before
    /// anybody is told of it.
    async fn provision(
        &self,
        communicator: &dyn Communicator,
        values: &BTreeMap<String, Value>,
        inquest: Option<&dyn Inquest>,
    ) -> Result<(), Cause>;

    /// Says what was edited in them since they all ran: the machine of a resumed run is past them.
    fn tell_missed(&self);

    /// Runs them all for a source that makes no machine: what they do to one happens nowhere. There is nothing to clean up after a failure.
    async fn rehearse(&self) -> Result<(), Cause>;
}

/// Finds out whether a machine has ended.
#[async_trait(?Send)]
pub trait Inquest {
    /// Why provisioning failed: what ended the machine, with the failure as what came of it, or else the failure as it is.
    async fn explain(&self, failure: Cause) -> Cause;
}

/// How patient a release is.
pub use crate::aws::release::Confirm;

/// A source whose options have been checked.
#[async_trait(?Send)]
pub trait Source: Send {
    /// Builds. `None`: it succeeded and made nothing (`skip_create_ami`).
    async fn build(&self, cx: &Cx, world: &World, hook: &dyn Hook) -> Result<Option<Artifact>, StepError>;

    /// Releases one thing that a build of this source made.
    async fn release(&self, cx: &Cx, world: &World, claim: &Claim, confirm: Confirm) -> Result<(), Cause>;

    /// Renews the lease on something that a build of this source made, so that clean-ups of other machines leave it alone.
    async fn renew(&self, _cx: &Cx, _world: &World, _claim: &Claim) -> Result<(), Cause> {
        Ok(())
    }

    /// Makes a product permanent: what marks it as something that a clean-up may remove is taken off.
    async fn keep(&self, _cx: &Cx, _world: &World, _claim: &Claim) -> Result<(), Cause> {
        Ok(())
    }

    /// What people should know before it starts, one text each.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Why Kiln cannot do what these options ask for, though the template is right: said before anything is made.
    fn refusal(&self) -> Option<String> {
        None
    }
}

/// What is known of a build when its source is prepared.
pub struct Prepared<'a> {
    /// Declared name of the source.
    pub name: &'a str,
    /// `-force`.
    pub force: Force,
    /// Where secret options are registered.
    pub secrets: &'a Secrets,
}

/// Checks options and makes a source of them; makes no change anywhere.
pub type Prepare = fn(&EvaluatedBody, &Prepared<'_>) -> Result<Box<dyn Source>, Diagnostics>;

/// A kind of source.
pub struct Kind {
    /// The type that templates name.
    pub name: &'static str,
    /// Options that keep their `{{ }}` until they are used.
    pub deferred: &'static [&'static str],
    /// Names that `build.NAME` knows besides the common ones.
    pub values: &'static [&'static str],
    /// Whether builds of it take long enough for people to ask where the time went.
    pub timed: bool,
    /// Makes one.
    pub prepare: Prepare,
    /// The JSON schemas of its options, doc comments included.
    pub schema: fn() -> Vec<schemars::Schema>,
}

/// All kinds, by name.
pub const KINDS: &[Kind] = &[amazon_ebs::KIND, file::KIND, null::KIND];

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
