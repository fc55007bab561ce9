//! The `sudo` that Kiln lends to a root that has none: without passwords, for root, the image's login user, and whom a file in `/etc/sudoers.d` allows
//! everything without a password.
//!
//! It is Kiln's own program, installed setuid in the instance only and started by the name `sudo`. Outside of an instance it refuses.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Group, Uid, User, access, getuid, initgroups, setgroups, setresgid, setresuid};

/// Says whose instance this is; absent outside of instances.
const CONFIG: &str = "/run/kiln/agent.json";

/// Where commands are looked for, as Debian's sudo does, and Kiln's lent ones last.
const SECURE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/kiln/bin";

/// Variables that pass without being asked for: those that sudo keeps by default.
const KEPT: [&str; 11] = [
    "COLORS",
    "COLORTERM",
    "DISPLAY",
    "LANG",
    "LANGUAGE",
    "LS_COLORS",
    "SSH_AUTH_SOCK",
    "TERM",
    "TZ",
    "XAUTHORITY",
    "XAUTHORIZATION",
];

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Request {
    user: Option<String>,
    group: Option<String>,
    directory: Option<PathBuf>,
    keep_all: bool,
    keep: Vec<String>,
    set_home: bool,
    login: bool,
    shell: bool,
    background: bool,
    action: Action,
    variables: Vec<(OsString, OsString)>,
    command: Vec<OsString>,
}

/// What to do besides running a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Action {
    #[default]
    Run,
    /// `-v`, `-k`, `-K`: there is no password to remember or forget.
    Nothing,
    List,
    Version,
}

