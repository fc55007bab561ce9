//! Carries out what the state orders for the machines of this server, and writes back what became of it.
//!
//! The API only writes orders into the state; so another process can stop or terminate an instance that runs here, and what was asked first
//! is done first. A terminate overtakes a launch, start, stop or reboot, but never a capture: an image must get its content.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use super::api::World;
use super::guest_metadata::launch_spec;
use super::machine::{LayerSet, MachineError, MachineEvent, MachineEventKind};
use super::results::Results;
use super::state::{Change, Instance, InstanceState, Moment, OnShutdown, Order, Reason, Region, Scope, Work};
use super::timing::Transition;

/// How often the documents' generations are looked at for changes by other processes, while instances live here. Reading one costs microseconds.
const LOOK: Duration = Duration::from_millis(200);

/// What a task is doing for one instance.
struct Busy {
    order: Order,
    task: JoinHandle<()>,
}

/// The conductor's own memory: nothing that the state does not say.
pub struct Conductor {
    world: Arc<World>,
    results: Results,
    busy: HashMap<String, Busy>,
    seen: HashMap<Scope, u64>,
    has_instances: bool,
}

impl Conductor {
    /// A conductor for the machines of this world.
    pub fn new(world: Arc<World>) -> Self {
        let results = Results::new(Arc::clone(&world));
        Self { world, results, busy: HashMap::new(), seen: HashMap::new(), has_instances: false }
    }

    /// Works until `stop` turns true; then ends every machine of this server.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut events = self.world.machines.watch();
        loop {
            self.look().await;
            let world = Arc::clone(&self.world);
            let look_again = async {
                if self.has_instances {
                    // Another process announces its changes in no other way.
                    tokio::time::sleep(LOOK).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = world.bell.notified() => {}
                () = look_again => {}
                event = events.recv() => match event {
                    Ok(event) => self.on_event(&event),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    // No more events will come, so wait for something else: a closed channel is always ready.
                    Err(broadcast::error::RecvError::Closed) => events = broadcast::channel(1).0.subscribe(),
                },
                _ = async { drop(stop.wait_for(|stop| *stop).await) } => break,
            }
        }
        self.end_all().await;
    }

    async fn look(&mut self) {
        self.busy.retain(|_, busy| !busy.task.is_finished());
        let Ok(scopes) = self.world.store.scopes() else { return };
        let mut mine = 0;
        for scope in scopes.into_iter().filter(|scope| scope.region != "global") {
            let generation = self.world.store.generation(&scope).unwrap_or(0);
            let Ok(region) = self.world.store.read(&scope, Moment::now()) else { continue };
            mine += region.instances.values().filter(|i| self.is_mine(i) && i.is_live()).count();
            let is_news = self.seen.insert(scope.clone(), generation) != Some(generation);
            let waiting: Vec<&Instance> =
                region.instances.values().filter(|i| self.is_mine(i) && !i.orders.is_empty()).collect();
            if is_news || !waiting.is_empty() {
                for instance in waiting {
                    self.next_order(&scope, &region, instance).await;
                }
            }
        }
        self.has_instances = mine > 0;
    }

    fn is_mine(&self, instance: &Instance) -> bool {
        instance.runner == self.world.me
    }

    async fn next_order(&mut self, scope: &Scope, region: &Region, instance: &Instance) {
        let is_ending = instance.orders.iter().any(|order| order.work == Work::Terminate);
        let is_moot = |work: &Work| is_ending && !matches!(work, Work::Capture { .. } | Work::Terminate);
        if let Some(busy) = self.busy.get_mut(&instance.id) {
            if !is_moot(&busy.order.work) {
                return;
            }
            // The future may be dropped at any point; wait until it is, so that calls for one machine never overlap.
            busy.task.abort();
            let _ = (&mut busy.task).await;
            self.busy.remove(&instance.id);
        }
        let Some(order) = instance.orders.iter().find(|order| !is_moot(&order.work)).cloned() else { return };
        let task = Task {
            world: Arc::clone(&self.world),
            results: self.results.clone(),
            scope: scope.clone(),
            id: instance.id.clone(),
            order: order.clone(),
            parked: instance.parked.then(|| region.disk_of(instance).layers.clone()),
        };
        // One that another server let go of has no machine yet.
        let needs_machine = order.work == Work::Launch || order.work == Work::Start && instance.parked;
        let spec = needs_machine.then(|| launch_spec(region, instance));
        let task = tokio::spawn(async move { task.carry_out(spec).await });
        self.busy.insert(instance.id.clone(), Busy { order, task });
    }

