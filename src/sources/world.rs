//! What all builds of a run share: connections to AWS, one per set of access options.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::aws::access::{Access, LocalEndpoint};
use crate::aws::{Aws, Error};
use crate::event::Events;

/// What all builds of a run share.
#[derive(Default)]
pub struct World {
    local: Option<LocalEndpoint>,
    events: Option<Events>,
    connections: Mutex<Vec<(Access, Arc<Aws>)>>,
}

impl World {
    /// A world in which AWS is what it is, or local EC2.
    pub fn new(local: Option<LocalEndpoint>) -> Self {
        Self { local, ..Self::default() }
    }

    /// Tells `events` when AWS does not answer.
    pub fn telling(self, events: Events) -> Self {
        Self { events: Some(events), ..self }
    }

    /// Local EC2, when the run rehearses on it.
    pub fn local(&self) -> Option<&LocalEndpoint> {
        self.local.as_ref()
    }

    /// The connection for these access options. Builds with equal options share it, and so its batched looks.
    pub async fn aws(&self, access: &Access) -> Result<Arc<Aws>, Error> {
        let mut connections = self.connections.lock().await;
        if let Some((_, aws)) = connections.iter().find(|(known, _)| known == access) {
            return Ok(aws.clone());
        }
        let aws = Arc::new(Aws::connect(access.clone(), self.local.clone(), self.events.clone()).await?);
        connections.push((access.clone(), aws.clone()));
        Ok(aws)
    }
}
