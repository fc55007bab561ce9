//! The environment of a login session, as sshd and PAM make it on Debian, Ubuntu and their kin.

use std::net::SocketAddr;
use std::path::Path;

use crate::local_ec2::agent::accounts::Account;
use crate::local_ec2::agent::paths::Paths;

/// sshd's own defaults on Debian, where neither `/etc/environment` nor `/etc/login.defs` has a PATH.
const USER_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/games";
const ROOT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables in the order in which they were set; a later one replaces an earlier one of the same name.
pub type Variables = Vec<(String, String)>;

/// The ends of a connection, as a session sees them in `SSH_CONNECTION`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends {
    /// The client; none on a unix socket.
    pub peer: Option<SocketAddr>,
    /// This side.
    pub local: Option<SocketAddr>,
}

/// Everything a session starts with, but for what belongs to its terminal. `requested` are variables from the client.
pub fn of_session(paths: &Paths, account: &Account, ends: Ends, requested: &[(String, String)]) -> Variables {
    let mut variables = Variables::new();
    let mut set = |name: &str, value: String| {
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value));
    };
    for (name, value) in requested {
        set(name, value.clone());
    }
    set("USER", account.name.clone());
    set("LOGNAME", account.name.clone());
    set("HOME", account.home.display().to_string());
    set("SHELL", account.shell.display().to_string());
    set("PATH", default_path(paths, account.uid));
    set("MAIL", format!("/var/mail/{}", account.name));
    for file in ["/etc/environment", "/etc/default/locale"] {
        for (name, value) in assignments(&paths.at(file)) {
            set(&name, value);
        }
    }
    let (client, connection) = connection_texts(ends);
    set("SSH_CLIENT", client);
    set("SSH_CONNECTION", connection);
    lend_commands(paths, &mut variables);
    variables
}

/// `AcceptEnv LANG LC_*`, the rule in the sshd_config of every distribution that EC2 images come from.
pub fn may_request(name: &str) -> bool {
    name == "LANG" || name.starts_with("LC_")
}

/// Kiln's stand-ins come last: whatever the image has of its own is found first.
fn lend_commands(paths: &Paths, variables: &mut Variables) {
    let lent = paths.lent_commands();
    if let Some((_, path)) = variables.iter_mut().find(|(name, _)| name == "PATH").filter(|_| lent.is_dir()) {
        path.push_str(&format!(":{}", lent.display()));
    }
}

fn default_path(paths: &Paths, uid: u32) -> String {
    let (key, fallback) = if uid == 0 { ("ENV_SUPATH", ROOT_PATH) } else { ("ENV_PATH", USER_PATH) };
    let text = std::fs::read_to_string(paths.at("/etc/login.defs")).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix([' ', '\t']).map(str::trim));
    value.map_or(fallback, |value| value.strip_prefix("PATH=").unwrap_or(value)).to_owned()
}

/// `NAME=value` lines as pam_env reads them: comments, an optional `export`, optional quotes around the value.
fn assignments(file: &Path) -> Variables {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(assignment).collect()
}

fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
    let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    Some((name.trim().to_owned(), unquoted.unwrap_or(value).to_owned()))
}

/// The values of `SSH_CLIENT` and `SSH_CONNECTION`. A unix socket has no addresses; loopback stands for both ends.
fn connection_texts(ends: Ends) -> (String, String) {
    let peer = ends.peer.map_or(("127.0.0.1".into(), 0), |a| (a.ip().to_string(), a.port()));
    let local = ends.local.map_or(("127.0.0.1".into(), 22), |a| (a.ip().to_string(), a.port()));
    (format!("{} {} {}", peer.0, peer.1, local.1), format!("{} {} {} {}", peer.0, peer.1, local.0, local.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, uid: u32) -> Account {
        let home = format!("/home/{name}").into();
        Account { name: name.into(), uid, gid: uid, home, shell: "/bin/bash".into(), groups: vec![uid] }
    }

    fn value(variables: &Variables, name: &str) -> Option<String> {
        variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn the_image_decides_path_and_language() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        std::fs::create_dir_all(dir.path().join("etc/default")).unwrap();
        let path_of =
            |name, uid| value(&of_session(&paths, &account(name, uid), Ends::default(), &[]), "PATH").unwrap();
        assert_eq!(path_of("admin", 1000), USER_PATH);
        assert_eq!(path_of("root", 0), ROOT_PATH);

        std::fs::write(paths.at("/etc/login.defs"), "#ENV_PATH x\nENV_SUPATH\tPATH=/sbin:/bin\nENV_PATH PATH=/bin\n")
            .unwrap();
        assert_eq!((path_of("admin", 1000), path_of("root", 0)), ("/bin".into(), "/sbin:/bin".into()));

        std::fs::write(paths.at("/etc/environment"), "# c\nPATH=\"/usr/bin:/snap/bin\"\nexport FOO='a b'\n").unwrap();
        std::fs::write(paths.at("/etc/default/locale"), "LANG=C.UTF-8\n").unwrap();
        std::fs::create_dir_all(paths.lent_commands()).unwrap();
        let requested = [("LANG".to_owned(), "de_DE.UTF-8".to_owned()), ("LC_ALL".to_owned(), "C".to_owned())];
        let all = of_session(&paths, &account("admin", 1000), Ends::default(), &requested);
        assert_eq!(value(&all, "PATH").unwrap(), format!("/usr/bin:/snap/bin:{}", paths.lent_commands().display()));
        for (name, expected) in [("FOO", "a b"), ("LANG", "C.UTF-8"), ("LC_ALL", "C"), ("HOME", "/home/admin")] {
            assert_eq!(value(&all, name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn only_the_language_may_be_requested() {
        assert!(may_request("LANG") && may_request("LC_TIME"));
        assert!(!may_request("LD_PRELOAD") && !may_request("PATH"));
    }
}
