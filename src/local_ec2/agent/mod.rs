//! The program that runs inside every local instance: first-boot work as cloud-init does it, then SSH and SFTP.
//!
//! It is Kiln's own binary, started by the instance's init as `kiln agent --config /run/kiln/agent.json`. Order matters:
//! the login user, its key and the host key come first, so that SSH answers at once; packages and scripts of the user data
//! run while it already does, as on EC2.

mod accounts;
mod authorized_keys;
mod cloud_init;
mod config;
mod console;
#[cfg(test)]
mod end_to_end;
mod host_key;
mod hostname;
mod notify;
mod paths;
mod reexec;
mod sftp;
mod ssh;
mod start;
mod stdio;
mod sudoers;

pub use start::main;
