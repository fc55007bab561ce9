//! Names of things: fresh random ids, stable ids derived from text, and the shape that an id of each kind must have.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::local_ec2::wire::hex;

/// A new id `<prefix>-0` + 16 hex digits (17 in all; the first is 0 in practice).
pub fn fresh(prefix: &str) -> String {
    format!("{prefix}-0{}", &random_hex()[..16])
}

/// The id that the same text always gets.
pub fn stable(prefix: &str, text: &str) -> String {
    format!("{prefix}-0{}", &hex(&Sha256::digest(text.as_bytes()))[..16])
}

/// A random UUID (version 4) for request ids and the like.
pub fn uuid() -> String {
    uuid_of(&random_hex())
}

/// The UUID that the same text always gets.
pub fn stable_uuid(text: &str) -> String {
    uuid_of(&hex(&Sha256::digest(text.as_bytes())))
}

/// From at least 32 hex digits.
fn uuid_of(h: &str) -> String {
    format!("{}-{}-4{}-a{}-{}", &h[..8], &h[8..12], &h[13..16], &h[17..20], &h[20..32])
}

/// 64 random hex digits. `RandomState` is seeded by the operating system; the counter and the hash make every draw differ.
pub fn random_hex() -> String {
    static DRAWS: AtomicU64 = AtomicU64::new(0);
    let mut state = RandomState::new().build_hasher();
    state.write_u64(DRAWS.fetch_add(1, Ordering::Relaxed));
    let first = state.finish();
    state.write_u32(std::process::id());
    let seed = format!("{first:x}{:x}{:?}", state.finish(), std::time::SystemTime::now());
    hex(&Sha256::digest(seed.as_bytes()))
}

/// True for `<prefix>-` + 8 (legacy) or 17 lower-case hex digits.
pub fn is_well_formed(prefix: &str, id: &str) -> bool {
    let digits = id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_shape() {
        assert!(is_well_formed("ami", &fresh("ami")));
        assert_eq!(stable("ami", "x"), stable("ami", "x"));
        assert_ne!(fresh("i"), fresh("i"));
        assert_eq!((uuid().len(), stable_uuid("x").len()), (36, 36));
        assert_eq!(stable_uuid("x"), stable_uuid("x"));
        for (prefix, id, ok) in [
            ("ami", "ami-12345678", true),
            ("ami", "banana", false),
            ("i", "i-0123", false),
            ("i", "i-0123456789ABCDEF0", false),
        ] {
            assert_eq!(is_well_formed(prefix, id), ok, "{id}");
        }
    }
}
