//! `agent.json`: what the host tells the agent about the instance it runs in.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Why the agent could not learn its orders.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("agent config `{0}` is unreadable")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The file is not what the host writes.
    #[error("agent config `{0}` is malformed")]
    Malformed(PathBuf, #[source] serde_json::Error),
}

/// The agent's orders, written by the host before the instance boots.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// The image's login user, such as `admin`, `ubuntu` or `ec2-user`.
    pub user: String,
    /// Name of the EC2 key pair; becomes the comment of the key in `authorized_keys`, as on EC2.
    #[serde(default)]
    pub key_name: Option<String>,
    /// The launch key as an OpenSSH public key line; an instance may be launched without one.
    #[serde(default)]
    pub public_key: Option<String>,
    /// File with the decoded user data.
    #[serde(default)]
    pub user_data_path: Option<PathBuf>,
    /// Host name, such as `ip-10-0-0-5`.
    pub hostname: String,
    /// Instance id; first-boot work is done once for each.
    pub instance_id: String,
    /// Unix socket on which SSH is served, in a directory that the host sees too.
    pub socket: PathBuf,
    /// TCP address on which SSH is served as well, usually `0.0.0.0:22`.
    #[serde(default)]
    pub tcp: Option<String>,
}

impl Config {
    /// Reads `path`.
    ///
    /// # Errors
    /// [`ConfigError`] when the file is missing or not the expected JSON.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError::Unreadable(path.to_owned(), e))?;
        serde_json::from_str(&text).map_err(|e| ConfigError::Malformed(path.to_owned(), e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_are_absences() {
        let config: Config = serde_json::from_str(
            r#"{"user":"admin","key_name":"k","public_key":null,"user_data_path":null,"hostname":"ip-10-0-0-5",
                "instance_id":"i-1","socket":"/run/kiln/agent.sock","tcp":null}"#,
        )
        .unwrap();
        assert_eq!((config.public_key, config.user_data_path, config.tcp), (None, None, None));
    }

    #[test]
    fn errors_name_the_file() {
        let error = Config::read(Path::new("/nonexistent/agent.json")).unwrap_err();
        assert_eq!(error.to_string(), "agent config `/nonexistent/agent.json` is unreadable");
    }
}
