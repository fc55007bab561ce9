//! IAM roles and instance profiles as they are kept: in an account's global document.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Moment, Tags};

/// One role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Unique per account.
    pub name: String,
    /// `/` and the like.
    pub path: String,
    /// `AROA…`.
    pub id: String,
    /// `arn:aws:iam::…:role/…`.
    pub arn: String,
    /// When it was made.
    pub created: Moment,
    /// What its maker wrote.
    pub description: String,
    /// Who may assume it: JSON text.
    pub trust: String,
    /// Seconds that a session may last.
    pub max_session: i64,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Inline policies by name: JSON text.
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub attached: BTreeSet<String>,
    /// User tags.
    pub tags: Tags,
}

/// One instance profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceProfile {
    /// Unique per account.
    pub name: String,
    /// `/` and the like.
    pub path: String,
    /// `AIPA…`.
    pub id: String,
    /// `arn:aws:iam::…:instance-profile/…`.
    pub arn: String,
    /// When it was made.
    pub created: Moment,
    /// Name of its role; there can be one.
    pub role: Option<String>,
    /// The last change, after which EC2 does not know it for a while.
    pub changed: Moment,
    /// User tags.
    pub tags: Tags,
}
