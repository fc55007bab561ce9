//! The steps of a bake, one file each, in the order of the story in `bake.rs`.

pub mod clear_keys;
pub mod connect;
pub mod copy_image;
pub mod create_image;
pub mod deadline;
pub mod finish_image;
pub mod inquest;
pub mod key_pair;
pub mod network;
pub mod pre_validate;
pub mod profile;
pub mod provision;
pub mod replace_image;
pub mod run_instance;
pub mod run_spot;
pub mod security_group;
pub mod source_image;
pub mod stop_instance;

/// A refusal that Kiln itself found, as one text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);
