//! `file`: uploads files, directories or given content to the machine, or downloads from it.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Cause, chain};
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;

use super::{Context, Kind, Provisioner};

/// The kind.
pub const KIND: Kind = Kind { name: "file", deferred: &[], prepare, schema: || schemars::schema_for!(Options) };

/// Uploads files, directories or a text to the machine, or downloads from it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// The file or directory to copy: here when uploading, on the machine when downloading. A directory with a trailing slash gives its contents, one without gives itself.
    source: Option<String>,
    /// Several files or directories to copy; `source` comes after them.
    sources: Vec<String>,
    /// Text to upload as a file, instead of `source`.
    content: Option<String>,
    /// Path that it is copied to; with a trailing slash it is a directory. Required.
    destination: String,
    /// Which way to copy: `upload` or `download`. Default: `upload`.
    direction: Option<String>,
    /// Whether an earlier provisioner makes the source, so that it need not exist yet when the build starts. Default: `false`.
    generated: bool,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn Provisioner>, Diagnostics> {
    let options = decode::<Options>(body)?;
    let problems = options.problems();
    if problems.is_empty() {
        return Ok(Box::new(options));
    }
    Err(body.refused(&problems))
}

#[async_trait(?Send)]
impl Provisioner for Options {
    async fn provision(&self, context: &Context<'_>) -> Result<(), Cause> {
        let (what, result) = match self.is_download() {
            true => ("Download", self.download(context).await),
            false => ("Upload", self.upload(context).await),
        };
        result.inspect_err(|error| context.events().error(format!("{what} failed: {}", chain(error.as_ref()))))
    }
}

impl Options {
    fn is_download(&self) -> bool {
        self.direction.as_deref() == Some("download")
    }

    fn all_sources(&self) -> Vec<&str> {
        self.sources.iter().chain(&self.source).map(String::as_str).collect()
    }

    fn content(&self) -> Option<&str> {
        self.content.as_deref().filter(|content| !content.is_empty())
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !["upload", "download"].contains(&self.direction.as_deref().unwrap_or("upload")) {
            problems.push("Direction must be one of: download, upload.".to_owned());
        }
        if self.content().is_some() && !self.all_sources().is_empty() {
            problems.push("source(s) conflicts with content.".to_owned());
        }
        if self.destination.is_empty() {
            problems.push("Destination must be specified.".to_owned());
        }
        if !self.is_download() && !self.generated {
            let missing = |source: &&str| std::fs::metadata(source).is_err();
            let text = |source| format!("Bad source '{source}': stat {source}: no such file or directory");
            problems.extend(self.all_sources().into_iter().filter(missing).map(text));
        }
        problems
    }

    async fn upload(&self, context: &Context<'_>) -> Result<(), Cause> {
        if let Some(content) = self.content() {
            let remote = self.remote_file("content");
            context.events().say(format!("Uploading content => {remote}"));
            context.communicator.upload_bytes(content.as_bytes(), &remote, 0o600).await?;
        }
        for source in self.all_sources() {
            context.events().say(format!("Uploading {source} => {}", self.destination));
            self.upload_one(context, source).await?;
        }
        Ok(())
    }

    async fn upload_one(&self, context: &Context<'_>, source: &str) -> Result<(), Cause> {
        let local = Path::new(source);
        let meta = std::fs::metadata(local).map_err(|error| missing(source, &error))?;
        if meta.is_dir() {
            let remote =
                directory_target(source, &self.destination, context.communicator.is_dir(&self.destination).await?);
            return Ok(context.communicator.upload_dir(local, &remote).await?);
        }
        let remote = self.remote_file(&base_name(source));
        Ok(context.communicator.upload(local, &remote, mode(&meta)).await?)
    }

    /// The remote path of a file: the destination, or a file of that name in it.
    fn remote_file(&self, name: &str) -> String {
        if self.destination.ends_with('/') { format!("{}{name}", self.destination) } else { self.destination.clone() }
    }

    async fn download(&self, context: &Context<'_>) -> Result<(), Cause> {
        for source in self.all_sources() {
            let whole = source.ends_with(['/', '*']);
            let local = if whole { self.destination.clone() } else { self.remote_file(&base_name(source)) };
            context.events().say(format!("Downloading {source} => {local}"));
            let directory = source.trim_end_matches('*');
            if directory.ends_with('/') {
                // Packer keeps the directory's name unless its entries are asked for with a star.
                let inner = if source.ends_with('*') { String::new() } else { base_name(source) };
                let local = Path::new(&self.destination).join(inner);
                context.communicator.download_dir(directory, &local).await?;
                continue;
            }
            let local = PathBuf::from(local);
            if let Some(parent) = local.parent() {
                std::fs::create_dir_all(parent)?;
            }
            context.communicator.download(source, &local).await?;
        }
        Ok(())
    }
}

/// Where a directory's contents go: the destination itself, or a directory of its name in it when that exists and the source has no trailing slash.
fn directory_target(source: &str, destination: &str, exists: bool) -> String {
    if source.ends_with('/') || !exists {
        return destination.to_owned();
    }
    format!("{}/{}", destination.trim_end_matches('/'), base_name(source))
}

fn base_name(path: &str) -> String {
    Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(unix)]
fn mode(meta: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o7777
}

#[derive(Debug, thiserror::Error)]
#[error("stat {path}: {reason}")]
struct Missing {
    path: String,
    reason: String,
}

fn missing(path: &str, error: &std::io::Error) -> Missing {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => error.to_string(),
    };
    Missing { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_go_where_rsync_would_put_them() {
        assert_eq!(directory_target("a/b", "/opt", true), "/opt/b");
        assert_eq!(directory_target("a/b", "/opt/", true), "/opt/b");
        assert_eq!(directory_target("a/b/", "/opt", true), "/opt");
        assert_eq!(directory_target("a/b", "/opt/new", false), "/opt/new");
    }

    #[test]
    fn problems_are_all_reported() {
        let options = Options { source: Some("/no/such".into()), direction: Some("up".into()), ..Options::default() };
        assert_eq!(options.problems().len(), 3);
        let generated = Options {
            generated: true,
            source: Some("/no/such".into()),
            destination: "/x".into(),
            ..Options::default()
        };
        assert!(generated.problems().is_empty());
    }
}
