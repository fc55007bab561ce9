//! How to talk to the machine, as templates give it (packer-core.md appendix B, packer-amazon.md section 5.1).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::communicator::ssh::Tunnel;
use crate::communicator::ssh::key::{KeyError, Keypair};
use crate::hcl::Value;
use crate::hcl::duration::GoDuration;

/// How to talk to the machine.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CommunicatorOptions {
    /// How to talk to the machine: `ssh`, or `none` for a machine that nothing is done to. The options of `winrm` are checked, but a build that needs
    /// it is refused. Default: `ssh`.
    pub communicator: Option<String>,
    /// Pause after the first connection; then the connection is made anew. For machines that reboot once on their own. Default: `0s`.
    pub pause_before_connecting: Option<GoDuration>,
    /// Host to connect to, a name or an address. Default: the address of the machine that the source made.
    pub ssh_host: Option<String>,
    /// Port to connect to. Default: 22.
    pub ssh_port: Option<u16>,
    /// User to log in as. Required.
    pub ssh_username: Option<String>,
    /// Password to log in with, when the machine takes passwords. Masked in output.
    pub ssh_password: Option<String>,
    /// Private key file to log in with, in OpenSSH or PEM form and without a passphrase; `~` is your home. Default: a temporary key where the source can make one.
    pub ssh_private_key_file: Option<String>,
    /// File of the certificate that belongs to `ssh_private_key_file`.
    pub ssh_certificate_file: Option<String>,
    /// Logs in with the keys of your SSH agent (`SSH_AUTH_SOCK`) instead of a key file. Default: `false`.
    pub ssh_agent_auth: bool,
    /// Name of an existing key pair of the account, instead of a temporary one; its private key comes from `ssh_private_key_file` or your agent.
    pub ssh_keypair_name: Option<String>,
    /// Name of the temporary key pair. Default: `packer_` and a random id.
    pub temporary_key_pair_name: Option<String>,
    /// Type of the temporary key pair: `ed25519`, or `rsa` for guests that know no other. Default: `ed25519`.
    pub temporary_key_pair_type: Option<String>,
    /// Size of the temporary key pair, in bits. It has no effect, as in Packer's Amazon sources: an `rsa` pair has 2048 bits, an `ed25519` one 256.
    pub temporary_key_pair_bits: Option<u32>,
    /// Text of a private key file, as a list of its bytes: one more key to log in with.
    pub ssh_private_key: Vec<u8>,
    /// Text of the public key that belongs to `ssh_private_key`, as a list of its bytes. It has no effect: the private key contains it.
    pub ssh_public_key: Vec<u8>,
    /// Removes the line of the temporary key from the `authorized_keys` of the login user and of root before the machine stops. Without effect where no
    /// temporary key was made, as with `null`. Default: `false`.
    pub ssh_clear_authorized_keys: bool,
    /// Gives commands a terminal (a PTY), which some `sudo` settings demand. Output and errors are one stream then. Default: `false`.
    pub ssh_pty: bool,
    /// How long to try to connect before the build fails. No limit when `ssh_handshake_attempts` alone is set. Default: `5m`.
    pub ssh_timeout: Option<GoDuration>,
    /// Older name of `ssh_timeout`; it wins when both are set.
    pub ssh_wait_timeout: Option<GoDuration>,
    /// How many refused log-ins end the attempt. No limit when `ssh_timeout` alone is set. Default: 10.
    pub ssh_handshake_attempts: Option<u32>,
    /// Interval of keep-alive messages; a negative one switches them off. Default: `5s`.
    pub ssh_keep_alive_interval: Option<GoDuration>,
    /// Ends a connection on which nothing arrives for so long. Default: never.
    pub ssh_read_write_timeout: Option<GoDuration>,
    /// Ciphers to offer, by their SSH names and in order of preference. Default: what is secure today.
    pub ssh_ciphers: Vec<String>,
    /// Key exchange algorithms to offer, by their SSH names and in order of preference. Default: what is secure today.
    pub ssh_key_exchange_algorithms: Vec<String>,
    /// How files are copied: `scp` or `sftp`. Default: one stream of Kiln's own, which is faster and checks what arrived.
    pub ssh_file_transfer_method: Option<String>,
    /// Host through which to connect (a jump host). Not together with `ssh_proxy_host`.
    pub ssh_bastion_host: Option<String>,
    /// Port of the bastion host. Default: 22.
    pub ssh_bastion_port: Option<u16>,
    /// User to log in as at the bastion host.
    pub ssh_bastion_username: Option<String>,
    /// Password to log in with at the bastion host. Masked in output.
    pub ssh_bastion_password: Option<String>,
    /// Private key file to log in with at the bastion host; `~` is your home. Default: `ssh_private_key_file`.
    pub ssh_bastion_private_key_file: Option<String>,
    /// File of the certificate that belongs to `ssh_bastion_private_key_file`.
    pub ssh_bastion_certificate_file: Option<String>,
    /// Logs in at the bastion host with the keys of your SSH agent. Default: `false`.
    pub ssh_bastion_agent_auth: bool,
    /// Asks for what the bastion host wants to know. Not supported yet: a build that needs it is refused. Default: `false`.
    pub ssh_bastion_interactive: bool,
    /// Whether processes on the machine are kept from using your SSH agent. Packer forwards the agent unless this is `true`; Kiln forwards it only if this is `false`. Default: `true`.
    pub ssh_disable_agent_forwarding: Option<bool>,
    /// Tunnels from ports here to hosts that the machine reaches, each `LISTENPORT:HOST:PORT`.
    pub ssh_local_tunnels: Vec<String>,
    /// Tunnels from ports of the machine to hosts that are reached from here, each `LISTENPORT:HOST:PORT`.
    pub ssh_remote_tunnels: Vec<String>,
    /// SOCKS5 proxy through which to connect. Not together with `ssh_bastion_host`.
    pub ssh_proxy_host: Option<String>,
    /// Port of the SOCKS5 proxy. Default: 1080.
    pub ssh_proxy_port: Option<u16>,
    /// User for the SOCKS5 proxy; none is sent when unset.
    pub ssh_proxy_username: Option<String>,
    /// Password for the SOCKS5 proxy. Masked in output.
    pub ssh_proxy_password: Option<String>,

    /// User to log in as with WinRM; required there.
    pub winrm_username: Option<String>,
    /// Password to log in with. Masked in output.
    pub winrm_password: Option<String>,
    /// Host to connect to with WinRM. Default: the address of the machine that the source made.
    pub winrm_host: Option<String>,
    /// Port of WinRM. Default: 5985, or 5986 with TLS.
    pub winrm_port: Option<u16>,
    /// How long to try to connect before the build fails. Default: `30m`.
    pub winrm_timeout: Option<GoDuration>,
    /// Connects with TLS. Default: `false`.
    pub winrm_use_ssl: bool,
    /// Does not check the certificate of the machine. Default: `false`.
    pub winrm_insecure: bool,
    /// Logs in with NTLM instead of basic authentication. Default: `false`.
    pub winrm_use_ntlm: bool,
    /// Does not use a proxy from the environment. Default: `false`.
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

    /// False for a communicator that there is not.
    pub fn is_known(&self) -> bool {
        let kind = self.communicator.as_deref().unwrap_or_default();
        ["", "ssh", "winrm", "none", "docker", "dockerWindowsContainer"].contains(&kind)
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
        if self.ssh_bastion_interactive && self.ssh_bastion_host.is_some() && !self.is_none() && !self.is_winrm() {
            let ways = "ssh_bastion_password, ssh_bastion_private_key_file or ssh_bastion_agent_auth";
            return Some(format!("ssh_bastion_interactive is not supported yet by this version of Kiln: use {ways}"));
        }
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

    /// The private key that the template gives as bytes.
    pub fn raw_key(&self) -> Option<Result<Keypair, KeyError>> {
        let text = String::from_utf8_lossy(&self.ssh_private_key);
        (!text.is_empty()).then(|| Keypair::parse(&text))
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
            other if !self.is_known() => vec![format!("Communicator type {other} is invalid")],
            "" | "ssh" => self.ssh_problems(),
            "winrm" if self.winrm_username.as_deref().unwrap_or_default().is_empty() => {
                vec!["winrm_username must be specified.".to_owned()]
            }
            _ => Vec::new(),
        }
    }

    fn ssh_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.ssh_username.as_deref().unwrap_or_default().is_empty() {
            let note = "Note: some builders used to default ssh_username to \"root\".";
            problems.push(format!("An ssh_username must be specified\n  {note}"));
        }
        problems.extend(self.ssh_private_key_file.as_deref().and_then(key_problem));
        let raw = self.raw_key().transpose().err();
        problems.extend(raw.map(|error| format!("ssh_private_key is invalid: {}", crate::engine::chain(&error))));
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
