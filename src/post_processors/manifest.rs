//! `manifest`: appends what was built to a JSON file that scripts read (packer-core.md section 6.1).

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::engine::Cause;
use crate::engine::mode::Force;
use crate::engine::wait::{Pace, Probe, until};
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;

use super::replacement::Replacement;
use super::{Context, Keep, Kind, PostProcessor, Processed};

/// The kind.
pub const KIND: Kind = Kind { name: "manifest", deferred: &[], prepare, schema: || schemars::schema_for!(Options) };

/// Writes what was built to a JSON file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// The file; each build is appended to those that are in it. Default: `packer-manifest.json`.
    output: Option<String>,
    /// Records the names of files without their directories. Default: `false`.
    strip_path: bool,
    /// Leaves the time of the build out. Default: `false`.
    strip_time: bool,
    /// Values of your own, recorded with the build under `custom_data`.
    custom_data: Option<BTreeMap<String, String>>,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn PostProcessor>, Diagnostics> {
    Ok(Box::new(decode::<Options>(body)?))
}

/// The file as a whole. Builds written by others are kept as they are.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Manifest {
    #[serde(default)]
    builds: Vec<serde_json::Value>,
    #[serde(default)]
    last_run_uuid: String,
}

impl Manifest {
    /// A file of another kind (a `package.json`, say) would be lost if it were taken for an empty manifest.
    fn read(text: &[u8], path: &dyn Fn() -> String) -> Result<Self, Failure> {
        let parse = |source| Failure::Parse { path: path(), source };
        match serde_json::from_slice(text).map_err(parse)? {
            serde_json::Value::Object(fields) if fields.is_empty() || fields.contains_key("builds") => {
                serde_json::from_value(fields.into()).map_err(parse)
            }
            _ => Err(Failure::NoManifest(path())),
        }
    }
}

#[derive(Serialize)]
struct Build<'a> {
    name: &'a str,
    builder_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_time: Option<u64>,
    files: Option<Vec<File>>,
    artifact_id: &'a str,
    packer_run_uuid: &'a str,
    custom_data: &'a Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct File {
    name: String,
    size: u64,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("Unable to parse content from {path}")]
    Parse { path: String, source: serde_json::Error },
    #[error("`{0}` is JSON, but no manifest: give `output` another name, or move the file away")]
    NoManifest(String),
    #[error("Unable to write {path}")]
    Write { path: String, source: io::Error },
    #[error("Unable to read {path}")]
    Read { path: String, source: io::Error },
}

#[async_trait(?Send)]
impl PostProcessor for Options {
    async fn process(&self, artifact: Artifact, context: &Context<'_>) -> Result<Processed, Cause> {
        let path = PathBuf::from(self.output.as_deref().unwrap_or("packer-manifest.json"));
        let lock = Lock::take(&path).await;
        let result = self.update(&path, &artifact, context);
        drop(lock);
        result?;
        Ok(Processed { artifact, keep: Keep::Always })
    }
}

impl Options {
    fn update(&self, path: &Path, artifact: &Artifact, context: &Context<'_>) -> Result<(), Failure> {
        let shown = || path.display().to_string();
        let mut manifest = match std::fs::read(path) {
            Ok(text) if text.is_empty() => Manifest::default(),
            Ok(text) => Manifest::read(&text, &shown)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Manifest::default(),
            Err(source) => return Err(Failure::Read { path: shown(), source }),
        };
        if context.force == Force::Yes && manifest.last_run_uuid != context.run {
            manifest.builds.clear();
        }
        let text = |source| Failure::Parse { path: shown(), source };
        manifest.builds.push(serde_json::to_value(self.build(artifact, context)).map_err(text)?);
        manifest.last_run_uuid = context.run.to_owned();
        let json = go_json(&manifest).map_err(text)?;
        write(path, json.as_bytes()).map_err(|source| Failure::Write { path: shown(), source })
    }

