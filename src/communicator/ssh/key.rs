//! Keys and certificates: made in memory, read from text or from files.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, HashAlg, PrivateKey};

pub use russh::keys::PublicKey;

use russh::keys::ssh_key::private::RsaKeypair;

use crate::secret::Secret;

/// Why a key or certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is locked with a passphrase.
    #[error("password protected keys are not supported, decrypt the key prior to use")]
    Encrypted,
    /// It is no key in a form we know.
    #[error("not a private key in OpenSSH, PKCS#1, PKCS#8 or SEC1 PEM form: {0}")]
    Malformed(String),
    /// The certificate is not one, or is for something else.
    #[error("certificate {0}")]
    Certificate(String),
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    /// No key could be made.
    #[error("make a key: {0}")]
    Generate(String),
}

/// Length of RSA keys, the one that EC2 itself makes.
const RSA_BITS: usize = 2048;

/// A private key with its public half. Cheap to clone; never formats the private half.
#[derive(Clone)]
pub struct Keypair(Arc<PrivateKey>);

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({})", self.fingerprint())
    }
}

impl Keypair {
    /// Makes an Ed25519 key from the system's random numbers.
    pub fn generate(comment: &str) -> Result<Self, KeyError> {
        let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519);
        Self::named(key.map_err(|e| KeyError::Generate(e.to_string()))?, comment)
    }

    /// Makes an RSA key, for guests that know no other. It takes some tenths of a second, so call it where blocking is allowed.
    pub fn generate_rsa(comment: &str) -> Result<Self, KeyError> {
        let key = RsaKeypair::random(&mut russh::keys::key::safe_rng(), RSA_BITS);
        Self::named(key.map_err(|e| KeyError::Generate(e.to_string()))?.into(), comment)
    }

    fn named(mut key: PrivateKey, comment: &str) -> Result<Self, KeyError> {
        key.set_comment(comment);
        Ok(Self(Arc::new(key)))
    }

    /// Reads a key's text: OpenSSH, PKCS#1, PKCS#8 or SEC1 PEM, without a passphrase.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        // Template texts are often indented, and PEM headers are compared as whole lines.
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        if lines.iter().any(|line| line.contains("BEGIN ENCRYPTED") || line.starts_with("Proc-Type: 4,ENCRYPTED")) {
            return Err(KeyError::Encrypted);
        }
        match russh::keys::decode_secret_key(&lines.join("\n"), None) {
            Ok(key) => Ok(Self(Arc::new(key))),
            Err(russh::keys::Error::KeyIsEncrypted) => Err(KeyError::Encrypted),
            Err(e) => Err(KeyError::Malformed(e.to_string())),
        }
    }

    /// Reads a key file (see [`Keypair::parse`]).
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::parse(&read_text(path)?)
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    /// The line for `authorized_keys` and for a key-pair import, without a newline.
    pub fn public_line(&self) -> Result<String, KeyError> {
        public_line(self.public_key())
    }

    /// `SHA256:…` of the public half.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The private half as an OpenSSH PEM file's text.
    pub fn to_openssh(&self) -> Result<Secret<String>, KeyError> {
        let pem = self.0.to_openssh(LineEnding::LF).map_err(|e| KeyError::Generate(e.to_string()))?;
        Ok(Secret::new(pem.to_string()))
    }

    pub(super) fn private(&self) -> Arc<PrivateKey> {
        self.0.clone()
    }
}

/// The `authorized_keys` line of a public key, without a newline.
pub fn public_line(key: &PublicKey) -> Result<String, KeyError> {
    key.to_openssh().map_err(|e| KeyError::Generate(e.to_string()))
}

/// Reads a public key's line (`ssh-ed25519 AAAA… comment`), as in `authorized_keys`, `*.pub` files and console output.
pub fn parse_public_line(line: &str) -> Result<PublicKey, KeyError> {
    PublicKey::from_openssh(line.trim()).map_err(|e| KeyError::Malformed(e.to_string()))
}

/// An OpenSSH user certificate.
#[derive(Clone, Debug)]
pub struct Certificate(Box<russh::keys::Certificate>);

impl Certificate {
    /// Reads a certificate's text (the `*-cert.pub` line).
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let certificate = russh::keys::Certificate::from_openssh(text.trim());
        certificate.map(|c| Self(Box::new(c))).map_err(|e| KeyError::Certificate(format!("is malformed: {e}")))
    }

    /// Reads a certificate file (see [`Certificate::parse`]).
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::parse(&read_text(path)?)
    }

    /// Checks that it is a user's, that it is for this key, and that it is valid at `now`.
    pub fn check(&self, key: &Keypair, now: SystemTime) -> Result<(), KeyError> {
        let refuse = |why: &str| Err(KeyError::Certificate(format!("`{}` {why}", self.0.key_id())));
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        if self.0.cert_type() != CertType::User {
            refuse("is not a user certificate")
        } else if self.0.public_key() != key.public_key().key_data() {
            refuse("is for another key")
        } else if seconds < self.0.valid_after() {
            refuse("is not valid yet")
        } else if seconds >= self.0.valid_before() {
            refuse("has expired")
        } else {
            Ok(())
        }
    }

    pub(super) fn inner(&self) -> &russh::keys::Certificate {
        &self.0
    }
}

