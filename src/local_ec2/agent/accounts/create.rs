//! Makes users and groups: with the image's `useradd` where it has one, else by writing the files.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::database::{Account, find, group_id};
use crate::local_ec2::agent::paths::Paths;

/// Why a user or group could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A file of the user database could not be read or written.
    #[error("user database file `{0}`")]
    Database(PathBuf, #[source] io::Error),
    /// The home directory could not be made.
    #[error("home directory `{0}`")]
    Home(PathBuf, #[source] io::Error),
    /// `useradd` or `groupadd` could not be run.
    #[error("run `{0}`")]
    Run(&'static str, #[source] io::Error),
    /// `useradd` or `groupadd` refused.
    #[error("`{0}` failed: {1}")]
    Refused(&'static str, String),
    /// The name would break the file's format.
    #[error("invalid account name `{0}`")]
    Name(String),
    /// The account is not there although everything went well.
    #[error("account `{0}` is missing after its creation")]
    Missing(String),
}

/// A user to be made. Groups that the image does not have are left out.
#[derive(Clone, Debug, Default)]
pub struct NewAccount {
    /// Login name.
    pub name: String,
    /// Comment field.
    pub gecos: String,
    /// User id, when it matters.
    pub uid: Option<u32>,
    /// Home directory, when not `/home/NAME`.
    pub home: Option<PathBuf>,
    /// Login shell, when not bash or sh.
    pub shell: Option<PathBuf>,
    /// Name of the primary group, when not a group of the user's own.
    pub primary_group: Option<String>,
    /// Supplementary groups.
    pub groups: Vec<String>,
    /// Password hash for `/etc/shadow`; without one the password is locked.
    pub password_hash: Option<String>,
    /// What the account is for.
    pub kind: Kind,
}

/// What an account is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Somebody who logs in, with a home.
    #[default]
    Person,
    /// Like a person, but the home is not made.
    Homeless,
    /// A service: an id from the system range, and no home.
    System,
}

/// The user exists when this returns, with its home and groups; an existing one keeps its ids, home and shell.
///
/// # Errors
/// [`AccountError`], naming the file or tool.
pub fn ensure(paths: &Paths, new: &NewAccount) -> Result<Account, AccountError> {
    check_name(&new.name)?;
    if find(paths, &new.name).is_none() {
        match useradd(paths) {
            Some(tool) => run_useradd(paths, tool, new)?,
            None => write_account(paths, new)?,
        }
        if let Some(hash) = &new.password_hash {
            set_password_hash(paths, &new.name, hash)?;
        }
    }
    add_to_groups(paths, &new.name, &new.groups)?;
    let account = find(paths, &new.name).ok_or_else(|| AccountError::Missing(new.name.clone()))?;
    if new.kind == Kind::Person && account.uid != 0 {
        make_home(paths, &account)?;
    }
    Ok(account)
}

/// The group exists when this returns.
///
/// # Errors
/// [`AccountError`], naming the file.
pub fn create_group(paths: &Paths, name: &str) -> Result<u32, AccountError> {
    check_name(name)?;
    if let Some(gid) = group_id(paths, name) {
        return Ok(gid);
    }
    let gid = free_id(paths, "/etc/group", 1000)?;
    append(paths, "/etc/group", &format!("{name}:x:{gid}:"))?;
    append_if_present(paths, "/etc/gshadow", &format!("{name}:!::"))?;
    Ok(gid)
}

/// Adds a user to those of `groups` that exist.
///
/// # Errors
/// [`AccountError`], naming the file.
pub fn add_to_groups(paths: &Paths, user: &str, groups: &[String]) -> Result<(), AccountError> {
    let wanted = |name: &str| groups.iter().any(|group| group == name);
    edit_lines(paths, "/etc/group", |line| {
        let name = line.split(':').next()?;
        wanted(name).then(|| with_member(line, user)).flatten()
    })
}

/// The line of a group with `user` added; `None` when it needs no change.
fn with_member(line: &str, user: &str) -> Option<String> {
    let (head, members) = line.rsplit_once(':')?;
    if members.split(',').any(|member| member == user) {
        return None;
    }
    let comma = if members.is_empty() { "" } else { "," };
    Some(format!("{head}:{members}{comma}{user}"))
}

/// Puts a password hash into `/etc/shadow`.
///
/// # Errors
/// [`AccountError`], naming the file.
fn set_password_hash(paths: &Paths, user: &str, hash: &str) -> Result<(), AccountError> {
    edit_lines(paths, "/etc/shadow", |line| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if fields.first() != Some(&user) || fields.len() < 2 {
            return None;
        }
        fields[1] = hash;
        Some(fields.join(":"))
    })
}

/// The names that shadow's own tools accept, and no character that means something in the files.
fn check_name(name: &str) -> Result<(), AccountError> {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$'));
    if first && rest && name.len() <= 32 { Ok(()) } else { Err(AccountError::Name(name.to_owned())) }
}

fn useradd(paths: &Paths) -> Option<PathBuf> {
    let tool = PathBuf::from("/usr/sbin/useradd");
    (paths.is_system() && tool.exists()).then_some(tool)
}

fn run_useradd(paths: &Paths, tool: PathBuf, new: &NewAccount) -> Result<(), AccountError> {
    let mut command = Command::new(tool);
    command.arg(match new.kind {
        Kind::Person => "--create-home",
        Kind::Homeless => "--no-create-home",
        Kind::System => "--system",
    });
    command.arg("--shell").arg(shell_of(paths, new)).args(["--comment", &new.gecos]);
    if let Some(uid) = new.uid {
        command.args(["--uid", &uid.to_string()]);
    }
    if let Some(home) = &new.home {
        command.arg("--home-dir").arg(home);
    }
    match &new.primary_group {
        Some(group) => command.args(["--gid", group, "--no-user-group"]),
        // A group of the same name may exist already (`admin` on old Ubuntu): useradd would refuse to make it again.
        None if group_id(paths, &new.name).is_some() => command.args(["--gid", &new.name]),
        None => command.arg("--user-group"),
    };
    let output = command.arg(&new.name).stdin(Stdio::null()).output().map_err(|e| AccountError::Run("useradd", e))?;
    if output.status.success() {
        return Ok(());
    }
    Err(AccountError::Refused("useradd", String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn shell_of(paths: &Paths, new: &NewAccount) -> PathBuf {
    let default = || if paths.at("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" }.into();
    new.shell.clone().unwrap_or_else(default)
}

/// What `useradd` would write, for images without it.
fn write_account(paths: &Paths, new: &NewAccount) -> Result<(), AccountError> {
    let lowest = if new.kind == Kind::System { 100 } else { 1000 };
    let uid = match new.uid {
        Some(uid) => uid,
        None => free_id(paths, "/etc/passwd", lowest)?,
    };
    let gid = match &new.primary_group {
        Some(group) => create_group(paths, group)?,
        None => create_group(paths, &new.name)?,
    };
    let home = new.home.clone().unwrap_or_else(|| Path::new("/home").join(&new.name));
    let (name, gecos) = (&new.name, new.gecos.replace([':', '\n'], " "));
    let line = format!("{name}:x:{uid}:{gid}:{gecos}:{}:{}", home.display(), shell_of(paths, new).display());
    append(paths, "/etc/passwd", &line)?;
    let days = jiff::Timestamp::now().as_second() / 86_400;
    append_if_present(paths, "/etc/shadow", &format!("{name}:!:{days}:0:99999:7:::"))
}

/// The lowest id from `lowest` on that no line of `file` has.
fn free_id(paths: &Paths, file: &str, lowest: u32) -> Result<u32, AccountError> {
    let text = read(&paths.at(file))?;
    let used: Vec<u32> = text.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok()).collect();
    Ok((lowest..).find(|id| !used.contains(id)).unwrap_or(lowest))
}

/// Makes the home directory from `/etc/skel` when it is missing, and gives it to its owner.
fn make_home(paths: &Paths, account: &Account) -> Result<(), AccountError> {
    let home = paths.at(&account.home);
    if home.exists() {
        return Ok(());
    }
    let failed = |e| AccountError::Home(account.home.clone(), e);
    fs::create_dir_all(&home).map_err(failed)?;
    copy_tree(&paths.at("/etc/skel"), &home, account).map_err(failed)?;
    chown(&home, Some(account.uid), Some(account.gid)).map_err(failed)?;
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).map_err(failed)
}

fn copy_tree(from: &Path, to: &Path, account: &Account) -> io::Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            fs::create_dir_all(&target)?;
            copy_tree(&source, &target, account)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
        lchown(&target, Some(account.uid), Some(account.gid))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, AccountError> {
    fs::read_to_string(path).map_err(|e| AccountError::Database(path.to_owned(), e))
}

/// Replaces the lines for which `edit` gives another text. A missing file has no lines.
fn edit_lines(paths: &Paths, file: &str, edit: impl Fn(&str) -> Option<String>) -> Result<(), AccountError> {
    let path = paths.at(file);
    if !path.exists() {
        return Ok(());
    }
    let old = read(&path)?;
    let new: String = old.lines().map(|line| edit(line).unwrap_or_else(|| line.to_owned()) + "\n").collect();
    if new == old { Ok(()) } else { replace(&path, &new) }
}

fn append_if_present(paths: &Paths, file: &str, line: &str) -> Result<(), AccountError> {
    if paths.at(file).exists() { append(paths, file, line) } else { Ok(()) }
}

fn append(paths: &Paths, file: &str, line: &str) -> Result<(), AccountError> {
    let path = paths.at(file);
    let mut text = read(&path)?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    replace(&path, &format!("{text}{line}\n"))
}

/// Swaps the file in one step, with the old one's owner and mode: a reader never sees half a user database.
fn replace(path: &Path, text: &str) -> Result<(), AccountError> {
    let swap = || -> io::Result<()> {
        let old = fs::metadata(path)?;
        let temporary = path.with_extension("kiln-new");
        fs::write(&temporary, text)?;
        fs::set_permissions(&temporary, old.permissions())?;
        chown(&temporary, Some(old.uid()), Some(old.gid()))?;
        fs::rename(&temporary, path)
    };
    swap().map_err(|e| AccountError::Database(path.to_owned(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with the files of a small image. Owners are ours: the tests may run without root.
    fn image() -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let etc = dir.path().join("etc");
        fs::create_dir_all(etc.join("skel/.config")).unwrap();
        fs::create_dir_all(dir.path().join("bin")).unwrap();
        fs::write(dir.path().join("bin/bash"), "").unwrap();
        fs::write(etc.join("skel/.profile"), "# profile\n").unwrap();
        fs::write(etc.join("passwd"), "root:x:0:0:root:/root:/bin/bash\nold:x:1000:1000::/home/old:/bin/sh").unwrap();
        fs::write(etc.join("group"), "root:x:0:\nadm:x:4:syslog\nsudo:x:27:\nold:x:1000:\n").unwrap();
        fs::write(etc.join("shadow"), "root:*:1:0:99999:7:::\n").unwrap();
        fs::set_permissions(etc.join("shadow"), fs::Permissions::from_mode(0o640)).unwrap();
        let paths = Paths::new(dir.path());
        (dir, paths)
    }

    fn admin() -> NewAccount {
        let groups = ["adm", "sudo", "wheel"].map(str::to_owned).to_vec();
        NewAccount { name: "admin".into(), gecos: "Debian".into(), groups, ..NewAccount::default() }
    }

    #[test]
    fn a_user_gets_lines_groups_and_a_home() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let (dir, paths) = image();
        let account = ensure(&paths, &admin()).unwrap();
        assert_eq!((account.uid, account.gid, account.groups.as_slice()), (1001, 1001, [1001, 4, 27].as_slice()));
        let passwd = fs::read_to_string(paths.at("/etc/passwd")).unwrap();
        assert!(
            passwd.ends_with("old:x:1000:1000::/home/old:/bin/sh\nadmin:x:1001:1001:Debian:/home/admin:/bin/bash\n")
        );
        let group = fs::read_to_string(paths.at("/etc/group")).unwrap();
        assert_eq!(group, "root:x:0:\nadm:x:4:syslog,admin\nsudo:x:27:admin\nold:x:1000:\nadmin:x:1001:\n");
        assert!(fs::read_to_string(paths.at("/etc/shadow")).unwrap().contains("\nadmin:!:"));
        assert_eq!(fs::metadata(paths.at("/etc/shadow")).unwrap().mode() & 0o7777, 0o640);
        let profile = fs::metadata(dir.path().join("home/admin/.profile")).unwrap();
        assert_eq!((profile.uid(), profile.gid()), (1001, 1001));
    }

    #[test]
    fn a_second_time_changes_nothing() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let (_dir, paths) = image();
        ensure(&paths, &admin()).unwrap();
        let before = fs::read_to_string(paths.at("/etc/passwd")).unwrap();
        ensure(&paths, &admin()).unwrap();
        assert_eq!(fs::read_to_string(paths.at("/etc/passwd")).unwrap(), before);
    }

    #[test]
    fn names_that_would_break_the_files_are_refused() {
        let (_dir, paths) = image();
        for name in ["", "a:b", "a\nb", "-x", "Root", "a b"] {
            let new = NewAccount { name: name.into(), ..NewAccount::default() };
            assert!(matches!(ensure(&paths, &new), Err(AccountError::Name(_))), "{name:?}");
        }
    }
}
