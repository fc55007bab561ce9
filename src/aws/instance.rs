//! Instances: look, stop, terminate. Their launch is in `launch.rs`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use aws_sdk_ec2::types::Filter;

use crate::engine::wait::{Pace, Probe, until};

use super::batch::Batch;
use super::clients::Ec2;
use super::error::{Error, Kind};
use super::repeat;
use super::retry::{Age, Call, Verdict, verdict};
use super::tags::{BUILD, RUN, Tags};
use super::wait_states::{INSTANCE_LIMIT, SECONDS};

/// An instance as it is now, as far as a bake cares.
#[derive(Clone, Debug, Default)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// `pending`, `running`, `stopping`, `stopped`, `shutting-down` or `terminated`.
    pub state: String,
    /// Why it is in that state, when EC2 says.
    pub reason: String,
    /// Public IPv4 address.
    pub public_ip: Option<String>,
    /// Private IPv4 address.
    pub private_ip: Option<String>,
    /// Public DNS name.
    pub public_dns: Option<String>,
    /// Private DNS name.
    pub private_dns: Option<String>,
    /// First IPv6 address.
    pub ipv6: Option<String>,
    /// The image that it was launched from.
    pub image: String,
    /// Its VPC; empty outside one.
    pub vpc: String,
    /// Attached EBS volumes: (device name, volume id, deleted with the instance).
    pub volumes: Vec<(String, String, bool)>,
    /// Its tags.
    pub tags: Tags,
}

/// The instance that this run's build launched and that is not gone, if there is one.
pub async fn find(ec2: &Ec2, run: Option<&String>, build: Option<&String>) -> Result<Option<String>, Error> {
    Ok(find_all(ec2, run, build).await?.into_iter().next())
}

/// All instances that this run's build launched and that are not gone.
pub async fn find_all(ec2: &Ec2, run: Option<&String>, build: Option<&String>) -> Result<Vec<String>, Error> {
    let tag = |key: &str, value: Option<&String>| {
        value.map(|value| Filter::builder().name(format!("tag:{key}")).values(value).build())
    };
    let alive = ["pending", "running", "stopping", "stopped"].map(str::to_owned).to_vec();
    let state = Filter::builder().name("instance-state-name").set_values(Some(alive)).build();
    let filters = [Some(state), tag(RUN, run), tag(BUILD, build)].into_iter().flatten().collect();
    let filters: Vec<Filter> = filters;
    let found = repeat::look(ec2, Age::Old, async || {
        let found = ec2.client.describe_instances().set_filters(Some(filters.clone())).send().await;
        found.map_err(|e| Error::from_sdk("DescribeInstances", "", &e))
    })
    .await?;
    let instances = found.reservations().iter().flat_map(|reservation| reservation.instances());
    Ok(instances.filter_map(|instance| instance.instance_id().map(str::to_owned)).collect())
}

/// The batched look at instances. It asks by filter, since one unknown id would fail a call by ids.
pub fn batch(client: aws_sdk_ec2::Client) -> Batch<Instance> {
    Batch::new(Box::new(move |ids| {
        let client = client.clone();
        Box::pin(async move { describe(&client, ids).await })
    }))
}

async fn describe(client: &aws_sdk_ec2::Client, ids: Vec<String>) -> Result<HashMap<String, Instance>, Error> {
    let subject = ids.join(", ");
    let filter = Filter::builder().name("instance-id").set_values(Some(ids)).build();
    let mut pages = client.describe_instances().filters(filter).into_paginator().items().send();
    let mut found = HashMap::new();
    while let Some(next) = pages.next().await {
        let reservation = next.map_err(|e| Error::from_sdk("DescribeInstances", &subject, &e))?;
        let instances = reservation.instances.unwrap_or_default().into_iter().map(from_sdk);
        found.extend(instances.map(|instance| (instance.id.clone(), instance)));
    }
    Ok(found)
}

fn from_sdk(instance: aws_sdk_ec2::types::Instance) -> Instance {
    let volumes = instance.block_device_mappings().iter().filter_map(|mapping| {
        let ebs = mapping.ebs()?;
        let deleted = ebs.delete_on_termination().unwrap_or_default();
        Some((mapping.device_name()?.to_owned(), ebs.volume_id()?.to_owned(), deleted))
    });
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    Instance {
        state: instance.state().and_then(|state| state.name()).map(|name| name.to_string()).unwrap_or_default(),
        reason: instance.state_reason().and_then(|reason| reason.message()).unwrap_or_default().to_owned(),
        public_ip: given(&instance.public_ip_address),
        private_ip: given(&instance.private_ip_address),
        public_dns: given(&instance.public_dns_name),
        private_dns: given(&instance.private_dns_name),
        ipv6: given(&instance.ipv6_address),
        image: instance.image_id.clone().unwrap_or_default(),
        vpc: instance.vpc_id.clone().unwrap_or_default(),
        volumes: volumes.collect(),
        tags: super::tags::from_sdk(instance.tags()),
        id: instance.instance_id.unwrap_or_default(),
    }
}

