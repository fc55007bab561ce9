//! The flags that several verbs have.

use clap::ValueEnum;

use super::args::go_bool;

/// Where a template's variables come from and how it is read: every verb that reads a template has these.
#[derive(clap::Args, Debug, Default)]
pub struct InputArgs {
    /// Sets a variable: NAME=VALUE. May be given several times.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = named_variable)]
    pub vars: Vec<(String, String)>,
    /// Reads variables from a file (.hcl or .json). May be given several times.
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<String>,
    /// The syntax of a template whose name does not end in .pkr.hcl or .pkr.json.
    #[arg(long, value_name = "SYNTAX", value_enum, default_value_t)]
    pub config_type: ConfigType,
}

/// What a file is whose name does not say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ConfigType {
    /// A legacy JSON template.
    #[default]
    Json,
    /// HCL; but then the name must say so, too.
    Hcl2,
}

/// Which builds count.
#[derive(clap::Args, Debug, Default)]
pub struct SelectionArgs {
    /// Only the builds that match these patterns count.
    #[arg(long, value_name = "PATTERN,...", value_delimiter = ',')]
    pub only: Vec<String>,
    /// The builds and post-processors that match these patterns do not count.
    #[arg(long, value_name = "PATTERN,...", value_delimiter = ',')]
    pub except: Vec<String>,
}

/// The same for verbs that build nothing. Packer takes them and they change nothing there either.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Accepted as in Packer, without meaning here")]
pub struct NoSelectionArgs {
    /// Nothing is built, so there is nothing to select.
    #[arg(long = "only", value_name = "PATTERN,...")]
    _only: Vec<String>,
    /// Nothing is built, so there is nothing to leave out.
    #[arg(long = "except", value_name = "PATTERN,...")]
    _except: Vec<String>,
}

/// The flags of [`InputArgs`] for verbs that read no template.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Accepted as in Packer, without meaning here")]
pub struct NoInputArgs {
    /// No template is read, so there are no variables.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    _vars: Vec<(String, String)>,
    /// No template is read, so there are no variables.
    #[arg(long = "var-file", value_name = "FILE")]
    _var_files: Vec<String>,
    /// No template is read.
    #[arg(long = "config-type", value_name = "SYNTAX", value_enum, default_value_t)]
    _config_type: ConfigType,
    #[command(flatten)]
    _selection: NoSelectionArgs,
}

/// In which order a template is evaluated.
#[derive(clap::Args, Debug, Default)]
pub struct OrderArgs {
    /// Evaluates all data sources before all locals, as old versions of Packer did; data sources can't use locals then.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    pub use_sequential_evaluation: bool,
}

/// A flag on plugin binaries, of which there are none.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Accepted as in Packer, without meaning here")]
pub struct PrereleaseArgs {
    /// Plugins are built into Kiln and come in no pre-releases of their own.
    #[arg(long = "ignore-prerelease-plugins", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = go_bool, action = clap::ArgAction::Set)]
    _ignore_prerelease_plugins: bool,
}

fn named_variable(text: &str) -> Result<(String, String), String> {
    match variable(text)? {
        (name, _) if name.is_empty() => Err("the name in front of the equals sign is missing".to_owned()),
        pair => Ok(pair),
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("No '=' value in arg: {text}"))?;
    Ok((name.to_owned(), value.to_owned()))
}
