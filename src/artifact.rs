//! What came out of a build, and what post-processors pass along.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

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

/// True when both names lead to one file that is there, by a link or not.
pub fn same_file(one: &Path, other: &Path) -> bool {
    let identity = |path| std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
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
