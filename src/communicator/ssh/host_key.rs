//! Which host keys are right, and the memory of the first one seen: a reconnect never trusts another.

use std::sync::Mutex;

use russh::keys::HashAlg;

use super::key::PublicKey;

/// Which host keys are right.
#[derive(Clone, Debug)]
pub enum HostKeyPolicy {
    /// Only these.
    Pinned(Vec<PublicKey>),
    /// The first one seen is trusted with a warning, and from then on it is the only one.
    FirstUse,
}

/// What a presented key is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// One of the right ones.
    Known,
    /// The first of a [`HostKeyPolicy::FirstUse`]: right if the login succeeds.
    First,
    /// None of the right ones, which are named here.
    Wrong { expected: String },
}

/// The right host keys of one endpoint, over all its connections.
#[derive(Debug)]
pub(super) struct Pins(Mutex<Vec<PublicKey>>);

impl Pins {
    pub fn new(policy: &HostKeyPolicy) -> Self {
        Self(Mutex::new(match policy {
            HostKeyPolicy::Pinned(keys) => keys.clone(),
            HostKeyPolicy::FirstUse => Vec::new(),
        }))
    }

    /// The right keys known so far.
    pub fn keys(&self) -> Vec<PublicKey> {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    pub fn judge(&self, key: &PublicKey) -> Verdict {
        let pinned = self.keys();
        if pinned.is_empty() {
            Verdict::First
        } else if pinned.iter().any(|pin| pin.key_data() == key.key_data()) {
            Verdict::Known
        } else {
            let expected = pinned.iter().map(describe).collect::<Vec<_>>().join(" or ");
            Verdict::Wrong { expected }
        }
    }

    /// Makes `key` the only right one, unless there already is one. Called after a login only: an image's own host keys may
    /// still answer in the first moments of its boot, before they are made anew.
    pub fn pin(&self, key: &PublicKey) -> Verdict {
        let mut pins = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if pins.is_empty() {
            pins.push(key.clone());
            return Verdict::First;
        }
        Verdict::Known
    }
}

/// `ssh-ed25519 SHA256:…`, as ssh-keygen prints it.
pub(super) fn describe(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::communicator::ssh::key::Keypair;

    fn key() -> PublicKey {
        Keypair::generate("test").unwrap().public_key().clone()
    }

    #[test]
    fn the_first_key_is_the_only_one() {
        let (first, second) = (key(), key());
        let pins = Pins::new(&HostKeyPolicy::FirstUse);
        assert_eq!(pins.judge(&first), Verdict::First);
        assert_eq!(pins.judge(&second), Verdict::First, "judging does not pin");
        assert_eq!(pins.pin(&first), Verdict::First);
        assert_eq!(pins.pin(&second), Verdict::Known);
        assert_eq!(pins.judge(&first), Verdict::Known);
        assert_eq!(pins.judge(&second), Verdict::Wrong { expected: describe(&first) });
    }

    #[test]
    fn any_pinned_key_is_right_whatever_its_comment() {
        let (a, b) = (key(), key());
        let pins = Pins::new(&HostKeyPolicy::Pinned(vec![a, b.clone()]));
        assert_eq!(pins.judge(&PublicKey::new(b.key_data().clone(), "other")), Verdict::Known);
        assert!(matches!(pins.judge(&key()), Verdict::Wrong { .. }));
    }
}