/// An instance as it is now; `None` when it does not exist (or does not show yet).
pub async fn seen(ec2: &Ec2, id: &str) -> Result<Option<Instance>, Error> {
    repeat::look(ec2, Age::Old, async || ec2.instances.look("DescribeInstances", id).await).await
}

/// An instance as it is now; one that is gone is an error.
pub async fn look(ec2: &Ec2, id: &str) -> Result<Instance, Error> {
    let found = seen(ec2, id).await?;
    found.ok_or_else(|| Error::new("DescribeInstances", id, Kind::NotFound, "the instance no longer exists"))
}

/// Waits until an instance is in `state`, at most `limit` (30 minutes when `None`). States from which it cannot get there end the wait with EC2's reason.
pub async fn wait(
    ec2: &Ec2,
    id: &str,
    state: &'static str,
    limit: Option<Duration>,
    mut tell: impl FnMut(&str),
) -> Result<Instance, crate::engine::Cause> {
    let started = tokio::time::Instant::now();
    let probe = async || {
        let found = seen(ec2, id).await?;
        judge(id, state, found, Age::after(started.elapsed()))
    };
    let limit = limit.unwrap_or(INSTANCE_LIMIT);
    Ok(until(SECONDS, Some(limit), probe, |state, _| tell(state)).await?)
}

/// Starts an instance that is stopped.
pub async fn start(ec2: &Ec2, id: &str) -> Result<(), Error> {
    repeat::change(ec2, Age::Old, async || {
        let call = ec2.client.start_instances().instance_ids(id).send().await;
        call.map(drop).map_err(|e| Error::from_sdk("StartInstances", id, &e))
    })
    .await
}

/// How often a machine that somebody logs into is looked at.
const GLANCES: Pace = Pace::every(Duration::from_secs(3));

/// Waits until a running instance ends, and gives EC2's reason. What cannot be found out is no end.
pub async fn end_of(ec2: &Ec2, id: &str) -> Error {
    let probe = async || {
        let found = ec2.instances.look("DescribeInstances", id).await;
        Ok::<_, Infallible>(match found.and_then(|found| judge(id, "running", found, Age::Old)) {
            Err(error) if [Kind::Invalid, Kind::NotFound].contains(&error.kind) => Probe::Ready(error),
            _ => Probe::NotYet("running".to_owned(), None),
        })
    };
    match until(GLANCES, None, probe, |_, _| ()).await {
        Ok(error) => error,
        // Nothing fails and there is no limit.
        Err(_) => std::future::pending().await,
    }
}

/// An instance that is stopped or gone, or about to be; `None` when it lives, or when that cannot be found out.
pub async fn ended(ec2: &Ec2, id: &str) -> Option<Instance> {
    let found = ec2.instances.look("DescribeInstances", id).await.ok()??;
    ["stopping", "stopped", "shutting-down", "terminated"].contains(&found.state.as_str()).then_some(found)
}

fn judge(id: &str, wanted: &str, found: Option<Instance>, age: Age) -> Result<Probe<Instance>, Error> {
    let Some(instance) = found else {
        return match (wanted, verdict(Call::Look, Kind::NotFound, age)) {
            // A terminated instance is forgotten in the end.
            ("terminated", _) => Ok(Probe::Ready(Instance { id: id.into(), ..Instance::default() })),
            (_, Verdict::Again) => Ok(Probe::NotYet("not visible yet".into(), None)),
            _ => Err(Error::new("DescribeInstances", id, Kind::NotFound, "the instance no longer exists")),
        };
    };
    if instance.state == wanted {
        return Ok(Probe::Ready(instance));
    }
    let dead = ["shutting-down", "terminated"].contains(&instance.state.as_str()) && wanted != "terminated";
    let stopped = ["stopping", "stopped"].contains(&instance.state.as_str()) && wanted == "running";
    if dead || stopped {
        let reason = if instance.reason.is_empty() { "EC2 gives no reason".into() } else { instance.reason };
        let text = format!("the instance is {} instead of {wanted}: {reason}", instance.state);
        return Err(Error::new("DescribeInstances", id, Kind::Invalid, text));
    }
    Ok(Probe::NotYet(instance.state, None))
}

