//! The instance's SSH host keys: made at an instance's first boot, kept afterwards, and shown on the console, from where
//! a client can pin them.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{Algorithm, PrivateKey};

use super::console;
use super::paths::Paths;

const DIRECTORY: &str = "/etc/ssh";
const ED25519: &str = "ssh_host_ed25519_key";

/// Why the instance has no host key.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// The key could not be made or encoded.
    #[error("host key")]
    Key(#[from] russh::keys::ssh_key::Error),
    /// The file could not be written.
    #[error("host key file `{0}`")]
    File(PathBuf, #[source] io::Error),
}

/// Removes the keys that came with the image: they belong to the machine it was baked on, and every machine launched from
/// it would share them.
pub fn forget(paths: &Paths) {
    for file in key_files(paths) {
        let _ = fs::remove_file(file.with_extension("pub"));
        let _ = fs::remove_file(file);
    }
}

/// All host keys of the instance; an ed25519 key is made when it has none of that kind.
///
/// # Errors
/// [`HostKeyError`] when a key cannot be made or stored.
pub fn load(paths: &Paths, hostname: &str) -> Result<Vec<PrivateKey>, HostKeyError> {
    let mut keys: Vec<PrivateKey> =
        key_files(paths).iter().filter_map(|file| PrivateKey::read_openssh_file(file).ok()).collect();
    if !keys.iter().any(|key| key.algorithm() == Algorithm::Ed25519) {
        keys.push(make(paths, hostname)?);
    }
    Ok(keys)
}

fn make(paths: &Paths, hostname: &str) -> Result<PrivateKey, HostKeyError> {
    let seed = random_seed().map_err(|e| HostKeyError::File("/dev/urandom".into(), e))?;
    let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    key.set_comment(format!("root@{hostname}"));
    let file = paths.at(DIRECTORY).join(ED25519);
    store(&file, &key).map_err(|e| HostKeyError::File(file, e))?;
    Ok(key)
}

/// An ed25519 private key is any 32 random bytes (RFC 8032, 5.1.5).
fn random_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(seed)
}

fn store(file: &Path, key: &PrivateKey) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    let public = key.public_key().to_openssh().map_err(io::Error::other)?;
    let mut out = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(file)?;
    out.write_all(text.as_bytes())?;
    fs::write(file.with_extension("pub"), format!("{public}\n"))
}

/// Private key files, by sshd's naming.
fn key_files(paths: &Paths) -> Vec<PathBuf> {
    let entries = fs::read_dir(paths.at(DIRECTORY)).into_iter().flatten().flatten();
    let is_key = |name: &str| name.starts_with("ssh_host_") && name.ends_with("_key");
    entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().and_then(|n| n.to_str()).is_some_and(is_key))
        .collect()
}

/// Shows the public parts between the markers that cloud-init uses and that readers of a console output look for.
pub fn announce(keys: &[PrivateKey]) {
    console::line("-----BEGIN SSH HOST KEY KEYS-----");
    for line in keys.iter().filter_map(|key| key.public_key().to_openssh().ok()) {
        console::line(line);
    }
    console::line("-----END SSH HOST KEY KEYS-----");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_forgotten_with_the_instance() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let fingerprint = |keys: Vec<PrivateKey>| keys[0].fingerprint(Default::default()).to_string();
        let first = fingerprint(load(&paths, "ip-10-0-0-5").unwrap());
        assert_eq!(first, fingerprint(load(&paths, "ip-10-0-0-5").unwrap()));
        let public = fs::read_to_string(paths.at("/etc/ssh/ssh_host_ed25519_key.pub")).unwrap();
        assert!(public.starts_with("ssh-ed25519 ") && public.ends_with(" root@ip-10-0-0-5\n"), "{public}");
        forget(&paths);
        assert_ne!(first, fingerprint(load(&paths, "ip-10-0-0-6").unwrap()));
    }
}
