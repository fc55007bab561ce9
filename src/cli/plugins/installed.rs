//! `kiln plugins installed`: the built-in plugins, one a line.

use crate::run::kinds::plugins;

/// Lists the built-in plugins
#[derive(clap::Args)]
pub struct Args {
    /// As in Packer, whatever follows is ignored.
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _ignored: Vec<String>,
}

/// The list.
pub fn text() -> String {
    let line = |plugin: crate::run::kinds::Plugin| format!("{} v{} (built in)", plugin.source, plugin.version);
    plugins().into_iter().map(line).collect::<Vec<_>>().join("\n")
}
