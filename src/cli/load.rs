//! From command line arguments to a plan; shared by all verbs that read templates.

use std::path::PathBuf;
use std::sync::Arc;

use crate::hcl::diagnostics::{Diagnostics, Sources, render};
use crate::plan::Plan;
use crate::plan::legacy::PACKER_VERSION;
use crate::report::Reporter;
use crate::run::data::{Reading, supply};
use crate::run::kinds::Registered;
use crate::sources::World;
use crate::template::{Inputs, Loading, Mode, Undeclared};

use super::files::{self, Missing};
use super::host::ThisMachine;
use super::settings::Settings;

/// What every verb that reads a template takes.
#[derive(clap::Args)]
pub struct TemplateArgs {
    /// Sets a variable: NAME=VALUE. May be given several times.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,
    /// Reads variables from a file (.hcl or .json). May be given several times.
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<String>,
    /// Runs only the builds that match these patterns.
    #[arg(long, value_name = "PATTERN,...", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Leaves out the builds and post-processors that match these patterns.
    #[arg(long, value_name = "PATTERN,...", value_delimiter = ',')]
    pub except: Vec<String>,
    /// The template: a .pkr.hcl file or a directory with such files.
    #[arg(value_name = "TEMPLATE")]
    pub template: String,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("No '=' value in arg: {text}"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// How a template is read.
pub struct How {
    /// How much of it counts.
    pub mode: Mode,
    /// What undeclared names in variable files mean.
    pub undeclared: Undeclared,
    /// Whether data sources are asked.
    pub reading: Reading,
}

/// A template that was read.
pub struct Read {
    /// The plan; none when there were errors.
    pub plan: Option<Plan>,
    /// What was found.
    pub diagnostics: Diagnostics,
    /// The files, for showing diagnostics.
    pub sources: Arc<Sources>,
}

/// Reads a template.
pub async fn read(args: &TemplateArgs, how: &How, settings: &Settings, world: &World) -> Result<Read, Missing> {
    let found = files::read(&args.template)?;
    let var_files = args.var_files.iter().map(|path| files::read_variables(path)).collect::<Result<_, _>>()?;
    let root = PathBuf::from(&found.root);
    let (cwd, env, local) = (settings.cwd.clone(), settings.env.clone(), world.local().cloned());
    let host = ThisMachine { root, cwd, env, local };
    let mut loading = Loading::start(Inputs {
        files: found.files,
        auto_var_files: found.auto_var_files,
        var_files,
        vars: args.vars.clone(),
        env: settings.template_variables(),
        root: found.root,
        cwd: settings.cwd.display().to_string(),
        version: PACKER_VERSION.to_owned(),
        only: args.only.clone(),
        except: args.except.clone(),
        host: Arc::new(host),
        undeclared: how.undeclared,
        mode: how.mode,
        kinds: Arc::new(Registered),
    });
    supply(&mut loading, world, how.reading).await;
    let loaded = loading.finish();
    loaded.sensitive.iter().for_each(|text| settings.secrets.register(text));
    Ok(Read { plan: loaded.plan, diagnostics: loaded.diagnostics, sources: loaded.sources })
}

/// Prints diagnostics as one message, in the prominence of the gravest.
pub fn print(reporter: &Reporter, diagnostics: &Diagnostics, sources: &Sources) {
    if diagnostics.is_empty() {
        return;
    }
    let text = render(diagnostics, sources);
    match diagnostics.has_errors() {
        true => reporter.print_error(text),
        false => reporter.print(text),
    }
}
