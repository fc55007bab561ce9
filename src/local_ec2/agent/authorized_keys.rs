//! `~/.ssh/authorized_keys`: the launch key goes in as cloud-init would write it, and logins are checked against it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::PathBuf;

use russh::keys::PublicKey;

use super::accounts::Account;
use super::paths::Paths;

/// Why a key could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The launch key is no OpenSSH public key.
    #[error("launch key is not an OpenSSH public key")]
    Key(#[source] russh::keys::ssh_key::Error),
    /// The file or its directory could not be written.
    #[error("`{0}`")]
    File(PathBuf, #[source] io::Error),
}

/// What a matching line of the file grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The only command the key may run: EC2 images use it to turn root away.
    pub forced_command: Option<String>,
}

/// Adds `key` (an OpenSSH line) to the user's file unless it is there. `comment` replaces the line's own.
///
/// # Errors
/// [`InstallError`] for a bad key or an unwritable home.
pub fn install(paths: &Paths, account: &Account, key: &str, comment: Option<&str>) -> Result<(), InstallError> {
    let mut parsed = PublicKey::from_openssh(key.trim()).map_err(InstallError::Key)?;
    if let Some(comment) = comment {
        parsed.set_comment(comment);
    }
    if granted(paths, account, &parsed).is_some() {
        return Ok(());
    }
    let line = parsed.to_openssh().map_err(InstallError::Key)?;
    let file = paths.at(&account.home).join(".ssh/authorized_keys");
    append(&file, &line, account).map_err(|e| InstallError::File(file, e))
}

/// sshd ignores files that others may write, so the modes matter: 0700 and 0600, owned by the user.
fn append(file: &PathBuf, line: &str, account: &Account) -> io::Result<()> {
    if let Some(directory) = file.parent().filter(|directory| !directory.exists()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        chown(directory, Some(account.uid), Some(account.gid))?;
    }
    let old = fs::read_to_string(file).unwrap_or_default();
    let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
    let mut out = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    writeln!(out, "{gap}{line}")?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
    chown(file, Some(account.uid), Some(account.gid))
}

/// What `key` may do as this user; `None` when it may not log in.
pub fn granted(paths: &Paths, account: &Account, key: &PublicKey) -> Option<Grant> {
    let home = paths.at(&account.home);
    [".ssh/authorized_keys", ".ssh/authorized_keys2"].iter().find_map(|file| {
        let text = fs::read_to_string(home.join(file)).ok()?;
        grant_in(&text, key)
    })
}

/// A bad line is passed over, as sshd does: it must not lock out those on the other lines.
fn grant_in(text: &str, key: &PublicKey) -> Option<Grant> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(entry)
        .find(|(_, entry)| entry.key_data() == key.key_data())
        .map(|(options, _)| Grant { forced_command: forced_command(options) })
}

/// Options and key of a line. A line without options begins with the key's type. (ssh-key's own reader of such lines
/// refuses the quotes in the options that cloud-init writes for root.)
fn entry(line: &str) -> Option<(&str, PublicKey)> {
    if let Ok(key) = PublicKey::from_openssh(line) {
        return Some(("", key));
    }
    let (options, rest) = line.split_at(end_of_options(line)?);
    Some((options, PublicKey::from_openssh(rest.trim_start()).ok()?))
}

/// The first blank outside of quotes.
fn end_of_options(line: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    line.char_indices().find_map(|(at, c)| {
        let ends = !quoted && (c == ' ' || c == '\t');
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

/// The value of the `command="…"` option, in which `\"` stands for a quote.
fn forced_command(options: &str) -> Option<String> {
    let start = options.match_indices("command=\"").map(|(at, _)| at).find(|at| {
        let before = &options[..*at];
        before.is_empty() || before.ends_with(',')
    })?;
    let mut command = String::new();
    let mut chars = options[start + "command=\"".len()..].chars();
    loop {
        match chars.next()? {
            '"' => return Some(command),
            '\\' => match chars.next()? {
                '"' => command.push('"'),
                other => command.extend(['\\', other]),
            },
            other => command.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ me@laptop";

    fn me(home: &str) -> Account {
        let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
        Account { name: "me".into(), uid, gid, home: home.into(), shell: "/bin/sh".into(), groups: vec![gid] }
    }

    #[test]
    fn the_launch_key_is_installed_once_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (paths, account) = (Paths::new(dir.path()), me("/home/me"));
        fs::create_dir_all(dir.path().join("home/me/.ssh")).unwrap();
        let file = dir.path().join("home/me/.ssh/authorized_keys");
        fs::write(&file, "# no newline at the end").unwrap();
        install(&paths, &account, KEY, Some("packer_5f")).unwrap();
        install(&paths, &account, KEY, Some("packer_5f")).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text, format!("# no newline at the end\n{}\n", KEY.replace("me@laptop", "packer_5f")));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn grants_follow_the_file() {
        let key = PublicKey::from_openssh(KEY).unwrap();
        let forced = format!("no-pty,command=\"echo \\\"no\\\"; exit 142\" {KEY}");
        let table = [
            (String::new(), None),
            (format!("garbage\n{KEY}\n"), Some(Grant::default())),
            (forced, Some(Grant { forced_command: Some("echo \"no\"; exit 142".into()) })),
            (format!("#{KEY}"), None),
        ];
        for (text, expected) in table {
            assert_eq!(grant_in(&text, &key), expected, "{text}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_an_error() {
        let error = install(&Paths::new("/nonexistent"), &me("/h"), "ssh-rsa", None).unwrap_err();
        assert_eq!(error.to_string(), "launch key is not an OpenSSH public key");
    }
}