    /// A guest did something by itself.
    fn on_event(&self, event: &MachineEvent) {
        let now = Moment::now();
        for scope in self.world.store.scopes().unwrap_or_default() {
            let _ = self.world.store.update::<(), std::io::Error>(&scope, now, |region| {
                let Some(instance) = region.instances.get_mut(&event.id).filter(|i| self.is_mine(i)) else {
                    return Ok(());
                };
                if matches!(instance.state, InstanceState::Running | InstanceState::Pending) {
                    self.react(instance, &event.kind, now);
                    if instance.state == InstanceState::ShuttingDown {
                        region.order_end(&event.id);
                    }
                }
                Ok(())
            });
        }
    }

    fn react(&self, instance: &mut Instance, kind: &MachineEventKind, now: Moment) {
        let due = now.plus(self.world.timing.draw(Transition::PowerOff));
        match (kind, instance.on_shutdown) {
            (MachineEventKind::PoweredOff, OnShutdown::Stop) => {
                instance.begin(InstanceState::Stopping, Change::timed(InstanceState::Stopped, due), now);
            }
            (MachineEventKind::PoweredOff, OnShutdown::Terminate) | (MachineEventKind::Died(_), _) => {
                instance.begin(InstanceState::ShuttingDown, Change::working(InstanceState::Terminated, due), now);
            }
        }
        let (code, text) = match kind {
            MachineEventKind::PoweredOff => {
                ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown".to_owned())
            }
            MachineEventKind::Died(reason) => ("Server.InternalError", reason.clone()),
        };
        let message = format!("{code}: {text}");
        instance.reason = Some(Reason::new(code, &message));
        instance.transition_reason = message;
    }

    /// Machines do not outlive the server that runs them. Of those that are stopped the disks are kept, and the next server takes them over.
    async fn end_all(&mut self) {
        for (_, busy) in self.busy.drain() {
            busy.task.abort();
            let _ = busy.task.await;
        }
        for scope in self.world.store.scopes().unwrap_or_default() {
            let Ok(region) = self.world.store.read(&scope, Moment::now()) else { continue };
            let mut kept = Vec::new();
            for instance in region.instances.values().filter(|i| self.is_mine(i) && i.is_live()) {
                if instance.parked {
                    kept.push((instance.id.clone(), None));
                } else if instance.is_down()
                    && let Ok(layers) = self.world.machines.snapshot(&instance.id).await
                {
                    kept.push((instance.id.clone(), Some(layers)));
                }
                // There is nobody left to tell; the machine half sweeps at its next start what it could not end.
                let _ = self.world.machines.terminate(&instance.id).await;
            }
            let _ = self.world.store.update::<(), std::io::Error>(&scope, Moment::now(), |region| {
                for (id, layers) in kept {
                    if region.instances.get(&id).is_some_and(Instance::is_down) {
                        region.park(&id, layers);
                    }
                }
                self.mark_ended(region);
                Ok(())
            });
        }
    }

    fn mark_ended(&self, region: &mut Region) {
        let ids: Vec<String> =
            region.instances.values().filter(|i| self.is_mine(i) && i.is_live()).map(|i| i.id.clone()).collect();
        for id in ids {
            let reason =
                Reason::new("Server.InternalError", "Server.InternalError: the server that ran it was shut down");
            region.end_instance(&id, Moment::now(), Some(reason));
        }
        for snapshot in region.snapshots.values_mut().filter(|snapshot| snapshot.writer == Some(self.world.me)) {
            snapshot.fail("the server that was writing it was shut down");
        }
    }
}

