//! How to talk to the machine, as templates give it (packer-core.md appendix B, packer-amazon.md section 5.1).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::communicator::ssh::Tunnel;
use crate::communicator::ssh::key::Keypair;
use crate::hcl::Value;
use crate::hcl::duration::GoDuration;

/// How to talk to the machine.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CommunicatorOptions {
    /// `ssh` (default) or `none`. The options of `winrm` are checked, but a build that needs it is refused.
    pub communicator: Option<String>,
    /// Pause after the first connection; then the connection is made again.
    pub pause_before_connecting: Option<GoDuration>,
    /// Host to connect to; found by the source when unset.
    pub ssh_host: Option<String>,
    /// Port; 22 when unset.
    pub ssh_port: Option<u16>,
    /// User. Required.
    pub ssh_username: Option<String>,
    /// Password.
    pub ssh_password: Option<String>,
    /// Private key file; `~` is your home.
    pub ssh_private_key_file: Option<String>,
    /// Certificate of that key.
    pub ssh_certificate_file: Option<String>,
    /// Uses the keys of your SSH agent.
    pub ssh_agent_auth: bool,
    /// Name of an existing key pair of the account.
    pub ssh_keypair_name: Option<String>,
    /// Name of the temporary key pair.
    pub temporary_key_pair_name: Option<String>,
    /// Type of the temporary key pair: `ed25519` (default) or `rsa`, for guests that know no other.
    pub temporary_key_pair_type: Option<String>,
    /// Gives commands a terminal.
    pub ssh_pty: bool,
    /// How long to try to connect; 5 minutes when neither this nor `ssh_handshake_attempts` is set.
    pub ssh_timeout: Option<GoDuration>,
    /// Older name of `ssh_timeout`; wins over it.
    pub ssh_wait_timeout: Option<GoDuration>,
    /// How many refused log-ins end the attempt; 10 when neither this nor `ssh_timeout` is set.
    pub ssh_handshake_attempts: Option<u32>,
    /// Interval of keep-alive messages; 5 s when unset, a negative one switches them off.
    pub ssh_keep_alive_interval: Option<GoDuration>,
    /// Ends a connection that is silent for so long; never when unset.
    pub ssh_read_write_timeout: Option<GoDuration>,
    /// Ciphers to offer.
    pub ssh_ciphers: Vec<String>,
    /// Key exchange algorithms to offer.
    pub ssh_key_exchange_algorithms: Vec<String>,
    /// `scp` or `sftp`; Kiln's own streams when unset.
    pub ssh_file_transfer_method: Option<String>,
    /// Host through which to connect.
    pub ssh_bastion_host: Option<String>,
    /// Its port; 22 when unset.
    pub ssh_bastion_port: Option<u16>,
    /// User there.
    pub ssh_bastion_username: Option<String>,
    /// Password there.
    pub ssh_bastion_password: Option<String>,
    /// Private key file for it; the machine's own when unset.
    pub ssh_bastion_private_key_file: Option<String>,
    /// Certificate of that key.
    pub ssh_bastion_certificate_file: Option<String>,
    /// Uses your SSH agent for it.
    pub ssh_bastion_agent_auth: bool,
    /// Lets processes on the machine use your SSH agent. Packer does so unless told otherwise; Kiln only when asked with `false`.
    pub ssh_disable_agent_forwarding: Option<bool>,
    /// Tunnels from ports here to hosts that the machine reaches: `LISTENPORT:HOST:PORT`.
    pub ssh_local_tunnels: Vec<String>,
    /// Tunnels from ports of the machine to hosts that we reach: `LISTENPORT:HOST:PORT`.
    pub ssh_remote_tunnels: Vec<String>,
    /// SOCKS5 proxy host.
    pub ssh_proxy_host: Option<String>,
    /// Its port; 1080 when unset.
    pub ssh_proxy_port: Option<u16>,
    /// User there.
    pub ssh_proxy_username: Option<String>,
    /// Password there.
    pub ssh_proxy_password: Option<String>,

    /// User. Required for `winrm`.
    pub winrm_username: Option<String>,
    /// Password.
    pub winrm_password: Option<String>,
    /// Host to connect to; found by the source when unset.
    pub winrm_host: Option<String>,
    /// Port; 5985, or 5986 with TLS, when unset.
    pub winrm_port: Option<u16>,
    /// How long to try to connect; 30 minutes when unset.
    pub winrm_timeout: Option<GoDuration>,
    /// Connects with TLS.
    pub winrm_use_ssl: bool,
    /// Does not check the certificate.
    pub winrm_insecure: bool,
    /// Logs in with NTLM instead of basic authentication.
    pub winrm_use_ntlm: bool,
    /// Does not use a proxy from the environment.
    pub winrm_no_proxy: bool,
}

/// Time to connect when neither time nor attempts are given.
pub const SSH_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Log-ins to try when neither time nor attempts are given.
pub const SSH_ATTEMPTS: u32 = 10;

impl CommunicatorOptions {
    /// True for `communicator = "none"`.
    pub fn is_none(&self) -> bool {
        self.communicator.as_deref() == Some("none")
    }

    /// True for `communicator = "winrm"`.
    pub fn is_winrm(&self) -> bool {
        self.communicator.as_deref() == Some("winrm")
    }

