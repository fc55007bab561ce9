//! Provisioners: what is done to the machine (or beside it) while it is built. One file each; adding one is a file, a line in [`KINDS`] and a test.

pub mod breakpoint;
pub mod context;
pub mod file;
pub mod hcp_sbom;
pub mod powershell;
mod remote;
pub mod shell;
pub mod shell_local;
pub mod sleep;
pub mod windows_restart;
pub mod windows_shell;

use async_trait::async_trait;

use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::diagnostics::Diagnostics;

pub use context::Context;

/// A provisioner whose options have been checked.
#[async_trait(?Send)]
pub trait Provisioner {
    /// Does its work. Dropping the future ends it.
    async fn provision(&self, context: &Context<'_>) -> Result<(), Cause>;

    /// What people should know before it starts, one text each.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Why Kiln cannot do what these options ask for, though the template is right: said before anything is made.
    fn refusal(&self) -> Option<String> {
        None
    }
}

/// Checks options and makes a provisioner of them; makes no change anywhere.
pub type Prepare = fn(&EvaluatedBody) -> Result<Box<dyn Provisioner>, Diagnostics>;

/// A kind of provisioner.
pub struct Kind {
    /// The type that templates name.
    pub name: &'static str,
    /// Options that keep their `{{ }}` until they are used.
    pub deferred: &'static [&'static str],
    /// Makes one.
    pub prepare: Prepare,
    /// The JSON schema of its options, doc comments included.
    pub schema: fn() -> schemars::Schema,
}

/// All kinds, by name.
pub const KINDS: &[Kind] = &[
    breakpoint::KIND,
    file::KIND,
    hcp_sbom::KIND,
    powershell::KIND,
    shell::KIND,
    shell_local::KIND,
    sleep::KIND,
    windows_restart::KIND,
    windows_shell::KIND,
];

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
