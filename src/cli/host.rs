//! The world as functions of templates see it: files, clock, environment.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::hcl::functions::{Host, PathKind};

/// Longest wait for Consul or Vault.
const HTTP_TIMEOUT: Duration = Duration::from_secs(60);

/// When this process started.
static STARTED: LazyLock<jiff::Timestamp> = LazyLock::new(jiff::Timestamp::now);

/// This machine.
pub struct ThisMachine {
    /// `path.root`.
    pub root: PathBuf,
    /// Working directory.
    pub cwd: PathBuf,
    /// Environment.
    pub env: Arc<BTreeMap<String, String>>,
}

impl Host for ThisMachine {
    fn root(&self) -> &Path {
        &self.root
    }

    fn cwd(&self) -> &Path {
        &self.cwd
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::home_dir()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn kind(&self, path: &Path) -> io::Result<PathKind> {
        std::fs::metadata(path).map(|meta| kind(&meta))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<(String, PathKind)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if let Ok(meta) = std::fs::metadata(entry.path()) {
                found.push((entry.file_name().to_string_lossy().into_owned(), kind(&meta)));
            }
        }
        Ok(found)
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn started(&self) -> jiff::Timestamp {
        *STARTED
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn random(&self, bytes: &mut [u8]) {
        rand::Rng::fill_bytes(&mut rand::rng(), bytes);
    }

    fn http_get(&self, url: &str, headers: &[(&str, &str)]) -> Result<String, String> {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(HTTP_TIMEOUT)).build().into();
        let request = headers.iter().fold(agent.get(url), |request, (name, value)| request.header(*name, *value));
        let mut answer = request.call().map_err(|e| e.to_string())?;
        answer.body_mut().read_to_string().map_err(|e| e.to_string())
    }

    fn aws_secret(&self, name: &str) -> Result<String, String> {
        Err(format!("this version of Kiln cannot read the secret {name}: use an environment variable instead"))
    }
}

fn kind(meta: &std::fs::Metadata) -> PathKind {
    match (meta.is_file(), meta.is_dir()) {
        (true, _) => PathKind::File,
        (_, true) => PathKind::Directory,
        _ => PathKind::Other,
    }
}