    /// The host that the template names.
    pub fn host(&self) -> &str {
        let host = if self.is_winrm() { &self.winrm_host } else { &self.ssh_host };
        host.as_deref().unwrap_or_default()
    }

    /// The password that the template gives.
    pub fn password(&self) -> &str {
        let password = if self.is_winrm() { &self.winrm_password } else { &self.ssh_password };
        password.as_deref().unwrap_or_default()
    }

    /// Why Kiln cannot connect in the way that the template asks for.
    pub fn refusal(&self) -> Option<String> {
        let kind = self.communicator.as_deref().filter(|kind| !["", "ssh", "none"].contains(kind))?;
        Some(format!(
            "Kiln cannot connect by `communicator = \"{kind}\"`: it speaks SSH (Windows has an OpenSSH server since 2019; start it in user_data and use communicator = \"ssh\")"
        ))
    }

    /// Texts to mask in output.
    pub fn secrets(&self) -> Vec<String> {
        let passwords =
            [&self.ssh_password, &self.ssh_bastion_password, &self.ssh_proxy_password, &self.winrm_password];
        passwords.into_iter().flatten().cloned().collect()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.ssh_port.filter(|port| *port != 0).unwrap_or(22)
    }

    /// Time and attempts. Setting one of them alone makes the other unlimited, as templates rely on.
    pub fn patience(&self) -> (Option<Duration>, Option<u32>) {
        let given = |time: Option<GoDuration>| time.map(Duration::from).filter(|time| !time.is_zero());
        let timeout = given(self.ssh_wait_timeout).or(given(self.ssh_timeout));
        let attempts = self.ssh_handshake_attempts.filter(|n| *n > 0);
        match (timeout, attempts) {
            (None, None) => (Some(SSH_TIMEOUT), Some(SSH_ATTEMPTS)),
            given => given,
        }
    }

    /// What is wrong, one text each. Everything here can be found without a network.
    pub fn problems(&self) -> Vec<String> {
        match self.communicator.as_deref().unwrap_or_default() {
            "" | "ssh" => self.ssh_problems(),
            "none" | "docker" | "dockerWindowsContainer" => Vec::new(),
            "winrm" if self.winrm_username.as_deref().unwrap_or_default().is_empty() => {
                vec!["winrm_username must be specified.".to_owned()]
            }
            "winrm" => Vec::new(),
            other => vec![format!("Communicator type {other} is invalid")],
        }
    }

    fn ssh_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.ssh_username.as_deref().unwrap_or_default().is_empty() {
            let note = "Note: some builders used to default ssh_username to \"root\".";
            problems.push(format!("An ssh_username must be specified\n  {note}"));
        }
        problems.extend(self.ssh_private_key_file.as_deref().and_then(key_problem));
        if self.ssh_certificate_file.is_some() && self.ssh_private_key_file.is_none() {
            problems.push("ssh_private_key_file must be specified if ssh_certificate_file is specified".to_owned());
        }
        if let Some(method) = self.ssh_file_transfer_method.as_deref().filter(|m| !["scp", "sftp"].contains(m)) {
            problems.push(format!("ssh_file_transfer_method ('{method}') is invalid, valid methods: sftp, scp"));
        }
        for (option, tunnels) in
            [("ssh_local_tunnels", &self.ssh_local_tunnels), ("ssh_remote_tunnels", &self.ssh_remote_tunnels)]
        {
            let bad = tunnels.iter().filter_map(|text| Some((text, text.parse::<Tunnel>().err()?)));
            problems.extend(bad.map(|(text, error)| format!("{option} ('{text}') is invalid: {error}")));
        }
        if self.ssh_bastion_host.is_some() && self.ssh_proxy_host.is_some() {
            problems.push("please specify either ssh_bastion_host or ssh_proxy_host, not both".to_owned());
        }
        let credentials = self.ssh_bastion_password.is_some()
            || self.ssh_bastion_private_key_file.is_some()
            || self.ssh_private_key_file.is_some()
            || self.ssh_bastion_agent_auth;
        if self.ssh_bastion_host.is_some() && !credentials {
            let names = "ssh_bastion_password, ssh_bastion_private_key_file or ssh_bastion_agent_auth";
            problems.push(format!("{names} must be specified"));
        }
        problems
    }
}

fn key_problem(path: &str) -> Option<String> {
    let error = Keypair::read(&home_path(path)).err()?;
    Some(format!("ssh_private_key_file is invalid: {}", crate::engine::chain(&error)))
}

/// The path with a leading `~/` made the home directory.
pub fn home_path(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => Path::new(path).to_owned(),
    }
}

/// What builds know of their connection, over what they know already (packer-core.md section 2.12).
pub fn values(options: &CommunicatorOptions, host: &str, known: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let text = |text: &Option<String>| Value::string(text.as_deref().unwrap_or_default());
    let mut values = known;
    values.extend([
        ("Host".to_owned(), Value::string(host)),
        ("Port".to_owned(), Value::number(i64::from(options.port()))),
        ("User".to_owned(), text(&options.ssh_username)),
        ("Password".to_owned(), text(&options.ssh_password)),
        ("ConnType".to_owned(), Value::string("ssh")),
        ("WinRMPassword".to_owned(), Value::string("")),
    ]);
    values
}
