//! `kiln local base …`: root file systems that instances run on.

use std::sync::Arc;

use crate::engine::chain;
use crate::local_ec2::store::{BaseSource, Progress};

use super::Room;

/// Root file systems that instances run on
#[derive(clap::Subcommand)]
#[command(about = "Root file systems that instances run on")]
pub enum Verb {
    /// Adds a base from a root file system tar, a directory, an OCI archive or layout, or a registry
    Add {
        /// Its name.
        name: String,
        /// Where it comes from: a path, or a reference such as debian:12.
        source: String,
    },
    /// Lists the bases
    List,
    /// Removes a base
    Rm {
        /// Its name.
        name: String,
    },
}

/// Runs the verb.
pub async fn run(verb: Verb, room: &Room<'_>) -> Result<(), String> {
    let store = room.store()?;
    match verb {
        Verb::Add { name, source } => {
            let source = BaseSource::recognise(&source).map_err(|e| chain(&e))?;
            let quiet: Arc<dyn Fn(Progress) + Send + Sync> = Arc::new(|_| ());
            let base = store.add_base(&name, source, quiet).await.map_err(|e| chain(&e))?;
            room.reporter.print(format!("Added {}: {}", base.name, base.distribution.pretty_name));
        }
        Verb::List => {
            for base in store.list_bases().map_err(|e| chain(&e))? {
                let (name, from) = (&base.name, &base.source);
                room.reporter.print(format!("{name}  {}  {from}", base.distribution.pretty_name));
            }
        }
        Verb::Rm { name } => {
            store.remove_base(&name).map_err(|e| chain(&e))?;
            room.reporter.print(format!("Removed {name}"));
        }
    }
    Ok(())
}
