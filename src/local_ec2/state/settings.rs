//! Settings of an account in a region.

use serde::{Deserialize, Serialize};

/// All of them, as new accounts have them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Every new volume and copy is encrypted.
    pub encrypt_by_default: bool,
    /// The key that does it; AWS's own when none is set.
    pub default_key: Option<String>,
    /// `block-new-sharing`: images cannot be made public.
    pub image_block: Option<String>,
    /// `block-all-sharing` or `block-new-sharing`, of snapshots.
    pub snapshot_block: Option<String>,
}
