//! Paths with `*`, `?` and `[a-z]` in their names, as post-processors take them. Each stands for names in one directory: `**` is `*`.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// A path or a pattern of paths.
#[derive(Debug)]
pub enum Pattern {
    /// One path.
    Path(PathBuf),
    /// The directory that the search starts in, and what the names below it are like, level by level.
    Names(PathBuf, Vec<GlobMatcher>),
}

impl Pattern {
    /// Reads one. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !has_magic(text) {
            return Ok(Self::Path(text.into()));
        }
        let start = if text.starts_with('/') { "/" } else { "" };
        let names = text.split('/').filter(|name| !name.is_empty() && *name != ".");
        // Leading names without magic are not searched for, so that `..` works.
        let plain = names.clone().take_while(|name| !has_magic(name)).count();
        let start = names.clone().take(plain).fold(PathBuf::from(start), |path, name| path.join(name));
        Ok(Self::Names(start, names.skip(plain).map(matcher).collect::<Result<_, _>>()?))
    }

    /// What is there of it, in the order of the names.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Path(path) => path.symlink_metadata().map(|_| path.clone()).into_iter().collect(),
            Self::Names(start, levels) => levels.iter().fold(vec![start.clone()], |found, level| {
                found.iter().flat_map(|directory| matching(directory, level)).collect()
            }),
        }
    }
}

fn has_magic(text: &str) -> bool {
    text.contains(['*', '?', '[', '\\'])
}

/// Braces are ordinary characters here, and a class is negated by `^`.
fn matcher(name: &str) -> Result<GlobMatcher, String> {
    let literal = name.replace('{', "[{]").replace('}', "[}]").replace("**", "*");
    let glob = GlobBuilder::new(&literal).backslash_escape(true).literal_separator(true).build();
    Ok(glob.map_err(|error| error.kind().to_string())?.compile_matcher())
}

/// The entries of a directory that match. One that cannot be read holds nothing.
fn matching(directory: &Path, level: &GlobMatcher) -> Vec<PathBuf> {
    let shown = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let Ok(entries) = std::fs::read_dir(shown) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.flatten().map(|entry| entry.file_name()).filter(|name| level.is_match(name)).collect();
    names.sort();
    names.iter().map(|name| directory.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for name in ["d/b.txt", "d/a.txt", "d/.hidden", "d/sub/deep.txt", "e/a.txt", "{x}/[y].txt"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let files = Pattern::parse(&format!("{}/{pattern}", dir.path().display())).unwrap().files();
        files.iter().map(|file| file.strip_prefix(dir.path()).unwrap().display().to_string()).collect()
    }

    #[test]
    fn stars_stay_in_their_directory() {
        assert_eq!(found("d/*.txt"), ["d/a.txt", "d/b.txt"]);
        assert_eq!(found("*/a.txt"), ["d/a.txt", "e/a.txt"]);
        assert_eq!(found("**/*.txt"), ["d/a.txt", "d/b.txt", "e/a.txt", "{x}/[y].txt"]);
        assert_eq!(found("d/*"), ["d/.hidden", "d/a.txt", "d/b.txt", "d/sub"]);
    }

    #[test]
    fn classes_escapes_and_braces() {
        assert_eq!(found("d/[a-a].txt"), ["d/a.txt"]);
        assert_eq!(found("d/[^a].txt"), ["d/b.txt"]);
        assert_eq!(found("{x}/\\[?].txt"), ["{x}/[y].txt"]);
        assert!(found("{d,e}/a*").is_empty());
    }

    #[test]
    fn a_path_is_taken_as_it_is_when_it_is_there() {
        assert_eq!(found("d/a.txt"), ["d/a.txt"]);
        assert!(found("d/c.txt").is_empty());
        assert!(found("nowhere/*").is_empty());
    }

    #[test]
    fn a_pattern_that_ends_too_early_is_refused() {
        assert!(Pattern::parse("d/[a").unwrap_err().contains("unclosed"), "{:?}", Pattern::parse("d/[a"));
    }
}
