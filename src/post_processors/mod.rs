//! Post-processors: what is done with an artifact when its build is over. One file each; adding one is a file, a line in [`KINDS`] and a test.

pub mod artifice;
pub mod checksum;
pub mod compress;
pub mod manifest;
mod pattern;
mod replacement;
pub mod shell_local;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::artifact::{Artifact, Destroy};
use crate::engine::Cause;
use crate::engine::mode::Force;
use crate::event::Events;
use crate::hcl::Value;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::diagnostics::Diagnostics;
use crate::plan::legacy;

/// What a post-processor has at hand while it runs.
pub struct Context<'a> {
    /// Where its story goes.
    pub events: &'a Events,
    /// Id of the run, `PackerRunUUID`.
    pub run: &'a str,
    /// Declared name of the source.
    pub build_name: &'a str,
    /// Type of the source.
    pub build_type: &'a str,
    /// Whether older products may be replaced.
    pub force: Force,
    /// What is known of the artifact: `ID` and so on.
    pub values: &'a BTreeMap<String, Value>,
}

impl Context<'_> {
    /// Renders a deferred option: `{{ .Name }}` sees `fields` over the build's values, until nothing changes any more.
    pub fn render(&self, option: &str, text: &str, fields: &[(&str, &str)]) -> Result<String, Cause> {
        let names = legacy::Names { build_name: self.build_name, build_type: self.build_type };
        Ok(legacy::render(option, text, &names, self.values, fields)?)
    }

    /// The fields that names of files know, and `more`.
    fn names<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        [&[("BuildName", self.build_name), ("BuilderType", self.build_type)], more].concat()
    }
}

/// What a post-processor made of the artifact it got.
pub struct Processed {
    /// What the next one in the chain gets.
    pub artifact: Artifact,
    /// Whether the artifact that went in is kept.
    pub keep: Keep,
}

/// Whether the artifact that went in is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Unless `keep_input_artifact` says yes, it is destroyed.
    ByRequest,
    /// Unless `keep_input_artifact` says no, it is kept.
    ByDefault,
    /// It is kept whatever the template says.
    Always,
}

/// A post-processor whose options have been checked.
#[async_trait(?Send)]
pub trait PostProcessor {
    /// Does its work.
    async fn process(&self, artifact: Artifact, context: &Context<'_>) -> Result<Processed, Cause>;
}

/// Checks options and makes a post-processor of them; makes no change anywhere.
pub type Prepare = fn(&EvaluatedBody) -> Result<Box<dyn PostProcessor>, Diagnostics>;

/// A kind of post-processor.
pub struct Kind {
    /// The type that templates name.
    pub name: &'static str,
    /// Options that keep their `{{ }}` until they are used.
    pub deferred: &'static [&'static str],
    /// Makes one.
    pub prepare: Prepare,
    /// The JSON schema of its options, doc comments included.
    pub schema: fn() -> schemars::Schema,
}

/// All kinds, by name.
pub const KINDS: &[Kind] = &[artifice::KIND, checksum::KIND, compress::KIND, manifest::KIND, shell_local::KIND];

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// An artifact that is files.
fn file_artifact(builder_id: &str, files: Vec<PathBuf>) -> Artifact {
    Artifact {
        builder_id: builder_id.into(),
        text: format!("Created artifact from files: {}", listed(&files)),
        files,
        destroy: Destroy::Files,
        ..Artifact::default()
    }
}

/// `a, b, c`
fn listed(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    names.join(", ")
}

/// Makes the directories in which a file is to be.
fn make_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => std::fs::create_dir_all(parent),
        _ => Ok(()),
    }
}
