//! Keeps the OCI layout in step with the images that the endpoint knows, so that other tools (and `kiln local`) find them there.

use std::path::Path;

use serde_json::json;

use super::state::{self, ImageState, Moment, Scope};
use super::store::{Error, ImageRecord, Store};

/// Why the layout could not be brought in step.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The endpoint's state could not be read.
    #[error("read the state of local EC2")]
    State(#[from] std::io::Error),
    /// The layout could not be changed.
    #[error("write the image layout")]
    Store(#[from] Error),
}

/// Adds images that became available, forgets those that were deregistered.
pub fn reconcile(state_dir: &Path, store: &Store) -> Result<(), ShelfError> {
    let wanted = records(state_dir)?;
    let known = store.images()?;
    for image in known.iter().filter(|image| !wanted.iter().any(|(id, _)| *id == image.id)) {
        store.remove_image(&image.id)?;
    }
    for (id, record) in &wanted {
        if !known.iter().any(|image| image.id == *id && image.record == *record) {
            store.put_image(id, record)?;
        }
    }
    Ok(())
}

/// Layers that disks of the endpoint are made of, whether an image shows them or not; garbage collection must keep them.
pub fn layers_in_use(state_dir: &Path) -> Result<Vec<String>, ShelfError> {
    let mut layers = Vec::new();
    for (_, region) in regions(state_dir)? {
        let snapshots = region.snapshots.values().map(|snapshot| &snapshot.content.layers);
        let volumes = region.volumes.values().map(|volume| &volume.content.layers);
        layers.extend(snapshots.chain(volumes).flat_map(|set| set.layers.clone()));
    }
    Ok(layers)
}

fn regions(state_dir: &Path) -> Result<Vec<(Scope, state::Region)>, ShelfError> {
    let (state, now) = (state::Store::open(state_dir)?, Moment::now());
    let scopes = state.scopes()?;
    Ok(scopes.into_iter().map(|scope| Ok((scope.clone(), state.read(&scope, now)?))).collect::<std::io::Result<_>>()?)
}

fn records(state_dir: &Path) -> Result<Vec<(String, ImageRecord)>, ShelfError> {
    let mut records = Vec::new();
    for (scope, region) in regions(state_dir)? {
        for image in region.images.values().filter(|image| image.state == ImageState::Available) {
            let content = region.content_of(image);
            // Images without layers were made by an endpoint without machines.
            if content.layers.is_empty() {
                continue;
            }
            let config = json!({ "User": content.login_user, "region": scope.region, "account": scope.account });
            let record = ImageRecord {
                name: image.name.clone(),
                base: content.layers.base.clone(),
                layers: content.layers.layers.clone(),
                created: image.created.to_string(),
                description: image.description.clone(),
                architecture: image.architecture.clone(),
                config,
            };
            records.push((image.id.clone(), record));
        }
    }
    Ok(records)
}
