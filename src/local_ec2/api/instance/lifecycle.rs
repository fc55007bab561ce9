//! Stop, start, reboot, terminate, and what the console says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::view;
use crate::local_ec2::api::injected::no_capacity;
use crate::local_ec2::api::{Call, Kind, done};
use crate::local_ec2::state::{Change, Instance, InstanceState, Reason, Region, Work};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Xml};

/// StopInstances. One that hibernates stops like any other: what it had in memory is gone here.
pub fn stop(call: &Call<'_>) -> Result<Xml, Error> {
    let hibernates = call.params.flag("Hibernate")?.unwrap_or(false);
    for flag in ["Force", "SkipOsShutdown"] {
        call.params.flag(flag)?;
    }
    change_each(call, |region, id| {
        let is_one_time = is_one_time(region, id);
        let instance = get(region, id)?;
        match instance.state {
            InstanceState::Stopping | InstanceState::Stopped => return Ok(()),
            InstanceState::Running => {}
            _ => return Err(wrong_state(id, "stopped")),
        }
        if is_one_time {
            let text = format!(
                "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot Instance request."
            );
            return Err(Error::new("UnsupportedOperation", text));
        }
        if instance.attributes.no_stop {
            return Err(protected(id, "stopped", "disableApiStop"));
        }
        if hibernates && !instance.attributes.hibernation {
            let text = format!("The instance '{id}' was not launched with hibernation configured");
            return Err(Error::new("UnsupportedHibernationConfiguration", text));
        }
        let change = Change::working(InstanceState::Stopped, call.due(Transition::Stop));
        instance.begin(InstanceState::Stopping, change, call.now);
        user_initiated(call, instance);
        if hibernates {
            let code = "Client.UserInitiatedHibernate";
            instance.reason = Some(Reason::new(code, &format!("{code}: User initiated hibernate")));
        }
        instance.order(Work::Stop);
        Ok(())
    })
}

/// A spot instance whose request is not persistent ends when it stops, so it cannot be stopped.
fn is_one_time(region: &Region, id: &str) -> bool {
    let request = region.instances.get(id).and_then(|i| region.spot_requests.get(i.spot_request.as_ref()?));
    request.is_some_and(|request| request.kind == "one-time")
}

/// StartInstances.
pub fn start(call: &Call<'_>) -> Result<Xml, Error> {
    change_each(call, |region, id| {
        let instance = get(region, id)?;
        match instance.state {
            InstanceState::Running | InstanceState::Pending => return Ok(()),
            InstanceState::Stopped => {}
            _ => return Err(wrong_state(id, "started")),
        }
        if call.injected.is_scarce(&instance.instance_type, &instance.zone) {
            return Err(no_capacity(&instance.instance_type, &instance.zone, &[]));
        }
        let up = call.due(Transition::Run);
        instance.begin(InstanceState::Pending, Change::working(InstanceState::Running, up), call.now);
        instance.checks_ok_at = up.plus(call.world.timing.draw(Transition::Checks));
        instance.launched = call.now;
        instance.reason = Some(Reason::new("pending", "pending"));
        instance.transition_reason.clear();
        instance.order(Work::Start);
        Ok(())
    })
}

/// RebootInstances: the state stays `running`.
pub fn reboot(call: &Call<'_>) -> Result<Xml, Error> {
    change_each(call, |region, id| {
        let instance = get(region, id)?;
        if instance.state != InstanceState::Running {
            return Err(wrong_state(id, "rebooted"));
        }
        instance.order(Work::Reboot);
        Ok(())
    })?;
    Ok(done())
}

/// TerminateInstances: idempotent, all or nothing.
pub fn terminate(call: &Call<'_>) -> Result<Xml, Error> {
    for flag in ["Force", "SkipOsShutdown"] {
        call.params.flag(flag)?;
    }
    change_each(call, |region, id| end(call, region, id))
}

/// Begins the end of one instance.
pub fn end(call: &Call<'_>, region: &mut Region, id: &str) -> Result<(), Error> {
    let instance = get(region, id)?;
    if instance.state.is_ending() {
        return Ok(());
    }
    if instance.attributes.no_termination {
        return Err(protected(id, "terminated", "disableApiTermination"));
    }
    let has_machine = has_machine(instance);
    let due = call.due(Transition::Terminate);
    let change = Change { waits: has_machine, ..Change::timed(InstanceState::Terminated, due) };
    instance.begin(InstanceState::ShuttingDown, change, call.now);
    user_initiated(call, instance);
    if has_machine {
        region.order_end(id);
    }
    Ok(())
}

/// False for a launch that was doomed from the start (an injected fault): there is no machine to end.
fn has_machine(instance: &Instance) -> bool {
    !matches!(&instance.change, Some(change) if instance.state == InstanceState::Pending && change.to == InstanceState::Terminated)
}

fn user_initiated(call: &Call<'_>, instance: &mut Instance) {
    instance.reason =
        Some(Reason::new("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"));
    instance.transition_reason = format!("User initiated ({})", call.now.gmt());
}

fn get<'a>(region: &'a mut Region, id: &str) -> Result<&'a mut Instance, Error> {
    region.instances.get_mut(id).ok_or_else(|| Kind::Instance.not_found(&[id]))
}

fn wrong_state(id: &str, verb: &str) -> Error {
    Error::new("IncorrectInstanceState", format!("The instance '{id}' is not in a state from which it can be {verb}."))
}

fn protected(id: &str, verb: &str, attribute: &str) -> Error {
    let text =
        format!("The instance '{id}' may not be {verb}. Modify its '{attribute}' instance attribute and try again.");
    Error::new("OperationNotPermitted", text)
}

fn change_each(call: &Call<'_>, change: impl Fn(&mut Region, &str) -> Result<(), Error>) -> Result<Xml, Error> {
    let ids = call.params.list("InstanceId");
    if ids.is_empty() {
        return Err(Error::missing("InstanceId"));
    }
    let states = call.update(|region| {
        Kind::Instance.check(&ids, |id| region.instances.contains_key(id))?;
        let mut states = Vec::new();
        for id in &ids {
            let before = get(region, id)?.state;
            change(region, id)?;
            states.push((id.clone(), before, get(region, id)?.state));
        }
        Ok(states)
    })?;
    let mut xml = Xml::new();
    xml.list("instancesSet", states, |xml, (id, before, after)| {
        xml.text("instanceId", id);
        view::write_state(xml, "currentState", after);
        view::write_state(xml, "previousState", before);
    });
    Ok(xml)
}

/// GetConsoleOutput. It is live here, with and without `Latest`; another process's machines keep their consoles to themselves.
pub fn console_output(call: &Call<'_>) -> Result<Xml, Error> {
    let id = call.params.need("InstanceId")?;
    call.params.flag("Latest")?;
    Kind::Instance.check_shape(id)?;
    let region = call.read()?;
    let instance = region.instances.get(id).ok_or_else(|| Kind::Instance.not_found(&[id]))?;
    let is_mine = instance.runner == call.world.me;
    let output = if is_mine { call.world.machines.console(id) } else { Vec::new() };
    let mut xml = Xml::new();
    xml.text("instanceId", id).text("timestamp", call.now);
    xml.some("output", (!output.is_empty()).then(|| STANDARD.encode(output)));
    Ok(xml)
}
