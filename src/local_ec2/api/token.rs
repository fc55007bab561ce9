//! Client tokens: the same request again gives what the first one made.

use sha2::{Digest, Sha256};

use super::Call;
use crate::local_ec2::state::{Region, Token};
use crate::local_ec2::wire::{Error, hex};

/// Characters that a token may have.
const USUAL: usize = 64;
/// Characters that a launch template's token may have.
pub const LONG: usize = 128;

/// A request's token.
pub struct ClientToken {
    key: Option<String>,
    digest: String,
}

impl ClientToken {
    /// Reads it. `zone` is the zone that the request names, for tokens that count per zone; region and zone are no part of the comparison.
    pub fn read(call: &Call<'_>, zone: &str) -> Result<Self, Error> {
        Self::read_up_to(call, zone, USUAL)
    }

    /// The same for a token of another length.
    pub fn read_up_to(call: &Call<'_>, zone: &str, longest: usize) -> Result<Self, Error> {
        let token = call.params.get("ClientToken");
        if token.is_some_and(|token| token.len() > longest || !token.is_ascii()) {
            return Err(Error::value(format!(
                "Value for parameter clientToken is invalid. Must be at most {longest} ASCII characters."
            )));
        }
        const APART: [&str; 8] = [
            "Action",
            "Version",
            "ClientToken",
            "DryRun",
            "AvailabilityZone",
            "AvailabilityZoneId",
            "Placement.AvailabilityZone",
            "LaunchSpecification.Placement.AvailabilityZone",
        ];
        let mut sum = Sha256::new();
        for (name, value) in call.params.iter().filter(|(name, _)| !APART.contains(name) && !name.starts_with("X-Amz-"))
        {
            sum.update(format!("{name}={}\n", value.len()));
            sum.update(value);
        }
        let key = token.map(|token| format!("{}/{zone}/{token}", call.action));
        Ok(Self { key, digest: hex(&sum.finalize()) })
    }

    /// What an earlier request with this token made, if there was one.
    pub fn earlier(&self, region: &Region) -> Result<Option<Vec<String>>, Error> {
        let Some(known) = self.key.as_ref().and_then(|key| region.tokens.get(key)) else { return Ok(None) };
        if known.digest == self.digest {
            return Ok(Some(known.ids.clone()));
        }
        let text = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).";
        Err(Error::new("IdempotentParameterMismatch", text))
    }

    /// Remembers what this request made.
    pub fn remember(self, region: &mut Region, call: &Call<'_>, ids: Vec<String>) {
        if let Some(key) = self.key {
            region.tokens.insert(key, Token { digest: self.digest, ids, used: call.now });
        }
    }
}