    fn build<'a>(&'a self, artifact: &'a Artifact, context: &Context<'a>) -> Build<'a> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let files: Vec<File> = artifact.files.iter().map(|file| self.file(file)).collect();
        Build {
            name: context.build_name,
            builder_type: context.build_type,
            build_time: (!self.strip_time).then_some(now),
            files: (!files.is_empty()).then_some(files),
            artifact_id: &artifact.id,
            packer_run_uuid: context.run,
            custom_data: &self.custom_data,
        }
    }

    fn file(&self, path: &Path) -> File {
        let stripped = path.file_name().filter(|_| self.strip_path).map(Path::new).unwrap_or(path);
        let size = std::fs::metadata(path).map(|meta| meta.len()).unwrap_or_default();
        File { name: stripped.display().to_string(), size }
    }
}

/// JSON as Go writes it: two-space indentation, `<`, `>` and `&` escaped, no final newline.
fn go_json(manifest: &Manifest) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(manifest)?;
    Ok(text.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"))
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = Replacement::begin(path, 0o664)?;
    file.write_all(text)?;
    file.commit()
}

/// `OUTPUT.lock`, by which parallel builds (and Packer itself) take turns.
struct Lock(Option<PathBuf>);

impl Lock {
    /// Tries for 0.6 s, as Packer does, and then goes on without: a stale lock must not fail a bake.
    async fn take(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let probe = async || match std::fs::OpenOptions::new().write(true).create_new(true).open(&lock) {
            Ok(_) => Ok(Probe::Ready(())),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Probe::NotYet("locked".into(), None)),
            Err(error) => Err(error),
        };
        let pace = Pace::millis(10, 100);
        let taken = until(pace, Some(std::time::Duration::from_millis(600)), probe, |_, _| ()).await;
        Self(taken.is_ok().then_some(lock))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // When somebody removed it already there is nothing left to do.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Event, Events, Sink};

    struct Silent;

    impl Sink for Silent {
        fn take(&self, _: Event) {}
    }

    async fn process(dir: &Path, run: &str, force: Force) -> String {
        let output = dir.join("m.json");
        let options = Options { output: Some(output.display().to_string()), strip_time: true, ..Options::default() };
        let (events, values) = (Events::new(Arc::new(Silent)), BTreeMap::new());
        let context = Context { events: &events, run, build_name: "n", build_type: "null", force, values: &values };
        let artifact = Artifact { id: "a<b".into(), ..Artifact::default() };
        options.process(artifact, &context).await.unwrap();
        std::fs::read_to_string(output).unwrap()
    }

    #[tokio::test]
    async fn exact_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let expected = r#"{
  "builds": [
    {
      "name": "n",
      "builder_type": "null",
      "files": null,
      "artifact_id": "a\u003cb",
      "packer_run_uuid": "r1",
      "custom_data": null
    }
  ],
  "last_run_uuid": "r1"
}"#;
        assert_eq!(process(dir.path(), "r1", Force::No).await, expected);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_a_manifest_is_taken_for_one() {
        let read = |text: &str| Manifest::read(text.as_bytes(), &|| "m.json".into());
        for text in ["{}", r#"{"builds": []}"#, r#"{"builds": [{"name": "x"}], "last_run_uuid": "r"}"#] {
            assert!(read(text).is_ok(), "{text}");
        }
        for text in ["[]", "null", "1", r#"{"name": "app", "version": "1"}"#] {
            assert!(matches!(read(text), Err(Failure::NoManifest(path)) if path == "m.json"), "{text}");
        }
        assert!(matches!(read(r#"{"builds": 1}"#), Err(Failure::Parse { .. })));
    }

    #[tokio::test]
    async fn builds_accumulate_unless_another_run_is_forced() {
        let dir = tempfile::tempdir().unwrap();
        let count = |text: &str| text.matches("artifact_id").count();
        process(dir.path(), "r1", Force::No).await;
        assert_eq!(count(&process(dir.path(), "r2", Force::No).await), 2);
        assert_eq!(count(&process(dir.path(), "r3", Force::Yes).await), 1);
        assert_eq!(count(&process(dir.path(), "r3", Force::Yes).await), 2);
    }
}
