//! The instance's users and groups, read from and written to its own files: the agent may run on a C library that is not
//! the image's, so it does not ask that library's name service.

mod create;
mod database;

pub use create::{Kind, NewAccount, add_to_groups, create_group, ensure};
pub use database::{Account, find, group_id};
