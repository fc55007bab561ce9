//! What an earlier process of the same run has made for this build, as its journal says: a resumed bake goes on with it.

use crate::aws::release;
use crate::engine::ledger::{Claim, ClaimId, ClaimState, Ledger};

/// A build's past. Empty for a run that has just begun.
pub struct Past {
    ledger: Ledger,
    build: String,
}

impl Past {
    /// The past of a build.
    pub fn new(ledger: Ledger, build: &str) -> Self {
        Self { ledger, build: build.to_owned() }
    }

    /// The claim on the temporary key pair, open or settled: the key itself is good as long as the machine lives.
    pub fn key_pair(&self) -> Option<&Claim> {
        self.of_kind(release::KEY_PAIR).find(|claim| claim.state != ClaimState::Refused)
    }

    /// The temporary security group, when it is there.
    pub fn group(&self) -> Option<(ClaimId, String)> {
        held(self.of_kind(release::SECURITY_GROUP))
    }

    /// The instance, when it is there.
    pub fn instance(&self) -> Option<(ClaimId, String)> {
        held(self.of_kind(release::INSTANCE))
    }

    /// Whether a launch was asked for whose answer was never heard.
    pub fn may_have_launched(&self) -> bool {
        self.of_kind(release::INSTANCE).any(|claim| claim.state == ClaimState::Intended)
    }

    /// The image of that name in a region, when it was asked for and not undone.
    pub fn image(&self, region: &str, name: &str) -> Option<(ClaimId, String)> {
        let wanted = |claim: &&Claim| claim.intent.place.region == region && claim.intent.name == name;
        held(self.of_kind(release::IMAGE).filter(wanted))
    }

    /// Whether the machine has been provisioned.
    pub fn is_provisioned(&self) -> bool {
        self.ledger.has_done(&self.build, "StepProvision")
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Claim> {
        self.ledger.claims(&self.build).filter(move |claim| claim.intent.kind == kind)
    }
}

fn held<'a>(mut claims: impl Iterator<Item = &'a Claim>) -> Option<(ClaimId, String)> {
    claims.find_map(|claim| Some((claim.id, claim.resource_id()?.to_owned())))
}
