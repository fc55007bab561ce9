//! How time, and the end of a process, move a region on.

use std::collections::HashMap;
use std::time::Duration;

use super::{
    Change, ImageState, Instance, InstanceState, Moment, Process, Protection, Reason, Region, SnapshotState, SpotState,
    VolumeState, status_of_end,
};

/// How long a terminated instance stays listed: about an hour on EC2.
const TERMINATED_IS_LISTED: Duration = Duration::from_secs(3600);
/// How long a client token is remembered: EC2 promises 24 hours.
const TOKEN_LIFE: Duration = Duration::from_secs(48 * 3600);

impl Region {
    /// Applies everything that is due at `now`. Pure but for looking whether the processes that run instances are alive.
    pub fn settle(&mut self, now: Moment) {
        self.settle_orphans(now);
        self.settle_doomed(now);
        self.settle_instances(now);
        self.settle_spot_requests(now);
        self.settle_volumes(now);
        self.settle_snapshots(now);
        self.settle_images(now);
        self.instances.retain(|_, i| i.is_live() || i.since.plus(TERMINATED_IS_LISTED) > now);
        self.tokens.retain(|_, token| token.used.plus(TOKEN_LIFE) > now);
        self.sessions.retain(|_, session| session.expires.plus(TOKEN_LIFE) > now);
    }

    /// Instances of a process that has ended are gone with it, unless they are at rest, and what it was writing never gets written.
    fn settle_orphans(&mut self, now: Moment) {
        // Few processes run many instances, and asking for one costs a system call.
        let mut known: HashMap<Process, bool> = HashMap::new();
        let mut is_alive = |process: Process| *known.entry(process).or_insert_with(|| process.is_alive());
        let mut is_orphan = |i: &Instance| i.is_live() && !i.is_at_rest() && !is_alive(i.runner);
        let orphans: Vec<String> = self.instances.values().filter(|i| is_orphan(i)).map(|i| i.id.clone()).collect();
        for id in orphans {
            let reason = Reason::new("Server.InternalError", "Server.InternalError: the process that ran it has ended");
            self.end_instance(&id, now, Some(reason));
        }
        for snapshot in self.snapshots.values_mut() {
            if snapshot.writer.is_some_and(|writer| !is_alive(writer)) {
                snapshot.fail("the process that was writing it has ended");
            }
        }
    }

    /// Begins the end of instances whose end was fixed at launch.
    fn settle_doomed(&mut self, now: Moment) {
        let is_due = |i: &&Instance| !i.state.is_ending() && i.doom.as_ref().is_some_and(|doom| doom.at <= now);
        let due: Vec<String> = self.instances.values().filter(is_due).map(|i| i.id.clone()).collect();
        for id in due {
            let Some(instance) = self.instances.get_mut(&id) else { continue };
            let Some(doom) = instance.doom.take() else { continue };
            instance.begin(InstanceState::ShuttingDown, Change::working(InstanceState::Terminated, doom.at), doom.at);
            instance.transition_reason.clone_from(&doom.reason.message);
            instance.reason = Some(doom.reason);
            self.order_end(&id);
        }
    }

    /// A request ends with its instance.
    fn settle_spot_requests(&mut self, now: Moment) {
        for request in
            self.spot_requests.values_mut().filter(|r| matches!(r.state, SpotState::Active | SpotState::Cancelled))
        {
            let instance = self.instances.get(&request.instance_id).filter(|i| !i.state.is_ending());
            let is_told =
                request.state == SpotState::Cancelled && request.status != "request-canceled-and-instance-running";
            if instance.is_some() || is_told {
                continue;
            }
            let ended = self.instances.get(&request.instance_id);
            let code = ended.and_then(|i| i.reason.as_ref()).map(|reason| reason.code.as_str()).unwrap_or_default();
            let (status, message) = status_of_end(code);
            let state = if request.state == SpotState::Active { SpotState::Closed } else { SpotState::Cancelled };
            request.enter(state, status, message, now);
        }
        // Like terminated instances, old requests are listed for a while.
        self.spot_requests.retain(|_, r| {
            matches!(r.state, SpotState::Active | SpotState::Open) || r.updated.plus(TERMINATED_IS_LISTED) > now
        });
    }

