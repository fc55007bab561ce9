//! An EC2 endpoint on loopback whose instances boot.
//!
//! This half speaks the API: `wire` (how requests are spelled), `api` (the actions, one file a resource), `state` (what there is, shared by all
//! processes that use the directory), `timing` and `faults` (how long things take and what goes wrong), `profile` (both from a file), `catalog` (the well-known
//! publishers' images), `guest_metadata` (what a machine is told) and `conductor` (orders to machines; `results` writes what
//! became of them). What runs the machines is behind [`machine::Machines`].

pub mod agent;
pub mod catalog;
pub mod instance;
pub mod machine;
pub mod profile;
pub mod shelf;
pub mod store;
pub mod timing;

mod api;
mod conductor;
mod faults;
mod guest_metadata;
mod results;
mod server;
mod state;
mod wire;

pub use server::{Auth, Handle, Options, serve};
