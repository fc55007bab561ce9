//! The only reader of the environment and of the terminal's nature.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::report::{self, Colour, Mode, Screen, Terminal};
use crate::secret::Secrets;

/// What the world around this process decides.
#[derive(Clone)]
pub struct Settings {
    /// The whole environment.
    pub env: Arc<BTreeMap<String, String>>,
    /// `-machine-readable`.
    pub machine_readable: bool,
    /// Texts to mask in output.
    pub secrets: Secrets,
    /// Where runs keep their journals.
    pub state: PathBuf,
    /// Where local EC2 keeps its state, layers and bases.
    pub data: PathBuf,
    /// The working directory.
    pub cwd: PathBuf,
}

impl Settings {
    /// Reads it all, once.
    pub fn from_environment(machine_readable: bool) -> Self {
        let env: BTreeMap<String, String> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        let directory = |own: &str, xdg: &str, below_home: &str| {
            let given = |name: &str| env.get(name).filter(|path| !path.is_empty()).map(PathBuf::from);
            let home = || given("HOME").unwrap_or_else(|| PathBuf::from("/root")).join(below_home);
            given(own).unwrap_or_else(|| given(xdg).unwrap_or_else(home).join("kiln"))
        };
        let state = directory("KILN_STATE_DIR", "XDG_STATE_HOME", ".local/state").join("runs");
        let data = directory("KILN_DATA_DIR", "XDG_DATA_HOME", ".local/share").join("local");
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        Self { env: Arc::new(env), machine_readable, secrets: Secrets::default(), state, data, cwd }
    }

    /// A variable of the environment that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `PKR_VAR_*`, without the prefix.
    pub fn template_variables(&self) -> BTreeMap<String, String> {
        let own = self.env.iter().filter_map(|(name, value)| Some((name.strip_prefix("PKR_VAR_")?, value)));
        own.map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// The variables of the environment that say something to templates, with their prefix.
    pub fn environment_of_templates(&self) -> BTreeMap<String, String> {
        let own = self.env.iter().filter(|(name, _)| name.starts_with("PKR_VAR_"));
        own.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The same in another directory, and with variables that are not set here.
    pub fn elsewhere(&self, cwd: PathBuf, variables: BTreeMap<String, String>) -> Self {
        let mut env = variables;
        env.extend((*self.env).clone());
        Self { env: Arc::new(env), cwd, ..self.clone() }
    }

    /// Plain lines, whatever the terminal.
    pub fn plain(&self) -> report::Settings {
        let mode = if self.machine_readable { Mode::MachineReadable } else { Mode::Plain };
        let colour = if self.variable("PACKER_NO_COLOR").is_some() { Colour::Announced } else { Colour::On };
        report::Settings {
            mode,
            colour,
            secrets: self.secrets.clone(),
            screen: Screen::of_stdout(),
            ..report::Settings::default()
        }
    }

    /// The best form for whoever reads: a live view on a terminal, lines elsewhere.
    pub fn for_people(&self) -> report::Settings {
        let mut settings = self.plain();
        if settings.mode == Mode::Plain {
            let terminal = if std::io::stdout().is_terminal() { Terminal::Yes } else { Terminal::No };
            settings.mode = Mode::for_people(terminal, self.variable("TERM"));
        }
        settings
    }
}
