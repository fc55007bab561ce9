//! Provisioning, at whose end the machine's deadline is taken off.

use std::collections::BTreeMap;

use crate::aws::image::Image;
use crate::engine::Cause;
use crate::hcl::Value;
use crate::sources::Hook;
use crate::sources::options::communicator;

use super::super::bake::Bake;
use super::super::tags::source_values;
use super::connect::Session;
use super::deadline::Deadline;
use super::inquest::Machine;
use super::key_pair::Key;
use super::run_instance::Running;

/// What provisioners and post-processors can name as `build.NAME`.
pub fn values(bake: &Bake<'_>, image: &Image, instance: &str, host: &str, key: &Key) -> BTreeMap<String, Value> {
    let mut values = source_values(&bake.ec2.region, image);
    values.insert("ID".into(), Value::string(instance));
    values.insert("PackerRunUUID".into(), Value::string(&*bake.cx.run));
    if !bake.source.communicator.is_none() {
        values = communicator::values(&bake.source.communicator, host, values);
        let public = key.pair.as_ref().and_then(|pair| pair.public_line().ok()).unwrap_or_default();
        values.insert("SSHPublicKey".into(), Value::string(public));
        let private = key.pair.as_ref().and_then(|pair| pair.to_openssh().ok());
        let private = private.map(|text| text.reveal().clone()).unwrap_or_default();
        values.insert("SSHPrivateKey".into(), Value::string(private).sensitive());
    }
    values
}

/// Runs the provisioners, and takes the deadline off after them.
pub async fn run(
    bake: &Bake<'_>,
    hook: &dyn Hook,
    (running, session): (&Running, &Session),
    values: &BTreeMap<String, Value>,
    deadline: Option<Deadline>,
) -> Result<(), Cause> {
    let communicator = session.communicator.as_ref();
    let machine = Machine { bake, id: &running.instance.id, communicator, deadline };
    let result = tokio::select! {
        biased;
        result = hook.provision(communicator, values, Some(&machine)) => result,
        why = machine.death() => Err(why),
    };
    if let (Ok(()), Some(deadline)) = (&result, deadline) {
        deadline.take_off(bake, communicator).await;
    }
    result
}
