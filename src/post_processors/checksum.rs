//! `checksum`: digests of an artifact's files, in files of their own (packer-core.md section 6.2).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::digest::DynDigest;

use crate::artifact::Artifact;
use crate::engine::Cause;
use crate::engine::offload::{Watch, offload};
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;

use super::{Context, Keep, Kind, PostProcessor, Processed, file_artifact, make_parent};

/// The kind.
pub const KIND: Kind =
    Kind { name: "checksum", deferred: &["output"], prepare, schema: || schemars::schema_for!(Options) };

/// Writes digests of the artifact's files. The artifact that comes out has the files that went in and the new ones.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// `md5`, `sha1`, `sha224`, `sha256`, `sha384`, `sha512`; `md5` when unset.
    checksum_types: Vec<String>,
    /// The file for the digests, one line a file. Lines are added to one that is there already. Knows `{{.BuildName}}`, `{{.BuilderType}}` and
    /// `{{.ChecksumType}}`; `packer_{{.BuildName}}_{{.BuilderType}}_{{.ChecksumType}}.checksum` when unset.
    output: Option<String>,
}

const DEFAULT_OUTPUT: &str = "packer_{{.BuildName}}_{{.BuilderType}}_{{.ChecksumType}}.checksum";

/// Options that have been checked.
struct Checksum {
    types: Vec<ChecksumType>,
    output: String,
}

/// A digest by name.
type ChecksumType = (&'static str, fn() -> Hasher);

const TYPES: &[ChecksumType] = &[
    ("md5", || Hasher::Md5(md5::Context::new())),
    ("sha1", || Hasher::other::<sha1::Sha1>()),
    ("sha224", || Hasher::other::<sha2::Sha224>()),
    ("sha256", || Hasher::other::<sha2::Sha256>()),
    ("sha384", || Hasher::other::<sha2::Sha384>()),
    ("sha512", || Hasher::other::<sha2::Sha512>()),
];

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn PostProcessor>, Diagnostics> {
    match decode::<Options>(body)?.checked() {
        Ok(checksum) => Ok(Box::new(checksum)),
        Err(problems) => Err(body.refused(&problems)),
    }
}

impl Options {
    fn checked(self) -> Result<Checksum, Vec<String>> {
        let names = match self.checksum_types.is_empty() {
            true => vec!["md5".to_owned()],
            false => self.checksum_types,
        };
        let (mut types, mut problems) = (Vec::new(), Vec::new());
        for name in names {
            match TYPES.iter().find(|(known, _)| *known == name) {
                Some(known) => types.push(*known),
                None => problems.push(format!("Unrecognized checksum type: {name} ({} are known)", known_types())),
            }
        }
        let output = self.output.filter(|text| !text.is_empty()).unwrap_or_else(|| DEFAULT_OUTPUT.to_owned());
        if problems.is_empty() { Ok(Checksum { types, output }) } else { Err(problems) }
    }
}

fn known_types() -> String {
    let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// A digest in the making.
enum Hasher {
    Md5(md5::Context),
    Other(Box<dyn DynDigest>),
}

impl Hasher {
    fn other<D: DynDigest + Default + 'static>() -> Self {
        Self::Other(Box::new(D::default()))
    }

    fn hexadecimal(self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Md5(context) => hex(&*context.finalize()),
            Self::Other(digest) => hex(&digest.finalize()),
        }
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Md5(context) => context.consume(bytes),
            Self::Other(digest) => digest.update(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A checksum that could not be made.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("read `{path}`")]
    Read { path: PathBuf, source: io::Error },
    #[error("write `{path}`")]
    Write { path: PathBuf, source: io::Error },
    #[error("hash")]
    Hash(#[from] io::Error),
}

/// The digests of all files, by type and then by file. Each type has a thread: the files are read from disk once and from memory after that.
fn digests(types: &[ChecksumType], files: &[PathBuf], watch: &Watch) -> Result<Vec<Vec<String>>, Failure> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = types
            .iter()
            .map(|(_, hasher)| scope.spawn(move || files.iter().map(|file| digest(hasher(), file, watch)).collect()))
            .collect();
        let panicked = |_| Err(io::Error::other("a hashing thread panicked").into());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    })
}

/// Bytes read at once; larger reads are not faster.
const CHUNK: usize = 256 << 10;

fn digest(mut hasher: Hasher, path: &Path, watch: &Watch) -> Result<String, Failure> {
    let failed = |source| Failure::Read { path: path.to_owned(), source };
    let mut file = io::BufReader::with_capacity(CHUNK, watch.over(File::open(path).map_err(failed)?));
    io::copy(&mut file, &mut hasher).map_err(failed)?;
    Ok(hasher.hexadecimal())
}

fn append(path: &Path, lines: &str) -> Result<(), Failure> {
    let write = || {
        make_parent(path)?;
        OpenOptions::new().append(true).create(true).mode(0o644).open(path)?.write_all(lines.as_bytes())
    };
    write().map_err(|source| Failure::Write { path: path.to_owned(), source })
}

#[async_trait(?Send)]
impl PostProcessor for Checksum {
    async fn process(&self, artifact: Artifact, context: &Context<'_>) -> Result<Processed, Cause> {
        let mut files = artifact.files;
        let outputs: Vec<PathBuf> = self
            .types
            .iter()
            .map(|(name, _)| {
                Ok(context.render("output", &self.output, &context.names(&[("ChecksumType", *name)]))?.into())
            })
            .collect::<Result<_, Cause>>()?;
        let (types, input) = (self.types.clone(), files.clone());
        let digests = offload(move |watch| digests(&types, &input, watch)).await?;
        let input = files.clone();
        for (output, digests) in outputs.into_iter().zip(digests).filter(|_| !input.is_empty()) {
            let lines = input.iter().zip(digests).map(|(file, digest)| line(&digest, file));
            // A file that was there belongs to somebody else, and is no part of what is destroyed with the artifact.
            let is_new = !output.exists();
            append(&output, &lines.collect::<String>())?;
            if is_new {
                files.push(output);
            }
        }
        Ok(Processed { artifact: file_artifact("packer.post-processor.checksum", files), keep: Keep::Always })
    }
}

fn line(digest: &str, file: &Path) -> String {
    format!("{digest}\t{}\n", file.file_name().unwrap_or_default().display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(types: &[&str]) -> Options {
        Options { checksum_types: types.iter().map(|name| (*name).to_owned()).collect(), output: None }
    }

    #[test]
    fn every_unknown_type_is_told() {
        let problems = options(&["sha256", "crc32", "MD5"]).checked().err().unwrap();
        assert_eq!(problems.len(), 2);
        assert!(problems[0].starts_with("Unrecognized checksum type: crc32 (md5, sha1"), "{problems:?}");
        assert_eq!(options(&[]).checked().unwrap().types[0].0, "md5");
    }

    #[test]
    fn digests_are_those_of_the_standards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let made = digests(TYPES, &[path], &Watch::default()).unwrap();
        let starts: Vec<&str> = made.iter().map(|of_file| &of_file[0][..8]).collect();
        assert_eq!(starts, ["90015098", "a9993e36", "23097d22", "ba7816bf", "cb00753f", "ddaf35a1"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = digests(&TYPES[..1], &["/nowhere/at/all".into()], &Watch::default()).unwrap_err();
        assert_eq!(error.to_string(), "read `/nowhere/at/all`");
    }
}
