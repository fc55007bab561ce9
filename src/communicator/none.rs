//! The communicator of `communicator = "none"`: nothing connects, commands succeed without running, transfers are errors.

use std::path::Path;

use async_trait::async_trait;

use super::{Communicator, Error, Exit, Output};

/// Talks to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCommunicator;

#[async_trait]
impl Communicator for NoCommunicator {
    /// Succeeds without running anything, as templates that build without a session expect.
    async fn execute(&self, _command: &str, _output: &mut dyn Output) -> Result<Exit, Error> {
        Ok(Exit::Status(0))
    }

    async fn upload(&self, _local: &Path, _remote: &str, _mode: u32) -> Result<(), Error> {
        Err(Error::Unsupported("Upload"))
    }

    async fn upload_bytes(&self, _bytes: &[u8], _remote: &str, _mode: u32) -> Result<(), Error> {
        Err(Error::Unsupported("Upload"))
    }

    async fn upload_dir(&self, _local: &Path, _remote: &str) -> Result<(), Error> {
        Err(Error::Unsupported("UploadDir"))
    }

    async fn download(&self, _remote: &str, _local: &Path) -> Result<(), Error> {
        Err(Error::Unsupported("Download"))
    }

    async fn download_dir(&self, _remote: &str, _local: &Path) -> Result<(), Error> {
        Err(Error::Unsupported("DownloadDir"))
    }

    async fn is_dir(&self, _remote: &str) -> Result<bool, Error> {
        Ok(false)
    }

    async fn disconnect(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;
    impl Output for Nothing {
        fn stdout(&mut self, _: &[u8]) {}
        fn stderr(&mut self, _: &[u8]) {}
    }

    #[tokio::test]
    async fn commands_succeed_and_transfers_are_refused() {
        assert_eq!(NoCommunicator.execute("false", &mut Nothing).await.unwrap(), Exit::Status(0));
        let path = Path::new("x");
        for (name, result) in [
            ("Upload", NoCommunicator.upload(path, "y", 0o644).await),
            ("Upload", NoCommunicator.upload_bytes(b"", "y", 0o644).await),
            ("UploadDir", NoCommunicator.upload_dir(path, "y").await),
            ("Download", NoCommunicator.download("y", path).await),
            ("DownloadDir", NoCommunicator.download_dir("y", path).await),
        ] {
            let text = result.unwrap_err().to_string();
            assert_eq!(text, format!("{name} is not implemented when communicator = 'none'"));
        }
    }
}
