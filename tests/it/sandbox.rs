//! A place of its own for each test: temporary home, cleared environment, the binary.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// True when instances can boot here; a test that needs one says why it does nothing otherwise.
pub fn can_boot(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("{test}: skipped, local instances need root");
    }
    root
}

/// A home, a working directory and a state of its own. Everything goes with it.
pub struct Sandbox {
    dir: tempfile::TempDir,
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl Ran {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no {text:?} in:\n{}", self.stdout);
        self
    }

    /// The last line that is not blank.
    pub fn last_line(&self) -> &str {
        self.stdout.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Self { stdout: text(output.stdout), stderr: text(output.stderr), code }
    }
}

impl Sandbox {
    pub fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("kiln-it").tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file into the working directory.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The binary in a cleared environment.
    pub fn kiln(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
        command.env_clear().current_dir(self.path()).stdin(Stdio::null());
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", self.path()).env("TMPDIR", self.path()).env("LANG", "C.UTF-8");
        command.env("PACKER_NO_COLOR", "1").env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("KILN_STATE_DIR", self.path().join("state")).env("KILN_DATA_DIR", self.path().join("data"));
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.kiln().args(args).output().unwrap().into()
    }

    /// Starts the binary with its output in a file, to be watched while it runs.
    pub fn start(&self, args: &[&str]) -> Running {
        let log = self.path().join("running.log");
        let out = std::fs::File::create(&log).unwrap();
        let kiln = self.kiln();
        // Whoever runs the tests under `nohup` ignores SIGHUP, and a child would inherit that.
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP").arg(kiln.get_program()).args(args).stdin(Stdio::null());
        command.env_clear().envs(kiln.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.path()).stdout(out.try_clone().unwrap()).stderr(out);
        let child = command.spawn().unwrap();
        Running { child, log }
    }

    /// Journals of this sandbox's runs.
    pub fn journals(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path().join("state/runs")) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "journal")).collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

/// A command that runs.
pub struct Running {
    pub child: Child,
    log: PathBuf,
}

impl Running {
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the output holds a text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let limit = Instant::now() + Duration::from_secs(120);
        while !self.output().contains(text) {
            assert!(Instant::now() < limit, "never said {text:?}:\n{}", self.output());
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(self.output().contains(text), "ended with {status} before {text:?}:\n{}", self.output());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the command has opened a file.
    #[track_caller]
    pub fn wait_for_open(&mut self, path: &Path) {
        let limit = Instant::now() + Duration::from_secs(120);
        let links = PathBuf::from(format!("/proc/{}/fd", self.child.id()));
        let is_open = || {
            let mut entries = std::fs::read_dir(&links).into_iter().flatten().flatten();
            entries.any(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == path))
        };
        while !is_open() {
            assert!(Instant::now() < limit, "never opened {}:\n{}", path.display(), self.output());
            assert!(self.child.try_wait().unwrap().is_none(), "ended early:\n{}", self.output());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Ran {
        let status = self.child.wait().unwrap();
        Ran { stdout: self.output(), stderr: String::new(), code: status.code().unwrap_or(-1) }
    }
}

/// One EC2 call in plain HTTP: what the endpoint holds is asked without any of Kiln's own code.
pub fn ec2(port: u16, region: &str, query: &str) -> String {
    aws(port, region, "ec2", &format!("{query}&Version=2016-11-15"))
}

/// The same of any service that takes forms.
pub fn aws(port: u16, region: &str, service: &str, body: &str) -> String {
    let scope = format!("AKIATEST/20260101/{region}/{service}/aws4_request");
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Amz-Date: {date}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
