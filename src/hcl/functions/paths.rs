//! Functions on the text of paths. Paths are written with `/` on every system.

use std::path::Path;

use super::arguments::{string, text, text_param};
use super::{Call, Function, FunctionError, Host};
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("abspath", &[text_param("path")], string, abspath),
    Function::new("basename", &[text_param("path")], string, basename),
    Function::new("dirname", &[text_param("path")], string, dirname),
    Function::new("pathexpand", &[text_param("path")], string, pathexpand),
];

fn abspath(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(from(call.host.cwd(), text(args, 0)?)))
}

fn basename(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let path = text(args, 0)?;
    let trimmed = path.trim_end_matches('/');
    Ok(Value::string(match (path, trimmed.rsplit('/').next()) {
        ("", _) => ".",
        (_, None | Some("")) => "/",
        (_, Some(name)) => name,
    }))
}

fn dirname(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let path = text(args, 0)?;
    Ok(Value::string(clean(path.rfind('/').map_or("", |at| &path[..=at]))))
}

fn pathexpand(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    expand(call.host, text(args, 0)?).map(Value::string).map_err(|message| FunctionError::argument(0, message))
}

/// The path with a leading `~` replaced by the home directory; other users' homes are not looked up.
pub(super) fn expand(host: &dyn Host, path: &str) -> Result<String, String> {
    let Some(rest) = path.strip_prefix('~') else { return Ok(path.to_owned()) };
    if !rest.is_empty() && !rest.starts_with(['/', '\\']) {
        return Err(format!("{path:?} names the home directory of another user, which cannot be expanded"));
    }
    let home = host.home().ok_or("there is no home directory: set HOME")?;
    Ok(clean(&format!("{}/{rest}", slashed(&home))))
}

/// The path as seen from a folder, cleaned.
pub(super) fn from(folder: &Path, path: &str) -> String {
    if path.starts_with('/') || Path::new(path).is_absolute() {
        return clean(path);
    }
    let folder = slashed(folder);
    if folder.is_empty() { clean(path) } else { clean(&format!("{folder}/{path}")) }
}

/// The path as text with `/`.
pub(super) fn slashed(path: &Path) -> String {
    let text = path.to_string_lossy();
    if cfg!(windows) { text.replace('\\', "/") } else { text.into_owned() }
}

/// The shortest path of the same meaning, without looking at the disk: no `.`, no `//`, `..` only in front.
pub(super) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning() {
        let cases = [
            ("", "."),
            ("a//b/", "a/b"),
            ("./a/../b", "b"),
            ("../../a", "../../a"),
            ("/../a", "/a"),
            ("a/..", "."),
            ("/", "/"),
        ];
        for (path, want) in cases {
            assert_eq!(clean(path), want, "{path}");
        }
        assert_eq!(from(Path::new("/x/y"), "../z"), "/x/z");
        assert_eq!(from(Path::new(""), "a/b"), "a/b");
    }
}
