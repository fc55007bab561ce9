//! The world outside of expressions that may not look at it.

use std::io;
use std::path::{Path, PathBuf};

use crate::hcl::functions::{Host, HttpGet, PathKind};

/// A host where nothing is. Only expressions that may call no function are evaluated with it.
pub(super) struct Nowhere;

impl Host for Nowhere {
    fn root(&self) -> &Path {
        Path::new("")
    }

    fn cwd(&self) -> &Path {
        Path::new("")
    }

    fn home(&self) -> Option<PathBuf> {
        None
    }

    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn kind(&self, _: &Path) -> io::Result<PathKind> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<(String, PathKind)>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn started(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn http_get(&self, _: &HttpGet<'_>) -> Result<String, String> {
        Err("there is no network here".into())
    }

    fn aws_secret(&self, _: &str) -> Result<String, String> {
        Err("there is no network here".into())
    }
}
