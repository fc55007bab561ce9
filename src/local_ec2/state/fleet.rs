//! Instant fleets as they are kept: a record of one launch.

use serde::{Deserialize, Serialize};

use super::{Moment, Tags};

/// EC2's states of an instant fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FleetState {
    /// Made.
    Active,
    /// Deleted, its instances stay.
    DeletedRunning,
    /// Deleted with its instances.
    DeletedTerminating,
}

impl FleetState {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::DeletedRunning => "deleted_running",
            Self::DeletedTerminating => "deleted_terminating",
        }
    }
}

/// One fleet of the type `instant`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// `fleet-…`.
    pub id: String,
    /// The state.
    pub state: FleetState,
    /// When it was made.
    pub created: Moment,
    /// The token it was asked for with.
    pub client_token: String,
    /// How many instances were wanted.
    pub target: i64,
    /// `spot` or `on-demand`.
    pub lifecycle: String,
    /// Its instances, and the launch template that each was made from.
    pub instances: Vec<Launch>,
    /// What could not be launched, and why.
    pub errors: Vec<FleetError>,
    /// User tags.
    pub tags: Tags,
}

/// What one instance (or one failure) of a fleet was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The launch template's id.
    pub template_id: String,
    /// And its version.
    pub version: u64,
    /// The parameters below `Overrides.N.`, as they came.
    pub overrides: std::collections::BTreeMap<String, String>,
}

/// One instance of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Its instance.
    pub instance_id: String,
    /// What it was made from.
    pub pool: Pool,
}

/// Why a pool had no instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetError {
    /// `InsufficientInstanceCapacity` and the like.
    pub code: String,
    /// For people.
    pub message: String,
    /// What could not be launched.
    pub pool: Pool,
}
