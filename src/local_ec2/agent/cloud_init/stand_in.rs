//! The `cloud-init` command for images without one: templates run `cloud-init status --wait` before they do anything.
//!
//! It lives on the tmpfs `/run/kiln`, so it is never baked. A link in `/usr/bin` leads to it, for `sudo cloud-init` and
//! for those who name the path; the link is there only while the agent runs.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::local_ec2::agent::console;
use crate::local_ec2::agent::paths::Paths;

/// Where the link leads: the instance's path, whatever the root.
const TARGET: &str = "/run/kiln/bin/cloud-init";
const LINK: &str = "/usr/bin/cloud-init";
const SCRIPT: &str = include_str!("stand_in.sh");

/// Puts the command in place. An image's own command is left alone, even when it is disabled.
pub fn lend(paths: &Paths) {
    if let Err(error) = try_lend(paths) {
        console::problem("lend the cloud-init command", &error);
    }
}

fn try_lend(paths: &Paths) -> io::Result<()> {
    fs::create_dir_all(paths.lent_commands())?;
    let script = paths.at(TARGET);
    fs::write(&script, SCRIPT)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let link = paths.at(LINK);
    if link.symlink_metadata().is_err() && link.parent().is_some_and(Path::is_dir) {
        symlink(TARGET, link)?;
    }
    Ok(())
}

/// Whether the image's command is our link.
pub fn is_ours(paths: &Paths) -> bool {
    fs::read_link(paths.at(LINK)).is_ok_and(|target| target == Path::new(TARGET))
}

/// Takes the link away, so that the image that may be made next does not have it.
pub fn withdraw(paths: &Paths) {
    if is_ours(paths) {
        let _ = fs::remove_file(paths.at(LINK));
    }
}

/// Says what the command answers from now on: `running`, `done` or `error`.
pub fn set_status(paths: &Paths, status: &str) {
    let file = paths.cloud_status();
    // Renamed into place: a waiting `status --wait` must never read half a word.
    let temporary = file.with_extension("new");
    let written = fs::write(&temporary, format!("{status}\n")).and_then(|()| fs::rename(&temporary, &file));
    if let Err(error) = written {
        console::problem("record cloud-init's status", &error);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The script with its paths moved below `root`.
    fn ask(root: &Path, args: &[&str]) -> (Option<i32>, String) {
        let script = SCRIPT.replace("/run/kiln", &root.join("run/kiln").display().to_string());
        let file = root.join("script");
        fs::write(&file, script).unwrap();
        let output = Command::new("sh").arg(&file).args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn the_command_answers_from_the_status() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
        lend(&paths);
        assert!(is_ours(&paths));
        let table = [
            ("running", &["status"][..], Some(0), "status: running\n"),
            ("done", &["status", "--wait"], Some(0), "\nstatus: done\n"),
            ("error", &["status", "--wait"], Some(1), "\nstatus: error\n"),
            ("done", &["frobnicate"], Some(2), ""),
        ];
        for (status, args, code, text) in table {
            set_status(&paths, status);
            assert_eq!(ask(dir.path(), args), (code, text.to_owned()), "{status} {args:?}");
        }
        withdraw(&paths);
        assert!(paths.at(LINK).symlink_metadata().is_err());
    }

    #[test]
    fn a_real_command_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
        fs::write(paths.at(LINK), "real").unwrap();
        lend(&paths);
        withdraw(&paths);
        assert_eq!(fs::read_to_string(paths.at(LINK)).unwrap(), "real");
    }
}
