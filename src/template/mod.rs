//! Packer's meaning of HCL: from the files of a template to a [`Plan`](crate::plan::Plan).
//!
//! Reading is a state machine without any side effect, [`Loading`]: what lies outside comes in as [`Inputs`], and the
//! data sources that a template asks for are run by the caller in between. It goes in stages:
//!
//! 1. Files are parsed (`files`, `json`), the blocks at the top level checked (`top_level`, `packer_block`).
//! 2. Variables are declared and get their values (`variables`), locals and data sources are declared (`locals`, `data`).
//! 3. Locals and data sources are evaluated, each after what it depends on (`graph`).
//! 4. Sources and builds are read (`sources`, `builds`), the builds asked for are selected (`selection`) and their plans
//!    assembled.
//!
//! Templates of the older form, in JSON, take another way to the same plan (`legacy`).
//!
//! Every problem found is reported with its place. What is wrong in the first two stages ends reading, since the rest
//! would only give follow-up errors.

mod builds;
mod data;
mod files;
mod glob;
mod graph;
mod hcp;
mod identifier;
mod inputs;
mod json;
mod kinds;
pub mod legacy;
mod loading;
mod locals;
mod packer_block;
mod plugins;
mod schema;
mod selection;
mod sources;
mod top_level;
mod variables;
mod version;
mod world;

pub use builds::{PostProcessorArguments, ProvisionerArguments};
pub use inputs::{File, FileKind, Inputs, Mode, Order, STDIN, Undeclared};
pub use kinds::{KindTable, Kinds, Role};
pub use loading::{DataRequest, Loaded, Loading};
pub use plugins::{Requirement, source_problem};
pub use version::{ConstraintError, version_fits};

#[cfg(test)]
mod tests;
