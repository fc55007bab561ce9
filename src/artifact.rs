//! What came out of a build, and what post-processors pass along.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::event::ArtifactLine;
use crate::hcl::Value;

/// A product, as data.
#[derive(Clone, Debug, Default)]
pub struct Artifact {
    /// Who made it, `mitchellh.amazonebs` for one.
    pub builder_id: String,
    /// Its id, `eu-west-1:ami-…` for one.
    pub id: String,
    /// The text for people, possibly several lines.
    pub text: String,
    /// Its files.
    pub files: Vec<PathBuf>,
    /// What post-processors can read of it as `build.NAME`.
    pub values: BTreeMap<String, Value>,
    /// How it is removed when nobody keeps it.
    pub destroy: Destroy,
}

/// How an artifact is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destroy {
    /// There is nothing to remove.
    #[default]
    Nothing,
    /// Its files are deleted.
    Files,
    /// Its images are deregistered and their snapshots deleted: (region, image id).
    Images(Vec<(String, String)>),
}

impl Artifact {
    /// What reporters need to know of it.
    pub fn line(&self) -> ArtifactLine {
        ArtifactLine {
            builder_id: self.builder_id.clone(),
            id: self.id.clone(),
            text: self.text.clone(),
            files: self.files.iter().map(|file| file.display().to_string()).collect(),
        }
    }
}