fn read_text(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path)
        .map_err(|e| KeyError::File { path: path.display().to_string(), reason: e.to_string() })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Makes a key file with ssh-keygen; `None` where there is none.
    fn keygen(arguments: &[&str]) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let made = Command::new("ssh-keygen").args(["-q", "-f"]).arg(&path).args(arguments).status().ok()?;
        assert!(made.success());
        std::fs::read_to_string(path).ok()
    }

    #[test]
    fn rsa_keys_are_made_too() {
        let key = Keypair::generate_rsa("c").unwrap();
        assert!(key.public_line().unwrap().starts_with("ssh-rsa "));
        assert_eq!(Keypair::parse(key.to_openssh().unwrap().reveal()).unwrap().fingerprint(), key.fingerprint());
    }

    #[test]
    fn a_generated_key_survives_its_own_text() {
        let key = Keypair::generate("kiln run").unwrap();
        let pem = key.to_openssh().unwrap();
        assert!(pem.reveal().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        let again = Keypair::parse(pem.reveal()).unwrap();
        assert_eq!(again.fingerprint(), key.fingerprint());
        let line = key.public_line().unwrap();
        assert!(line.starts_with("ssh-ed25519 AAAA") && line.ends_with(" kiln run"), "{line}");
        assert_eq!(parse_public_line(&line).unwrap().key_data(), key.public_key().key_data());
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }

    #[test]
    fn every_unencrypted_form_is_read() {
        for arguments in [
            &["-N", "", "-t", "ed25519"][..],
            &["-N", "", "-t", "rsa", "-b", "2048"],
            &["-N", "", "-t", "rsa", "-b", "2048", "-m", "PEM"],
            &["-N", "", "-t", "rsa", "-b", "2048", "-m", "PKCS8"],
            &["-N", "", "-t", "ecdsa", "-b", "256"],
            &["-N", "", "-t", "ecdsa", "-b", "384", "-m", "PEM"],
        ] {
            let Some(text) = keygen(arguments) else { return };
            Keypair::parse(&text).unwrap_or_else(|e| panic!("{arguments:?}: {e}"));
            let indented = text.lines().map(|line| format!("    {line}\r\n")).collect::<String>();
            Keypair::parse(&indented).unwrap_or_else(|e| panic!("indented {arguments:?}: {e}"));
        }
    }

    #[test]
    fn encrypted_keys_are_refused_in_plain_words() {
        for arguments in [
            &["-N", "secret", "-t", "ed25519"][..],
            &["-N", "secret", "-t", "rsa", "-b", "2048", "-m", "PEM"],
            &["-N", "secret", "-t", "rsa", "-b", "2048", "-m", "PKCS8"],
        ] {
            let Some(text) = keygen(arguments) else { return };
            assert!(matches!(Keypair::parse(&text), Err(KeyError::Encrypted)), "{arguments:?}");
        }
        let text = Keypair::parse("hello").unwrap_err().to_string();
        assert!(text.starts_with("not a private key"), "{text}");
    }

    #[test]
    fn certificates_are_checked() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let run = |arguments: &[&str]| Command::new("ssh-keygen").arg("-q").args(arguments).status();
        let Ok(made) = run(&["-t", "ed25519", "-N", "", "-f", &at("ca")]) else { return };
        assert!(made.success());
        assert!(run(&["-t", "ed25519", "-N", "", "-f", &at("user")]).unwrap().success());
        let validity = "20200101000000Z:20300101000000Z";
        assert!(run(&["-s", &at("ca"), "-I", "me", "-n", "root", "-V", validity, &at("user.pub")]).unwrap().success());
        let certificate = Certificate::read(&dir.path().join("user-cert.pub")).unwrap();
        let (key, other) = (Keypair::read(&dir.path().join("user")).unwrap(), Keypair::generate("other").unwrap());
        let year = |years: u64| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(years * 31_557_600);
        assert!(certificate.check(&key, year(55)).is_ok());
        for (key, when, why) in [
            (&key, year(49), "certificate `me` is not valid yet"),
            (&key, year(61), "certificate `me` has expired"),
            (&other, year(55), "certificate `me` is for another key"),
        ] {
            assert_eq!(certificate.check(key, when).unwrap_err().to_string(), why);
        }
    }
}
