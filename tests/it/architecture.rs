//! The rules of the house: who imports whom (the table in ARCHITECTURE.md), and what no file may lack or hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::sandbox::root;

/// All Rust files below a directory.
fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// The table: module -> modules that it may import. `everything` stands for all.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let marked =
        text.split("<!-- imports: begin -->").nth(1).and_then(|rest| rest.split("<!-- imports: end -->").next());
    let section = marked.expect("ARCHITECTURE.md marks its import table");
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let allowed = cells[1].split([' ', ',', '`']).filter(|word| !word.is_empty() && *word != "-");
        (cells[0].trim_matches('`').to_owned(), allowed.map(str::to_owned).collect())
    })
    .collect()
}

/// Modules that a file names after `crate::`, outside of its unit tests and comments.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut found = BTreeSet::new();
    for line in lines {
        for rest in line.split("crate::").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            found.insert(name);
        }
    }
    found.remove("");
    found
}

#[test]
fn imports_follow_the_table() {
    let table = table();
    let mut wrong = Vec::new();
    for (module, allowed) in &table {
        let base = root().join("src").join(module);
        let files = if base.is_dir() { rust_files(&base) } else { vec![base.with_extension("rs")] };
        for file in files {
            for import in imports(&std::fs::read_to_string(&file).unwrap()) {
                let known = table.contains_key(&import) && import != *module;
                if known && !allowed.contains(&import) && !allowed.contains("everything") {
                    wrong.push(format!("{} imports {import}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "against ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_is_in_the_table() {
    let table = table();
    for entry in std::fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            ["build", "lib", "main"].contains(&name.as_str()) || table.contains_key(&name),
            "{name} is not in the table"
        );
    }
}

#[test]
fn only_one_place_names_each_outside_world() {
    for (crate_name, places) in [
        ("aws_sdk_", &["src/aws/"][..]),
        ("aws_config", &["src/aws/"]),
        ("russh", &["src/communicator/ssh/", "src/local_ec2/"]),
        ("indicatif", &["src/report/"]),
        ("libcontainer", &["src/local_ec2/"]),
        ("hcl::edit", &["src/hcl/parse/"]),
    ] {
        for file in rust_files(&root().join("src")) {
            let text = std::fs::read_to_string(&file).unwrap();
            let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let path = file.strip_prefix(root()).unwrap().display().to_string();
            let allowed = places.iter().any(|place| path.starts_with(place));
            assert!(allowed || !code.contains(crate_name), "{path} names {crate_name}");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut files = rust_files(&root().join("src"));
    files.extend(rust_files(&root().join("tests/it")));
    let silent: Vec<_> =
        files.into_iter().filter(|file| !std::fs::read_to_string(file).unwrap().starts_with("//!")).collect();
    assert!(silent.is_empty(), "no `//!` at the head of {silent:#?}");
}
