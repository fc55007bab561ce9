//! Launch templates as they are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Moment, Tags};

/// One version of a launch template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateVersion {
    /// What its maker wrote.
    pub description: String,
    /// When.
    pub created: Moment,
    /// ARN of its maker.
    pub created_by: String,
    /// The request's parameters below `LaunchTemplateData.`, as they came.
    pub data: BTreeMap<String, String>,
}

/// One launch template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// `lt-…`.
    pub id: String,
    /// Unique per account and region.
    pub name: String,
    /// When the first version was made.
    pub created: Moment,
    /// ARN of its maker.
    pub created_by: String,
    /// The version that is taken when none is named.
    pub default_version: u64,
    /// By number; deleted ones leave gaps.
    pub versions: BTreeMap<u64, TemplateVersion>,
    /// The number of the newest version, deleted or not.
    pub latest_version: u64,
    /// User tags.
    pub tags: Tags,
}

impl LaunchTemplate {
    /// The number that a request means: `$Latest`, `$Default` (or nothing), or a number.
    pub fn number(&self, wanted: Option<&str>) -> Option<u64> {
        let number = match wanted {
            None | Some("$Default") => self.default_version,
            Some("$Latest") => *self.versions.keys().next_back()?,
            Some(text) => text.parse().ok()?,
        };
        self.versions.contains_key(&number).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_by_number_and_by_name() {
        let version = TemplateVersion {
            description: String::new(),
            created: Moment(0),
            created_by: String::new(),
            data: BTreeMap::new(),
        };
        let template = LaunchTemplate {
            id: "lt-1".into(),
            name: "t".into(),
            created: Moment(0),
            created_by: String::new(),
            default_version: 1,
            versions: BTreeMap::from([(1, version.clone()), (3, version)]),
            latest_version: 3,
            tags: Tags::new(),
        };
        let found =
            [None, Some("$Default"), Some("$Latest"), Some("3"), Some("2"), Some("x")].map(|w| template.number(w));
        assert_eq!(found, [Some(1), Some(1), Some(3), Some(3), None, None]);
    }
}
