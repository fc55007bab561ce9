//! Writes what became of orders into the state: together what comes together, since a document with a thousand instances is written as fast for a
//! hundred results as for one.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::api::World;
use super::state::{Moment, Region, Scope};

/// Results that are written at once, at most.
const BATCH: usize = 256;

/// What a result makes of a region.
type Change = Box<dyn FnOnce(&mut Region) + Send>;

struct Entry {
    scope: Scope,
    change: Change,
    written: oneshot::Sender<()>,
}

/// Where results go. The writer behind it ends when nobody has this any more.
#[derive(Clone)]
pub struct Results {
    sender: mpsc::UnboundedSender<Entry>,
}

impl Results {
    /// Starts the writer.
    pub fn new(world: Arc<World>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(write(world, receiver));
        Self { sender }
    }

    /// Returns when it is written. Dropped before, it is written all the same.
    pub async fn write(&self, scope: &Scope, change: impl FnOnce(&mut Region) + Send + 'static) {
        let (written, done) = oneshot::channel();
        if self.sender.send(Entry { scope: scope.clone(), change: Box::new(change), written }).is_ok() {
            // An error means that the runtime shuts down, and nobody reads results any more.
            let _ = done.await;
        }
    }
}

async fn write(world: Arc<World>, mut receiver: mpsc::UnboundedReceiver<Entry>) {
    let mut entries = Vec::new();
    while receiver.recv_many(&mut entries, BATCH).await > 0 {
        let (world, batch) = (Arc::clone(&world), std::mem::take(&mut entries));
        let _ = tokio::task::spawn_blocking(move || write_batch(&world, batch)).await;
    }
}

fn write_batch(world: &World, batch: Vec<Entry>) {
    let mut scopes: BTreeMap<Scope, Vec<Entry>> = BTreeMap::new();
    for entry in batch {
        scopes.entry(entry.scope.clone()).or_default().push(entry);
    }
    for (scope, entries) in scopes {
        let mut written = Vec::new();
        let result = world.store.update::<(), io::Error>(&scope, Moment::now(), |region| {
            for entry in entries {
                (entry.change)(region);
                written.push(entry.written);
            }
            Ok(())
        });
        // The state directory is gone or full: every API call says so, which is where somebody reads it.
        drop(result);
        for written in written {
            let _ = written.send(());
        }
    }
}
