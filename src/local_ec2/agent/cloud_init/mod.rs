//! The first boot as cloud-init does it. Where the image has cloud-init, that does it; elsewhere this module stands in for
//! it, with the same stages, the same files under `/var/lib/cloud`, and a command of that name to ask.

mod cloud_config;
mod commands;
mod default_user;
mod installed;
mod log;
mod mime;
mod packages;
mod stages;
mod stand_in;
mod user_data;
mod users;
mod value;
mod write_files;

pub use installed::{runs_by_itself, wait_for_network_stage};
pub use stages::FirstBoot;
pub use stand_in::withdraw as withdraw_stand_in;