    fn settle_instances(&mut self, now: Moment) {
        let due = |i: &&Instance| i.change.as_ref().is_some_and(|change| change.is_due(now));
        let ready: Vec<String> = self.instances.values().filter(due).map(|i| i.id.clone()).collect();
        for id in ready {
            let Some(instance) = self.instances.get_mut(&id) else { continue };
            let Some(change) = instance.change.take() else { continue };
            if change.to == InstanceState::Terminated {
                self.end_instance(&id, change.at, change.reason);
                continue;
            }
            instance.state = change.to;
            instance.since = change.at;
            if change.to == InstanceState::Running {
                instance.reason = None;
                instance.transition_reason.clear();
            }
        }
    }

    /// Makes an instance `terminated`: volumes go or become available, orders are void.
    pub fn end_instance(&mut self, id: &str, at: Moment, reason: Option<Reason>) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.state = InstanceState::Terminated;
        instance.since = at;
        instance.change = None;
        instance.orders.clear();
        if reason.is_some() {
            instance.reason = reason;
        }
        self.volumes.retain(|_, volume| {
            !volume.attachment.as_ref().is_some_and(|hook| hook.instance_id == id && hook.delete_on_termination)
        });
        for volume in self.volumes.values_mut() {
            if volume.attachment.as_ref().is_some_and(|hook| hook.instance_id == id) {
                volume.attachment = None;
            }
        }
    }

    fn settle_volumes(&mut self, now: Moment) {
        for volume in self.volumes.values_mut() {
            if let Some(change) = volume.change.take_if(|change| change.is_due(now)) {
                volume.state = change.to;
            }
        }
        for volume in self.volumes.values_mut() {
            volume.attachment.take_if(|hook| hook.detached_at.is_some_and(|at| at <= now));
        }
        // A volume that is being deleted goes when its change is due, which leaves it without one.
        self.volumes.retain(|_, volume| volume.state != VolumeState::Deleting || volume.change.is_some());
    }

    fn settle_snapshots(&mut self, now: Moment) {
        for snapshot in self.snapshots.values_mut() {
            if let Some(change) = snapshot.change.take_if(|change| change.is_due(now)) {
                snapshot.state = change.to;
                match change.to {
                    SnapshotState::Completed => snapshot.completed = Some(change.at),
                    _ => snapshot.message = change.reason.map(|reason| reason.message).unwrap_or_default(),
                }
            }
        }
        self.snapshots.retain(|_, snapshot| !(snapshot.doomed && snapshot.state != SnapshotState::Pending));
    }

    fn settle_images(&mut self, now: Moment) {
        for image in self.images.values_mut() {
            if let Protection::CoolingUntil(end) = image.protection
                && end <= now
            {
                image.protection = Protection::Off;
            }
            let Some(change) = image.change.as_ref() else { continue };
            let states: Vec<(SnapshotState, String)> = image
                .snapshot_ids()
                .filter_map(|id| self.snapshots.get(id))
                .map(|snapshot| (snapshot.state, snapshot.message.clone()))
                .collect();
            if let Some((_, message)) = states.iter().find(|(state, _)| *state == SnapshotState::Error) {
                image.reason = Some(Reason::new("Client.InternalError", message));
                image.state = ImageState::Failed;
                image.change = None;
            } else if change.to == ImageState::Failed && change.is_due(now) {
                image.reason.clone_from(&change.reason);
                image.state = ImageState::Failed;
                image.change = None;
            } else if change.is_due(now) && states.iter().all(|(state, _)| *state == SnapshotState::Completed) {
                image.state = change.to;
                image.change = None;
            }
        }
    }
}

impl super::Snapshot {
    /// Puts it into `error`.
    pub fn fail(&mut self, message: &str) {
        self.state = SnapshotState::Error;
        self.message = message.to_owned();
        self.change = None;
        self.writer = None;
    }
}
