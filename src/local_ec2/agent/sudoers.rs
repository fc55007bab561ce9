//! Passwordless sudo, in the file that cloud-init uses for it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;

use super::paths::Paths;

const FILE: &str = "/etc/sudoers.d/90-cloud-init-users";

/// Whether the image has a sudo of its own (and not the host's stand-in, which needs no rule).
pub fn has_sudo(paths: &Paths) -> bool {
    paths.at("/etc/sudoers").exists()
}

/// Writes `USER RULE` for each rule, unless the line is there.
///
/// # Errors
/// When the file cannot be written.
pub fn allow(paths: &Paths, user: &str, rules: &[&str]) -> io::Result<()> {
    let file = paths.at(FILE);
    let mut text =
        fs::read_to_string(&file).unwrap_or_else(|_| "# Created by Kiln in place of cloud-init\n".to_owned());
    let missing: Vec<String> = rules
        .iter()
        .map(|rule| format!("{user} {rule}"))
        .filter(|rule| !text.lines().any(|line| line == rule))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    text.push_str(&format!("\n# User rules for {user}\n{}\n", missing.join("\n")));
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    // Renamed into place: sudo refuses everything while a file of the directory is half written.
    let temporary = file.with_extension("kiln-new");
    fs::write(&temporary, text)?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o440))?;
    fs::rename(&temporary, &file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        assert!(!has_sudo(&paths));
        for _ in 0..2 {
            allow(&paths, "admin", &["ALL=(ALL) NOPASSWD:ALL"]).unwrap();
        }
        let text = fs::read_to_string(paths.at(FILE)).unwrap();
        assert_eq!(text.matches("admin ALL=(ALL) NOPASSWD:ALL\n").count(), 1);
        assert_eq!(fs::metadata(paths.at(FILE)).unwrap().permissions().mode() & 0o777, 0o440);
    }
}
