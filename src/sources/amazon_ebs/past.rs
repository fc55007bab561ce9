//! What an earlier process of the same run has made for this build, as its journal says: a resumed bake goes on with it.

use futures_util::future::try_join_all;

use crate::aws::identity::Elsewhere;
use crate::aws::tags::tag_value;
use crate::aws::wait_states::SECONDS;
use crate::aws::{Age, Aws, Error, identity, instance, release, security_group, tagged};
use crate::engine::Cause;
use crate::engine::continuation::Reach;
use crate::engine::ledger::{Claim, ClaimId, ClaimState, Entry, Intent, Keep, Ledger};
use crate::engine::step::Cx;
use crate::engine::wait::{Probe, WaitError, until};

use super::names::Names;
use super::options::Options;

/// A build's past. Empty for a run that has just begun.
pub struct Past {
    ledger: Ledger,
    build: String,
    reach: Option<Reach>,
}

impl Past {
    /// The past of a build. What its journal does not name is found by the run's tag, and calls whose answers were never heard are looked into. A machine that
    /// is gone meanwhile is forgotten, with what was done to it.
    pub async fn recover(cx: &Cx, aws: &Aws, options: &Options, names: &Names) -> Result<Self, Cause> {
        let past = Self::new(cx);
        if past.ledger.resumptions() == 0 {
            return Ok(past);
        }
        if let Some(reach) = cx.keeper.reach(&cx.build) {
            check_place(aws, &reach).await?;
            adopt(cx, aws, &reach, options, names).await?;
        }
        let past = Self::new(cx);
        let unheard = past.ledger.claims(&past.build).filter(|claim| claim.state == ClaimState::Intended);
        try_join_all(unheard.map(|claim| hear(cx, aws, claim))).await?;
        Self::new(cx).check(cx, aws, options).await?;
        Ok(Self::new(cx))
    }

    /// What is gone meanwhile is forgotten. Without the machine, and without an image of it, all that was done to it begins anew.
    async fn check(&self, cx: &Cx, aws: &Aws, options: &Options) -> Result<(), Cause> {
        if let Some((claim, id)) = self.group()
            && let Some(group) = self.ledger.claim(claim)
            && is_group_gone(aws, group, &id).await?
        {
            cx.journal.append(&Entry::Released { claim })?;
        }
        if self.has_image(aws.region(), options) {
            return Ok(());
        }
        if let Some(claim) = self.machine() {
            if !is_gone(aws, claim).await? {
                return Ok(());
            }
            let id = claim.resource_id().unwrap_or_default();
            cx.events.say(format!("The instance {id} is gone: the bake begins anew with another one"));
            cx.journal.append(&Entry::Released { claim: claim.id })?;
        }
        Ok(cx.journal.append(&Entry::Restarted { build: self.build.clone() })?)
    }

    fn new(cx: &Cx) -> Self {
        Self { ledger: cx.journal.ledger(), build: cx.build.to_string(), reach: cx.keeper.reach(&cx.build) }
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

    /// The name that the image was asked for with.
    pub fn image_name(&self) -> Option<String> {
        let asked_for = self.of_kind(release::IMAGE).any(|claim| claim.resource_id().is_some());
        self.reach.clone().filter(|reach| asked_for && !reach.image_name.is_empty()).map(|reach| reach.image_name)
    }

    /// Whether there is an image that the bake goes on with.
    fn has_image(&self, region: &str, options: &Options) -> bool {
        let kind = if options.is_intermediate() { Keep::Meanwhile } else { Keep::OnSuccess };
        let wanted = |claim: &Claim| claim.intent.keep == kind && claim.intent.place.region == region;
        self.of_kind(release::IMAGE).any(|claim| claim.resource_id().is_some() && wanted(claim))
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

/// Finds out what a call did whose answer was never heard. What does not show after a while was never made.
async fn hear(cx: &Cx, aws: &Aws, claim: &Claim) -> Result<(), Cause> {
    let found = release::find(aws, claim, &cx.run, &cx.journal.ledger()).await?;
    Ok(cx.journal.append(&match found {
        Some(id) => Entry::Made { claim: claim.id, id },
        None => Entry::Released { claim: claim.id },
    })?)
}

async fn is_gone(aws: &Aws, claim: &Claim) -> Result<bool, Cause> {
    let id = claim.resource_id().unwrap_or_default();
    let found = instance::seen(&aws.ec2_in(&claim.intent.place.region), id).await?;
    Ok(match found {
        Some(instance) => ["shutting-down", "terminated"].contains(&instance.state.as_str()),
        None => release::age(claim) == Age::Old,
    })
}

/// Whether a group is gone. A young one may only not show yet.
async fn is_group_gone(aws: &Aws, claim: &Claim, id: &str) -> Result<bool, Cause> {
    let (ec2, by_id) = (aws.ec2_in(&claim.intent.place.region), [("group-id".to_owned(), vec![id.to_owned()])].into());
    let probe = async || {
        let shows = !security_group::describe(&ec2, None, &by_id).await?.is_empty();
        Ok::<_, Error>(if shows { Probe::Ready(()) } else { Probe::NotYet("not there".to_owned(), None) })
    };
    match until(SECONDS, Some(release::age(claim).may_hide()), probe, |_, _| ()).await {
        Ok(()) => Ok(false),
        Err(WaitError::TimedOut { .. }) => Ok(true),
        Err(WaitError::Hopeless(error)) => Err(error.into()),
    }
}

/// The same endpoint, account and region as before.
async fn check_place(aws: &Aws, reach: &Reach) -> Result<(), Cause> {
    identity::check_same(aws, reach).await?;
    if !reach.region.is_empty() && reach.region != aws.region() {
        let (ours, theirs) = (aws.region().to_owned(), reach.region.clone());
        return Err(Elsewhere::Region { ours, theirs }.into());
    }
    Ok(())
}

/// Takes over what the run has and its journal, which may have lost lines, does not name. Volumes and snapshots belong to what is taken over.
async fn adopt(cx: &Cx, aws: &Aws, reach: &Reach, options: &Options, names: &Names) -> Result<(), Cause> {
    let known = &cx.journal.ledger();
    let found = try_join_all(reach.places.iter().map(|place| async move {
        let uses_iam = reach.uses_iam && reach.region == place.region;
        let found = tagged::unnamed(aws, &place.region, uses_iam, &cx.run, known).await?;
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
