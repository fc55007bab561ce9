//! Command lines for a login shell that we know nothing about: POSIX scripts in it, paths quoted.

/// A command line that runs `script` by `/bin/sh` with these arguments (`$1`, `$2`, ...), whatever the login shell is.
///
/// `exec` keeps the login shell from staying in between, so that the script's `$PPID` is the SSH server.
pub(super) fn sh(script: &str, arguments: &[&str]) -> String {
    let mut line = format!("exec /bin/sh -c {} kiln", quote(script));
    for argument in arguments {
        line.push(' ');
        line.push_str(argument);
    }
    line
}

/// A path as one word of a shell command line, and never an option. A leading `~/` or `~user/` stays for the shell to expand:
/// templates rely on it.
pub(super) fn path(path: &str) -> String {
    let (home, rest) = split_home(path);
    match (home, rest) {
        (Some(home), "") => home.to_owned(),
        (Some(home), rest) => format!("{home}/{}", quote(rest)),
        (None, rest) if rest.starts_with('-') => quote(&format!("./{rest}")),
        (None, rest) => quote(rest),
    }
}

/// Splits `~user/rest`; `None` when there is no such start.
pub(super) fn split_home(path: &str) -> (Option<&str>, &str) {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match first.strip_prefix('~') {
        Some(user) if user.chars().all(plain) => (Some(first), rest),
        _ => (None, path),
    }
}

/// One word that means exactly `text`.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_one_word() {
        for (given, word) in [
            ("/tmp/a b", "'/tmp/a b'"),
            ("it's", r"'it'\''s'"),
            ("$HOME/`x`", "'$HOME/`x`'"),
            ("-rf", "'./-rf'"),
            ("~/a b", "~/'a b'"),
            ("~", "~"),
            ("~root/x", "~root/'x'"),
            ("~$(id)/x", "'~$(id)/x'"),
            ("a/~/b", "'a/~/b'"),
        ] {
            assert_eq!(path(given), word, "{given}");
        }
    }

    #[test]
    fn a_shell_gets_the_arguments_as_they_are() {
        let line = sh("printf '%s|' \"$@\"", &[&quote("a b"), &quote("it's"), &quote("$x\n*")]);
        let output = std::process::Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "a b|it's|$x\n*|");
    }
}