/// Runs it; `args` are what follows the program's name.
pub fn main(args: &[OsString]) -> ExitCode {
    match run(args) {
        Ok(code) => code,
        Err(reason) => {
            let _ = writeln!(io::stderr(), "sudo: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[OsString]) -> Result<ExitCode, String> {
    let config = fs::read_to_string(CONFIG).map_err(|_| "this sudo works in an instance of kiln only".to_owned())?;
    let login_user =
        serde_json::from_str::<serde_json::Value>(&config).ok().and_then(|c| Some(c.get("user")?.as_str()?.to_owned()));
    let request = parse(args)?;
    let caller = caller(login_user.as_deref())?;
    match request.action {
        Action::Run => {}
        Action::Nothing => return Ok(ExitCode::SUCCESS),
        Action::List => {
            return say(&format!(
                "User {} may run the following commands here:\n    (ALL : ALL) NOPASSWD: ALL",
                caller.name
            ));
        }
        Action::Version => return say("Sudo version 1.9.0 (kiln's stand-in)"),
    }
    let target = user(request.user.as_deref().unwrap_or("root"))?;
    let mut command = command(&request, &caller, &target)?;
    become_user(&target, request.group.as_deref())?;
    if let Some(directory) = &request.directory {
        std::env::set_current_dir(directory).map_err(|e| format!("cannot enter {}: {e}", directory.display()))?;
    }
    umask(Mode::from_bits_truncate(0o022));
    if request.background {
        return command.spawn().map(|_| ExitCode::SUCCESS).map_err(|e| e.to_string());
    }
    let error = command.exec();
    Err(format!("{}: {error}", command.get_program().to_string_lossy()))
}

fn say(text: &str) -> Result<ExitCode, String> {
    writeln!(io::stdout(), "{text}").map_err(|e| e.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the command line. Options may be bundled (`-nE`) and carry their value in the same word (`-uann`).
fn parse(args: &[OsString]) -> Result<Request, String> {
    let mut request = Request::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.as_slice().first() {
        let text = arg.to_string_lossy().into_owned();
        if !text.starts_with('-') || text == "-" {
            break;
        }
        rest.next();
        if text == "--" {
            break;
        }
        match text.strip_prefix("--") {
            Some(long) => long_option(&mut request, long, &mut rest)?,
            None => short_options(&mut request, &text[1..], &mut rest)?,
        }
    }
    let mut words = rest.cloned().peekable();
    while let Some((name, value)) = words.peek().and_then(|word| assignment(word)) {
        request.variables.push((name, value));
        words.next();
    }
    request.command = words.collect();
    if request.action == Action::Nothing && !request.command.is_empty() {
        // `sudo -k COMMAND` forgets nothing here, and runs the command.
        request.action = Action::Run;
    }
    if request.command.is_empty() && request.action == Action::Run && !request.login && !request.shell {
        return Err(
            "usage: sudo [-nEHSbis] [-u user] [-g group] [-D directory] [VAR=value] command [arg ...]".to_owned()
        );
    }
    Ok(request)
}

type Rest<'a> = std::slice::Iter<'a, OsString>;

fn short_options(request: &mut Request, letters: &str, rest: &mut Rest<'_>) -> Result<(), String> {
    for (at, letter) in letters.char_indices() {
        let mut value = || match &letters[at + letter.len_utf8()..] {
            "" => {
                rest.next().map(|v| v.to_string_lossy().into_owned()).ok_or(format!("option -{letter} needs a value"))
            }
            attached => Ok(attached.to_owned()),
        };
        match letter {
            // Not asking, reading a password from standard input, and the like: there is no password.
            'n' | 'S' | 'A' | 'B' | 'P' | 'N' => {}
            'E' => request.keep_all = true,
            'H' => request.set_home = true,
            'i' => request.login = true,
            's' => request.shell = true,
            'b' => request.background = true,
            'k' | 'K' | 'v' => request.action = Action::Nothing,
            'l' => request.action = Action::List,
            'V' => request.action = Action::Version,
            'u' => request.user = Some(value()?),
            'g' => request.group = Some(value()?),
            'D' => request.directory = Some(value()?.into()),
            'p' | 'C' | 'h' | 'r' | 't' | 'T' | 'U' => drop(value()?),
            other => return Err(format!("option -{other} is not known to kiln's stand-in")),
        }
        if matches!(letter, 'u' | 'g' | 'D' | 'p' | 'C' | 'h' | 'r' | 't' | 'T' | 'U') {
            return Ok(());
        }
    }
    Ok(())
}

fn long_option(request: &mut Request, text: &str, rest: &mut Rest<'_>) -> Result<(), String> {
    let (name, attached) = text.split_once('=').map_or((text, None), |(n, v)| (n, Some(v.to_owned())));
    let letter = match name {
        "preserve-env" => {
            match attached {
                Some(list) => request.keep.extend(list.split(',').map(str::to_owned)),
                None => request.keep_all = true,
            }
            return Ok(());
        }
        "non-interactive" => "n",
        "stdin" => "S",
        "set-home" => "H",
        "login" => "i",
        "shell" => "s",
        "background" => "b",
        "reset-timestamp" | "remove-timestamp" | "validate" => "v",
        "list" => "l",
        "version" => "V",
        "user" => "u",
        "group" => "g",
        "chdir" => "D",
        "prompt" => "p",
        other => return Err(format!("option --{other} is not known to kiln's stand-in")),
    };
    short_options(request, &format!("{letter}{}", attached.unwrap_or_default()), rest)
}

fn assignment(word: &OsStr) -> Option<(OsString, OsString)> {
    let bytes = word.as_bytes();
    let at = bytes.iter().position(|&b| b == b'=')?;
    let (name, value) = (&bytes[..at], &bytes[at + 1..]);
    let is_name = name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    is_name.then(|| (OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec())))
}

/// Who calls, if he may.
fn caller(login_user: Option<&str>) -> Result<User, String> {
    let caller = User::from_uid(getuid()).ok().flatten().ok_or_else(|| format!("user {} is unknown here", getuid()))?;
    let groups = group_names(&caller);
    if caller.uid.is_root()
        || login_user == Some(caller.name.as_str())
        || sudoers().iter().any(|text| allows(text, &caller.name, &groups))
    {
        return Ok(caller);
    }
    Err(format!(
        "{} may not use sudo here: only root, the login user, and whom a file in /etc/sudoers.d allows ALL without a password",
        caller.name
    ))
}

fn group_names(user: &User) -> Vec<String> {
    let Ok(name) = CString::new(user.name.as_bytes()) else { return Vec::new() };
    let ids = nix::unistd::getgrouplist(&name, user.gid).unwrap_or_default();
    ids.into_iter().filter_map(|id| Group::from_gid(id).ok().flatten()).map(|group| group.name).collect()
}

fn sudoers() -> Vec<String> {
    fs::read_dir("/etc/sudoers.d")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| fs::read_to_string(e.path()).ok())
        .collect()
}

/// `USER ALL=(ALL) NOPASSWD:ALL`, or `%GROUP …`.
fn allows(sudoers: &str, user: &str, groups: &[String]) -> bool {
    sudoers.lines().map(str::trim).any(|line| {
        let (who, rule) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let named = who == user || who.strip_prefix('%').is_some_and(|g| groups.iter().any(|name| name == g));
        let rule: String = rule.split_whitespace().collect();
        named && rule.starts_with("ALL=") && rule.ends_with("NOPASSWD:ALL")
    })
}

/// By name, or by `#UID`.
fn user(name: &str) -> Result<User, String> {
    let found = match name.strip_prefix('#').and_then(|id| id.parse().ok()) {
        Some(id) => User::from_uid(Uid::from_raw(id)),
        None => User::from_name(name),
    };
    found.ok().flatten().ok_or_else(|| format!("unknown user {name}"))
}

fn become_user(target: &User, group: Option<&str>) -> Result<(), String> {
    let gid = match group {
        Some(name) => Group::from_name(name).ok().flatten().ok_or_else(|| format!("unknown group {name}"))?.gid,
        None => target.gid,
    };
    let name = CString::new(target.name.as_bytes()).map_err(|e| e.to_string())?;
    let change = || -> nix::Result<()> {
        setgroups(&[] as &[Gid])?;
        initgroups(&name, gid)?;
        setresgid(gid, gid, gid)?;
        setresuid(target.uid, target.uid, target.uid)
    };
    change().map_err(|e| format!("cannot become {}: {e}", target.name))
}

fn command(request: &Request, caller: &User, target: &User) -> Result<Command, String> {
    let environment = environment(request, caller, target);
    let shell = if target.shell.as_os_str().is_empty() { PathBuf::from("/bin/sh") } else { target.shell.clone() };
    let mut command = if request.login || request.shell {
        let mut command = Command::new(&shell);
        if request.login {
            let name = shell.file_name().unwrap_or(OsStr::new("sh")).to_string_lossy().into_owned();
            command.arg0(format!("-{name}")).current_dir(&target.dir);
        }
        if !request.command.is_empty() {
            command.arg("-c").arg(quoted(&request.command));
        }
        command
    } else {
        let name = request.command.first().ok_or("no command")?;
        let program =
            find(name, environment.get(OsStr::new("PATH")).map_or(OsStr::new(SECURE_PATH), OsString::as_os_str))?;
        let mut command = Command::new(program);
        command.arg0(name).args(&request.command[1..]);
        command
    };
    command.env_clear().envs(environment);
    Ok(command)
}

fn find(name: &OsStr, path: &OsStr) -> Result<PathBuf, String> {
    if name.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(name));
    }
    let is_program = |p: &PathBuf| p.is_file() && access(p, nix::unistd::AccessFlags::X_OK).is_ok();
    let found = std::env::split_paths(path).map(|directory| directory.join(name)).find(is_program);
    found.ok_or_else(|| format!("{}: command not found", name.to_string_lossy()))
}

/// For `sh -c`, as sudo does it: everything but letters, digits, `_`, `-` and `$` gets a backslash.
fn quoted(words: &[OsString]) -> OsString {
    let quote = |word: &OsString| {
        let mut out = Vec::new();
        for &byte in word.as_bytes() {
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$')) {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out
    };
    OsString::from_vec(words.iter().map(quote).collect::<Vec<_>>().join(&b' '))
}

fn environment(request: &Request, caller: &User, target: &User) -> BTreeMap<OsString, OsString> {
    let kept = |name: &str| {
        let always = KEPT.contains(&name) || name.starts_with("LC_");
        request.keep_all && !request.login || always || request.keep.iter().any(|k| k == name)
    };
    let mut environment: BTreeMap<OsString, OsString> =
        std::env::vars_os().filter(|(name, _)| kept(&name.to_string_lossy())).collect();
    let keeps_home =
        (request.keep_all || request.keep.iter().any(|k| k == "HOME")) && !request.set_home && !request.login;
    if !(keeps_home && environment.contains_key(OsStr::new("HOME"))) {
        environment.insert("HOME".into(), target.dir.clone().into());
    }
    let command = request.command.join(OsStr::new(" "));
    let command = if command.is_empty() { target.shell.clone().into() } else { command };
    let own: [(&str, OsString); 9] = [
        ("PATH", SECURE_PATH.into()),
        ("USER", target.name.clone().into()),
        ("LOGNAME", target.name.clone().into()),
        ("SHELL", target.shell.clone().into()),
        ("MAIL", Path::new("/var/mail").join(&target.name).into()),
        ("SUDO_USER", caller.name.clone().into()),
        ("SUDO_UID", caller.uid.to_string().into()),
        ("SUDO_GID", caller.gid.to_string().into()),
        ("SUDO_COMMAND", command),
    ];
    environment.extend(own.map(|(name, value)| (name.into(), value)));
    environment.extend(request.variables.iter().cloned());
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn command_lines_of_templates_are_read() {
        let request = parse(&words("-S -E -H env A=1 bash -eux /tmp/script.sh")).unwrap();
        assert!(request.keep_all && request.set_home);
        assert_eq!(request.command, words("env A=1 bash -eux /tmp/script.sh"));

        let request = parse(&words("-nE DEBIAN_FRONTEND=noninteractive apt-get install -y x")).unwrap();
        assert_eq!(request.variables, [("DEBIAN_FRONTEND".into(), "noninteractive".into())]);
        assert_eq!(request.command, words("apt-get install -y x"));

        let request = parse(&words("-iu postgres -- psql -c x=1")).unwrap();
        assert_eq!((request.login, request.user.as_deref()), (true, Some("postgres")));
        assert_eq!(request.command, words("psql -c x=1"));

        let request = parse(&words("--user=www --preserve-env=A,B id")).unwrap();
        assert_eq!((request.user.as_deref(), request.keep), (Some("www"), vec!["A".to_owned(), "B".to_owned()]));
        assert_eq!(parse(&words("-v")).unwrap().action, Action::Nothing);
        assert_eq!(parse(&words("-k id")).unwrap().action, Action::Run);
        for wrong in ["", "-u", "-e file", "-E"] {
            assert!(parse(&words(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sudoers_that_ask_for_no_password_allow() {
        let groups = ["wheel".to_owned()];
        for (line, allowed) in [
            ("ann ALL=(ALL) NOPASSWD:ALL", true),
            ("ann ALL=(ALL:ALL) NOPASSWD: ALL", true),
            ("%wheel ALL=(ALL) NOPASSWD:ALL", true),
            ("bob ALL=(ALL) NOPASSWD:ALL", false),
            ("ann ALL=(ALL) ALL", false),
            ("ann ALL=(ALL) NOPASSWD:/bin/ls", false),
            ("# ann ALL=(ALL) NOPASSWD:ALL", false),
        ] {
            assert_eq!(allows(line, "ann", &groups), allowed, "{line}");
        }
    }

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted(&words("echo a;b $HOME")), "echo a\\;b $HOME");
    }
}
