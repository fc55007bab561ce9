//! Against a real OpenSSH server on loopback; skipped with a printed reason where sshd is missing.

mod logins;
mod server;
mod transfers;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use self::server::{Seen, Server, run};
use super::host_key::describe;
use super::key::Keypair;
use super::{Auth, Endpoint, HostKeyPolicy, Options, Proxy, Pty, Route, Tunnel, connect};
use crate::communicator::{Communicator, Error, Exit};

/// What a test may wait for something that takes milliseconds: only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tries until true. The condition is another process's doing, so that nothing but looking can tell.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn a_closed_port_is_waited_for() {
    let Some(mut server) = Server::prepare() else { return };
    let seen = Seen::default();
    let events = seen.events();
    let options = server.options();
    let connecting = tokio::spawn(async move { connect(options, &events).await.map(drop) });
    eventually("three probes", || seen.waiting().len() >= 3).await;
    assert!(seen.waiting().iter().all(|state| state == "connection refused"), "{:?}", seen.waiting());
    server.run();
    connecting.await.unwrap().unwrap();
    let warnings = seen.warnings();
    assert_eq!(warnings.len(), 1);
    let start = format!("host key of 127.0.0.1:{} is trusted on first use: ssh-ed25519 SHA256:", server.port);
    assert!(warnings[0].starts_with(&start), "{warnings:?}");
}

#[tokio::test]
async fn the_last_cause_is_in_the_error() {
    let Some(server) = Server::prepare() else { return };
    let options = Options { timeout: Some(Duration::from_millis(300)), ..server.options() };
    let error = connect(options, &Seen::default().events()).await.err().unwrap().to_string();
    let (user, port) = (server.endpoint().user, server.port);
    assert!(error.starts_with(&format!("connect to 127.0.0.1:{port}: as `{user}`: not available after")), "{error}");
    assert!(error.ends_with("last: connection refused"), "{error}");
}

#[tokio::test]
async fn a_wrong_key_is_named() {
    let Some(server) = Server::start() else { return };
    let wrong = Keypair::generate("wrong").unwrap();
    let endpoint = Endpoint { auth: vec![Auth::Key(wrong.clone())], ..server.endpoint() };
    let options = Options { target: endpoint, handshake_attempts: Some(2), ..server.options() };
    let error = connect(options, &Seen::default().events()).await.err().unwrap().to_string();
    let (user, port, key) = (server.endpoint().user, server.port, wrong.fingerprint());
    let expected = format!(
        "authenticate as `{user}` at 127.0.0.1:{port}: key ssh-ed25519 {key} refused (the server takes publickey) (2 attempts)"
    );
    assert_eq!(error, expected);
}

#[tokio::test]
async fn the_second_credential_is_tried() {
    let Some(server) = Server::start() else { return };
    let auth = vec![
        Auth::Agent("/does/not/exist".into()),
        Auth::Key(Keypair::generate("wrong").unwrap()),
        Auth::Key(server.key.clone()),
    ];
    let options = Options { target: Endpoint { auth, ..server.endpoint() }, ..server.options() };
    server.connect_with(options).await;
}

