//! Kiln bakes golden machine images from Packer's HCL templates and leaves nothing behind.

pub mod aws;
pub mod engine;
pub mod event;
pub mod secret;
