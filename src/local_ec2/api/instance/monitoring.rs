//! MonitorInstances, UnmonitorInstances, and GetPasswordData.

use crate::local_ec2::api::{Call, Kind};
use crate::local_ec2::wire::{Error, Xml};

/// MonitorInstances.
pub fn monitor(call: &Call<'_>) -> Result<Xml, Error> {
    set(call, true)
}

/// UnmonitorInstances.
pub fn unmonitor(call: &Call<'_>) -> Result<Xml, Error> {
    set(call, false)
}

fn set(call: &Call<'_>, on: bool) -> Result<Xml, Error> {
    let ids = call.params.list("InstanceId");
    if ids.is_empty() {
        return Err(Error::missing("InstanceId"));
    }
    call.update(|region| {
        Kind::Instance.check(&ids, |id| region.instances.contains_key(id))?;
        for id in &ids {
            if let Some(instance) = region.instances.get_mut(id) {
                instance.attributes.monitoring = on;
            }
        }
        Ok(())
    })?;
    let mut xml = Xml::new();
    xml.list("instancesSet", &ids, |xml, id| {
        xml.text("instanceId", id);
        xml.node("monitoring", |xml| {
            xml.text("state", if on { "pending" } else { "disabling" });
        });
    });
    Ok(xml)
}

/// GetPasswordData: empty, as always for instances that do not run Windows.
pub fn password_data(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("InstanceId")?;
    Kind::Instance.check(&[id.to_owned()], |id| call.read().is_ok_and(|region| region.instances.contains_key(id)))?;
    let mut xml = Xml::new();
    xml.text("instanceId", id).text("timestamp", call.now).text("passwordData", "");
    Ok(xml)
}
