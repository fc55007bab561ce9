//! Logging in: every credential in its order, until the server is content.

use std::path::Path;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey};
use russh::{MethodKind, MethodSet};

use super::host_key::describe;
use super::options::{Auth, Endpoint};
use super::session::Client;

/// How a login failed.
#[derive(Debug)]
pub(super) enum LoginError {
    /// The server refused everything; the text says what.
    Refused(String),
    /// The connection ended first.
    Lost(String),
}

impl From<russh::Error> for LoginError {
    fn from(error: russh::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// One login under way.
struct Login<'a> {
    handle: &'a mut Handle<Client>,
    user: &'a str,
    /// What the server said it would still take; `None` before its first answer.
    accepts: Option<MethodSet>,
    /// What was refused so far, in words.
    refused: Vec<String>,
}

/// Offers the endpoint's credentials in their order.
pub(super) async fn log_in(handle: &mut Handle<Client>, endpoint: &Endpoint) -> Result<(), LoginError> {
    let mut login = Login { handle, user: &endpoint.user, accepts: None, refused: Vec::new() };
    for auth in &endpoint.auth {
        let done = match auth {
            Auth::Agent(socket) => login.with_agent(socket).await?,
            Auth::Key(key) => login.with_key(key.private()).await?,
            Auth::Certificate(key, certificate) => login.with_certificate(key.private(), certificate.inner()).await?,
            Auth::Password(password) => login.with_password(password.reveal()).await?,
        };
        if done {
            return Ok(());
        }
        if login.handle.is_closed() {
            break;
        }
    }
    Err(login.refusal())
}

impl Login<'_> {
    fn refusal(self) -> LoginError {
        if self.refused.is_empty() && self.handle.is_closed() {
            return LoginError::Lost("connection lost during the login".into());
        }
        let tried = if self.refused.is_empty() { "no credentials to offer".into() } else { self.refused.join(", ") };
        match self.accepts.filter(|methods| !methods.is_empty()) {
            Some(methods) => {
                let names: Vec<&str> = methods.iter().map(<&str>::from).collect();
                LoginError::Refused(format!("{tried} (the server takes {})", names.join(", ")))
            }
            None => LoginError::Refused(tried),
        }
    }

    /// Whether it is worth trying: a server that has said what it takes counts every other try as a failure.
    fn may_try(&mut self, method: MethodKind, what: &str) -> bool {
        let may = self.accepts.as_ref().is_none_or(|methods| methods.is_empty() || methods.contains(&method));
        if !may {
            self.refused.push(format!("{what} not offered"));
        }
        may
    }

    fn took(&mut self, result: AuthResult, what: impl FnOnce() -> String) -> bool {
        match result {
            AuthResult::Success => true,
            AuthResult::Failure { remaining_methods, partial_success } => {
                // Some servers answer a wrong credential by closing. It counts as a refusal: waiting on would never end.
                let fate = if partial_success {
                    "accepted as a first step"
                } else if remaining_methods.is_empty() && self.handle.is_closed() {
                    "answered by closing the connection"
                } else {
                    "refused"
                };
                self.refused.push(format!("{} {fate}", what()));
                self.accepts = Some(remaining_methods);
                false
            }
        }
    }

    async fn with_key(&mut self, key: std::sync::Arc<russh::keys::PrivateKey>) -> Result<bool, LoginError> {
        let public = key.public_key().clone();
        if !self.may_try(MethodKind::PublicKey, "key") {
            return Ok(false);
        }
        let hash = self.rsa_hash(&public).await?;
        let result = self.handle.authenticate_publickey(self.user, PrivateKeyWithHashAlg::new(key, hash)).await?;
        Ok(self.took(result, || format!("key {}", describe(&public))))
    }

    async fn with_certificate(
        &mut self,
        key: std::sync::Arc<russh::keys::PrivateKey>,
        certificate: &russh::keys::Certificate,
    ) -> Result<bool, LoginError> {
        if !self.may_try(MethodKind::PublicKey, "certificate") {
            return Ok(false);
        }
        let result = self.handle.authenticate_openssh_cert(self.user, key, certificate.clone()).await?;
        Ok(self.took(result, || format!("certificate `{}`", certificate.key_id())))
    }

    async fn with_agent(&mut self, socket: &Path) -> Result<bool, LoginError> {
        let asked = async {
            let mut agent = AgentClient::connect_uds(socket).await?;
            let identities = agent.request_identities().await?;
            Ok::<_, russh::keys::Error>((agent, identities))
        };
        let (mut agent, identities) = match asked.await {
            Ok(answer) => answer,
            Err(e) => {
                self.refused.push(format!("agent at {}: {e}", socket.display()));
                return Ok(false);
            }
        };
        if identities.is_empty() {
            self.refused.push("agent holds no keys".into());
        }
        for identity in identities {
            if !self.may_try(MethodKind::PublicKey, "agent key") || self.handle.is_closed() {
                return Ok(false);
            }
            if self.with_identity(&mut agent, identity).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn with_identity(
        &mut self,
        agent: &mut AgentClient<tokio::net::UnixStream>,
        identity: AgentIdentity,
    ) -> Result<bool, LoginError> {
        let (result, what) = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                let hash = self.rsa_hash(&key).await?;
                let what = format!("agent key {}", describe(&key));
                (self.handle.authenticate_publickey_with(self.user, key, hash, agent).await, what)
            }
            AgentIdentity::Certificate { certificate, .. } => {
                let hash = self.rsa_hash(&PublicKey::new(certificate.public_key().clone(), "")).await?;
                let what = format!("agent certificate `{}`", certificate.key_id());
                (self.handle.authenticate_certificate_with(self.user, certificate, hash, agent).await, what)
            }
        };
        match result {
            Ok(result) => Ok(self.took(result, || what)),
            Err(e) => {
                self.refused.push(format!("{what}: {e}"));
                Ok(false)
            }
        }
    }

    /// Servers that say nothing about RSA signatures get SHA-512: SHA-1 has been off everywhere since OpenSSH 8.8.
    async fn rsa_hash(&self, key: &PublicKey) -> Result<Option<HashAlg>, LoginError> {
        if !key.algorithm().is_rsa() {
            return Ok(None);
        }
        Ok(self.handle.best_supported_rsa_hash().await?.unwrap_or(Some(HashAlg::Sha512)))
    }

    async fn with_password(&mut self, password: &str) -> Result<bool, LoginError> {
        if self.may_try(MethodKind::Password, "password") {
            let result = self.handle.authenticate_password(self.user, password).await?;
            if self.took(result, || "password".into()) {
                return Ok(true);
            }
        }
        let interactive = self.accepts.as_ref().is_none_or(|m| m.contains(&MethodKind::KeyboardInteractive));
        if interactive && !self.handle.is_closed() { self.with_prompts(password).await } else { Ok(false) }
    }

    /// Keyboard-interactive: every prompt is answered with the password.
    async fn with_prompts(&mut self, password: &str) -> Result<bool, LoginError> {
        let mut answer = self.handle.authenticate_keyboard_interactive_start(self.user, None).await?;
        loop {
            match answer {
                KeyboardInteractiveAuthResponse::Success => return Ok(true),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                    let result = AuthResult::Failure { remaining_methods, partial_success };
                    return Ok(self.took(result, || "password by prompt".into()));
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    let answers = prompts.iter().map(|_| password.to_owned()).collect();
                    answer = self.handle.authenticate_keyboard_interactive_respond(answers).await?;
                }
            }
        }
    }
}
