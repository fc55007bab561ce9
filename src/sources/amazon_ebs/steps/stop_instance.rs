//! The stop, so that the image is of a file system at rest.

use crate::aws::instance::{self, Instance};
use crate::engine::Cause;
use crate::engine::ledger::ClaimId;

use super::super::bake::Bake;
use super::run_instance::Running;

/// An instance that is stopped, or of which EC2 takes the image with a reboot.
pub struct Stopped {
    /// As EC2 described it.
    pub instance: Instance,
    /// The claim on it.
    pub claim: ClaimId,
}

/// Stops it, and changes what EC2 lets be changed only then. EC2 refuses to stop a spot instance of this kind: it goes on, and the image's own call
/// reboots it.
pub async fn stop(bake: &Bake<'_>, running: &Running) -> Result<Stopped, Cause> {
    let (events, id, options) = (&bake.cx.events, &running.instance.id, &bake.source.options);
    if options.is_spot() {
        return Ok(Stopped { instance: running.instance.clone(), claim: running.claim });
    }
    if options.disable_stop_instance {
        events.say("Automatic instance stop disabled. Please stop instance manually.");
    } else {
        events.say("Stopping the source instance...");
        events.say("Stopping instance");
        instance::stop(&bake.ec2, id).await?;
    }
    events.say("Waiting for the instance to stop...");
    let tell = |state: &str| bake.cx.waiting("StepStopEBSBackedInstance", &format!("instance {state}"), None);
    let instance = instance::wait(&bake.ec2, id, "stopped", bake.patience(), tell).await?;
    if options.sriov_support {
        events.say("Enabling Enhanced Networking (SR-IOV)...");
        instance::set_sriov(&bake.ec2, id).await?;
    }
    if let Some(on) = options.ena_support {
        events.say(format!("{} Enhanced Networking (ENA)...", if on { "Enabling" } else { "Disabling" }));
        instance::set_ena(&bake.ec2, id, on).await?;
    }
    Ok(Stopped { instance, claim: running.claim })
}
