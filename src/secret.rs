//! Values that must never be shown, and the registry by which reporters mask them wherever they turn up.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, RwLock};

/// What stands in the place of a secret in everything a person or a log sees.
pub const MASK: &str = "<sensitive>";

/// A value that formats as [`MASK`]. The only way to the value is [`Secret::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself: call it only where it leaves for its purpose (a request, a key parser).
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Writes and reads a secret as what it is: for files that only their owner can read, where nothing else would serve.
pub mod in_the_open {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Secret;

    /// Writes the value.
    pub fn serialize<S: Serializer>(secret: &Secret<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.reveal())
    }

    /// Reads the value.
    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Secret<String>, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

/// The texts to mask in output. Clones share one registry.
#[derive(Clone, Default)]
pub struct Secrets(Arc<RwLock<Registry>>);

/// The texts in the order in which they came, each once.
#[derive(Default)]
struct Registry {
    texts: Vec<String>,
    known: HashSet<String>,
}

impl Secrets {
    /// Registers a text. Empty texts are ignored: masking them would mangle everything.
    pub fn register(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut registry = self.0.write().unwrap_or_else(|e| e.into_inner());
        if registry.known.insert(text.to_owned()) {
            registry.texts.push(text.to_owned());
        }
    }

    /// All registered texts, in the order of registration.
    pub fn texts(&self) -> Vec<String> {
        self.0.read().unwrap_or_else(|e| e.into_inner()).texts.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_format() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?}"), "<sensitive> <sensitive>");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn registry_ignores_empty_and_repeated_texts() {
        let secrets = Secrets::default();
        for text in ["", "a", "a", "b"] {
            secrets.register(text);
        }
        assert_eq!(secrets.texts(), ["a", "b"]);
    }
}
