//! Options that several components share, each group a typed struct: access to AWS, the communicator, tags.

pub mod access;
pub mod communicator;
pub mod filters;
pub mod tags;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::{decode, fields};
use crate::hcl::diagnostics::Diagnostics;

/// Takes the options of one group out of a body and decodes them. What no group takes is left for the component's own struct, which refuses unknown
/// names.
pub fn take<T: DeserializeOwned + JsonSchema + 'static>(body: &mut EvaluatedBody) -> Result<T, Diagnostics> {
    let part = body.take(&fields::<T>());
    decode::<T>(&part)
}
