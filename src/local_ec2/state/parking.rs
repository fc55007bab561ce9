//! Stopped instances outlive the server that ran them: their disk is kept as the content of their root volume, and the next server takes them over.

use super::{Content, Instance, InstanceState, Process, Region};
use crate::local_ec2::machine::LayerSet;

impl Instance {
    /// True when nothing of it runs and nothing more has to be done for that.
    pub fn is_down(&self) -> bool {
        match self.state {
            InstanceState::Stopped => true,
            InstanceState::Stopping => self.change.as_ref().is_some_and(|change| !change.waits),
            _ => false,
        }
    }

    /// True when the end of its runner takes nothing from it.
    pub fn is_at_rest(&self) -> bool {
        self.parked && self.is_down()
    }
}

impl Region {
    /// Lets go of a stopped instance whose runner ends. What it had still to do is void; `layers` are its disk, unless that was kept before.
    pub fn park(&mut self, id: &str, layers: Option<LayerSet>) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.parked = true;
        instance.runner = Process::NOBODY;
        instance.orders.clear();
        let root = instance.origin.root_device.clone();
        let hangs = |hook: &super::Attachment| hook.instance_id == id && hook.device == root;
        let volume = self.volumes.values_mut().find(|volume| volume.attachment.as_ref().is_some_and(hangs));
        if let (Some(volume), Some(layers)) = (volume, layers) {
            volume.content.layers = layers;
        }
    }

    /// Takes over what other servers let go of.
    pub fn adopt(&mut self, me: Process) {
        for instance in self.instances.values_mut().filter(|i| i.parked && i.runner != me && !i.runner.is_alive()) {
            instance.runner = me;
        }
    }

    /// What an instance boots from: its image, or its own disk once that was kept.
    pub fn disk_of<'a>(&'a self, instance: &'a Instance) -> &'a Content {
        let is_root = |hook: &super::Attachment| hook.device == instance.origin.root_device;
        let kept = || self.volumes_of(&instance.id).into_iter().find(|(_, hook)| is_root(hook));
        let kept = instance.parked.then(kept).flatten();
        kept.map_or(&instance.origin.content, |(volume, _)| &volume.content)
    }
}
