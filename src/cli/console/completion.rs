//! What Tab offers: the names that fit the word before the cursor.

use super::session::Session;

/// Where the last name before the cursor starts, and what it may become.
pub fn candidates(session: &Session, before: &str) -> (usize, Vec<String>) {
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start =
        before.rfind(|c| !is_path(c)).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let path: Vec<&str> = before[start..].split('.').collect();
    let (begun, path) = path.split_last().map_or(("", &[][..]), |(begun, path)| (*begun, path));
    let mut fitting = session.members(path);
    fitting.retain(|name| name.starts_with(begun));
    fitting.sort();
    (before.len() - begun.len(), fitting)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use super::*;
    use crate::cli::host::ThisMachine;
    use crate::hcl::Value;

    fn offered(before: &str) -> (usize, Vec<String>) {
        let host = ThisMachine { root: PathBuf::new(), cwd: Path::new("/").into(), env: Arc::default(), local: None };
        let object =
            |names: &[&str]| Value::object(names.iter().map(|name| ((*name).to_owned(), Value::string("x"))).collect());
        let names = [("var".to_owned(), object(&["region", "regions", "size"])), ("local".to_owned(), object(&["é"]))];
        candidates(&Session::new(names.into(), Arc::new(host), String::new()), before)
    }

    #[test]
    fn names_and_functions() {
        assert_eq!(offered("upper(var.reg"), (10, vec!["region".to_owned(), "regions".to_owned()]));
        assert_eq!(offered("1 + var"), (4, vec!["var".to_owned(), "variables".to_owned()]));
        assert_eq!(offered("flatt"), (0, vec!["flatten(".to_owned()]));
        assert_eq!(offered("é local."), (9, vec!["é".to_owned()]));
        assert_eq!(offered("var.size.x"), (9, vec![]));
        assert!(offered("").1.len() > 90);
        assert_eq!(offered("env").1, Vec::<String>::new());
    }
}
