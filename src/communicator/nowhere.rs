//! The communicator of sources that make no machine: whatever is asked succeeds and nothing happens.
//!
//! Templates try out their provisioners with the `file` source, so unlike with `communicator = "none"` a transfer is no error.

use std::path::Path;

use async_trait::async_trait;

use super::{Communicator, Error, Exit, Output};

/// Agrees to everything and does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

#[async_trait]
impl Communicator for Nowhere {
    async fn execute(&self, _command: &str, _output: &mut dyn Output) -> Result<Exit, Error> {
        Ok(Exit::Status(0))
    }

    async fn upload(&self, _local: &Path, _remote: &str, _mode: u32) -> Result<(), Error> {
        Ok(())
    }

    async fn upload_bytes(&self, _bytes: &[u8], _remote: &str, _mode: u32) -> Result<(), Error> {
        Ok(())
    }

    async fn upload_dir(&self, _local: &Path, _remote: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn download(&self, _remote: &str, _local: &Path) -> Result<(), Error> {
        Ok(())
    }

    async fn download_dir(&self, _remote: &str, _local: &Path) -> Result<(), Error> {
        Ok(())
    }

    async fn is_dir(&self, _remote: &str) -> Result<bool, Error> {
        Ok(false)
    }

    async fn disconnect(&self) {}
}
