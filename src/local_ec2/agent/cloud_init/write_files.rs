//! `write_files` of a cloud-config.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};

use serde_json::Value;

use super::{mime, user_data, value};
use crate::local_ec2::agent::accounts;
use crate::local_ec2::agent::paths::Paths;

/// When an entry is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Early, before users exist.
    Early,
    /// In the final stage, after users and packages: `defer: true`.
    Deferred,
}

/// Writes the entries of that time. Returns what went wrong, entry by entry.
pub fn write(paths: &Paths, entries: &Value, when: When) -> Vec<String> {
    let Value::Array(entries) = entries else {
        return if entries.is_null() { Vec::new() } else { vec!["write_files must be a list".to_owned()] };
    };
    entries
        .iter()
        .filter(|entry| value::flag(&entry["defer"], false) == (when == When::Deferred))
        .filter_map(|entry| write_entry(paths, entry).err())
        .collect()
}

fn write_entry(paths: &Paths, entry: &Value) -> Result<(), String> {
    let name = value::text(&entry["path"]).ok_or("write_files has an entry without a path")?;
    let failed = |what: &dyn std::fmt::Display| format!("write_files: `{name}`: {what}");
    if !entry["source"].is_null() {
        return Err(failed(&"`source` is not supported"));
    }
    let content = content(entry).ok_or_else(|| failed(&"the content does not decode"))?;
    let mode = match &entry["permissions"] {
        Value::Null => 0o644,
        given => value::mode(given).ok_or_else(|| failed(&"the permissions are no octal mode"))?,
    };
    let owner = value::text(&entry["owner"]).unwrap_or_else(|| "root:root".to_owned());
    let ids = ids(paths, &owner).ok_or_else(|| failed(&format!("owner `{owner}` does not exist")))?;
    put(paths, &name, &content, value::flag(&entry["append"], false), mode, ids).map_err(|e| failed(&e))
}

/// The content with its encoding undone.
fn content(entry: &Value) -> Option<Vec<u8>> {
    let raw = value::text(&entry["content"]).unwrap_or_default().into_bytes();
    match value::text(&entry["encoding"]).unwrap_or_default().to_ascii_lowercase().as_str() {
        "b64" | "base64" => mime::decode_base64(&raw),
        // Plain gzip can only come as a `!!binary` scalar, which is base64 too.
        "gz" | "gzip" | "gz+b64" | "gz+base64" | "gzip+b64" | "gzip+base64" => {
            user_data::unpack(&mime::decode_base64(&raw)?)
        }
        _ => Some(raw),
    }
}

/// User and group id of `USER:GROUP`, by name or number. Without a group, the user's own.
fn ids(paths: &Paths, owner: &str) -> Option<(u32, u32)> {
    let (user, group) = owner.split_once(':').map_or((owner, None), |(user, group)| (user, Some(group)));
    let account = accounts::find(paths, user);
    let uid = account.as_ref().map(|account| account.uid).or_else(|| user.parse().ok());
    // A tree without a user database still has a root.
    let uid = uid.or((user == "root").then_some(0))?;
    let gid = match group {
        Some(name) => accounts::group_id(paths, name).or_else(|| name.parse().ok()).or((name == "root").then_some(0))?,
        None => account.map_or(uid, |account| account.gid),
    };
    Some((uid, gid))
}

fn put(
    paths: &Paths,
    name: &str,
    content: &[u8],
    append: bool,
    mode: u32,
    (uid, gid): (u32, u32),
) -> std::io::Result<()> {
    let file = paths.at(name);
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut out = OpenOptions::new().create(true).write(true).append(append).truncate(!append).open(&file)?;
    out.write_all(content)?;
    if nix::unistd::geteuid().is_root() {
        chown(&file, Some(uid), Some(gid))?;
    }
    // After chown, which takes the set-id bits away.
    out.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_are_written_as_told() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let entries = json!([
            {"path": "/etc/app/a.conf", "content": "a\n", "permissions": "0640"},
            {"path": "/etc/app/a.conf", "content": "b\n", "append": true, "permissions": 0o600},
            {"path": "/b64", "content": "aGVsbG8=\n", "encoding": "b64"},
            {"path": "/packed", "content": "H4sIAAAAAAAA/8tIzcnJBwCGphA2BQAAAA==", "encoding": "gz+b64"},
            {"path": "/later", "content": "x", "defer": true},
            {"path": "/empty"},
            {"path": "/bad-owner", "owner": "nobody-of-this-name"},
            {"path": "/bad-mode", "permissions": "rw"},
            {"content": "no path"}
        ]);
        let errors = write(&paths, &entries, When::Early);
        assert_eq!(
            errors,
            [
                "write_files: `/bad-owner`: owner `nobody-of-this-name` does not exist",
                "write_files: `/bad-mode`: the permissions are no octal mode",
                "write_files has an entry without a path",
            ]
        );
        assert_eq!(fs::read_to_string(paths.at("/etc/app/a.conf")).unwrap(), "a\nb\n");
        assert_eq!(fs::metadata(paths.at("/etc/app/a.conf")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(paths.at("/b64")).unwrap(), "hello");
        assert!(!paths.at("/later").exists() && paths.at("/empty").exists());
        assert!(write(&paths, &entries, When::Deferred).is_empty());
        assert!(paths.at("/later").exists());
    }
}
