//! Spot requests as they are kept.

use serde::{Deserialize, Serialize};

use super::{Moment, Tags};

/// EC2's states of a spot request, as far as they are reached here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpotState {
    /// Waiting for capacity.
    Open,
    /// It has its instance.
    Active,
    /// Its instance has ended.
    Closed,
    /// Cancelled; its instance may still run.
    Cancelled,
}

impl SpotState {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Active => "active",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One spot request: always for one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpotRequest {
    /// `sir-…`.
    pub id: String,
    /// The state, as of the last settling.
    pub state: SpotState,
    /// `fulfilled` and the like.
    pub status: String,
    /// The text that goes with it.
    pub message: String,
    /// When the status was set.
    pub updated: Moment,
    /// When it was made.
    pub created: Moment,
    /// The most that its owner pays, in dollars an hour.
    pub price: String,
    /// `one-time` or `persistent`.
    pub kind: String,
    /// `terminate`, `stop` or `hibernate`.
    pub on_interruption: String,
    /// The instance.
    pub instance_id: String,
    /// User tags.
    pub tags: Tags,
}

impl SpotRequest {
    /// Sets state and status.
    pub fn enter(&mut self, state: SpotState, status: &str, message: &str, now: Moment) {
        self.state = state;
        self.status = status.to_owned();
        self.message = message.to_owned();
        self.updated = now;
    }
}

/// The request's status once its instance ended for a reason with this code.
pub fn status_of_end(reason: &str) -> (&'static str, &'static str) {
    match reason {
        "Server.SpotInstanceTermination" | "Server.SpotInstanceShutdown" => (
            "instance-terminated-no-capacity",
            "Your Spot instance was terminated because there is no Spot capacity available.",
        ),
        code if code.starts_with("Client.") => {
            ("instance-terminated-by-user", "Spot instance terminated due to user-initiated termination.")
        }
        _ => ("instance-terminated-by-service", "Spot instance terminated by the service."),
    }
}
