//! `kiln local export`: what was baked, as a tar.

use std::path::PathBuf;

use crate::engine::chain;
use crate::local_ec2::instance::host_masks;
use crate::local_ec2::store::ExportContents;

use super::Room;

/// Writes what was baked (the layers above the base) as a tar
#[derive(clap::Args)]
pub struct Args {
    /// The image's id.
    ami: String,
    /// The file to write; its ending chooses the compression (.tar, .tar.gz, .tar.zst).
    file: PathBuf,
    /// Writes a whole root file system: the base and what was baked on it.
    #[arg(long)]
    with_base: bool,
}

/// Runs the verb.
pub fn run(args: &Args, room: &Room<'_>) -> Result<(), String> {
    let contents = if args.with_base { ExportContents::WithBase } else { ExportContents::Layers };
    let own = [room.settings.data.clone(), room.settings.state.clone()];
    let masks = host_masks(&own).map_err(|e| format!("read the accounts of this machine: {e}"))?;
    room.store()?.export(&args.ami, &args.file, contents, &masks).map_err(|e| chain(&e))?;
    room.reporter.print(format!("Wrote {} to {}", args.ami, args.file.display()));
    Ok(())
}