/// One order on its way.
struct Task {
    world: Arc<World>,
    results: Results,
    scope: Scope,
    id: String,
    order: Order,
    /// The disk of an instance without a machine.
    parked: Option<LayerSet>,
}

impl Task {
    async fn carry_out(self, spec: Option<super::machine::LaunchSpec>) {
        let machines = &self.world.machines;
        let id = self.id.as_str();
        match &self.order.work {
            Work::Launch | Work::Start => {
                let result = match spec {
                    Some(spec) => machines.launch(spec).await.map(drop),
                    None => machines.start(id).await,
                };
                self.reached(InstanceState::Running, result).await;
            }
            Work::Stop => self.reached(InstanceState::Stopped, machines.stop(id).await).await,
            Work::Reboot => {
                let result = machines.reboot(id).await;
                self.reached(InstanceState::Running, result).await;
            }
            Work::Terminate => {
                // Whatever came of it, the instance is over for the API.
                let _ = machines.terminate(id).await;
                self.reached(InstanceState::Terminated, Ok(())).await;
            }
            Work::Capture { into, restart } => {
                let result = self.capture(*restart).await;
                self.captured(into.clone(), result).await;
            }
        }
        self.world.bell.notify_one();
    }

    /// A running instance is shut down, captured and booted again; its state stays `running` all the while, as on EC2.
    async fn capture(&self, restart: bool) -> Result<LayerSet, MachineError> {
        if let Some(layers) = &self.parked {
            return Ok(layers.clone());
        }
        let machines = &self.world.machines;
        if !restart {
            return machines.snapshot(&self.id).await;
        }
        machines.stop(&self.id).await?;
        let layers = machines.snapshot(&self.id).await;
        machines.start(&self.id).await?;
        layers
    }

    async fn captured(&self, into: Vec<String>, result: Result<LayerSet, MachineError>) {
        let change = move |region: &mut Region| {
            for id in &into {
                if let (Some(volume), Ok(layers)) = (region.volumes.get_mut(id), &result) {
                    volume.content.layers = layers.clone();
                }
                let Some(snapshot) = region.snapshots.get_mut(id) else { continue };
                match &result {
                    Err(error) => snapshot.fail(&error.to_string()),
                    Ok(layers) => {
                        snapshot.content.layers = layers.clone();
                        snapshot.writer = None;
                        if let Some(change) = &mut snapshot.change {
                            change.waits = false;
                        }
                    }
                }
            }
        };
        self.finish(change).await;
    }

    /// The machine is where the order wanted it; a machine that could not get there is a machine lost.
    async fn reached(&self, state: InstanceState, result: Result<(), MachineError>) {
        if result.is_err() {
            let _ = self.world.machines.terminate(&self.id).await;
        }
        let id = self.id.clone();
        let change = move |region: &mut Region| {
            if let Err(error) = &result {
                let reason = Reason::new("Server.InternalError", &format!("Server.InternalError: {error}"));
                region.end_instance(&id, Moment::now(), Some(reason));
                return;
            }
            let Some(instance) = region.instances.get_mut(&id) else { return };
            // From now on the machine has the disk.
            instance.parked &= state != InstanceState::Running;
            if let Some(change) = instance.change.as_mut().filter(|change| change.to == state) {
                change.waits = false;
            }
        };
        self.finish(change).await;
    }

    async fn finish(&self, change: impl FnOnce(&mut Region) + Send + 'static) {
        let (id, number) = (self.id.clone(), self.order.number);
        // A terminate makes everything before it moot.
        let is_last = self.order.work == Work::Terminate;
        let write = move |region: &mut Region| {
            if let Some(instance) = region.instances.get_mut(&id) {
                instance.orders.retain(|order| if is_last { order.number > number } else { order.number != number });
            }
            change(region);
        };
        self.results.write(&self.scope, write).await;
    }
}
