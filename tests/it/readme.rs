//! What is shipped is tested: README blocks, templates, scripts.

use std::process::Command;

use crate::sandbox::{Sandbox, root};

fn blocks(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn readme_commands_are_commands_of_this_binary() {
    let lines: Vec<String> =
        blocks("sh").iter().flat_map(|b| b.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    assert!(lines.iter().any(|line| line.contains("build --local templates/quickstart")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("cargo test")), "{lines:#?}");
    for line in lines.iter().filter_map(|line| line.split("kiln ").nth(1).filter(|_| !line.starts_with('#'))) {
        let verb = line.split_whitespace().next().unwrap();
        Sandbox::new().run(&[verb, "--help"]).expect(0);
    }
}

#[test]
fn every_template_validates() {
    let mut names: Vec<_> = std::fs::read_dir(root().join("templates")).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    assert!(names.len() >= 4, "{names:?}");
    for directory in names.iter().filter(|path| path.is_dir()) {
        let sandbox = Sandbox::new();
        let mut command = sandbox.kiln();
        command.current_dir(root()).args(["validate", &directory.display().to_string()]);
        let ran: crate::sandbox::Ran = command.output().unwrap().into();
        let ran = ran.expect(0);
        assert_eq!(ran.stdout, "The configuration is valid.\n", "{}", directory.display());
    }
}

#[test]
fn every_script_passes_shellcheck() {
    let scripts: Vec<_> = walk(&root().join("provisioners"));
    assert!(!scripts.is_empty());
    for script in scripts.iter().filter(|path| path.extension().is_some_and(|e| e == "sh")) {
        let syntax = Command::new("bash").arg("-n").arg(script).output().unwrap();
        assert!(syntax.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&syntax.stderr));
        match Command::new("shellcheck").arg(script).output() {
            Ok(check) => assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout)),
            Err(_) => println!("shellcheck is not installed: only the syntax of {} was checked", script.display()),
        }
    }
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
