//! What an earlier process of the same run has made for this build, as its journal says: a resumed bake goes on with it.

use futures_util::future::try_join_all;

use crate::aws::{Age, Aws, instance, release};
use crate::engine::Cause;
use crate::engine::ledger::{Claim, ClaimId, ClaimState, Entry, Keep, Ledger};
use crate::engine::step::Cx;

/// A build's past. Empty for a run that has just begun.
pub struct Past {
    ledger: Ledger,
    build: String,
}

impl Past {
    /// The past of a build. Calls whose answers were never heard are looked into; a machine that is gone meanwhile is forgotten, with what was done to it.
    pub async fn recover(cx: &Cx, aws: &Aws) -> Result<Self, Cause> {
        let past = Self::new(cx);
        let unheard = past.ledger.claims(&past.build).filter(|claim| claim.state == ClaimState::Intended);
        try_join_all(unheard.map(|claim| hear(cx, aws, claim))).await?;
        let past = Self::new(cx);
        if let Some(claim) = past.machine()
            && past.ledger.claims(&past.build).all(|claim| claim.intent.kind != release::IMAGE || !claim.is_open())
            && is_gone(aws, claim).await?
        {
            let id = claim.resource_id().unwrap_or_default();
            cx.events.say(format!("The instance {id} is gone: the bake begins anew with another one"));
            cx.journal.append(&Entry::Released { claim: claim.id })?;
            cx.journal.append(&Entry::Restarted { build: past.build.clone() })?;
        }
        Ok(Self::new(cx))
    }

    fn new(cx: &Cx) -> Self {
        Self { ledger: cx.journal.ledger(), build: cx.build.to_string() }
    }

    /// The claim on the temporary key pair, held or released: the key itself is good as long as the machine lives.
    pub fn key_pair(&self) -> Option<&Claim> {
        let made = |claim: &&Claim| matches!(claim.state, ClaimState::Held(_) | ClaimState::Released);
        self.of_kind(release::KEY_PAIR).find(made)
    }

    /// The temporary security group, when it is there.
    pub fn group(&self) -> Option<(ClaimId, String)> {
        held(self.of_kind(release::SECURITY_GROUP))
    }

    /// The instance, when it is there.
    pub fn instance(&self) -> Option<(ClaimId, String)> {
        held(self.machine().into_iter())
    }

    fn machine(&self) -> Option<&Claim> {
        self.of_kind(release::INSTANCE).find(|claim| claim.resource_id().is_some())
    }

    /// The image of that name in a region, when it was asked for and not undone.
    pub fn image(&self, region: &str, name: &str) -> Option<(ClaimId, String)> {
        let wanted = |claim: &&Claim| {
            let intent = &claim.intent;
            intent.keep == Keep::OnSuccess && intent.place.region == region && intent.name == name
        };
        held(self.of_kind(release::IMAGE).filter(wanted))
    }

    /// The image that only serves to be copied, when it was asked for and is there.
    pub fn intermediate(&self) -> Option<(ClaimId, String)> {
        held(self.of_kind(release::IMAGE).filter(|claim| claim.intent.keep == Keep::Meanwhile))
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

/// Finds out what a call did whose answer was never heard. What is not found may still come: its claim stays open.
async fn hear(cx: &Cx, aws: &Aws, claim: &Claim) -> Result<(), Cause> {
    if let Some(id) = release::find(aws, claim, &cx.run).await? {
        cx.journal.append(&Entry::Made { claim: claim.id, id })?;
    }
    Ok(())
}

async fn is_gone(aws: &Aws, claim: &Claim) -> Result<bool, Cause> {
    let id = claim.resource_id().unwrap_or_default();
    let found = instance::seen(&aws.ec2_in(&claim.intent.place.region), id).await?;
    Ok(match found {
        Some(instance) => ["shutting-down", "terminated"].contains(&instance.state.as_str()),
        None => release::age(claim) == Age::Old,
    })
}
