//! Names and client tokens of what a build makes. All derive from run and build, so every try of the same call carries the same.

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::engine::step::Cx;

/// The names of one build.
pub struct Names {
    /// `packer_` and a UUID whose first part is the time: key pairs and security groups are called so, as IAM policies written for Packer expect.
    pub temporary: String,
    seed: String,
}

impl Names {
    /// The names of this build.
    pub fn new(cx: &Cx) -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let seed = format!("{}\n{}", cx.run, cx.build);
        let digest = hex(&seed);
        let parts = [&digest[0..4], &digest[4..8], &digest[8..12], &digest[12..24]];
        Self { temporary: format!("packer_{seconds:08x}-{}", parts.join("-")), seed }
    }

    /// Seven letters and digits: Packer's names of what must be unique for a moment end so.
    pub fn short(&self, what: &str) -> String {
        self.token(what).chars().take(7).collect()
    }

    /// The name of the image that only serves to be copied: it must not hold the name that a copy gets.
    pub fn intermediate(&self) -> String {
        self.short("CreateImage")
    }

    /// The client token of the call `what`: 64 characters, the most that EC2 takes.
    pub fn token(&self, what: &str) -> String {
        hex(&format!("{}\n{what}", self.seed))
    }
}

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
