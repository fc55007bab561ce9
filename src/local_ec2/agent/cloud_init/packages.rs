//! `packages` and its kin: the image's package tool with the options that cloud-init gives it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::cloud_config::CloudConfig;
use super::value;
use crate::local_ec2::agent::paths::Paths;

/// A package tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Apt,
    Dnf,
    Yum,
    Zypper,
    Apk,
}

const TOOLS: [(&str, Tool); 5] = [
    ("/usr/bin/apt-get", Tool::Apt),
    ("/usr/bin/dnf", Tool::Dnf),
    ("/usr/bin/yum", Tool::Yum),
    ("/usr/bin/zypper", Tool::Zypper),
    ("/sbin/apk", Tool::Apk),
];

/// A package by name, perhaps in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Package {
    name: String,
    version: Option<String>,
}

/// The commands that bring the packages, in order, each with its name for the log.
///
/// # Errors
/// When packages are wanted and the image has no package tool that is known.
pub fn commands(paths: &Paths, config: &CloudConfig) -> Result<Vec<(String, Command)>, String> {
    let either = |new, old| value::flag(config.get(new), value::flag(config.get(old), false));
    let (update, upgrade) = (either("package_update", "apt_update"), either("package_upgrade", "apt_upgrade"));
    let packages = wanted(config.get("packages"));
    if !update && !upgrade && packages.is_empty() {
        return Ok(Vec::new());
    }
    let (program, tool) = TOOLS
        .iter()
        .find(|(program, _)| paths.at(program).exists())
        .ok_or("packages are wanted, but the image has none of apt-get, dnf, yum, zypper and apk")?;
    let mut lines = Vec::new();
    // apt installs from its lists only; cloud-init fetches them whenever packages are wanted.
    if update || upgrade || (*tool == Tool::Apt && !packages.is_empty()) {
        lines.push(tool.refresh());
    }
    if upgrade {
        lines.push(tool.upgrade());
    }
    if !packages.is_empty() {
        let names = packages.iter().map(|package| tool.spell(package));
        lines.push(tool.install().into_iter().map(str::to_owned).chain(names).collect());
    }
    Ok(lines.into_iter().map(|line| command(program, &line)).collect())
}

fn command(program: &str, line: &[String]) -> (String, Command) {
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    let what = format!("{name} {}", line.join(" "));
    let mut command = Command::new("/usr/bin/env");
    command.args(["DEBIAN_FRONTEND=noninteractive", program]).args(line);
    (what, command)
}

/// A name, or a list of name and version, or a map from a package tool to such a list, whose tool is taken as given.
fn wanted(packages: &Value) -> Vec<Package> {
    let list = match packages {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    };
    list.iter().flat_map(package).collect()
}

fn package(item: &Value) -> Vec<Package> {
    match item {
        Value::Array(pair) => {
            let mut texts = pair.iter().filter_map(value::text);
            texts.next().map(|name| Package { name, version: texts.next() }).into_iter().collect()
        }
        Value::Object(by_tool) => by_tool.values().flat_map(wanted).collect(),
        other => value::text(other).map(|name| Package { name, version: None }).into_iter().collect(),
    }
}

impl Tool {
    fn refresh(self) -> Vec<String> {
        owned(match self {
            Self::Apt => &["--quiet", "update"],
            Self::Dnf | Self::Yum => &["--assumeyes", "makecache"],
            Self::Zypper => &["--non-interactive", "refresh"],
            Self::Apk => &["update"],
        })
    }

    fn upgrade(self) -> Vec<String> {
        let options: &[&str] = match self {
            Self::Apt => &["dist-upgrade"],
            Self::Dnf | Self::Yum => &["--assumeyes", "upgrade"],
            Self::Zypper => &["--non-interactive", "update"],
            Self::Apk => &["upgrade"],
        };
        self.apt_options().iter().chain(options).map(|word| (*word).to_owned()).collect()
    }

    fn install(self) -> Vec<&'static str> {
        let words: &[&'static str] = match self {
            Self::Apt => &["install"],
            Self::Dnf | Self::Yum => &["--assumeyes", "install"],
            Self::Zypper => &["--non-interactive", "install"],
            Self::Apk => &["add"],
        };
        self.apt_options().iter().chain(words).copied().collect()
    }

    /// Keep changed configuration files, do not ask, do not wait for the disk after each file.
    fn apt_options(self) -> &'static [&'static str] {
        match self {
            Self::Apt => &[
                "--option=Dpkg::Options::=--force-confold",
                "--option=Dpkg::options::=--force-unsafe-io",
                "--assume-yes",
                "--quiet",
            ],
            _ => &[],
        }
    }

    fn spell(self, package: &Package) -> String {
        let separator = match self {
            Self::Apt | Self::Zypper | Self::Apk => "=",
            Self::Dnf | Self::Yum => "-",
        };
        match &package.version {
            Some(version) => format!("{}{separator}{version}", package.name),
            None => package.name.clone(),
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(program: &str, yaml: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let file = paths.at(program);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "").unwrap();
        let config = CloudConfig::parse(yaml).unwrap();
        commands(&paths, &config).unwrap().into_iter().map(|(what, _)| what).collect()
    }

    #[test]
    fn each_tool_is_spoken_to_in_its_words() {
        let yaml = "packages: [jq, [nginx, '1.2'], {apt: [curl]}]";
        let options =
            "--option=Dpkg::Options::=--force-confold --option=Dpkg::options::=--force-unsafe-io --assume-yes --quiet";
        assert_eq!(
            lines("/usr/bin/apt-get", yaml),
            ["apt-get --quiet update".to_owned(), format!("apt-get {options} install jq nginx=1.2 curl")]
        );
        assert_eq!(lines("/usr/bin/dnf", yaml), ["dnf --assumeyes install jq nginx-1.2 curl"]);
        assert_eq!(lines("/sbin/apk", "package_update: true"), ["apk update"]);
        assert!(lines("/usr/bin/apt-get", "runcmd: []").is_empty());
    }

    #[test]
    fn an_image_without_a_tool_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let config = CloudConfig::parse("packages: jq").unwrap();
        assert!(commands(&Paths::new(dir.path()), &config).is_err());
    }
}
