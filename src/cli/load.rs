//! From command line arguments to a plan; shared by all verbs that read templates.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::hcl::Value;
use crate::hcl::diagnostics::{Diagnostics, Sources, render, render_for};
use crate::hcl::functions::Host;
use crate::plan::Plan;
use crate::plan::legacy::PACKER_VERSION;
use crate::report::Reporter;
use crate::run::data::{Reading, supply};
use crate::run::kinds::Registered;
use crate::run::prepare::check_names;
use crate::sources::World;
use crate::template::{Inputs, Loaded, Loading, Mode, Order, Requirement, Undeclared, legacy};

use super::files::{self, Found, Missing, TemplateFiles, VariableSyntax};
use super::flags::{InputArgs, OrderArgs, SelectionArgs};
use super::host::ThisMachine;
use super::settings::Settings;

/// A template and what was said of it on the command line.
pub struct Template<'a> {
    /// The file or directory; none stands for a template without content (`console`).
    pub argument: Option<&'a str>,
    /// Variables and syntax.
    pub inputs: &'a InputArgs,
    /// Which builds count.
    pub selection: &'a SelectionArgs,
}

/// How a template is read.
pub struct How {
    /// How much of it counts.
    pub mode: Mode,
    /// What undeclared names in variable files mean.
    pub undeclared: Undeclared,
    /// Whether data sources are asked.
    pub reading: Reading,
    /// In which order locals and data sources are evaluated.
    pub order: Order,
}

/// A template that was read.
pub struct Read {
    /// The plan; none when there were errors.
    pub plan: Option<Plan>,
    /// What was found.
    pub diagnostics: Diagnostics,
    /// The files, for showing diagnostics.
    pub sources: Arc<Sources>,
    /// The plugins that the template asks for.
    pub requirements: Vec<Requirement>,
    /// Texts of sensitive values, in the order in which Packer masks them.
    pub sensitive: Vec<String>,
    /// What expressions outside of builds can name.
    pub names: BTreeMap<String, Value>,
    /// The world that functions see.
    pub host: Arc<dyn Host>,
}

/// Reads a template.
pub async fn read(template: &Template<'_>, how: &How, settings: &Settings, world: &World) -> Result<Read, Missing> {
    let found = match template.argument {
        Some(argument) => files::find(argument, template.inputs.config_type)?,
        None => Found::Hcl(TemplateFiles::default()),
    };
    read_found(found, template, how, settings, world).await
}

async fn read_found(
    found: Found,
    template: &Template<'_>,
    how: &How,
    settings: &Settings,
    world: &World,
) -> Result<Read, Missing> {
    let (found, is_legacy) = match found {
        Found::Hcl(files) => (files, false),
        Found::Legacy(files) => (files, true),
    };
    let syntax = if is_legacy { VariableSyntax::Json } else { VariableSyntax::ByName };
    let paths = template.inputs.var_files.iter();
    let var_files = paths.map(|path| files::read_variables(path, syntax)).collect::<Result<_, _>>()?;
    let root = PathBuf::from(&found.root);
    let (cwd, env, local) = (settings.cwd.clone(), settings.env.clone(), world.local().cloned());
    let host: Arc<dyn Host> = Arc::new(ThisMachine { root, cwd, env, local });
    let inputs = Inputs {
        files: found.files,
        auto_var_files: found.auto_var_files,
        var_files,
        vars: template.inputs.vars.clone(),
        env: settings.template_variables(),
        root: found.root,
        cwd: settings.cwd.display().to_string(),
        version: PACKER_VERSION.to_owned(),
        only: template.selection.only.clone(),
        except: template.selection.except.clone(),
        host: Arc::clone(&host),
        undeclared: how.undeclared,
        mode: how.mode,
        order: how.order,
        kinds: Arc::new(Registered),
    };
    let loaded: Loaded = if is_legacy {
        legacy::load(&inputs)
    } else {
        let mut loading = Loading::start(inputs);
        supply(&mut loading, world, how.reading).await;
        loading.finish()
    };
    loaded.sensitive.iter().for_each(|text| settings.secrets.register(text));
    let mut diagnostics = loaded.diagnostics;
    diagnostics.extend(loaded.draft.iter().flat_map(|draft| check_names(draft, &settings.secrets)));
    Ok(Read {
        plan: loaded.plan,
        diagnostics: diagnostics.distinct(),
        sources: loaded.sources,
        requirements: loaded.requirements,
        sensitive: loaded.sensitive,
        names: loaded.names,
        host,
    })
}

/// Reads a template as far as to know what plugins it asks for. Legacy templates have no say in that.
pub async fn read_requirements(argument: &str, inputs: &InputArgs, settings: &Settings) -> Result<Read, Missing> {
    let how = How {
        mode: Mode::SyntaxOnly,
        undeclared: Undeclared::Ignore,
        reading: Reading::Check,
        order: Order::ByDependency,
    };
    let template = Template { argument: Some(argument), inputs, selection: &SelectionArgs::default() };
    match files::find(argument, inputs.config_type)? {
        Found::Legacy(_) => Err(Missing::NoPlugins(argument.to_owned())),
        found => read_found(found, &template, &how, settings, &World::default()).await,
    }
}

/// The diagnostics of a template as text.
pub fn rendered(read: &Read) -> String {
    render(&read.diagnostics, &read.sources)
}

/// Prints diagnostics as one message, in the prominence of the gravest.
pub fn print(reporter: &Reporter, diagnostics: &Diagnostics, sources: &Sources) {
    if diagnostics.is_empty() {
        return;
    }
    let text = render_for(diagnostics, sources, &|text| reporter.redact(text));
    match diagnostics.has_errors() {
        true => reporter.print_error(text),
        false => reporter.print(text),
    }
}

impl From<&OrderArgs> for Order {
    fn from(args: &OrderArgs) -> Self {
        if args.use_sequential_evaluation { Self::DataFirst } else { Self::ByDependency }
    }
}
