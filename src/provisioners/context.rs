//! What a provisioner has at hand while it runs.

use std::collections::BTreeMap;

use crate::communicator::{Communicator, Error, Exit, Output};
use crate::engine::Cause;
use crate::engine::step::Cx;
use crate::event::{Events, Stream};
use crate::hcl::Value;
use crate::plan::legacy;
use crate::scripts::Lines;

/// What a provisioner has at hand while it runs.
pub struct Context<'a> {
    /// The build's engine context: events, prompts, cancellation.
    pub cx: &'a Cx,
    /// The machine.
    pub communicator: &'a dyn Communicator,
    /// Declared name of the source.
    pub build_name: &'a str,
    /// Type of the source.
    pub build_type: &'a str,
    /// What is known of the build: `ID`, `Host` and so on.
    pub values: &'a BTreeMap<String, Value>,
}

impl Context<'_> {
    /// The build's events.
    pub fn events(&self) -> &Events {
        &self.cx.events
    }

    /// Renders a deferred option: `{{ .Name }}` sees `fields` over the build's values, until nothing changes any more.
    pub fn render(&self, option: &str, text: &str, fields: &[(&str, &str)]) -> Result<String, Cause> {
        let names = legacy::Names { build_name: self.build_name, build_type: self.build_type };
        Ok(legacy::render(option, text, &names, self.values, fields)?)
    }

    /// Runs a command on the machine and streams what it writes to the build's events, line by line.
    pub async fn run(&self, command: &str) -> Result<Exit, Error> {
        let mut output = RemoteOutput(Lines::new(self.events()));
        let exit = self.communicator.execute(command, &mut output).await;
        output.0.flush();
        exit
    }

    /// Runs a command whose output is for Kiln and not for people: gives what it writes to standard output.
    pub async fn ask(&self, command: &str) -> Result<(Exit, String), Error> {
        let mut kept = Kept(Vec::new());
        let exit = self.communicator.execute(command, &mut kept).await?;
        Ok((exit, String::from_utf8_lossy(&kept.0).into_owned()))
    }
}

/// Standard output, kept.
struct Kept(Vec<u8>);

impl Output for Kept {
    fn stdout(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn stderr(&mut self, _: &[u8]) {}
}

struct RemoteOutput<'a>(Lines<'a>);

impl Output for RemoteOutput<'_> {
    fn stdout(&mut self, bytes: &[u8]) {
        self.0.take(Stream::Stdout, bytes);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.0.take(Stream::Stderr, bytes);
    }
}
