//! Why provisioning failed, when it did because the instance had ended: the failure of a script does not tell that.

use std::convert::Infallible;
use std::time::Duration;

use async_trait::async_trait;

use crate::aws::instance::{self, Instance};
use crate::communicator::{Communicator, Exit};
use crate::engine::Cause;
use crate::engine::wait::{Pace, Probe, until};
use crate::hcl::duration::GoDuration;
use crate::sources::Inquest;

use super::super::bake::Bake;
use super::deadline::{Deadline, Unheard};

/// How long a machine may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long one that does not answer is looked at: its sessions end as soon as it begins to shut down, and EC2 says so when it is about to be off.
const LIMIT: Duration = Duration::from_secs(20);
/// How often.
const PACE: Pace = Pace::millis(500, 2000);

/// How often a machine that is provisioned is looked at.
const GLANCES: Pace = Pace::every(Duration::from_secs(5));

/// What a provisioner was at when its machine was gone.
#[derive(Debug, thiserror::Error)]
#[error("the provisioner was cut short")]
struct CutShort;

/// The instance that is provisioned.
pub struct Machine<'a> {
    /// The bake that it is of.
    pub bake: &'a Bake<'a>,
    /// Its id.
    pub id: &'a str,
    /// How to talk to it.
    pub communicator: &'a dyn Communicator,
    /// When it ends itself.
    pub deadline: Option<Deadline>,
}

/// The instance ended while it was provisioned.
#[derive(Debug, thiserror::Error)]
#[error("the instance {id} is {state} ({reason}){}", limit.map(reached).unwrap_or_default())]
struct Ended {
    id: String,
    state: String,
    reason: String,
    /// `max_duration`, when that is why.
    limit: Option<Duration>,
    source: Cause,
}

fn reached(limit: Duration) -> String {
    format!(", since its max_duration of {} has been reached: a longer one gives it more time", GoDuration::from(limit))
}

#[async_trait(?Send)]
impl Inquest for Machine<'_> {
    async fn explain(&self, failure: Cause) -> Cause {
        // A look that hangs changes nothing either.
        match tokio::time::timeout(ANSWER + LIMIT, self.ended()).await {
            Ok(Some(instance)) => self.why(instance, failure).into(),
            Ok(None) | Err(_) => failure,
        }
    }
}

impl Machine<'_> {
    /// Waits until the machine is gone for good, and says why. What is at work then most often fails by itself, and is given the time of a look for that;
    /// an upload would wait for minutes for a machine that never comes back.
    pub async fn death(&self) -> Cause {
        let mut is_known = false;
        let probe = async || {
            let gone = instance::ended(&self.bake.ec2, self.id).await;
            let gone = gone.filter(|gone| ["shutting-down", "terminated"].contains(&gone.state.as_str()));
            let was_known = std::mem::replace(&mut is_known, gone.is_some());
            Ok::<_, Infallible>(match gone {
                Some(instance) if was_known => Probe::Ready(instance),
                _ => Probe::NotYet("running".to_owned(), None),
            })
        };
        match until(GLANCES, None, probe, |_, _| ()).await {
            Ok(instance) => self.why(instance, CutShort.into()).into(),
            // Nothing fails and there is no limit.
            Err(_) => std::future::pending().await,
        }
    }

    async fn ended(&self) -> Option<Instance> {
        let look = async || instance::ended(&self.bake.ec2, self.id).await;
        if let Some(instance) = look().await {
            return Some(instance);
        }
        if self.answers().await {
            return None;
        }
        let probe = async || {
            Ok::<_, Infallible>(match look().await {
                Some(instance) => Probe::Ready(instance),
                None => Probe::NotYet("running".to_owned(), None),
            })
        };
        until(PACE, Some(LIMIT), probe, |_, _| ()).await.ok()
    }

    async fn answers(&self) -> bool {
        let answer = tokio::time::timeout(ANSWER, self.communicator.execute("true", &mut Unheard)).await;
        matches!(answer, Ok(Ok(Exit::Status(_))))
    }

    fn why(&self, instance: Instance, source: Cause) -> Ended {
        let Instance { id, state, reason, .. } = instance;
        // Nobody but the machine itself ends it at its deadline.
        let by_itself = reason.is_empty() || reason.contains("InstanceInitiatedShutdown");
        let limit = self.deadline.filter(|deadline| by_itself && deadline.has_passed()).map(|deadline| deadline.life);
        let reason = if reason.is_empty() { "EC2 gives no reason".to_owned() } else { reason };
        Ended { id, state, reason, limit, source }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::chain;

    use super::*;

    #[test]
    fn the_end_of_the_machine_is_told_before_what_came_of_it() {
        let ended = |limit| Ended {
            id: "i-1".into(),
            state: "terminated".into(),
            reason: "Client.X: x".into(),
            limit,
            source: "lost".into(),
        };
        assert_eq!(chain(&ended(None)), "the instance i-1 is terminated (Client.X: x): lost");
        let text = "the instance i-1 is terminated (Client.X: x), since its max_duration of 1m0s has been reached: a longer one gives it more time: lost";
        assert_eq!(chain(&ended(Some(Duration::from_secs(60)))), text);
    }
}
