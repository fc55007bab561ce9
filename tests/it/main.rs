//! Black-box tests: everything here runs the binary as its user would.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

mod accepted_options;
mod accounts;
mod amazon_options;
mod architecture;
mod bad_input;
mod bake;
mod command_line;
mod console;
mod crash_matrix;
mod diagnostics;
mod docs;
mod edited;
mod endpoint;
mod file_source;
mod fmt;
mod inspect;
mod journal_damage;
mod json_templates;
mod local_scripts;
mod lookups;
mod nothing_left;
mod plugins;
mod post_processors;
mod provisioning;
mod readme;
mod refused_releases;
mod resume;
mod robust;
mod sandbox;
mod signals;
mod soak;
mod ssh_server;
mod template_files;
mod torn_journal;
mod web_server;
mod wild;
mod windows;
mod world;
