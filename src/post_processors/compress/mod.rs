//! `compress`: an artifact's files in one archive, or one file compressed (packer-core.md section 6.3).

mod bgzf;
mod blocks;
mod encoder;
mod format;
mod gzip;
mod pack;

use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::artifact::{Artifact, Destroy, same_file};
use crate::engine::Cause;
use crate::engine::offload::{Watch, offload};
use crate::event::Events;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;

use super::replacement::Replacement;
use super::{Context, Keep, Kind, PostProcessor, Processed, listed, make_parent};
use encoder::{Encoder, Level};
use format::{Algorithm, Format};

/// The kind.
pub const KIND: Kind =
    Kind { name: "compress", deferred: &["output"], prepare, schema: || schemars::schema_for!(Options) };

/// Packs the artifact's files into an archive, or compresses a single one. The files that went in are deleted unless `keep_input_artifact` is true.
///
/// The end of `output` says what is made: `.tar`, `.zip`, `.tar.gz` (also `.lz4`, `.bgzf`, `.xz`, `.bzip2`), or `.gz` and the like for a single
/// file. Any other end gives a `.tar.gz` in all but name.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// The file to make. Knows `{{.BuildName}}` and `{{.BuilderType}}`; `packer_{{.BuildName}}_{{.BuilderType}}` when unset.
    output: Option<String>,
    /// Says what is made, in the place of the end of `output`: `tar.gz` for one.
    format: Option<String>,
    /// 1 (fast) to 9 (small); the algorithm's own default when unset or below 1. `lz4` has one level only.
    compression_level: Option<i64>,
    /// `tar` or `zip`: what `output` or `format` says already. It can only confirm it.
    archive: Option<String>,
    /// `pgzip`, `lz4`, `bgzf`, `xz` or `bzip2`: what `output` or `format` says already. It can only confirm it.
    algorithm: Option<String>,
}

const DEFAULT_OUTPUT: &str = "packer_{{.BuildName}}_{{.BuilderType}}";

/// Options that have been checked.
struct Compress {
    output: String,
    format: Format,
    level: Level,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn PostProcessor>, Diagnostics> {
    match decode::<Options>(body)?.checked() {
        Ok(compress) => Ok(Box::new(compress)),
        Err(problems) => Err(body.refused(&problems)),
    }
}

impl Options {
    fn checked(self) -> Result<Compress, Vec<String>> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let output = given(self.output).unwrap_or_else(|| DEFAULT_OUTPUT.to_owned());
        let format = match given(self.format) {
            Some(end) => Format::of(&format!("{output}.{end}")),
            None => Format::of(&output),
        };
        let contradicted = |option: &str, text: Option<String>, is: &str| {
            let text = given(text).filter(|text| text != is)?;
            Some(format!("{option} is `{text}`, but the end of output says `{is}`: say it with format"))
        };
        let algorithm = format.algorithm().map(Algorithm::name).unwrap_or_default();
        let problems: Vec<String> = [
            contradicted("archive", self.archive, format.archive_name()),
            contradicted("algorithm", self.algorithm, algorithm),
        ]
        .into_iter()
        .flatten()
        .collect();
        let level = Level::new(self.compression_level);
        if problems.is_empty() { Ok(Compress { output, format, level }) } else { Err(problems) }
    }
}

/// An archive that could not be made.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("Can only have 1 input file when not using tar/zip. Found {} files: [{}]", .0.len(), listed(.0))]
    NotOneFile(Vec<PathBuf>),
    #[error("output is `{0}`, which is also a file to pack: give `output` another name")]
    OutputIsInput(PathBuf),
    #[error("read `{path}`")]
    Read { path: PathBuf, source: io::Error },
    #[error("write `{path}`")]
    Write { path: PathBuf, source: io::Error },
    #[error("compress")]
    Compress(#[from] io::Error),
}

/// One archive to make.
struct Job {
    files: Vec<PathBuf>,
    target: PathBuf,
    format: Format,
    level: Level,
    events: Events,
}

impl Job {
    fn run(&self, watch: &Watch) -> Result<(), Failure> {
        if self.files.iter().any(|file| same_file(file, &self.target)) {
            return Err(Failure::OutputIsInput(self.target.clone()));
        }
        let target = self.target.display();
        if let Some(algorithm) = self.format.algorithm() {
            self.events.say(format!("Using {} for {target}{}", algorithm.announced(), algorithm.remark()));
        }
        self.events.say(match (self.format, self.format.algorithm()) {
            (Format::Zip, _) => format!("Zipping {target}"),
            (Format::Single(algorithm), _) => {
                format!("Archiving {} with {}", self.single()?.display(), algorithm.name())
            }
            (Format::Tar(_), Some(algorithm)) => format!("Tarring {target} with {}", algorithm.name()),
            (Format::Tar(_), None) => format!("Tarring {target} with no compression"),
        });
        let failed = |source| Failure::Write { path: self.target.clone(), source };
        make_parent(&self.target).map_err(failed)?;
        let output = Replacement::begin(&self.target, 0o666).map_err(failed)?;
        let output = match self.format {
            Format::Tar(algorithm) => pack::tar(&self.files, Encoder::start(algorithm, self.level, output)?, watch)?,
            Format::Single(algorithm) => {
                pack::single(self.single()?, Encoder::start(Some(algorithm), self.level, output)?, watch)?
            }
            Format::Zip => pack::zip(&self.files, self.level, output, watch)?,
        };
        output.commit().map_err(failed)?;
        self.events.say(format!("Archive {target} completed"));
        Ok(())
    }

    fn single(&self) -> Result<&PathBuf, Failure> {
        match self.files.as_slice() {
            [one] => Ok(one),
            files => Err(Failure::NotOneFile(files.to_vec())),
        }
    }
}

#[async_trait(?Send)]
impl PostProcessor for Compress {
    async fn process(&self, artifact: Artifact, context: &Context<'_>) -> Result<Processed, Cause> {
        let target = PathBuf::from(context.render("output", &self.output, &context.names(&[]))?);
        let (format, level, events) = (self.format, self.level, context.events.clone());
        let job = Job { files: artifact.files, target: target.clone(), format, level, events };
        offload(move |watch| job.run(watch)).await?;
        // Images in a cloud are not in the archive, so they do not go because there is one.
        let keep = if matches!(artifact.destroy, Destroy::Images(_)) { Keep::ByDefault } else { Keep::ByRequest };
        let artifact = Artifact {
            builder_id: "packer.post-processor.compress".into(),
            text: format!("compressed artifacts in: {}", target.display()),
            files: vec![target],
            destroy: Destroy::Files,
            ..Artifact::default()
        };
        Ok(Processed { artifact, keep })
    }
}

#[cfg(test)]
mod tests;