#[tokio::test]
async fn only_the_pinned_host_key_will_do() {
    let Some(mut server) = Server::prepare() else { return };
    let (right, wrong) = (server.new_host_key(), Keypair::generate("x").unwrap().public_key().clone());
    server.run();
    let with = |keys| {
        let target = Endpoint { host_key: HostKeyPolicy::Pinned(keys), ..server.endpoint() };
        Options { target, ..server.options() }
    };
    let seen = Seen::default();
    let ssh = connect(with(vec![wrong.clone(), right.clone()]), &seen.events()).await.unwrap();
    assert_eq!(ssh.host_key().await.unwrap().key_data(), right.key_data());
    assert!(seen.warnings().is_empty());
    let error = connect(with(vec![wrong.clone()]), &seen.events()).await.err().unwrap();
    let expected = format!(
        "host key of 127.0.0.1:{} changed: expected {}, got {}",
        server.port,
        describe(&wrong),
        describe(&right)
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_changed_host_key_is_refused_on_reconnect() {
    let Some(mut server) = Server::start() else { return };
    let ssh = server.connect().await;
    server.stop();
    server.new_host_key();
    server.run();
    let error = run(&ssh, "true").await.unwrap_err();
    assert!(matches!(error, Error::HostKey { .. }), "{error}");
}

#[tokio::test]
async fn commands_report_their_end() {
    let Some(server) = Server::start() else { return };
    let ssh = server.connect().await;
    for (command, exit) in [
        ("true", 0),
        ("exit 7", 7),
        ("kill -9 $$", 128 + 9),
        ("kill -TERM $$", 128 + 15),
        ("kill -USR2 $$", 128 + 12),
        ("nonsense", 127),
    ] {
        assert_eq!(run(&ssh, command).await.unwrap().0, Exit::Status(exit), "{command}");
    }
    let (exit, stdout, stderr) = run(&ssh, "cat; echo out; echo err >&2; exit 3").await.unwrap();
    assert_eq!((exit, &*stdout), (Exit::Status(3), "out\n"));
    // What the user's own profile writes comes before it.
    assert!(stderr.ends_with("err\n"), "{stderr}");
}

#[tokio::test]
async fn a_terminal_only_when_asked_for() {
    let Some(server) = Server::start() else { return };
    let command = "test -t 1 && stty -a | head -n 1; echo x >&2";
    let (_, stdout, stderr) = run(&server.connect().await, command).await.unwrap();
    assert_eq!((&*stdout, &*stderr), ("", "x\n"));
    let ssh = server.connect_with(Options { pty: Pty::On, ..server.options() }).await;
    let (_, stdout, stderr) = run(&ssh, command).await.unwrap();
    assert!(stdout.contains("rows 40; columns 80") && stdout.ends_with("x\r\n"), "{stdout}");
    assert_eq!(stderr, "");
}

#[tokio::test]
async fn big_output_arrives_whole_while_other_commands_run() {
    let Some(server) = Server::start() else { return };
    let ssh = server.connect().await;
    let big = run(
        &ssh,
        "i=0; while [ $i -lt 200 ]; do head -c 100000 /dev/zero | tr '\\0' x; i=$((i+1)); done; echo end >&2",
    );
    let small = run(&ssh, "echo small");
    let (big, small) = tokio::join!(big, small);
    let (exit, stdout, stderr) = big.unwrap();
    assert_eq!((exit, stdout.len(), &*stderr), (Exit::Status(0), 20_000_000, "end\n"));
    assert_eq!(small.unwrap().1, "small\n");
}

#[tokio::test]
async fn a_killed_session_is_a_disconnect_and_the_next_call_reconnects() {
    let Some(server) = Server::start() else { return };
    let ssh = server.connect().await;
    let mark = server.path("started");
    let command = format!("echo on; touch {}; sleep 60", mark.display());
    let killing = async {
        eventually("the command runs", || mark.exists()).await;
        server.kill_sessions();
    };
    let (ended, ()) = tokio::join!(run(&ssh, &command), killing);
    let (exit, stdout, _) = ended.unwrap();
    assert_eq!((exit, &*stdout), (Exit::Disconnected, "on\n"));
    assert_eq!(run(&ssh, "echo back").await.unwrap().1, "back\n");
}

#[tokio::test]
async fn a_restarted_server_is_found_again() {
    let Some(mut server) = Server::start() else { return };
    let ssh = server.connect().await;
    server.stop();
    let (again, ()) = tokio::join!(run(&ssh, "echo back"), async { server.run() });
    assert_eq!(again.unwrap().1, "back\n");
    ssh.disconnect().await;
    assert_eq!(run(&ssh, "echo again").await.unwrap().1, "again\n");
}

/// The process ids that a test's command wrote, once it has.
async fn pids(file: &std::path::Path) -> Vec<String> {
    let read = || std::fs::read_to_string(file).unwrap_or_default();
    eventually("the command wrote its process ids", || read().lines().count() == 2).await;
    read().lines().map(str::to_owned).collect()
}

fn gone(pid: &str) -> bool {
    // A zombie has no command line; its reaping is another's business.
    std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().is_empty()
}

#[tokio::test]
async fn a_dropped_command_ends_on_the_machine() {
    let Some(server) = Server::start() else { return };
    for pty in [Pty::Off, Pty::On] {
        let ssh = server.connect_with(Options { pty, ..server.options() }).await;
        let file = server.path(&format!("pids-{pty:?}"));
        let command = format!("sleep 300 & echo $! > {0}; echo $$ >> {0}; wait", file.display());
        let pids = tokio::select! {
            ended = run(&ssh, &command) => panic!("it ended: {ended:?}"),
            pids = pids(&file) => pids,
        };
        eventually("both processes are gone", || pids.iter().all(|pid| gone(pid))).await;
        assert_eq!(run(&ssh, "echo still here").await.unwrap().1.trim(), "still here");
    }
}

#[tokio::test]
async fn a_bastion_leads_to_the_machine() {
    let (Some(bastion), Some(server)) = (Server::start(), Server::start()) else { return };
    let options = Options { route: Route::Bastion(bastion.endpoint()), ..server.options() };
    let ssh = server.connect_with(options).await;
    let client = run(&ssh, "echo $SSH_CLIENT").await.unwrap().1;
    assert!(client.starts_with("127.0.0.1 "), "{client}");
    bastion.kill_sessions();
    eventually_back(&ssh).await;
    let refused = Endpoint { auth: vec![Auth::Key(Keypair::generate("x").unwrap())], ..bastion.endpoint() };
    let options = Options { route: Route::Bastion(refused), ..server.options() };
    let error = connect(options, &Seen::default().events()).await.err().unwrap().to_string();
    assert!(error.contains(&format!("bastion 127.0.0.1:{} refused", bastion.port)), "{error}");
}

async fn eventually_back(ssh: &super::Ssh) {
    assert_eq!(run(ssh, "echo back").await.unwrap().1, "back\n");
}

#[tokio::test]
async fn a_socks5_proxy_leads_to_the_machine() {
    let Some(server) = Server::start() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = server.port;
    // The shortest proxy there is: no login, any address is the server.
    let proxy = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.read_exact(&mut [0; 3]).await.unwrap();
        client.write_all(&[5, 0]).await.unwrap();
        client.read_exact(&mut [0; 10]).await.unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let mut to = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut to).await;
    });
    let route = Route::Socks5(Proxy { host: "127.0.0.1".into(), port, login: None });
    let ssh = server.connect_with(Options { route, ..server.options() }).await;
    assert_eq!(run(&ssh, "echo through").await.unwrap().1, "through\n");
    drop(ssh);
    proxy.abort();
}

