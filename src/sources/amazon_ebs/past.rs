//! What an earlier process of the same run has made for this build, as its journal says: a resumed bake goes on with it.

use futures_util::future::try_join_all;

use crate::aws::release::Confirm;
use crate::aws::tags::tag_value;
use crate::aws::{Age, Aws, identity, instance, release, tagged};
use crate::engine::Cause;
use crate::engine::ledger::{Claim, ClaimId, ClaimState, Entry, Intent, Keep, Ledger};
use crate::engine::step::Cx;

use super::names::Names;
use super::options::Options;

/// A build's past. Empty for a run that has just begun.
pub struct Past {
    ledger: Ledger,
    build: String,
}

impl Past {
    /// The past of a build. What its journal does not name is found by the run's tag, and calls whose answers were never heard are looked into. A machine that
    /// is gone meanwhile is forgotten, with what was done to it.
    pub async fn recover(cx: &Cx, aws: &Aws, options: &Options, names: &Names) -> Result<Self, Cause> {
        let past = Self::new(cx);
        if past.ledger.resumptions() == 0 {
            return Ok(past);
        }
        adopt(cx, aws, options, names).await?;
        let past = Self::new(cx);
        let unheard = past.ledger.claims(&past.build).filter(|claim| claim.state == ClaimState::Intended);
        try_join_all(unheard.map(|claim| hear(cx, aws, claim))).await?;
        let past = Self::new(cx);
        if let Some(claim) = past.machine()
            && past.ledger.claims(&past.build).all(|claim| claim.intent.kind != release::IMAGE || !claim.is_open())
        {
            past.check_machine(cx, aws, claim).await?;
        }
        Ok(Self::new(cx))
    }

    /// Begins anew when the machine is of no use.
    async fn check_machine(&self, cx: &Cx, aws: &Aws, claim: &Claim) -> Result<(), Cause> {
        let (ec2, id) = (aws.ec2_in(&claim.intent.place.region), claim.resource_id().unwrap_or_default());
        let state = instance::seen(&ec2, id).await?.map(|instance| instance.state);
        let why = match state.as_deref() {
            Some("shutting-down" | "terminated") => "is gone",
            None if release::age(claim) == Age::Old => "is gone",
            // Kiln stops what is provisioned, so the journal has lost that. Without it nobody knows what is on the disk.
            Some("stopping" | "stopped") if !self.is_provisioned() => {
                release::release(aws, claim, &cx.run, Confirm::Accepted).await?;
                "is stopped, and the run's journal does not say that it was provisioned"
            }
            _ => return Ok(()),
        };
        cx.events.say(format!("The instance {id} {why}: the bake begins anew with another one"));
        cx.journal.append(&Entry::Released { claim: claim.id })?;
        Ok(cx.journal.append(&Entry::Restarted { build: self.build.clone() })?)
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

/// Takes over what the run has and its journal, which may have lost lines, does not name. Volumes and snapshots belong to what is taken over.
async fn adopt(cx: &Cx, aws: &Aws, options: &Options, names: &Names) -> Result<(), Cause> {
    let Some(reach) = cx.keeper.reach(&cx.build) else { return Ok(()) };
    identity::check_same(aws, &reach.account).await?;
    let known = &cx.journal.ledger();
    let found = try_join_all(reach.places.iter().map(|place| async move {
        let found = tagged::unnamed(aws, &place.region, reach.uses_iam, &cx.run, known).await?;
        Ok::<_, Cause>(found.into_iter().map(move |one| (place, one)).collect::<Vec<_>>())
    }));
    for (place, one) in found.await?.concat() {
        if one.build != tag_value(&cx.build) || [release::VOLUME, release::SNAPSHOT].contains(&one.kind) {
            continue;
        }
        let is_intermediate = options.is_intermediate() && one.name == names.intermediate();
        let keep = match one.kind {
            release::IMAGE if is_intermediate => Keep::Meanwhile,
            release::IMAGE => Keep::OnSuccess,
            _ => Keep::Never,
        };
        cx.events.say(format!("The run's journal does not name its {} {}: taken over", one.kind, one.id));
        cx.journal.adopt(Intent { build: cx.build.to_string(), ..one.intent(place, keep) }, one.id)?;
    }
    Ok(())
}
