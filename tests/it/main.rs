//! Black-box tests: everything here runs the binary as its user would.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

mod architecture;
mod bad_input;
mod bake;
mod command_line;
mod file_source;
mod post_processors;
mod lookups;
mod provisioning;
mod console;
mod fmt;
mod inspect;
mod plugins;
mod readme;
mod robust;
mod sandbox;
mod signals;
mod ssh_server;
mod web_server;
mod windows;
mod template_files;
mod wild;
mod world;
