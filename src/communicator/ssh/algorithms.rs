//! Which ciphers and key exchanges are offered, and the names by which a template may choose them.

use std::borrow::Cow;

use russh::keys::{Algorithm, HashAlg, PublicKey};
use russh::{Preferred, cipher, kex};

/// AES-GCM first: with the CPU's AES instructions it moves several times as much as ChaCha20, which serves those without.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// The NIST curves are here for guests in FIPS mode, which refuse Curve25519.
const KEY_EXCHANGES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_G14_SHA256,
];

/// Not key exchanges but announcements that travel in their list; without the strict ones the Terrapin attack works.
const ANNOUNCEMENTS: &[kex::Name] = &[
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// What a template's list came to.
pub(super) struct Chosen<T> {
    /// The names we know, in the template's order.
    pub known: Vec<T>,
    /// The ones we do not.
    pub unknown: Vec<String>,
}

/// The ciphers of a template's list. "none" is never among them.
pub(super) fn ciphers(names: &[String]) -> Chosen<cipher::Name> {
    choose(names, CIPHERS, |name| {
        cipher::Name::try_from(name).ok().filter(|c| *c != cipher::NONE && *c != cipher::CLEAR)
    })
}

/// The key exchanges of a template's list. "none" and the announcements are never among them.
pub(super) fn key_exchanges(names: &[String]) -> Chosen<kex::Name> {
    choose(names, KEY_EXCHANGES, |name| {
        kex::Name::try_from(name).ok().filter(|k| *k != kex::NONE && !ANNOUNCEMENTS.contains(k))
    })
}

fn choose<T: Copy>(names: &[String], ours: &[T], find: impl Fn(&str) -> Option<T>) -> Chosen<T> {
    if names.is_empty() {
        return Chosen { known: ours.to_vec(), unknown: Vec::new() };
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match find(name) {
            Some(found) => known.push(found),
            None => unknown.push(name.clone()),
        }
    }
    Chosen { known, unknown }
}

/// Everything that is offered to a server. With pinned keys only their kinds are asked for: a server has several host keys,
/// and one of another kind would look like a changed key.
pub(super) fn preferred(ciphers: Vec<cipher::Name>, mut exchanges: Vec<kex::Name>, pinned: &[PublicKey]) -> Preferred {
    exchanges.extend_from_slice(ANNOUNCEMENTS);
    let key = if pinned.is_empty() { Preferred::DEFAULT.key } else { Cow::Owned(host_key_kinds(pinned)) };
    Preferred { kex: Cow::Owned(exchanges), cipher: Cow::Owned(ciphers), key, ..Preferred::DEFAULT }
}

fn host_key_kinds(pinned: &[PublicKey]) -> Vec<Algorithm> {
    let mut kinds = Vec::new();
    for key in pinned {
        match key.algorithm() {
            Algorithm::Rsa { .. } => kinds.extend([
                Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
                Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
                Algorithm::Rsa { hash: None },
            ]),
            other => kinds.push(other),
        }
    }
    kinds.dedup();
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn aes_gcm_comes_first_and_nothing_is_clear() {
        let ours = ciphers(&[]).known;
        assert_eq!(&ours[..2], &[cipher::AES_256_GCM, cipher::AES_128_GCM]);
        let chosen = ciphers(&names(&["aes128-ctr", "none", "clear", "arcfour256"]));
        assert_eq!(chosen.known, [cipher::AES_128_CTR]);
        assert_eq!(chosen.unknown, ["none", "clear", "arcfour256"]);
    }

    #[test]
    fn a_list_of_key_exchanges_keeps_the_announcements() {
        let chosen = key_exchanges(&names(&["curve25519-sha256", "sntrup", "none"]));
        assert_eq!(chosen.unknown, ["sntrup", "none"]);
        let offered = preferred(ciphers(&[]).known, chosen.known, &[]).kex;
        assert_eq!(offered[0], kex::CURVE25519);
        assert_eq!(&offered[1..], ANNOUNCEMENTS);
    }
}
