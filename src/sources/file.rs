//! `file`: the image is a file, written from the template or copied. For trying out what comes after the source (packer-core.md section 7.5).

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::artifact::{Artifact, Destroy, same_file};
use crate::engine::Cause;
use crate::engine::ledger::Claim;
use crate::engine::offload::{Watch, offload};
use crate::engine::step::{Cx, StepError};
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;

use super::{Confirm, Hook, Kind, Prepared, Source, World};

/// The kind.
pub const KIND: Kind = Kind {
    name: "file",
    deferred: &[],
    values: &[],
    timed: false,
    prepare,
    schema: || vec![schemars::schema_for!(Options)],
};

/// Makes a file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// Text of the file. Without this and `source` the file is empty.
    content: Option<String>,
    /// A file here to copy instead.
    source: Option<String>,
    /// The file to make. Its directories are made, too; a file that is there already is overwritten. Required.
    target: Option<String>,
}

/// Options that have been checked.
struct FileSource {
    contents: Contents,
    target: PathBuf,
}

/// What goes into the file.
#[derive(Clone)]
enum Contents {
    Nothing,
    Text(String),
    CopyOf(PathBuf),
}

fn prepare(body: &EvaluatedBody, _: &Prepared<'_>) -> Result<Box<dyn Source>, Diagnostics> {
    match decode::<Options>(body)?.checked() {
        Ok(source) => Ok(Box::new(source)),
        Err(problems) => Err(body.refused(&problems)),
    }
}

impl Options {
    fn checked(self) -> Result<FileSource, Vec<String>> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let mut problems = Vec::new();
        let target = given(self.target);
        if target.is_none() {
            problems.push("target required".to_owned());
        }
        let contents = match (given(self.content), given(self.source)) {
            (None, None) => Contents::Nothing,
            (Some(text), None) => Contents::Text(text),
            (None, Some(path)) => Contents::CopyOf(path.into()),
            (Some(_), Some(_)) => {
                problems.push("Cannot specify source file AND content".to_owned());
                Contents::Nothing
            }
        };
        match target {
            Some(target) if problems.is_empty() => Ok(FileSource { contents, target: target.into() }),
            _ => Err(problems),
        }
    }
}

/// A file that could not be made.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("copy `{from}` to `{to}`")]
    Copy { from: PathBuf, to: PathBuf, source: io::Error },
    #[error("write `{path}`")]
    Write { path: PathBuf, source: io::Error },
    #[error("source and target are both `{0}`: copying a file onto itself would empty it")]
    Same(PathBuf),
}

impl FileSource {
    async fn make(&self, cx: &Cx) -> Result<(), Cause> {
        let target = self.target.clone();
        let failed = |source| Failure::Write { path: self.target.clone(), source };
        let text = match &self.contents {
            Contents::Nothing => String::new(),
            Contents::Text(text) => text.clone(),
            Contents::CopyOf(from) => return self.copy(cx, from).await,
        };
        Ok(offload(move |_| write(&target, &text)).await.map_err(failed)?)
    }

    async fn copy(&self, cx: &Cx, from: &Path) -> Result<(), Cause> {
        let (from, to) = (from.to_owned(), self.target.clone());
        if same_file(&from, &to) {
            return Err(Failure::Same(to).into());
        }
        cx.events.say(format!("Copying {} to {}", from.display(), to.display()));
        let failed = |source| Failure::Copy { from: from.clone(), to: to.clone(), source };
        let (source, target) = (from.clone(), to.clone());
        let bytes = offload(move |watch| copy(&source, &target, watch)).await.map_err(failed)?;
        cx.events.say(format!("Copied {bytes} bytes"));
        Ok(())
    }

    fn artifact(&self) -> Artifact {
        Artifact {
            builder_id: "packer.file".into(),
            id: "File".into(),
            text: format!("Stored file: {}", self.target.display()),
            files: vec![self.target.clone()],
            destroy: Destroy::Files,
            ..Artifact::default()
        }
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => std::fs::create_dir_all(parent),
        _ => Ok(()),
    }
}

/// A new file is for its owner only: its text may hold secrets. One that is there keeps its mode.
fn write(path: &Path, text: &str) -> io::Result<()> {
    make_parent(path)?;
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// Bytes copied between two looks at whether anybody still waits. The kernel copies them without showing them to us.
const STRETCH: u64 = 64 << 20;

fn copy(from: &Path, to: &Path, watch: &Watch) -> io::Result<u64> {
    let source = File::open(from)?;
    make_parent(to)?;
    let mut target = File::create(to)?;
    let mut done = 0;
    loop {
        watch.look()?;
        match io::copy(&mut (&source).take(STRETCH), &mut target)? {
            0 => return Ok(done),
            bytes => done += bytes,
        }
    }
}

#[async_trait(?Send)]
impl Source for FileSource {
    async fn build(&self, cx: &Cx, _: &World, hook: &dyn Hook) -> Result<Option<Artifact>, StepError> {
        // No steps: there is nothing to try again, and `-debug` does not pause.
        let story = async {
            self.make(cx).await?;
            hook.rehearse().await
        };
        cx.cancel.guard(story).await?.map_err(StepError::Failed)?;
        Ok(Some(self.artifact()))
    }

    async fn release(&self, _: &Cx, _: &World, _: &Claim, _: Confirm) -> Result<(), Cause> {
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        match self.contents {
            Contents::Nothing => {
                vec!["Both source file and contents are blank; target will have no content".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn options(content: &str, source: &str, target: &str) -> Options {
        let text = |text: &str| Some(text.to_owned());
        Options { content: text(content), source: text(source), target: text(target) }
    }

    #[test]
    fn every_problem_is_told() {
        let problems = options("x", "y", "").checked().err().unwrap();
        assert_eq!(problems, ["target required", "Cannot specify source file AND content"]);
        assert!(options("x", "", "z").checked().unwrap().warnings().is_empty());
        assert_eq!(options("", "", "z").checked().unwrap().warnings().len(), 1);
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        write(&path, "long text").unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        write(&path, "short").unwrap();
        assert_eq!((mode(), std::fs::read_to_string(&path).unwrap().as_str()), (0o640, "short"));
    }

    #[test]
    fn a_file_is_never_copied_onto_itself() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        std::fs::write(&one, "text").unwrap();
        assert!(!same_file(&one, &other));
        assert_eq!(copy(&one, &other, &Watch::default()).unwrap(), 4);
        assert!(!same_file(&one, &other));
        std::fs::remove_file(&other).unwrap();
        std::os::unix::fs::symlink(&one, &other).unwrap();
        assert!(same_file(&one, &other));
    }
}
