//! Functions that read files.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::arguments::{any, bool, parts_param, string, text, text_param, value};
use super::paths::{expand, from, slashed};
use super::{Allowed, Call, Function, FunctionError, PathKind};
use crate::hcl::eval::render_template;
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("file", &[text_param("path")], string, file),
    Function::new("filebase64", &[text_param("path")], string, filebase64),
    Function::new("fileexists", &[text_param("path")], bool, fileexists),
    Function::new("templatefile", &[text_param("path"), parts_param("vars")], any, templatefile).keeping_marks(),
];

/// The path of an argument: `~` is the home directory, relative paths start from the template's folder.
fn path(call: &Call<'_>, args: &[Value]) -> Result<String, FunctionError> {
    let path = expand(call.host, text(args, 0)?).map_err(|message| FunctionError::argument(0, message))?;
    Ok(from(call.host.root(), &path))
}

fn read(call: &Call<'_>, path: &str, advice: impl FnOnce() -> String) -> Result<Vec<u8>, FunctionError> {
    call.host.read(Path::new(path)).map_err(|error| {
        FunctionError::argument(
            0,
            match error.kind() {
                io::ErrorKind::NotFound => format!("no file exists at {path}{}", advice()),
                _ => format!("cannot read {path}: {error}"),
            },
        )
    })
}

/// What to do about an argument that begins with the template's folder, which is put in front of it once more.
fn advice(call: &Call<'_>, args: &[Value]) -> String {
    let folder = slashed(call.host.root());
    let root = folder.trim_end_matches('/');
    match text(args, 0) {
        Ok(given) if root != "." && !root.is_empty() && given.starts_with(&format!("{root}/")) => format!(
            "; relative paths start from the template's folder, {root}: leave the folder out, or use abspath(path.root)"
        ),
        _ => String::new(),
    }
}

fn read_text(call: &Call<'_>, args: &[Value], path: &str) -> Result<String, FunctionError> {
    String::from_utf8(read(call, path, || advice(call, args))?).map_err(|_| {
        FunctionError::argument(0, format!("{path} is no UTF-8 text; filebase64 reads files of other bytes"))
    })
}

fn file(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(read_text(call, args, &path(call, args)?)?))
}

/// Unlike `file` it starts from the working directory and does not know `~`: templates may have come to rely on it.
fn filebase64(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let path = from(call.host.cwd(), text(args, 0)?);
    Ok(Value::string(STANDARD.encode(read(call, &path, String::new)?)))
}

fn fileexists(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let path = path(call, args)?;
    match call.host.kind(Path::new(&path)) {
        Ok(PathKind::File) => Ok(Value::bool(true)),
        Ok(PathKind::Directory) => Err(FunctionError::argument(0, format!("{path} is a directory, not a file"))),
        Ok(PathKind::Other) => Err(FunctionError::argument(0, format!("{path} is not a regular file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Value::bool(false)),
        Err(error) => Err(FunctionError::argument(0, format!("cannot look at {path}: {error}"))),
    }
}

/// Renders a template file with these variables and no others. It may call all functions but this one.
fn templatefile(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let path = path(call, args)?;
    let variables = variables(value(args, 1)?)?;
    let text = read_text(call, args, &path)?;
    render_template(&path, &text, variables, call, &without(call.allowed, "templatefile"))
        .map_err(|error| FunctionError::failed(error.to_string()))
}

fn variables(value: &Value) -> Result<BTreeMap<String, Value>, FunctionError> {
    let invalid = |message: String| Err(FunctionError::argument(1, message));
    let Some(variables) = value.as_mapping() else {
        return invalid(format!("a map or an object is required, not {}", value.ty().kind()));
    };
    match variables.keys().find(|name| !is_identifier(name)) {
        None => Ok(variables.clone()),
        Some(name) => invalid(format!(
            "{name:?} is no name of a variable: it must begin with a letter and go on with letters, digits, `_` and `-`"
        )),
    }
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

fn without(allowed: &Allowed, name: &'static str) -> Allowed {
    match allowed {
        Allowed::None => Allowed::None,
        Allowed::Only(names) => Allowed::Only(names.iter().copied().filter(|other| *other != name).collect()),
        Allowed::Except(names) => Allowed::Except(names.iter().copied().chain([name]).collect()),
    }
}
