//! `hcp-sbom`: fetches the machine's software bill of materials and checks that it is one.
//!
//! Packer hands it to HCP Packer, which Kiln does not talk to; what stays is the local copy.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::engine::Cause;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::decode::decode;
use crate::hcl::diagnostics::Diagnostics;
use crate::scripts::unique;

use super::{Context, Kind, Provisioner};

/// The kind.
pub const KIND: Kind =
    Kind { name: "hcp-sbom", deferred: &["execute_command"], prepare, schema: || schemars::schema_for!(Options) };

/// Fetches the machine's software bill of materials (SBOM).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// Path of the SBOM on the machine, as SPDX or CycloneDX in JSON. Required unless `auto_generate`.
    source: String,
    /// Where it goes here: a file, or a directory, in which it gets a name of its own.
    destination: String,
    /// The name under which HCP Packer would show it: 3 to 36 letters, digits and dashes.
    sbom_name: String,
    /// Makes the SBOM with a scanner on the machine. Checked only: Kiln ships no scanner, and a build that asks for one is refused.
    auto_generate: bool,
    /// Arguments of the scanner; checked only.
    scanner_args: Vec<String>,
    /// What the scanner looks at; checked only.
    scan_path: Option<String>,
    /// The command that runs the scanner; checked only.
    execute_command: Option<String>,
    /// Windows user that the scanner runs as; checked only.
    elevated_user: String,
    /// Password of that user; checked only.
    elevated_password: String,
    /// Deprecated; without effect.
    scanner_url: Option<String>,
    /// Deprecated; without effect.
    scanner_checksum: Option<String>,
}

fn prepare(body: &EvaluatedBody) -> Result<Box<dyn Provisioner>, Diagnostics> {
    let options = decode::<Options>(body)?;
    let problems = options.problems();
    if problems.is_empty() {
        return Ok(Box::new(options));
    }
    Err(body.refused(&problems))
}

impl Options {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match (self.source.is_empty(), self.auto_generate) {
            (true, false) => problems.push("`source` must be set unless `auto_generate` is".to_owned()),
            (false, true) => problems.push("only one of `source` and `auto_generate` can be set".to_owned()),
            _ => {}
        }
        if !is_name(&self.sbom_name) {
            problems.push(format!("`sbom_name` {:?} is not 3 to 36 letters, digits and dashes", self.sbom_name));
        }
        if self.elevated_user.is_empty() && !self.elevated_password.is_empty() {
            problems.push("`elevated_password` needs an `elevated_user`".to_owned());
        }
        problems
    }
}

/// Names that hold a value which is known later are not judged yet.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    name.is_empty() || name.contains("<no value>") || (3..=36).contains(&name.len()) && name.chars().all(plain)
}

/// Why there is no SBOM.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the SBOM {path}: {reason}")]
    Invalid { path: String, reason: String },
    #[error("write the SBOM to {path}")]
    Write { path: String, source: std::io::Error },
}

#[async_trait(?Send)]
impl Provisioner for Options {
    async fn provision(&self, context: &Context<'_>) -> Result<(), Cause> {
        let folder = tempfile::Builder::new().prefix("packer-sbom-").tempdir()?;
        let fetched = folder.path().join("sbom.json");
        context.events().say(format!("Fetching the SBOM {}", self.source));
        context.communicator.download(&self.source, &fetched).await?;
        let text = std::fs::read(&fetched)?;
        let format = format_of(&text).map_err(|reason| Failure::Invalid { path: self.source.clone(), reason })?;
        context.events().say(format!("The SBOM is {format}"));
        if self.destination.is_empty() {
            context.events().warn(
                "the SBOM is checked and dropped: Kiln does not talk to HCP Packer; set `destination` to keep it",
            );
            return Ok(());
        }
        let target = target(&self.destination);
        keep(&text, &target).map_err(|source| Failure::Write { path: target.display().to_string(), source })?;
        context.events().say(format!("Saved the SBOM to {}", target.display()));
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        let given = [("scanner_url", &self.scanner_url), ("scanner_checksum", &self.scanner_checksum)];
        let given = given.into_iter().filter(|(_, value)| value.is_some());
        given.map(|(name, _)| format!("`{name}` is deprecated and has no effect")).collect()
    }

    fn refusal(&self) -> Option<String> {
        let text = "`auto_generate` needs a scanner, which Kiln does not have: run one (syft, for example) in a shell provisioner, and give its result as `source`";
        self.auto_generate.then(|| text.to_owned())
    }
}

/// The file that a destination means.
fn target(destination: &str) -> PathBuf {
    let path = Path::new(destination);
    match destination.ends_with('/') || path.is_dir() {
        true => path.join(format!("packer-user-sbom-{}.json", unique())),
        false => path.to_owned(),
    }
}

fn keep(text: &[u8], target: &Path) -> std::io::Result<()> {
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(target, text)
}

/// The format's name and version.
fn format_of(text: &[u8]) -> Result<String, String> {
    let json: Json = serde_json::from_slice(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let field = |name: &str| json.get(name).and_then(Json::as_str);
    match (field("bomFormat"), field("specVersion"), field("spdxVersion"), field("@context")) {
        (Some("CycloneDX"), Some(version), _, _) => Ok(format!("CycloneDX {version}")),
        (_, _, Some(version), _) if version.starts_with("SPDX-") => Ok(format!("SPDX {}", &version[5..])),
        (_, _, _, Some(context)) if context.starts_with("https://spdx.org/rdf/") => Ok("SPDX 3".to_owned()),
        _ => Err("it is neither CycloneDX nor SPDX".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["", "abc", "base-image", "x<no value>"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["ab", "a_b!", &"a".repeat(37)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn formats() {
        assert_eq!(format_of(br#"{"bomFormat":"CycloneDX","specVersion":"1.5"}"#).unwrap(), "CycloneDX 1.5");
        assert_eq!(format_of(br#"{"spdxVersion":"SPDX-2.3"}"#).unwrap(), "SPDX 2.3");
        assert!(format_of(b"{}").is_err() && format_of(b"<xml/>").is_err());
    }

    #[test]
    fn problems_are_all_reported() {
        let bad = Options { sbom_name: "a_b!".into(), elevated_password: "p".into(), ..Options::default() };
        assert_eq!(bad.problems().len(), 3);
        let scanned = Options { auto_generate: true, ..Options::default() };
        assert!(scanned.problems().is_empty() && scanned.refusal().is_some());
    }
}
