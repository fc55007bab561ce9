//! The files of a directory that `fmt` formats.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::cli::files::reason;

/// What was found.
#[derive(Default)]
pub struct Found {
    /// Files to format, in the order of their names.
    pub files: Vec<PathBuf>,
    /// Directories that cannot be read, as messages.
    pub problems: Vec<String>,
}

/// Whether a name is one of a template or of a variable file in HCL.
pub fn is_template(name: &str) -> bool {
    name.ends_with(".pkr.hcl") || name.ends_with(".pkrvars.hcl")
}

/// The files of a directory, and those of the directories in it where `deep`. Links to directories are not followed.
pub fn files(directory: &Path, deep: bool) -> Found {
    let mut found = Found::default();
    visit(directory, deep, &mut found);
    found
}

fn visit(directory: &Path, deep: bool, found: &mut Found) {
    let entries = match std::fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => {
            return found.problems.push(format!("Error: {}: {}\n", directory.display(), reason(directory, &error)));
        }
    };
    let mut names: Vec<_> = entries.iter().map(std::fs::DirEntry::file_name).collect();
    names.sort();
    for name in names.iter().filter(|name| !is_hidden(name)) {
        let path = clean(&directory.join(name));
        match std::fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() && deep => visit(&path, deep, found),
            _ if is_template(&name.to_string_lossy()) && !path.is_dir() => found.files.push(path),
            _ => {}
        }
    }
}

/// Hidden files, and what editors leave while they work.
fn is_hidden(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'))
}

/// The path without `.` and, where it can be told from the text, without `..`.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        let after_name = matches!(out.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::CurDir => {}
            Component::ParentDir if after_name => _ = out.pop(),
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_paths() {
        for (path, expected) in
            [("./a", "a"), ("a/./b/../c", "a/c"), ("../a", "../a"), ("../../a/..", "../.."), ("/a//b", "/a/b")]
        {
            assert_eq!(clean(Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn hidden_names() {
        for name in [".a.pkr.hcl", "a.pkr.hcl~", "#a.pkr.hcl#"] {
            assert!(is_hidden(OsStr::new(name)), "{name}");
        }
        assert!(!is_hidden(OsStr::new("#a.pkr.hcl")));
    }
}