/// A service that answers everything with what it got, in capitals.
async fn shouter() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut text = String::new();
            socket.read_to_string(&mut text).await.unwrap();
            socket.write_all(text.to_uppercase().as_bytes()).await.unwrap();
        }
    });
    port
}

async fn shout_at(port: u16) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    socket.write_all(b"hello").await.unwrap();
    // The answer comes only after our half is closed: half-closed connections must work.
    socket.shutdown().await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn tunnels_lead_both_ways_and_survive_a_reconnect() {
    let Some(server) = Server::start() else { return };
    let service = shouter().await;
    let tunnel = |listen| Tunnel { listen, host: "127.0.0.1".into(), port: service };
    let (here, there) = (free_port(), free_port());
    let options =
        Options { local_tunnels: vec![tunnel(here)], remote_tunnels: vec![tunnel(there)], ..server.options() };
    let ssh = server.connect_with(options).await;
    for _ in 0..2 {
        assert_eq!(shout_at(here).await, "HELLO");
        assert_eq!(shout_at(there).await, "HELLO");
        ssh.disconnect().await;
        eventually("the machine's port is free", || std::net::TcpListener::bind(("127.0.0.1", there)).is_ok()).await;
        assert_eq!(run(&ssh, "echo back").await.unwrap().1, "back\n");
    }
    drop(ssh);
    eventually("the local port is closed", || std::net::TcpStream::connect(("127.0.0.1", here)).is_err()).await;
}
