//! `groups` and `users` of a cloud-config.

use serde_json::Value;

use super::default_user::chain;
use super::log::Log;
use super::value;
use crate::local_ec2::agent::accounts::{self, Account, Kind, NewAccount};
use crate::local_ec2::agent::paths::Paths;
use crate::local_ec2::agent::{authorized_keys, sudoers};

/// The rule of a user that may do everything.
pub const SUDO_RULE: &str = "ALL=(ALL) NOPASSWD:ALL";

/// Keys of a user that are acted upon; others are named in the log.
const KNOWN: [&str; 16] = [
    "name",
    "gecos",
    "homedir",
    "primary_group",
    "groups",
    "shell",
    "sudo",
    "ssh_authorized_keys",
    "ssh-authorized-keys",
    "lock_passwd",
    "lock-passwd",
    "passwd",
    "hashed_passwd",
    "uid",
    "system",
    "no_create_home",
];

/// Whether the image's own login user is wanted: without `users` it is, else only when `default` is among them.
pub fn wants_default(users: &Value) -> bool {
    match users {
        Value::Null => true,
        Value::Array(users) => users.iter().any(|user| user == "default"),
        other => value::words(other).iter().any(|user| user == "default"),
    }
}

/// Makes the groups: names, or maps from a name to members.
pub fn make_groups(paths: &Paths, groups: &Value, log: &mut Log) {
    let list = match groups {
        Value::Array(items) => items.clone(),
        Value::Object(_) => vec![groups.clone()],
        other => value::words(other).into_iter().map(Value::String).collect(),
    };
    for item in &list {
        let named: Vec<(String, Vec<String>)> = match item {
            Value::Object(map) => map.iter().map(|(name, members)| (name.clone(), value::words(members))).collect(),
            other => value::words(other).into_iter().map(|name| (name, Vec::new())).collect(),
        };
        for (name, members) in named {
            make_group(paths, &name, &members, log);
        }
    }
}

fn make_group(paths: &Paths, name: &str, members: &[String], log: &mut Log) {
    let made = accounts::create_group(paths, name)
        .and_then(|_| members.iter().try_for_each(|member| accounts::add_to_groups(paths, member, &[name.to_owned()])));
    if let Err(error) = made {
        log.error(chain(&error));
    }
}

/// Makes the users but `default`.
pub fn make(paths: &Paths, users: &Value, log: &mut Log) {
    let list = match users {
        Value::Array(items) => items.clone(),
        Value::Object(_) => vec![users.clone()],
        other => value::words(other).into_iter().map(Value::String).collect(),
    };
    for user in list.iter().filter(|user| *user != "default") {
        let user = match user {
            Value::String(name) => serde_json::json!({ "name": name }),
            other => other.clone(),
        };
        if let Err(problem) = make_user(paths, &user, log) {
            log.error(problem);
        }
    }
}

fn make_user(paths: &Paths, user: &Value, log: &mut Log) -> Result<(), String> {
    let name = value::text(&user["name"]).ok_or("users has an entry without a name")?;
    let unknown = user.as_object().into_iter().flat_map(|map| map.keys()).filter(|key| !KNOWN.contains(&key.as_str()));
    for key in unknown {
        log.note(&format!("`{key}` of user `{name}` is not supported by Kiln's stand-in"));
    }
    let groups = value::words(&user["groups"]);
    for group in &groups {
        accounts::create_group(paths, group).map_err(|e| chain(&e))?;
    }
    let account = accounts::ensure(paths, &described(&name, groups, user)).map_err(|e| chain(&e))?;
    for key in ["ssh_authorized_keys", "ssh-authorized-keys"].iter().flat_map(|key| value::texts(&user[*key])) {
        authorized_keys::install(paths, &account, &key, None).map_err(|e| chain(&e))?;
    }
    allow_sudo(paths, &account, &user["sudo"]).map_err(|e| format!("sudo rule of `{name}`: {e}"))
}

fn described(name: &str, groups: Vec<String>, user: &Value) -> NewAccount {
    let hash = value::text(&user["hashed_passwd"]).or_else(|| value::text(&user["passwd"]));
    let locked = value::flag(&user["lock_passwd"], value::flag(&user["lock-passwd"], true));
    NewAccount {
        name: name.to_owned(),
        gecos: value::text(&user["gecos"]).unwrap_or_default(),
        uid: value::text(&user["uid"]).and_then(|uid| uid.parse().ok()),
        home: value::text(&user["homedir"]).map(Into::into),
        shell: value::text(&user["shell"]).map(Into::into),
        primary_group: value::text(&user["primary_group"]),
        groups,
        // A locked hash is kept behind a `!`, as passwd --lock does.
        password_hash: hash.map(|hash| if locked { format!("!{hash}") } else { hash }),
        kind: kind(user),
    }
}

/// System users get no home either, as with useradd.
fn kind(user: &Value) -> Kind {
    let is = |key: &str| value::flag(&user[key], false);
    if is("system") {
        Kind::System
    } else if is("no_create_home") {
        Kind::Homeless
    } else {
        Kind::Person
    }
}

/// A rule, a list of rules, or false and null for none.
fn allow_sudo(paths: &Paths, account: &Account, sudo: &Value) -> std::io::Result<()> {
    let rules = match sudo {
        Value::Bool(_) | Value::Null => Vec::new(),
        rules => value::texts(rules),
    };
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    if rules.is_empty() { Ok(()) } else { sudoers::allow(paths, &account.name, &rules) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn the_default_user_is_wanted_unless_users_says_otherwise() {
        for (users, wanted) in [
            (Value::Null, true),
            (json!([]), false),
            (json!(["default", {"name": "a"}]), true),
            (json!([{"name": "a"}]), false),
            (json!("default,bob"), true),
        ] {
            assert_eq!(wants_default(&users), wanted, "{users}");
        }
    }

    #[test]
    fn users_and_groups_are_made() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(paths.at("/etc/passwd"), "root:x:0:0:root:/root:/bin/bash\n").unwrap();
        fs::write(paths.at("/etc/group"), "root:x:0:\n").unwrap();
        fs::write(paths.at("/etc/shadow"), "root:*:::::::\n").unwrap();
        let mut log = Log::new(&paths);
        make_groups(&paths, &json!(["ops", {"web": ["root"]}]), &mut log);
        let users = json!(["default", {
            "name": "bob", "groups": "ops, docker", "sudo": "ALL=(ALL) NOPASSWD:ALL", "uid": 2000, "lock_passwd": false,
            "passwd": "$6$x", "shell": "/bin/sh",
            "ssh_authorized_keys":
                ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ bob"]
        }, {"gecos": "nameless"}]);
        make(&paths, &users, &mut log);
        assert_eq!(log.errors(), ["users has an entry without a name"]);
        let group = fs::read_to_string(paths.at("/etc/group")).unwrap();
        assert_eq!(group, "root:x:0:\nops:x:1000:bob\nweb:x:1001:root\ndocker:x:1002:bob\nbob:x:1003:\n");
        let bob = accounts::find(&paths, "bob").unwrap();
        assert_eq!((bob.uid, bob.gid, bob.home.to_str()), (2000, 1003, Some("/home/bob")));
        assert!(fs::read_to_string(paths.at("/etc/shadow")).unwrap().contains("bob:$6$x:"));
        assert!(paths.at("/home/bob/.ssh/authorized_keys").exists());
        assert!(fs::read_to_string(paths.at("/etc/sudoers.d/90-cloud-init-users")).unwrap().contains("bob ALL="));
    }
}