/// Asks an instance to stop. One that is not visible yet is asked again for a while.
pub async fn stop(ec2: &Ec2, id: &str) -> Result<(), Error> {
    repeat::change(ec2, Age::Young, async || {
        let call = ec2.client.stop_instances().instance_ids(id).send().await;
        call.map(drop).map_err(|e| Error::from_sdk("StopInstances", id, &e))
    })
    .await
}

/// Puts an instance into other security groups, so that a temporary one can go before the instance does.
pub async fn set_groups(ec2: &Ec2, id: &str, groups: Vec<String>) -> Result<(), Error> {
    repeat::change(ec2, Age::Young, async || {
        let call = ec2.client.modify_instance_attribute().instance_id(id).set_groups(Some(groups.clone()));
        call.send().await.map(drop).map_err(|e| Error::from_sdk("ModifyInstanceAttribute", id, &e))
    })
    .await
}

/// Switches enhanced networking (ENA) of a stopped instance on or off.
pub async fn set_ena(ec2: &Ec2, id: &str, on: bool) -> Result<(), Error> {
    let value = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(on).build();
    repeat::change(ec2, Age::Young, async || {
        let call = ec2.client.modify_instance_attribute().instance_id(id).ena_support(value.clone());
        call.send().await.map(drop).map_err(|e| Error::from_sdk("ModifyInstanceAttribute", id, &e))
    })
    .await
}

/// Switches SR-IOV networking of a stopped instance on.
pub async fn set_sriov(ec2: &Ec2, id: &str) -> Result<(), Error> {
    let value = aws_sdk_ec2::types::AttributeValue::builder().value("simple").build();
    repeat::change(ec2, Age::Young, async || {
        let call = ec2.client.modify_instance_attribute().instance_id(id).sriov_net_support(value.clone());
        call.send().await.map(drop).map_err(|e| Error::from_sdk("ModifyInstanceAttribute", id, &e))
    })
    .await
}

/// Asks for the end of an instance; EC2's acceptance is a promise. One that is gone is no error; one that EC2 has never shown is asked for again until
/// it is old enough to be gone for certain, since it may just have been launched (ec2-api.md 2.0).
pub async fn terminate(ec2: &Ec2, id: &str, age: Age) -> Result<(), Error> {
    repeat::release(ec2, age, async || {
        let call = ec2.client.terminate_instances().instance_ids(id).send().await;
        call.map(drop).map_err(|e| Error::from_sdk("TerminateInstances", id, &e))
    })
    .await
}

/// Deletes a volume once nothing uses it; one that is gone is no error.
pub async fn delete_volume(ec2: &Ec2, id: &str) -> Result<(), Error> {
    repeat::release(ec2, Age::Old, async || {
        let call = ec2.client.delete_volume().volume_id(id).send().await;
        call.map(drop).map_err(|e| Error::from_sdk("DeleteVolume", id, &e))
    })
    .await
}

/// What the instance wrote on its console so far; `None` before EC2 has any.
pub async fn console(ec2: &Ec2, id: &str) -> Result<Option<Vec<u8>>, Error> {
    let output = ec2.client.get_console_output().instance_id(id).latest(true).send().await;
    let output = output.map_err(|e| Error::from_sdk("GetConsoleOutput", id, &e))?;
    Ok(output.output.and_then(|text| aws_smithy_types::base64::decode(text).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(state: &str) -> Option<Instance> {
        Some(Instance { state: state.into(), ..Instance::default() })
    }

    #[test]
    fn waiting_ends_early_when_the_state_can_never_come() {
        let ready = |probe| matches!(probe, Ok(Probe::Ready(_)));
        let not_yet = |probe| matches!(probe, Ok(Probe::NotYet(..)));
        assert!(ready(judge("i", "running", at("running"), Age::Young)));
        assert!(not_yet(judge("i", "running", at("pending"), Age::Young)));
        assert!(judge("i", "running", at("terminated"), Age::Young).is_err());
        assert!(judge("i", "running", at("stopped"), Age::Young).is_err());
        assert!(not_yet(judge("i", "stopped", at("running"), Age::Young)));
        assert!(judge("i", "stopped", at("shutting-down"), Age::Young).is_err());
        assert!(not_yet(judge("i", "running", None, Age::Young)));
        assert!(judge("i", "running", None, Age::Old).is_err());
        assert!(ready(judge("i", "terminated", None, Age::Old)));
    }
}
