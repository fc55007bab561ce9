//! The order of a boot: what happens before SSH answers, what happens while it does, and what is done once an instance.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cloud_config::CloudConfig;
use super::log::Log;
use super::user_data::{self, Part};
use super::write_files::{self, When};
use super::{commands, default_user, packages, stand_in, users, value};
use crate::local_ec2::agent::config::Config;
use crate::local_ec2::agent::paths::Paths;
use crate::local_ec2::agent::{host_key, hostname};

/// The stand-in's work of one boot.
pub struct FirstBoot {
    paths: Paths,
    config: Config,
    cloud_config: CloudConfig,
    parts: Vec<Part>,
    log: Log,
}

impl FirstBoot {
    /// Makes the directories, puts the command in place, and reads the user data.
    pub fn begin(paths: &Paths, config: &Config) -> Self {
        let mut boot = Self {
            paths: paths.clone(),
            config: config.clone(),
            cloud_config: CloudConfig::default(),
            parts: Vec::new(),
            log: Log::new(paths),
        };
        if let Err(error) = boot.make_instance_directory() {
            boot.log.error(format!("/var/lib/cloud: {error}"));
        }
        if let Err(error) = hostname::restore(paths) {
            boot.log.error(format!("host name: {error}"));
        }
        stand_in::lend(paths);
        stand_in::set_status(paths, "running");
        boot.log.note(&format!("boot of instance {}", config.instance_id));
        boot.read_user_data();
        boot
    }

    /// `/var/lib/cloud/instance` leads to the directory of this instance: an image may bring those of others. What tells
    /// that a boot is over goes away until this one is.
    fn make_instance_directory(&self) -> std::io::Result<()> {
        let directory = self.instance();
        for sub in ["sem", "scripts"] {
            fs::create_dir_all(directory.join(sub))?;
        }
        fs::create_dir_all(self.paths.at("/var/lib/cloud/data"))?;
        let link = self.paths.at("/var/lib/cloud/instance");
        let target = Path::new("instances").join(&self.config.instance_id);
        if fs::read_link(&link).ok().as_ref() != Some(&target) {
            let _ = fs::remove_file(&link);
            symlink(&target, &link)?;
        }
        let _ = fs::remove_file(directory.join("boot-finished"));
        let _ = fs::remove_file(self.paths.at("/run/cloud-init/result.json"));
        fs::write(self.paths.at("/var/lib/cloud/data/instance-id"), format!("{}\n", self.config.instance_id))
    }

    fn instance(&self) -> PathBuf {
        self.paths.cloud_instance(&self.config.instance_id)
    }

