//! The two log files of cloud-init, and running commands with their output in the second.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::process::{Command, ExitStatus, Stdio};

use crate::local_ec2::agent::console;
use crate::local_ec2::agent::paths::Paths;

/// Scripts get what cloud-init's units give theirs: systemd's default PATH, and no HOME.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The logs, and what went wrong so far.
pub struct Log {
    paths: Paths,
    errors: Vec<String>,
}

impl Log {
    /// Logs below `paths`.
    pub fn new(paths: &Paths) -> Self {
        let _ = std::fs::create_dir_all(paths.at("/var/log"));
        Self { paths: paths.clone(), errors: Vec::new() }
    }

    /// Everything that went wrong.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// A line for `/var/log/cloud-init.log`.
    pub fn note(&self, text: &str) {
        self.line("INFO", text);
    }

    /// A failure: logged, shown on the console, and the reason for the status `error` later.
    pub fn error(&mut self, text: String) {
        self.line("WARNING", &text);
        console::line(format!("cloud-init (Kiln's stand-in): {text}"));
        self.errors.push(text);
    }

    fn line(&self, level: &str, text: &str) {
        let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S,%3f").to_string();
        if let Some(mut file) = self.open("/var/log/cloud-init.log") {
            let _ = writeln!(file, "{now} - kiln[{level}]: {text}");
        }
    }

    fn open(&self, path: &str) -> Option<File> {
        OpenOptions::new().create(true).append(true).open(self.paths.at(path)).ok()
    }

    /// Runs a command as root, from `/`, with its output in `/var/log/cloud-init-output.log` and on the console. A command
    /// that fails or cannot be started is an error named `what`.
    pub fn run(&mut self, what: &str, command: &mut Command) {
        self.note(&format!("running {what}"));
        match self.run_teeing(command) {
            Ok(status) if status.success() => {}
            Ok(status) => self.error(format!("{what} failed: {status}")),
            Err(error) => self.error(format!("{what} could not be run: {error}")),
        }
    }

    fn run_teeing(&self, command: &mut Command) -> io::Result<ExitStatus> {
        let (mut reader, writer) = io::pipe()?;
        command.env_clear().env("PATH", PATH).current_dir("/").stdin(Stdio::null());
        let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
        // The command holds its ends of the pipe too: without this the pipe would never end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut file = self.open("/var/log/cloud-init-output.log");
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            if let Some(file) = &mut file {
                let _ = file.write_all(&buffer[..length]);
            }
            let _ = io::stdout().write_all(&buffer[..length]);
        }
        let _ = io::stdout().flush();
        child.wait()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_goes_to_the_log_and_failures_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let mut log = Log::new(&paths);
        log.run("the good one", Command::new("sh").args(["-c", "echo out; echo err >&2; echo HOME=${HOME-unset}"]));
        log.run("the bad one", Command::new("sh").args(["-c", "exit 3"]));
        log.run("the missing one", &mut Command::new("/nonexistent"));
        let output = std::fs::read_to_string(paths.at("/var/log/cloud-init-output.log")).unwrap();
        assert_eq!(output, "out\nerr\nHOME=unset\n");
        assert_eq!(log.errors()[0], "the bad one failed: exit status: 3");
        assert_eq!(log.errors().len(), 2);
    }
}
