//! Gives the instance its name.

use std::fs;
use std::io;

use super::paths::Paths;

/// Sets the kernel's host name (in an instance only) and `/etc/hostname`, and makes the name resolve.
///
/// # Errors
/// When the kernel or a file refuses.
pub fn set(paths: &Paths, name: &str) -> io::Result<()> {
    if paths.is_system() {
        nix::unistd::sethostname(name)?;
    }
    let file = paths.at("/etc/hostname");
    if fs::read_to_string(&file).ok().as_deref().map(str::trim) != Some(name) {
        fs::write(&file, format!("{name}\n"))?;
    }
    resolve(paths, name)
}

/// Gives the kernel the name in `/etc/hostname` again: systemd does so at each boot, the small init does not.
///
/// # Errors
/// When the kernel refuses.
pub fn restore(paths: &Paths) -> io::Result<()> {
    let text = fs::read_to_string(paths.at("/etc/hostname")).unwrap_or_default();
    let name = text.trim();
    if paths.is_system() && !name.is_empty() {
        nix::unistd::sethostname(name)?;
    }
    Ok(())
}

/// A name that `/etc/hosts` lacks makes every sudo complain: EC2's resolver knows it, an instance's here does not. The
/// line is the one Debian's images have. Written in place, because the file may be a mount point.
fn resolve(paths: &Paths, name: &str) -> io::Result<()> {
    let file = paths.at("/etc/hosts");
    let old = fs::read_to_string(&file).unwrap_or_default();
    let known = |line: &str| line.split('#').next().unwrap_or("").split_whitespace().skip(1).any(|host| host == name);
    if old.lines().any(known) {
        return Ok(());
    }
    let others = old.lines().filter(|line| !line.starts_with("127.0.1.1"));
    let text: String = others.map(|line| format!("{line}\n")).collect();
    fs::write(&file, format!("{text}127.0.1.1 {name}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_kept_and_resolves_once() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(paths.at("/etc/hosts"), "127.0.0.1 localhost\n127.0.1.1 builder\n").unwrap();
        for _ in 0..2 {
            set(&paths, "ip-10-0-0-5").unwrap();
        }
        assert_eq!(fs::read_to_string(paths.at("/etc/hostname")).unwrap(), "ip-10-0-0-5\n");
        assert_eq!(fs::read_to_string(paths.at("/etc/hosts")).unwrap(), "127.0.0.1 localhost\n127.0.1.1 ip-10-0-0-5\n");
    }
}
