//! `fileset`: the files below a folder that match a pattern.

mod pattern;

use std::collections::BTreeSet;
use std::path::Path;

use super::arguments::{text, text_param};
use super::paths::from;
use super::{Call, Function, FunctionError, Host, PathKind};
use crate::hcl::types::Type;
use crate::hcl::value::Value;
use pattern::{Component, alternatives, components};

pub(super) static FUNCTIONS: &[Function] =
    &[Function::new("fileset", &[text_param("path"), text_param("pattern")], strings, fileset)];

/// More files and folders are not looked at: links that form circles would make them endless.
const MAX_VISITS: usize = 1_000_000;

fn strings() -> Type {
    Type::set(Type::String)
}

/// Regular files and links to them, by their paths seen from the folder.
fn fileset(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let folder = from(call.host.root(), text(args, 0)?);
    let invalid = |message: String| FunctionError::argument(1, message);
    let mut walk = Walk { host: call.host, found: BTreeSet::new(), visits: 0 };
    for pattern in alternatives(text(args, 1)?).map_err(invalid)? {
        let components = components(&folder, &pattern).map_err(invalid)?;
        let start = if folder.starts_with('/') { "/" } else { "" };
        walk.visit(start, &components).map_err(FunctionError::failed)?;
    }
    let relative = walk.found.iter().map(|path| Value::string(relative(&folder, path))).collect();
    Ok(Value::set(Type::String, relative))
}

/// A search and what it has found.
struct Walk<'a> {
    host: &'a dyn Host,
    found: BTreeSet<String>,
    visits: usize,
}

impl Walk<'_> {
    fn visit(&mut self, path: &str, components: &[Component]) -> Result<(), String> {
        self.visits += 1;
        if self.visits > MAX_VISITS {
            return Err(format!("the pattern covers more than {MAX_VISITS} files and folders"));
        }
        let Some((first, rest)) = components.split_first() else {
            if matches!(self.host.kind(Path::new(path)), Ok(PathKind::File)) {
                self.found.insert(path.to_owned());
            }
            return Ok(());
        };
        match first {
            Component::Name(name) => self.visit(&join(path, name), rest),
            Component::Names(pattern) => {
                for (name, kind) in self.list(path) {
                    if pattern.is_match(&name) && (rest.is_empty() || kind == PathKind::Directory) {
                        self.visit(&join(path, &name), rest)?;
                    }
                }
                Ok(())
            }
            Component::Folders => self.below(path, components, rest),
        }
    }

    /// `**`: this folder and all below it.
    fn below(&mut self, path: &str, components: &[Component], rest: &[Component]) -> Result<(), String> {
        self.visit(path, rest)?;
        for (name, kind) in self.list(path) {
            let path = join(path, &name);
            match kind {
                PathKind::Directory => self.visit(&path, components)?,
                _ if rest.is_empty() => self.visit(&path, rest)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What is in a folder; what cannot be listed holds nothing that matches.
    fn list(&self, path: &str) -> Vec<(String, PathKind)> {
        let path = if path.is_empty() { "." } else { path };
        self.host.list(Path::new(path)).unwrap_or_default()
    }
}

fn join(path: &str, name: &str) -> String {
    let separator = if path.is_empty() || path.ends_with('/') { "" } else { "/" };
    format!("{path}{separator}{name}")
}

/// A path as seen from a folder; both are cleaned and start at the same place.
fn relative(folder: &str, path: &str) -> String {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let (folder, path) = (parts(folder), parts(path));
    let common = folder.iter().zip(&path).take_while(|(left, right)| left == right).count();
    let up = std::iter::repeat_n("..", folder.len() - common);
    let down = path.iter().skip(common).map(String::as_str);
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths() {
        assert_eq!(relative("a/b", "a/b/c/d"), "c/d");
        assert_eq!(relative("a/b", "a/x"), "../x");
        assert_eq!(relative(".", "a"), "a");
        assert_eq!(relative("/", "/a"), "a");
    }
}
