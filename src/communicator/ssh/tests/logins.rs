//! Every kind of credential.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey};
use russh::server::{self, Auth as Answer, Response};
use russh::{MethodKind, MethodSet};
use tokio::net::TcpListener;

use super::server::{Seen, Server, run};
use crate::communicator::ssh::key::{Certificate, Keypair};
use crate::communicator::ssh::{AgentForwarding, Auth, Endpoint, HostKeyPolicy, Options, connect};
use crate::secret::Secret;

fn keygen(server: &Server, name: &str, arguments: &[&str]) -> PathBuf {
    let path = server.path(name);
    let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-f"]).arg(&path).args(arguments).status().unwrap();
    assert!(made.success());
    path
}

async fn log_in_with(server: &Server, auth: Auth) -> Result<(), crate::communicator::Error> {
    let target = Endpoint { auth: vec![auth], ..server.endpoint() };
    connect(Options { target, ..server.options() }, &Seen::default().events()).await.map(drop)
}

#[tokio::test]
async fn rsa_and_ecdsa_keys_log_in() {
    let Some(server) = Server::start() else { return };
    for (name, arguments) in [("rsa", ["-t", "rsa", "-b", "2048"]), ("ecdsa", ["-t", "ecdsa", "-b", "256"])] {
        let path = keygen(&server, name, &arguments);
        fs::copy(path.with_extension("pub"), server.path("authorized_keys")).unwrap();
        log_in_with(&server, Auth::Key(Keypair::read(&path).unwrap())).await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_logs_in_where_its_key_does_not() {
    let Some(mut server) = Server::prepare() else { return };
    let (ca, user) = (keygen(&server, "ca", &["-t", "ed25519"]), keygen(&server, "user", &["-t", "ed25519"]));
    server.extra = format!("TrustedUserCAKeys {}\n", ca.with_extension("pub").display());
    server.run();
    let principal = server.endpoint().user;
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-q", "-I", "me", "-n", &principal, "-s"]).arg(&ca).arg(user.with_extension("pub"));
    assert!(sign.status().unwrap().success());
    let (key, certificate) = (Keypair::read(&user).unwrap(), Certificate::read(&server.path("user-cert.pub")).unwrap());
    certificate.check(&key, std::time::SystemTime::now()).unwrap();
    log_in_with(&server, Auth::Certificate(key.clone(), certificate)).await.unwrap();
    log_in_with(&server, Auth::Key(key)).await.unwrap_err();
}

/// An agent that holds one key; ended when dropped.
struct Agent(Child, PathBuf);

impl Agent {
    async fn start(server: &Server, key: &std::path::Path) -> Option<Self> {
        let socket = server.path("agent");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null());
        let Ok(child) = command.spawn() else {
            eprintln!("skipped: no ssh-agent");
            return None;
        };
        let agent = Self(child, socket);
        super::eventually("the agent listens", || agent.1.exists()).await;
        let mut add = Command::new("ssh-add");
        assert!(add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &agent.1).status().unwrap().success());
        Some(agent)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_agent_logs_in_and_is_forwarded_only_when_asked_for() {
    let Some(server) = Server::start() else { return };
    let key = keygen(&server, "agent-key", &["-t", "ed25519"]);
    let Some(agent) = Agent::start(&server, &key).await else { return };
    fs::copy(key.with_extension("pub"), server.path("authorized_keys")).unwrap();
    let target = Endpoint { auth: vec![Auth::Agent(agent.1.clone())], ..server.endpoint() };
    for (agent_forwarding, listed) in [(AgentForwarding::Off, false), (AgentForwarding::Socket(agent.1.clone()), true)]
    {
        let ssh = server.connect_with(Options { target: target.clone(), agent_forwarding, ..server.options() }).await;
        let (_, stdout, _) = run(&ssh, "ssh-add -l").await.unwrap();
        let fingerprint = Keypair::read(&key).unwrap().fingerprint();
        assert_eq!(stdout.contains(&fingerprint), listed, "{stdout}");
    }
}

/// A server that knows one password, and how it wants to hear it. (sshd would need the system's own passwords.)
#[derive(Clone)]
struct Doorman(MethodKind);

impl server::Handler for Doorman {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Answer, russh::Error> {
        let right = self.0 == MethodKind::Password && (user, password) == ("me", "pw");
        Ok(if right { Answer::Accept } else { Answer::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Answer, russh::Error> {
        let Some(response) = response else {
            let prompts = vec![("Password: ".into(), false), ("Again: ".into(), false)].into();
            return Ok(Answer::Partial { name: "".into(), instructions: "".into(), prompts });
        };
        let answers: Vec<_> = response.collect();
        let right = answers.len() == 2 && answers.iter().all(|answer| answer[..] == *b"pw");
        Ok(if right { Answer::Accept } else { Answer::reject() })
    }
}

async fn doorman(method: MethodKind) -> u16 {
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    let config = server::Config {
        keys: vec![key],
        methods: MethodSet::from(&[method][..]),
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        ..server::Config::default()
    };
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let served = server::run_stream(config.clone(), socket, Doorman(method)).await;
            tokio::spawn(async move { served?.await });
        }
    });
    port
}

#[tokio::test]
async fn a_password_is_given_in_the_way_the_server_wants() {
    for method in [MethodKind::Password, MethodKind::KeyboardInteractive] {
        let port = doorman(method).await;
        for (password, right) in [("pw", true), ("wrong", false)] {
            let auth = vec![Auth::Password(Secret::new(password.to_owned()))];
            let (host, user, host_key) = ("127.0.0.1".to_owned(), "me".to_owned(), HostKeyPolicy::FirstUse);
            let target = Endpoint { host, port, user, auth, host_key };
            let timeout = Some(Duration::from_secs(10));
            let options = Options { timeout, handshake_attempts: Some(1), ..Options::new(target) };
            let result = connect(options, &Seen::default().events()).await.map(drop);
            assert_eq!(result.is_ok(), right, "{method:?} {result:?}");
            if let Err(error) = result {
                let text = error.to_string();
                assert!(text.starts_with("authenticate as `me` at") && !text.contains("wrong"), "{text}");
            }
        }
    }
}
