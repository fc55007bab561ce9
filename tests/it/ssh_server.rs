//! An OpenSSH server of the tests' own on a loopback port, behind which commands run in a directory of the test's.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const PROGRAM: &str = "/usr/sbin/sshd";

/// A server. Dropping it ends it.
pub struct SshServer {
    dir: PathBuf,
    pub port: u16,
    listener: Child,
}

/// What takes the command lines.
pub enum Shell {
    /// A POSIX shell.
    Posix,
    /// One that has never heard of `/bin/sh`, as on Windows; SFTP works.
    Foreign,
    /// None: whoever comes is let in with any key, and no command does anything.
    Idle,
}

impl SshServer {
    /// Starts one that keeps its files in `dir`, runs commands in `dir/machine`, and finds programs in `dir/bin` first. `None`, with the reason
    /// printed, where there is no sshd.
    pub fn start(dir: &Path, shell: &Shell) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            println!("skipped: no {PROGRAM} (apt-get install openssh-server)");
            return None;
        }
        // As root sshd wants its privilege separation directory, which only its systemd unit makes.
        let _ = std::fs::create_dir_all("/run/sshd");
        for name in ["host", "user"] {
            let mut keygen = Command::new("ssh-keygen");
            assert!(
                keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.join(name)).status().unwrap().success()
            );
        }
        std::fs::create_dir_all(dir.join("machine")).unwrap();
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        let unknown = match shell {
            Shell::Posix => "",
            Shell::Foreign => "'exec '*) echo \"'exec' is not recognized\" >&2; exit 1;;",
            Shell::Idle => "*) exit 0;;",
        };
        let keys = match shell {
            Shell::Idle => "AuthorizedKeysCommand /bin/echo %t %k\nAuthorizedKeysCommandUser nobody",
            Shell::Posix | Shell::Foreign => "",
        };
        let front = format!(
            "#!/bin/sh\ncd '{0}/machine' && PATH='{0}/bin':$PATH && export PATH\ncase $SSH_ORIGINAL_COMMAND in\n*sftp*) exec /usr/lib/openssh/sftp-server;;\n{unknown}\nesac\neval \"$SSH_ORIGINAL_COMMAND\"\n",
            dir.display()
        );
        executable(&dir.join("front"), &front);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/user.pub\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\nForceCommand {0}/front\nMaxStartups 100\n{keys}\n",
            dir.display()
        );
        std::fs::write(dir.join("sshd_config"), config).unwrap();
        let log = std::fs::File::create(dir.join("sshd.log")).unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .args(["-D", "-e", "-f"])
            .arg(dir.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let server = Self { dir: dir.to_owned(), port, listener: command.spawn().unwrap() };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Some(server)
    }

    /// The `null` source of a template that connects to it.
    pub fn source(&self) -> String {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name;
        format!(
            "source \"null\" \"a\" {{\n  ssh_host = \"127.0.0.1\"\n  ssh_port = {}\n  ssh_username = \"{user}\"\n  ssh_private_key_file = \"{}/user\"\n}}\n",
            self.port,
            self.dir.display()
        )
    }

    /// Puts a program on the machine.
    pub fn program(&self, name: &str, text: &str) {
        executable(&self.dir.join("bin").join(name), text);
    }
}

fn executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

impl Drop for SshServer {
    fn drop(&mut self) {
        // Its sessions end with their connections.
        let _ = self.listener.kill();
        let _ = self.listener.wait();
    }
}
