//! The SSH server against the real OpenSSH client: a server in this process, for the user who runs the tests, with its files
//! in a temporary directory.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;

use super::paths::Paths;
use super::reexec::Reexec;
use super::start::for_tests::serve_ssh;

/// A running server and a key that opens it.
struct Server {
    dir: tempfile::TempDir,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// None when there is no OpenSSH client here.
    fn start() -> Option<Self> {
        if Command::new("ssh").arg("-V").output().is_err() {
            eprintln!("skipped: no ssh client");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        lay_out(dir.path());
        let (stop, stopping) = watch::channel(false);
        let (told, address) = std::sync::mpsc::channel();
        let paths = Paths::new(dir.path());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let unix = UnixListener::bind(paths.at("/agent.sock")).unwrap();
                let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(tcp.local_addr().unwrap()).unwrap();
                let reexec = Reexec { command: vec![kiln().unwrap_or_default().into()] };
                serve_ssh(paths, reexec, unix, tcp, stopping).await;
            });
        });
        Some(Self { dir, address: address.recv().unwrap(), stop, thread: Some(thread) })
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home/me")
    }

    /// The options of ssh, scp and sftp alike.
    fn options(&self) -> Vec<String> {
        let key = self.dir.path().join("key").display().to_string();
        let mut options = vec!["-F".into(), "none".into(), "-i".into(), key];
        let port = format!("Port={}", self.address.port());
        for option in [
            port.as_str(),
            "User=me",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ] {
            options.extend(["-o".into(), option.into()]);
        }
        options
    }

    fn ssh(&self, more: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        command.args(self.options()).args(more).stdin(Stdio::null()).env_remove("SSH_AUTH_SOCK");
        command
    }

    fn run(&self, line: &str) -> Output {
        self.ssh(&["127.0.0.1", line]).output().unwrap()
    }

    /// Runs an SFTP batch; none when the binary that serves it was not built.
    fn sftp(&self, batch: &str) -> Option<Output> {
        if kiln().is_none() {
            eprintln!("skipped: no kiln binary beside the tests");
            return None;
        }
        let file = self.dir.path().join("batch");
        fs::write(&file, batch).unwrap();
        let output = Command::new("sftp").args(self.options()).arg("-b").arg(&file).arg("127.0.0.1").output();
        Some(output.unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The binary that cargo built along with these tests.
fn kiln() -> Option<PathBuf> {
    let tests = std::env::current_exe().ok()?;
    Some(tests.parent()?.parent()?.join("kiln")).filter(|file| file.exists())
}

/// A root with one user, who is the one running the tests, and whose shell is the real bash.
fn lay_out(root: &Path) {
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    fs::create_dir_all(root.join("home/me/.ssh")).unwrap();
    fs::create_dir_all(root.join("etc")).unwrap();
    std::os::unix::fs::symlink("/bin", root.join("bin")).unwrap();
    fs::write(root.join("etc/passwd"), format!("me:x:{uid}:{gid}::/home/me:/bin/bash\n")).unwrap();
    fs::write(root.join("etc/group"), format!("me:x:{gid}:\n")).unwrap();
    fs::write(root.join("etc/environment"), "FROM_FILE=\"yes\"\n").unwrap();
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(root.join("key")).status();
    assert!(made.unwrap().success());
    fs::copy(root.join("key.pub"), root.join("home/me/.ssh/authorized_keys")).unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits for something that another process does, with a bound that only a failure reaches.
fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn commands_have_their_streams_status_and_environment() {
    let Some(server) = Server::start() else { return };
    let output = server.run("echo out; echo err >&2; exit 7");
    assert_eq!(
        (text(&output.stdout), text(&output.stderr), output.status.code()),
        ("out\n".into(), "err\n".into(), Some(7))
    );

    let mut command = server.ssh(&["-o", "SendEnv=LC_KILN", "-o", "SetEnv=OTHER=1", "127.0.0.1"]);
    command.arg("echo \"$USER $HOME $FROM_FILE $LC_KILN [$OTHER] $0\"; pwd; echo $SSH_CONNECTION | cut -d' ' -f1,3");
    let output = command.env("LC_KILN", "c").output().unwrap();
    let home = fs::canonicalize(server.home()).unwrap();
    assert_eq!(text(&output.stdout), format!("me /home/me yes c [] bash\n{}\n127.0.0.1 127.0.0.1\n", home.display()));
}

#[test]
fn a_signal_is_reported_as_one() {
    let Some(server) = Server::start() else { return };
    let output = server.ssh(&["-v", "-o", "LogLevel=DEBUG1", "127.0.0.1", "kill -TERM $$"]).output().unwrap();
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("rtype exit-signal"), "{}", text(&output.stderr));
}

#[test]
fn a_terminal_is_one() {
    let Some(server) = Server::start() else { return };
    let line = "tty; echo $TERM; [ \"$(tty)\" = \"$SSH_TTY\" ] && echo same; ps -o stat= -p $$";
    let output = server.ssh(&["-tt", "127.0.0.1", line]).env("TERM", "xterm-test").output().unwrap();
    let shown = text(&output.stdout);
    let lines: Vec<&str> = shown.split("\r\n").collect();
    assert!(lines[0].starts_with("/dev/pts/"), "{shown}");
    assert_eq!(lines[1..3], ["xterm-test", "same"]);
    // Session leader in the foreground of its terminal.
    assert!(lines[3].contains('s') && lines[3].contains('+'), "{shown}");
}

#[test]
fn a_shell_reads_its_commands_from_the_channel() {
    let Some(server) = Server::start() else { return };
    let mut shell = server.ssh(&["127.0.0.1"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(b"echo $0\nexit 3\n").unwrap();
    let output = shell.wait_with_output().unwrap();
    assert_eq!((text(&output.stdout).trim(), output.status.code()), ("-bash", Some(3)));
}

#[test]
fn bulk_data_arrives_whole_both_ways_and_through_an_echo() {
    let Some(server) = Server::start() else { return };
    let size: u64 = 100 << 20;
    let file = server.home().join("big");
    let pattern: Vec<u8> = (0..size).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, line) in [("in", "cat >big"), ("echo", "cat"), ("out", "cat big")] {
        let mut command = server.ssh(&["127.0.0.1", line]);
        if name != "out" {
            let source = server.dir.path().join("source");
            fs::write(&source, &pattern).unwrap();
            command.stdin(fs::File::open(source).unwrap());
        }
        let start = Instant::now();
        let output = command.output().unwrap();
        eprintln!("{name}: {:.0} MB/s", 104.8576 / start.elapsed().as_secs_f64());
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let arrived = if name == "in" { fs::read(&file).unwrap() } else { output.stdout };
        assert!(arrived == pattern, "{name}: {} bytes", arrived.len());
    }
}

#[test]
fn sessions_of_one_connection_run_side_by_side() {
    let Some(server) = Server::start() else { return };
    let control = format!("ControlPath={}", server.dir.path().join("control").display());
    let mut first = server
        .ssh(&["-o", "ControlMaster=yes", "-o", control.as_str(), "127.0.0.1", "echo up; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = String::new();
    BufReader::new(first.stdout.as_mut().unwrap()).read_line(&mut up).unwrap();
    // Each writes its own mark and waits for all of them: this ends only if all eight run at the same time.
    let line = |n: usize| format!("touch mark{n}; until [ $(ls mark* | wc -l) = 8 ]; do sleep 0.02; done; echo {n}");
    let sessions: Vec<_> = (0..8)
        .map(|n| server.ssh(&["-o", control.as_str(), "127.0.0.1", &line(n)]).stdout(Stdio::piped()).spawn().unwrap())
        .collect();
    for (n, session) in sessions.into_iter().enumerate() {
        assert_eq!(text(&session.wait_with_output().unwrap().stdout), format!("{n}\n"));
    }
    drop(first.stdin.take());
    first.wait().unwrap();
}

#[test]
fn only_the_right_key_opens_and_a_bound_key_runs_its_command_only() {
    let Some(server) = Server::start() else { return };
    let keys = server.home().join(".ssh/authorized_keys");
    let key = fs::read_to_string(&keys).unwrap();
    fs::write(&keys, format!("no-pty,command=\"echo \\\"bound\\\" to $SSH_ORIGINAL_COMMAND\" {key}")).unwrap();
    assert_eq!(text(&server.run("ls -l").stdout), "bound to ls -l\n");
    fs::write(&keys, "# nobody\n").unwrap();
    let output = server.run("true");
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("Permission denied (publickey)"), "{}", text(&output.stderr));
}

#[test]
fn what_a_client_leaves_running_is_hung_up_on() {
    let Some(server) = Server::start() else { return };
    // Without the redirection bash would report its hung-up `sleep` on the closed pipe, and die of that before the trap.
    let line = "exec 2>/dev/null; trap 'echo hup >mark; exit' HUP; echo ready; while :; do sleep 0.02; done";
    let mut client = server.ssh(&["127.0.0.1", line]).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(client.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    let mark = server.home().join("mark");
    eventually("the hang-up", || fs::read_to_string(&mark).is_ok_and(|text| text == "hup\n"));
}

#[test]
fn sessions_end_when_the_instance_stops() {
    let Some(mut server) = Server::start() else { return };
    let mut client = server.ssh(&["127.0.0.1", "echo ready; sleep 1000"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(client.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
    server.stop.send(true).unwrap();
    assert_eq!(client.wait().unwrap().code(), Some(255));
    server.thread.take().unwrap().join().unwrap();
}

#[test]
fn the_unix_socket_serves_the_same() {
    let Some(mut server) = Server::start() else { return };
    let socket = server.dir.path().join("agent.sock");
    let (told, address) = std::sync::mpsc::channel();
    // OpenSSH cannot connect to a unix socket itself: this carries one connection there.
    let proxy = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut unix = UnixStream::connect(socket).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut tcp, &mut unix).await;
        });
    });
    server.address = address.recv().unwrap();
    assert_eq!(text(&server.run("echo over unix").stdout), "over unix\n");
    proxy.join().unwrap();
}

#[test]
fn sftp_carries_trees_with_their_modes() {
    let Some(server) = Server::start() else { return };
    let local = server.dir.path().join("local");
    fs::create_dir_all(local.join("sub/empty")).unwrap();
    fs::write(local.join("sub/script"), vec![b'x'; 3 << 20]).unwrap();
    fs::set_permissions(local.join("sub/script"), fs::Permissions::from_mode(0o750)).unwrap();
    let batch = format!(
        "put -pR {0} there\nln -s there/sub link\nget -pR there {0}-back\nls -la link/\nmkdir d\nchmod 700 d\nrename d e\n\
         rmdir e\n-rm missing\npwd\n",
        local.display()
    );
    let Some(output) = server.sftp(&batch) else { return };
    assert!(output.status.success(), "{}", text(&output.stderr));
    let back = server.dir.path().join("local-back/sub");
    assert_eq!(fs::read(back.join("script")).unwrap().len(), 3 << 20);
    assert_eq!(fs::metadata(back.join("script")).unwrap().permissions().mode() & 0o777, 0o750);
    assert!(back.join("empty").is_dir());
    assert_eq!(fs::read_link(server.home().join("link")).unwrap(), Path::new("there/sub"));
    assert!(text(&output.stdout).contains("-rwxr-x---"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("No such file or directory"), "{}", text(&output.stderr));
}

#[test]
fn scp_works_by_either_protocol() {
    let Some(server) = Server::start() else { return };
    let file = server.dir.path().join("file");
    fs::write(&file, "content").unwrap();
    for (options, name) in [(&["-O"][..], "old"), (&["-s"], "new")] {
        if name == "new" && kiln().is_none() {
            continue;
        }
        let mut command = Command::new("scp");
        command.args(server.options()).args(options).arg(&file).arg(format!("127.0.0.1:{name}"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        assert_eq!(fs::read_to_string(server.home().join(name)).unwrap(), "content");
    }
}

#[test]
fn ports_and_sockets_are_forwarded() {
    let Some(server) = Server::start() else { return };
    let echo = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("127.0.0.1:{}", echo.local_addr().unwrap().port());
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = echo.accept().unwrap();
        stream.write_all(b"through\n").unwrap();
    });
    let output = server.ssh(&["-W", &target, "127.0.0.1"]).output().unwrap();
    assert_eq!(text(&output.stdout), "through\n");
    answer.join().unwrap();

    // A unix socket, through the binary: it connects with the user's rights.
    if kiln().is_some() {
        let socket = server.dir.path().join("guest.sock");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let answer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            stream.write_all(line.to_uppercase().as_bytes()).unwrap();
        });
        let near = server.dir.path().join("near.sock");
        let forward = format!("{}:{}", near.display(), socket.display());
        let mut client = server.ssh(&["-N", "-L", &forward, "127.0.0.1"]).spawn().unwrap();
        // The socket is there a moment before anybody listens on it.
        let mut stream = None;
        eventually("the forwarding", || {
            stream = std::os::unix::net::UnixStream::connect(&near).ok();
            stream.is_some()
        });
        let mut stream = stream.unwrap();
        stream.write_all(b"question\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        assert_eq!(line, "QUESTION\n");
        answer.join().unwrap();
        client.kill().unwrap();
        client.wait().unwrap();
    }

    let refused = server.ssh(&["-W", "127.0.0.1:1", "127.0.0.1"]).output().unwrap();
    assert!(text(&refused.stderr).contains("forwarding failed"), "{}", text(&refused.stderr));
}
