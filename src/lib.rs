//! Kiln bakes golden machine images from Packer's HCL templates and leaves nothing behind.
//!
//! The code map, top to bottom; who may import whom is in ARCHITECTURE.md, and a test holds it:
//!
//! - [`cli`] one file a verb; the only reader of environment and terminal
//! - [`run`] runs a plan: builds side by side, provisioners in order, post-processors, cleanup
//! - [`template`] Packer's meaning of HCL: files in, a [`plan`] out
//! - [`sources`], [`data_sources`], [`provisioners`], [`post_processors`] the components, one file (or folder) each
//! - [`communicator`] talking to the machine; [`aws`] talking to AWS; [`engine`] journal, steps, waiting
//! - [`report`] events to terminal, lines, JSON
//! - [`plan`], [`event`], [`artifact`], [`secret`] the vocabulary between them
//! - [`hcl`], [`text_template`] the two languages; [`scripts`] what script components share
//! - [`web`] plain HTTP requests
//! - [`local_ec2`] an EC2 endpoint on loopback whose instances boot

pub mod artifact;
pub mod aws;
pub mod cli;
pub mod clock;
pub mod communicator;
pub mod data_sources;
pub mod engine;
pub mod event;
pub mod hcl;
pub mod local_ec2;
pub mod plan;
pub mod post_processors;
pub mod provisioners;
pub mod report;
pub mod run;
pub mod scripts;
pub mod secret;
pub mod sources;
pub mod template;
pub mod text_template;
pub mod web;
