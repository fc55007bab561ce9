//! The session with the instance, and the check of its host key against what it wrote on its console.

use crate::aws::instance::{self, Instance};
use crate::communicator::Communicator;
use crate::communicator::none::NoCommunicator;
use crate::communicator::ssh::Ssh;
use crate::communicator::ssh::key::{PublicKey, parse_public_line};
use crate::engine::Cause;
use crate::sources::connect as sessions;

use super::super::bake::Bake;
use super::Refused;
use super::deadline::Deadline;
use super::key_pair::Key;
use super::run_instance::Running;

/// The session, and the host that it is with.
pub struct Session {
    /// How to talk to the machine.
    pub communicator: Box<dyn Communicator>,
    /// Its address; empty when nothing connects.
    pub host: String,
}

/// Connects, and sets the machine's deadline. A provisioner that reboots cannot end the setting halfway then.
pub async fn connect(
    bake: &Bake<'_>,
    running: &Running,
    key: &Key,
    deadline: Option<Deadline>,
) -> Result<Session, Cause> {
    let options = &bake.source.communicator;
    if options.is_none() {
        return Ok(Session { communicator: Box::new(NoCommunicator), host: String::new() });
    }
    let host = match options.ssh_host.clone().filter(|host| !host.is_empty()) {
        Some(host) => host,
        None => address(bake, running).await?,
    };
    // A machine that is gone answers no login: nobody waits for the end of `ssh_timeout` then.
    let ssh = tokio::select! {
        ssh = sessions::ssh(options, host.clone(), key.pair.clone(), &bake.cx.events) => ssh?,
        error = instance::end_of(&bake.ec2, &running.instance.id) => return Err(error.into()),
    };
    let set_deadline = async {
        if let Some(deadline) = deadline {
            deadline.set(&ssh).await;
        }
    };
    // Whoever may be in between learns nothing from a deadline.
    let (checked, ()) = tokio::join!(check_host_key(bake, running, &ssh), set_deadline);
    checked?;
    Ok(Session { communicator: Box::new(ssh), host })
}

/// The address that the template's interface names, or the public one, or the private one. A public address can come a moment after `running`.
async fn address(bake: &Bake<'_>, running: &Running) -> Result<String, Cause> {
    let interface = bake.source.options.ssh_interface.as_deref().unwrap_or_default();
    if let Some(address) = pick(interface, &running.instance) {
        return Ok(address);
    }
    let again = instance::wait(&bake.ec2, &running.instance.id, "running", bake.patience(), |_| ()).await?;
    let missing = || {
        let wanted = if interface.is_empty() { "public or private address" } else { interface };
        Refused(format!("instance {} has no {wanted} to connect to (see ssh_interface)", again.id))
    };
    Ok(pick(interface, &again).ok_or_else(missing)?)
}

fn pick(interface: &str, instance: &Instance) -> Option<String> {
    match interface {
        "public_ip" => instance.public_ip.clone(),
        "private_ip" => instance.private_ip.clone(),
        "public_dns" => instance.public_dns.clone(),
        "private_dns" => instance.private_dns.clone(),
        "ipv6" => instance.ipv6.clone(),
        _ => instance.public_ip.clone().or_else(|| instance.private_ip.clone()).or_else(|| instance.public_dns.clone()),
    }
}

/// A host key that differs from all that the console shows is somebody else's. A console that shows none (yet) proves nothing.
async fn check_host_key(bake: &Bake<'_>, running: &Running, ssh: &Ssh) -> Result<(), Cause> {
    // Looking must not fail a bake: the console is empty in the first minutes on some instance types.
    let Ok(Some(console)) = instance::console(&bake.ec2, &running.instance.id).await else { return Ok(()) };
    let shown = console_keys(&String::from_utf8_lossy(&console));
    let found = ssh.host_key().await?;
    let same_kind = |key: &&PublicKey| key.algorithm() == found.algorithm();
    if shown.iter().filter(same_kind).count() == 0 || shown.iter().any(|key| key.key_data() == found.key_data()) {
        return Ok(());
    }
    let id = &running.instance.id;
    Err(Refused(format!("the host key of {id} is not the one on its console: somebody may be in between")).into())
}

/// The keys between the markers that cloud-init (and the agent of local instances) writes.
fn console_keys(console: &str) -> Vec<PublicKey> {
    let begin = "-----BEGIN SSH HOST KEY KEYS-----";
    let Some((_, rest)) = console.rsplit_once(begin) else { return Vec::new() };
    let block = rest.split("-----END SSH HOST KEY KEYS-----").next().unwrap_or_default();
    block.lines().filter_map(|line| parse_public_line(line.trim()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_keys_are_read_from_the_console() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJjVsq0Eh8+2TjZ+nJ7Z1ZJXbX5rV7eF0mJqkqf5k2yX root@h";
        let console = format!("boot\n-----BEGIN SSH HOST KEY KEYS-----\n{key}\r\n-----END SSH HOST KEY KEYS-----\n");
        assert_eq!(console_keys(&console).len(), 1);
        assert!(console_keys("boot").is_empty());
    }

    #[test]
    fn the_template_chooses_the_interface() {
        let instance =
            Instance { public_ip: Some("1.1.1.1".into()), private_ip: Some("10.0.0.1".into()), ..Instance::default() };
        assert_eq!(pick("", &instance).as_deref(), Some("1.1.1.1"));
        assert_eq!(pick("private_ip", &instance).as_deref(), Some("10.0.0.1"));
        assert_eq!(pick("ipv6", &instance), None);
    }
}
