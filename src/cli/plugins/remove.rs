//! `kiln plugins remove`: nothing can be removed.

use super::version;

/// Refuses: plugins are built in and can't be removed
#[derive(clap::Args)]
pub struct Args {
    /// Where the plugin comes from: `github.com/hashicorp/amazon`.
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Which versions are meant.
    #[arg(value_name = "CONSTRAINT")]
    _constraint: Option<String>,
}

/// Why not.
pub fn refusal(args: &Args) -> String {
    let source = &args.source;
    match version(source) {
        Some(_) => format!("Error: {source} is built into Kiln and can't be removed"),
        None => format!(
            "Error: no plugin {source} is installed: Kiln's plugins are built in, kiln plugins installed lists them"
        ),
    }
}
