//! The world as functions of templates see it: files, clock, environment.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::whole_file;
use crate::aws::Aws;
use crate::aws::access::{Access, LocalEndpoint};
use crate::aws::secret::{self, Version};
use crate::clock;
use crate::hcl::functions::{Host, HttpGet, PathKind};
use crate::web::{self, Answer, Check, Request, Trust};

/// Longest wait for Consul or Vault.
const HTTP_TIMEOUT: Duration = Duration::from_secs(60);

/// This machine.
pub struct ThisMachine {
    /// `path.root`.
    pub root: PathBuf,
    /// Working directory.
    pub cwd: PathBuf,
    /// Environment.
    pub env: Arc<BTreeMap<String, String>>,
    /// Local EC2, when the run rehearses on it; it has its own secrets.
    pub local: Option<LocalEndpoint>,
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
        whole_file::read(path)
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
        clock::now()
    }

    fn started(&self) -> jiff::Timestamp {
        clock::started()
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn random(&self, bytes: &mut [u8]) {
        rand::Rng::fill_bytes(&mut rand::rng(), bytes);
    }

    fn http_get(&self, request: &HttpGet<'_>) -> Result<String, String> {
        let trust = Trust {
            authorities: request.authorities.as_ref().map(PathBuf::from),
            client: request.client.as_ref().map(|(certificate, key)| (certificate.into(), key.into())),
            check: if request.unchecked { Check::Skip } else { Check::Full },
        };
        let answer = web::send(&Request {
            method: "GET",
            url: request.url,
            headers: request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect(),
            limit: Some(HTTP_TIMEOUT),
            trust,
            ..Request::default()
        });
        let answer = answer.map_err(|error| format!("{}: {error}", request.url))?;
        match answer.is_success() {
            true => Ok(answer.text()),
            false => Err(refusal(request.url, &answer)),
        }
    }

    /// A thread of its own, since functions are evaluated in the middle of the runtime that would have to wait.
    fn aws_secret(&self, name: &str) -> Result<String, String> {
        let ask = || -> Result<String, String> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(async {
                let aws = Aws::connect(Access::default(), self.local.clone(), None).await.map_err(|e| e.to_string())?;
                let found = secret::get(&aws, name, &Version::Stage("AWSCURRENT")).await.map_err(|e| e.to_string())?;
                found.text.ok_or_else(|| "it holds bytes and no text".to_owned())
            })
        };
        let asked = std::thread::scope(|scope| scope.spawn(ask).join());
        asked.unwrap_or_else(|_| Err("the request ended in a fault of Kiln".to_owned()))
    }
}

/// What a server says when it refuses, cut to what people read.
fn refusal(url: &str, answer: &Answer) -> String {
    const LONGEST: usize = 200;
    let said: String = answer.text().split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect();
    let separator = if said.is_empty() { "" } else { ": " };
    format!("{url} answers with HTTP status {}{separator}{said}", answer.status)
}

fn kind(meta: &std::fs::Metadata) -> PathKind {
    match (meta.is_file(), meta.is_dir()) {
        (true, _) => PathKind::File,
        (_, true) => PathKind::Directory,
        _ => PathKind::Other,
    }
}
