//! The SSH communicator.
//!
//! One [`Ssh`] is the way to one machine. It holds at most one connection, makes a new one when a call finds the last one
//! lost, and opens one channel for each command and transfer.
//!
//! - [`options`] what a connection needs to know; [`key`] keys and certificates; [`host_key`] which host keys are right
//! - `link` the wait for a connection; `dial` the way to it; `session` one connection; `auth` its login; `tunnel` what else
//!   travels through it
//! - `command` one remote command; `reap` its end by force; `script` how command lines are written
//! - `transfer` files and directories, by three methods

mod algorithms;
mod auth;
mod command;
mod dial;
pub mod host_key;
pub mod key;
mod link;
pub mod options;
mod reap;
mod script;
mod session;
mod socks5;
mod transfer;
mod tunnel;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use self::link::Link;
use self::transfer::Content;
use self::tunnel::Listeners;
use super::{Communicator, Error, Exit, Output};
use crate::event::Events;

pub use self::host_key::HostKeyPolicy;
pub use self::options::{
    AgentForwarding, Auth, Compression, Endpoint, Method, NotATunnel, Options, Proxy, Pty, Route, Tunnel,
};

/// The way to one machine.
pub struct Ssh {
    link: Arc<Link>,
    _listeners: Listeners,
}

/// Waits until the machine can be logged in to.
///
/// Attempts are made from 50 ms to 1 s apart, each on one TCP connection that it keeps. Everything that a booting machine may
/// show is waited out until `options.timeout`; refused logins count towards `options.handshake_attempts` and are some
/// seconds apart. The error names the machine, the user and the last real cause. A wrong host key ends the wait at once.
/// Says what it waits for by `Waiting` events of the step `connect`, and warns when a host key is trusted on first use.
pub async fn connect(options: Options, events: &Events) -> Result<Ssh, Error> {
    let link = Arc::new(Link::new(options, events.clone())?);
    link.session().await?;
    let listeners = tunnel::listen(&link, &link.options.local_tunnels).await?;
    Ok(Ssh { link, _listeners: listeners })
}

impl Ssh {
    /// The host key that the machine proved to hold; makes a lost session anew to ask it.
    pub async fn host_key(&self) -> Result<key::PublicKey, Error> {
        Ok(self.link.session().await?.host_key.clone())
    }
}

#[async_trait]
impl Communicator for Ssh {
    async fn execute(&self, command: &str, output: &mut dyn Output) -> Result<Exit, Error> {
        command::execute(&self.link, command, output).await
    }

    async fn upload(&self, local: &Path, remote: &str, mode: u32) -> Result<(), Error> {
        transfer::upload(&self.link, Content::File(local.to_owned()), remote, mode).await
    }

    async fn upload_bytes(&self, bytes: &[u8], remote: &str, mode: u32) -> Result<(), Error> {
        transfer::upload(&self.link, Content::Bytes(bytes.to_vec()), remote, mode).await
    }

    async fn upload_dir(&self, local: &Path, remote: &str) -> Result<(), Error> {
        transfer::upload_dir(&self.link, local, remote).await
    }

    async fn download(&self, remote: &str, local: &Path) -> Result<(), Error> {
        transfer::download(&self.link, remote, local).await
    }

    async fn download_dir(&self, remote: &str, local: &Path) -> Result<(), Error> {
        transfer::download_dir(&self.link, remote, local).await
    }

    async fn is_dir(&self, remote: &str) -> Result<bool, Error> {
        transfer::is_dir(&self.link, remote).await
    }

    async fn disconnect(&self) {
        self.link.disconnect().await;
    }
}
