//! Data sources: what templates look up before builds start. One file each; adding one is a file, a line in [`KINDS`] and a test.

pub mod amazon_ami;
pub mod amazon_parameterstore;
pub mod amazon_secretsmanager;
pub mod hcp_packer;
pub mod http;
pub mod null;

use async_trait::async_trait;

use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::{Type, Value};
use crate::sources::World;

/// A data source whose options have been checked.
#[async_trait(?Send)]
pub trait DataSource {
    /// Looks it up.
    async fn read(&self, world: &World) -> Result<Value, Cause>;
}

/// Checks options and makes a data source of them.
pub type Prepare = fn(&EvaluatedBody) -> Result<Box<dyn DataSource>, Diagnostics>;

/// A kind of data source.
pub struct Kind {
    /// The type that templates name.
    pub name: &'static str,
    /// Makes one.
    pub prepare: Prepare,
    /// Type of the value that it gives.
    pub output: fn() -> Type,
    /// The JSON schemas of its options, doc comments included.
    pub schema: fn() -> Vec<schemars::Schema>,
}

/// All kinds, by name.
pub const KINDS: &[Kind] = &[
    amazon_ami::KIND,
    amazon_parameterstore::KIND,
    amazon_secretsmanager::KIND,
    hcp_packer::ARTIFACT,
    hcp_packer::IMAGE,
    hcp_packer::ITERATION,
    hcp_packer::VERSION,
    http::KIND,
    null::KIND,
];

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