    fn read_user_data(&mut self) {
        let Some(file) = self.config.user_data_path.clone() else { return };
        let raw = match fs::read(&file) {
            Ok(raw) => raw,
            Err(error) => return self.log.error(format!("user data `{}`: {error}", file.display())),
        };
        let copy = self.instance().join("user-data.txt");
        let kept = fs::write(&copy, &raw).and_then(|()| fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)));
        if let Err(error) = kept {
            self.log.error(format!("`{}`: {error}", copy.display()));
        }
        for part in user_data::parts(&raw) {
            self.take(part);
        }
        let unknown: Vec<String> = self.cloud_config.unknown_keys().map(str::to_owned).collect();
        for key in unknown {
            self.log.note(&format!("`{key}` is not supported by Kiln's stand-in for cloud-init"));
            crate::local_ec2::agent::console::line(format!(
                "cloud-init (Kiln's stand-in): `{key}` of the user data is not supported and was passed over"
            ));
        }
    }

    fn take(&mut self, part: Part) {
        match part {
            Part::CloudConfig(text) => match CloudConfig::parse(&text) {
                Ok(config) => self.cloud_config.merge(config),
                Err(problem) => self.log.error(format!("cloud-config: {problem}")),
            },
            Part::Refused(what) => self.log.error(format!("{what}: not supported by Kiln's stand-in for cloud-init")),
            other => self.parts.push(other),
        }
    }

    /// Runs `work` unless it was run for this instance. As with cloud-init, work that failed is not tried again.
    fn once(&mut self, name: &str, work: impl FnOnce(&mut Self)) {
        let mark = self.instance().join("sem").join(name);
        if mark.exists() {
            return;
        }
        let stamp = format!("{}: {}\n", std::process::id(), jiff::Timestamp::now());
        if let Err(error) = fs::write(&mark, stamp) {
            self.log.error(format!("`{}`: {error}", mark.display()));
        }
        work(self);
    }

    /// What comes before SSH: boot commands, files, the host name, users and keys.
    pub fn network_stage(&mut self) {
        self.boot_commands();
        self.once("config_write_files", |boot| boot.write_files(When::Early));
        self.once("config_set_hostname", Self::set_hostname);
        self.once("config_users_groups", Self::make_users);
        self.once("config_ssh", |boot| {
            if value::flag(boot.cloud_config.get("ssh_deletekeys"), true) {
                host_key::forget(&boot.paths);
            }
        });
    }

    fn boot_commands(&mut self) {
        let hooks: Vec<Vec<u8>> = self
            .parts
            .iter()
            .filter_map(|part| if let Part::BootHook(hook) = part { Some(hook.clone()) } else { None })
            .collect();
        for hook in hooks {
            self.run_early("boothook", &hook);
        }
        if self.cloud_config.has("bootcmd") {
            match commands::script(self.cloud_config.get("bootcmd")) {
                Ok(script) => self.run_early("bootcmd", script.as_bytes()),
                Err(problem) => self.log.error(format!("bootcmd {problem}")),
            }
        }
    }

    /// Every boot, with the instance id in the environment.
    fn run_early(&mut self, name: &str, script: &[u8]) {
        let file = self.paths.kiln().join(name);
        if let Err(error) = fs::write(&file, script) {
            return self.log.error(format!("`{}`: {error}", file.display()));
        }
        let id = format!("INSTANCE_ID={}", self.config.instance_id);
        self.log.run(name, Command::new("/usr/bin/env").args([id.as_str(), "/bin/sh"]).arg(&file));
    }

    fn write_files(&mut self, when: When) {
        for problem in write_files::write(&self.paths, self.cloud_config.get("write_files"), when) {
            self.log.error(problem);
        }
    }

    /// Once an instance: a name that somebody gives it later stays.
    fn set_hostname(&mut self) {
        if value::flag(self.cloud_config.get("preserve_hostname"), false) {
            return;
        }
        // A full name alone gives its first label, as the kernel's name should have no domain.
        let first_label = |fqdn: String| fqdn.split('.').next().map(str::to_owned);
        let fqdn = || value::text(self.cloud_config.get("fqdn")).and_then(first_label);
        let wanted = value::text(self.cloud_config.get("hostname")).or_else(fqdn);
        let name = wanted.unwrap_or_else(|| self.config.hostname.clone());
        if let Err(error) = hostname::set(&self.paths, &name) {
            self.log.error(format!("host name `{name}`: {error}"));
        }
    }

    fn make_users(&mut self) {
        users::make_groups(&self.paths, self.cloud_config.get("groups"), &mut self.log);
        let wanted = self.cloud_config.get("users");
        if users::wants_default(wanted) {
            let keys = value::texts(self.cloud_config.get("ssh_authorized_keys"));
            default_user::make(&self.paths, &self.config, &keys, &mut self.log);
        }
        users::make(&self.paths, wanted, &mut self.log);
    }

    /// What goes on while SSH answers: packages and scripts. Ends with `boot-finished`.
    pub fn final_stage(mut self) {
        self.once("config_timezone", Self::set_timezone);
        self.once("config_package_update_upgrade_install", Self::install_packages);
        self.once("config_write_files_deferred", |boot| boot.write_files(When::Deferred));
        self.once("config_runcmd", Self::keep_runcmd);
        self.once("config_user_scripts", Self::keep_scripts);
        self.run_directory(&self.paths.at("/var/lib/cloud/scripts/per-boot"));
        let (per_instance, own) =
            (self.paths.at("/var/lib/cloud/scripts/per-instance"), self.instance().join("scripts"));
        self.once("config_scripts_per_instance", |boot| boot.run_directory(&per_instance));
        self.once("config_scripts_user", |boot| boot.run_directory(&own));
        self.finish();
    }

    fn set_timezone(&mut self) {
        let Some(zone) = value::text(self.cloud_config.get("timezone")) else { return };
        let (zoneinfo, link) = (Path::new("/usr/share/zoneinfo").join(&zone), self.paths.at("/etc/localtime"));
        if !self.paths.at(&zoneinfo).exists() {
            return self.log.error(format!("time zone `{zone}` does not exist in the image"));
        }
        let _ = fs::remove_file(&link);
        let set =
            symlink(&zoneinfo, &link).and_then(|()| fs::write(self.paths.at("/etc/timezone"), format!("{zone}\n")));
        if let Err(error) = set {
            self.log.error(format!("time zone `{zone}`: {error}"));
        }
    }

    fn install_packages(&mut self) {
        match packages::commands(&self.paths, &self.cloud_config) {
            Ok(commands) => commands.into_iter().for_each(|(what, mut command)| self.log.run(&what, &mut command)),
            Err(problem) => self.log.error(problem),
        }
    }

    fn keep_runcmd(&mut self) {
        if !self.cloud_config.has("runcmd") {
            return;
        }
        match commands::script(self.cloud_config.get("runcmd")) {
            Ok(script) => self.keep_script("runcmd", script.as_bytes()),
            Err(problem) => self.log.error(format!("runcmd {problem}")),
        }
    }

    fn keep_scripts(&mut self) {
        for part in std::mem::take(&mut self.parts) {
            if let Part::Script(name, script) = part {
                self.keep_script(&name, &script);
            }
        }
    }

    fn keep_script(&mut self, name: &str, script: &[u8]) {
        let file = self.instance().join("scripts").join(name);
        let kept =
            fs::write(&file, script).and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o700)));
        if let Err(error) = kept {
            self.log.error(format!("`{}`: {error}", file.display()));
        }
    }

    /// All executable files of a directory by name, as run-parts does: `part-001` comes before `runcmd`.
    fn run_directory(&mut self, directory: &Path) {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let executable = |path: &PathBuf| {
            fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
        };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(executable).collect();
        files.sort();
        for file in files {
            self.log.run(&file.display().to_string(), &mut Command::new(&file));
        }
    }

    fn finish(&mut self) {
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let uptime = uptime.split(' ').next().unwrap_or("0").to_owned();
        let now = jiff::Zoned::now().strftime("%a, %d %b %Y %H:%M:%S %z").to_string();
        let written = self.write_results(&format!("{uptime} - {now} - v. 22.4\n"));
        if let Err(error) = written {
            self.log.error(format!("the end of the boot could not be recorded: {error}"));
        }
        stand_in::set_status(&self.paths, if self.log.errors().is_empty() { "done" } else { "error" });
        self.log.note(&format!("boot finished after {uptime} s"));
    }

    fn write_results(&self, finished: &str) -> std::io::Result<()> {
        fs::create_dir_all(self.paths.at("/run/cloud-init"))?;
        let result = serde_json::json!({"v1": {"datasource": "DataSourceEc2Local", "errors": self.log.errors()}});
        fs::write(self.paths.at("/run/cloud-init/result.json"), format!("{result:#}\n"))?;
        fs::write(self.instance().join("boot-finished"), finished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(root: &Path, user_data: &str) -> Config {
        let file = root.join("user-data");
        fs::write(&file, user_data).unwrap();
        Config {
            user: "admin".into(),
            key_name: Some("packer_key".into()),
            public_key: Some(
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ x".into(),
            ),
            user_data_path: Some(file),
            hostname: "ip-10-0-0-5".into(),
            instance_id: "i-1".into(),
            socket: root.join("socket"),
            tcp: None,
        }
    }

    fn image(root: &Path) -> Paths {
        for directory in ["etc/sudoers.d", "usr/bin", "run/kiln", "var/lib"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/bash\n").unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\nsudo:x:27:\n").unwrap();
        fs::write(root.join("etc/sudoers"), "").unwrap();
        Paths::new(root)
    }

    fn boot(paths: &Paths, config: &Config) {
        let mut boot = FirstBoot::begin(paths, config);
        assert_eq!(fs::read_to_string(paths.cloud_status()).unwrap(), "running\n");
        boot.network_stage();
        boot.final_stage();
    }

    fn read(paths: &Paths, file: &str) -> String {
        fs::read_to_string(paths.at(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    #[test]
    fn an_instance_is_set_up_once_and_boots_again() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let paths = image(dir.path());
        let root = dir.path().display();
        let user_data = format!(
            "#cloud-config\nfqdn: web.example.org\nbootcmd:\n- echo $INSTANCE_ID >>{root}/boots\n\
             write_files:\n- {{path: /etc/app, content: x}}\nruncmd:\n- [sh, -c, 'cat {root}/etc/app >>{root}/ran']\n"
        );
        let config = orders(dir.path(), &user_data);
        boot(&paths, &config);
        assert_eq!(read(&paths, "/etc/hostname"), "web\n");
        assert!(read(&paths, "/home/admin/.ssh/authorized_keys").ends_with(" packer_key\n"));
        assert!(read(&paths, "/etc/sudoers.d/90-cloud-init-users").contains("admin ALL=(ALL) NOPASSWD:ALL\n"));
        assert_eq!(fs::read_link(paths.at("/var/lib/cloud/instance")).unwrap(), Path::new("instances/i-1"));
        assert!(read(&paths, "/var/lib/cloud/instance/boot-finished").contains(" - v. "));
        assert_eq!(read(&paths, "/run/kiln/cloud-init.status"), "done\n");

        fs::write(paths.at("/etc/hostname"), "renamed\n").unwrap();
        boot(&paths, &config);
        assert_eq!((read(&paths, "/boots"), read(&paths, "/ran")), ("i-1\ni-1\n".into(), "x".into()));
        assert_eq!(read(&paths, "/etc/hostname"), "renamed\n");
    }

    #[test]
    fn a_script_that_fails_and_data_that_is_refused_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let paths = image(dir.path());
        let mut config = orders(dir.path(), "#!/bin/sh\necho before\nexit 3\n");
        FirstBoot::begin(&paths, &config).final_stage();
        assert_eq!(read(&paths, "/run/kiln/cloud-init.status"), "error\n");
        assert_eq!(read(&paths, "/var/log/cloud-init-output.log"), "before\n");
        assert!(read(&paths, "/run/cloud-init/result.json").contains("scripts/part-001 failed: exit status: 3"));

        config = Config { instance_id: "i-2".into(), ..orders(dir.path(), "#include\nhttp://example.org/x\n") };
        FirstBoot::begin(&paths, &config).final_stage();
        assert!(read(&paths, "/run/cloud-init/result.json").contains("`#include` user data"));
    }
}
