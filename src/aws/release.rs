//! One idempotent release per resource kind. It serves failure, Ctrl-C, `kiln cleanup` and the end of a good build alike.

use std::time::Duration;

use crate::engine::ledger::{Claim, Ledger};
use crate::engine::wait::{Probe, WaitError, until};

use super::clients::{Aws, Ec2};
use super::error::Error;
use super::retry::Age;
use super::wait_states::SECONDS;
use super::{iam, image, instance, key_pair, launch_template, security_group, snapshot, tags};

/// Kind of an imported key pair, as claims name it.
pub const KEY_PAIR: &str = "key-pair";
/// Kind of a temporary security group.
pub const SECURITY_GROUP: &str = "security-group";
/// Kind of a temporary instance (with its volumes).
pub const INSTANCE: &str = "instance";
/// Kind of the launch template of a spot instance.
pub const LAUNCH_TEMPLATE: &str = "launch-template";
/// Kind of a temporary instance profile.
pub const INSTANCE_PROFILE: &str = "instance-profile";
/// Kind of a temporary role (with its policy).
pub const ROLE: &str = "role";
/// Kind of an image with its snapshots.
pub const IMAGE: &str = "image";

/// Kind of a volume that outlived its instance.
pub const VOLUME: &str = "volume";
/// Kind of a snapshot that no image stands on.
pub const SNAPSHOT: &str = "snapshot";

/// How long after a call was given up its effect is waited for. EC2 answers a creating call within 5 s (ec2-api.md 4.2).
const LATE_EFFECT: Duration = Duration::from_secs(5);

/// Whether a release waits until the resource is really gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// It waits.
    Gone,
    /// EC2's acceptance is enough.
    Accepted,
}

/// Releases what a claim of a run with that ledger stands for. A claim without an id is looked for first; nothing found is success.
pub async fn release(aws: &Aws, claim: &Claim, run: &str, known: &Ledger, confirm: Confirm) -> Result<(), Error> {
    let ec2 = &aws.ec2_in(&claim.intent.place.region);
    let Some(id) = find(aws, claim, run, known).await? else { return Ok(()) };
    match claim.intent.kind.as_str() {
        KEY_PAIR => key_pair::release(ec2, &claim.intent.name).await,
        SECURITY_GROUP => security_group::release(ec2, &id).await,
        INSTANCE => terminate(ec2, &id, age(claim), confirm).await,
        LAUNCH_TEMPLATE => launch_template::release(ec2, &id).await,
        INSTANCE_PROFILE => iam::release_profile(aws, &id).await,
        ROLE => iam::release_role(aws, &id).await,
        IMAGE => image::release(ec2, &id).await,
        VOLUME => instance::delete_volume(ec2, &id).await,
        SNAPSHOT => snapshot::release(ec2, &id).await,
        other => Err(Error::new("release", other, super::Kind::Invalid, "this version of Kiln does not know the kind")),
    }
}

/// Renews the lease on what a claim stands for: an image with its snapshots, an instance with its volumes.
pub async fn renew(aws: &Aws, claim: &Claim, id: &str, lease: Duration) -> Result<(), Error> {
    let kind = claim.intent.kind.as_str();
    if [INSTANCE_PROFILE, ROLE].contains(&kind) {
        return iam::renew(aws, kind, id, lease).await;
    }
    let ec2 = &aws.ec2_in(&claim.intent.place.region);
    let mut all = vec![id.to_owned()];
    match kind {
        IMAGE => all.extend(image::snapshots(ec2, id).await?),
        INSTANCE => {
            let found = instance::seen(ec2, id).await?;
            all.extend(found.into_iter().flat_map(|instance| instance.volumes).map(|(_, volume, _)| volume));
        }
        _ => {}
    }
    tags::renew(ec2, &all, lease).await
}

/// The id of what a claim stands for, if it is there. Without one from the reply it is looked for again and again for a while: the call may have been given up while it
/// was on its way, and take effect after the first look. What another claim of the ledger stands for is that one's, a finished product for one.
pub async fn find(aws: &Aws, claim: &Claim, run: &str, known: &Ledger) -> Result<Option<String>, Error> {
    let ec2 = &aws.ec2_in(&claim.intent.place.region);
    if let Some(id) = claim.resource_id() {
        return Ok(Some(id.to_owned()));
    }
    let probe = async || {
        let own = look(aws, ec2, claim, run).await?.into_iter().find(|id| !known.is_anothers(claim, id));
        Ok(own.map_or_else(|| Probe::NotYet("not there".into(), None), Probe::Ready))
    };
    match until(SECONDS, Some(LATE_EFFECT), probe, |_, _| ()).await {
        Ok(id) => Ok(Some(id)),
        Err(WaitError::TimedOut { .. }) => Ok(None),
        Err(WaitError::Hopeless(error)) => Err(error),
    }
}

async fn look(aws: &Aws, ec2: &Ec2, claim: &Claim, run: &str) -> Result<Vec<String>, Error> {
    let (name, run) = (&claim.intent.name, Some(run.to_owned()));
    let found = match claim.intent.kind.as_str() {
        KEY_PAIR => key_pair::find(ec2, name, run.as_ref()).await,
        SECURITY_GROUP => security_group::find(ec2, name, run.as_ref()).await,
        INSTANCE => {
            let build = super::tags::tag_value(&claim.intent.build);
            return instance::find_all(ec2, run.as_ref(), Some(&build)).await;
        }
        LAUNCH_TEMPLATE => launch_template::find(ec2, name, run.as_ref()).await,
        kind @ (INSTANCE_PROFILE | ROLE) => iam::find(aws, kind, name).await,
        IMAGE => image::find(ec2, name, run.as_ref()).await,
        _ => Ok(Some(name.clone())),
    };
    Ok(found?.into_iter().collect())
}

/// What was launched long enough ago is visible, if it is there at all.
pub fn age(claim: &Claim) -> Age {
    let seconds = jiff::Timestamp::now().as_second().saturating_sub(claim.intent.at);
    Age::after(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

async fn terminate(ec2: &Ec2, id: &str, age: Age, confirm: Confirm) -> Result<(), Error> {
    let volumes = match confirm {
        Confirm::Gone => instance::seen(ec2, id).await?.map(|i| i.volumes).unwrap_or_default(),
        Confirm::Accepted => Vec::new(),
    };
    instance::terminate(ec2, id, age).await?;
    if confirm == Confirm::Accepted {
        return Ok(());
    }
    let gone = instance::wait(ec2, id, "terminated", None, |_| ()).await;
    gone.map_err(|e| Error::new("TerminateInstances", id, super::Kind::InUse, crate::engine::chain(e.as_ref())))?;
    // Volumes that outlive the instance by their mapping were made by this launch all the same.
    for (_, volume, _) in volumes.iter().filter(|(_, _, deleted)| !deleted) {
        instance::delete_volume(ec2, volume).await?;
    }
    Ok(())
}
