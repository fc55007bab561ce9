//! Reads `/etc/passwd` and `/etc/group`.

use std::path::PathBuf;

use crate::local_ec2::agent::paths::Paths;

/// A user as `/etc/passwd` and `/etc/group` describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory, as the instance names it.
    pub home: PathBuf,
    /// Login shell; an empty field means `/bin/sh`, see passwd(5).
    pub shell: PathBuf,
    /// All groups, the primary one first.
    pub groups: Vec<u32>,
}

/// Looks a user up by name.
pub fn find(paths: &Paths, name: &str) -> Option<Account> {
    let passwd = std::fs::read_to_string(paths.at("/etc/passwd")).ok()?;
    let mut account = passwd.lines().find_map(|line| parse_passwd(line).filter(|account| account.name == name))?;
    let group = std::fs::read_to_string(paths.at("/etc/group")).unwrap_or_default();
    account.groups.extend(memberships(&group, name).filter(|gid| *gid != account.gid));
    Some(account)
}

/// The id of a group, by name.
pub fn group_id(paths: &Paths, name: &str) -> Option<u32> {
    let group = std::fs::read_to_string(paths.at("/etc/group")).ok()?;
    group.lines().filter_map(parse_group).find(|(found, _, _)| *found == name).map(|(_, gid, _)| gid)
}

fn parse_passwd(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.split(':').collect();
    let &[name, _, uid, gid, _, home, shell] = fields.as_slice() else { return None };
    let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
    let shell = if shell.is_empty() { "/bin/sh" } else { shell };
    let home = if home.is_empty() { "/" } else { home };
    Some(Account { name: name.to_owned(), uid, gid, home: home.into(), shell: shell.into(), groups: vec![gid] })
}

/// Name, id and members of one line of `/etc/group`.
fn parse_group(line: &str) -> Option<(&str, u32, &str)> {
    let mut fields = line.split(':');
    let (name, _, gid, members) = (fields.next()?, fields.next()?, fields.next()?, fields.next().unwrap_or(""));
    Some((name, gid.parse().ok()?, members))
}

fn memberships<'a>(group: &'a str, user: &'a str) -> impl Iterator<Item = u32> + 'a {
    group
        .lines()
        .filter_map(parse_group)
        .filter(move |(_, _, members)| members.split(',').any(|member| member == user))
        .map(|(_, gid, _)| gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_groups_primary_first() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(
            dir.path().join("etc/passwd"),
            "root:x:0:0:root:/root:/bin/bash\nbroken\nadmin:x:1000:1001:Debian:/home/admin:\n",
        )
        .unwrap();
        std::fs::write(
            dir.path().join("etc/group"),
            "sudo:x:27:admin,other\nadm:x:4:other\ndocker:x:999:admin\nadmin:x:1001:admin\n",
        )
        .unwrap();
        let paths = Paths::new(dir.path());
        let admin = find(&paths, "admin").unwrap();
        assert_eq!(admin.groups, [1001, 27, 999]);
        assert_eq!(admin.shell, PathBuf::from("/bin/sh"));
        assert_eq!(find(&paths, "nobody-here"), None);
        assert_eq!(group_id(&paths, "docker"), Some(999));
    }
}
