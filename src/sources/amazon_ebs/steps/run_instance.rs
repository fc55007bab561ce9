//! The launch, up to `running`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::aws::image::Image;
use crate::aws::instance::{self, Instance};
use crate::aws::launch::{self, Launch, Metadata};
use crate::aws::release;
use crate::engine::Cause;
use crate::engine::ledger::{ClaimId, Keep};

use super::super::bake::Bake;
use super::super::tags::BuildTags;
use super::super::{capacity, devices, options::Options};
use super::deadline::Deadline;
use super::key_pair::Key;
use super::network::Network;
use super::profile::Profile;
use super::run_spot;
use super::security_group::Groups;

/// What the earlier steps found and made.
pub struct Wanted<'a> {
    /// Source image.
    pub image: &'a Image,
    /// Network.
    pub network: &'a Network,
    /// Key.
    pub key: &'a Key,
    /// Security groups.
    pub groups: &'a Groups,
    /// Instance profile.
    pub profile: Profile,
    /// Tags.
    pub tags: &'a BuildTags,
    /// When the instance ends itself.
    pub deadline: Option<Deadline>,
}

/// An instance that runs.
pub struct Running {
    /// As EC2 described it.
    pub instance: Instance,
    /// The claim on it.
    pub claim: ClaimId,
}

/// The name of the step, which `-debug` tells.
pub fn step(bake: &Bake<'_>) -> &'static str {
    if bake.source.options.is_spot() { "StepRunSpotInstance" } else { "StepRunSourceInstance" }
}

/// Launches it and waits until it runs.
pub async fn launch(bake: &Bake<'_>, wanted: &Wanted<'_>) -> Result<Running, Cause> {
    let events = &bake.cx.events;
    let (claim, id) = match bake.past.instance() {
        Some(made) => made,
        None => request(bake, wanted).await?,
    };
    events.say(format!("Instance ID: {id}"));
    if bake.past.is_provisioned() {
        return Ok(Running { instance: instance::look(&bake.ec2, &id).await?, claim });
    }
    if bake.past.instance().is_some() {
        wake(bake, &id).await?;
    }
    events.say(format!("Waiting for instance ({id}) to become ready..."));
    let tell = |state: &str| bake.cx.waiting(step(bake), &format!("instance {state}"), None);
    Ok(Running { instance: instance::wait(&bake.ec2, &id, "running", bake.patience(), tell).await?, claim })
}

/// Somebody may have stopped the machine before the run was resumed. What was done to it is still on its disk.
async fn wake(bake: &Bake<'_>, id: &str) -> Result<(), Cause> {
    let instance = instance::look(&bake.ec2, id).await?;
    if !["stopping", "stopped"].contains(&instance.state.as_str()) {
        return Ok(());
    }
    bake.cx.events.say(format!("The instance {id} is stopped: it is started"));
    instance::wait(&bake.ec2, id, "stopped", bake.patience(), |_| ()).await?;
    Ok(instance::start(&bake.ec2, id).await?)
}

async fn request(bake: &Bake<'_>, wanted: &Wanted<'_>) -> Result<(ClaimId, String), Cause> {
    let spec = spec(bake, wanted)?;
    if bake.source.options.is_spot() {
        return run_spot::request(bake, spec, wanted.tags).await;
    }
    bake.cx.events.say("Launching a source AWS instance...");
    if spec.awaits_profile {
        bake.cx.events.say("Waiting for the change to propagate because of eventual consistency...");
    }
    let mut intent = bake.intent(release::INSTANCE, Keep::Never, "");
    intent.token = spec.token.clone();
    let call = async { launch::launch(&bake.ec2, &spec).await.map(|id| (id.clone(), id)) };
    Ok(bake.cx.journal.acquire(intent, call).await?)
}

fn spec(bake: &Bake<'_>, wanted: &Wanted<'_>) -> Result<Launch, Cause> {
    let options = &bake.source.options;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let placement = options.placement.clone().unwrap_or_default();
    Ok(Launch {
        token: bake.token("RunInstances"),
        image: wanted.image.id.clone(),
        instance_type: options.instance_type.clone().unwrap_or_default(),
        key: wanted.key.name.clone(),
        groups: wanted.groups.ids.clone(),
        subnet: wanted.network.subnet.clone(),
        zone: wanted.network.zone.clone(),
        tenancy: given(&placement.tenancy).or_else(|| given(&options.tenancy)),
        host: given(&placement.host_id),
        host_group: given(&placement.host_resource_group_arn),
        capacity: Some(capacity::of(options)),
        licenses: capacity::licenses(options),
        enclave: options.enable_nitro_enclave,
        public_ip: options.associate_public_ip_address,
        profile: wanted.profile.name.clone(),
        awaits_profile: wanted.profile.is_young,
        user_data: user_data(options)?.or_else(|| wanted.deadline?.user_data(wanted.image)),
        ebs_optimized: options.ebs_optimized.then_some(true),
        cpu_credits: credits(options),
        shutdown: given(&options.shutdown_behavior).filter(|_| !options.is_spot()).or_else(|| end_of_power(options)),
        metadata: metadata(options),
        devices: devices::launch(options),
        tags: wanted.tags.run.clone(),
        volume_tags: wanted.tags.volumes.clone(),
    })
}

/// A machine that powers itself off is gone, so that a deadline ends the bill. Where the template's own power-off is the stop, it must not be.
fn end_of_power(options: &Options) -> Option<String> {
    (options.is_spot() || !options.disable_stop_instance).then(|| "terminate".to_owned())
}

fn credits(options: &Options) -> Option<String> {
    let unlimited = options.enable_unlimited_credits || options.enable_t2_unlimited;
    unlimited.then(|| "unlimited".to_owned())
}

fn metadata(options: &Options) -> Metadata {
    let Some(given) = &options.metadata_options else { return Metadata::default() };
    Metadata {
        endpoint: given.http_endpoint.clone(),
        tokens: given.http_tokens.clone(),
        hop_limit: given.http_put_response_hop_limit.filter(|limit| *limit > 0),
        tags: given.instance_metadata_tags.clone(),
    }
}

/// The template's user data in base64, unless it is that already.
fn user_data(options: &Options) -> Result<Option<String>, Cause> {
    let bytes = match (&options.user_data, &options.user_data_file) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(file)) if !file.is_empty() => {
            std::fs::read(file).map_err(|e| super::Refused(format!("{file}: {e}")))?
        }
        _ => return Ok(None),
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some(if is_encoded(&bytes) {
        String::from_utf8_lossy(&bytes).trim().to_owned()
    } else {
        STANDARD.encode(bytes)
    }))
}

/// Whether a text is base64 of something that cloud-init would take. Packer takes every text that decodes, so that `test` would reach the guest as garbage.
fn is_encoded(bytes: &[u8]) -> bool {
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let known: [&[u8]; 7] =
        [b"#", b"Content-Type", b"MIME-Version", b"\x1f\x8b", b"<powershell>", b"<script>", b"## template"];
    STANDARD.decode(text).is_ok_and(|decoded| known.iter().any(|start| decoded.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_is_encoded_once() {
        let encoded = |text: &str| {
            let options = Options { user_data: Some(text.into()), ..Options::default() };
            user_data(&options).unwrap()
        };
        assert_eq!(encoded("test").as_deref(), Some("dGVzdA=="));
        assert_eq!(encoded("#!/bin/sh\n").as_deref(), Some("IyEvYmluL3NoCg=="));
        assert_eq!(encoded("IyEvYmluL3NoCg==").as_deref(), Some("IyEvYmluL3NoCg=="));
        assert_eq!(encoded(""), None);
    }
}
