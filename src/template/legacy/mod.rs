//! Templates of the older form: one JSON file of `builders`, `provisioners`, `post-processors` and `variables`, read into
//! the same [`Plan`] as HCL is.
//!
//! 1. `document`: the text as components with places; what is wrong with its structure.
//! 2. `variables`: defaults, files and arguments; defaults are `{{ }}` templates, which `engine` renders.
//! 3. `{{user `x`}}` and `{{template_dir}}` in all texts become constants (`text_template::constants`), so what runs a
//!    plan need not know them. All other `{{ }}` stays for the components.
//! 4. `builds`: the plan of each selected builder, in the order of their names.

mod builds;
mod component;
mod constants;
mod document;
mod engine;
pub mod upgrade;
mod variables;

use std::path::{Component as PathPart, Path, PathBuf};
use std::sync::Arc;

use super::files;
use super::inputs::{Inputs, Mode, STDIN};
use super::loading::{Loaded, tidy};
use super::version::{Constraints, Version};
use super::world::{Names, secret_texts};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Sources};
use crate::hcl::value::Value;
use crate::plan::{JsonOverview, Overview, Plan};
use constants::Constants;
use document::Document;
use variables::Variables;

/// Reads a template of the older form: the one file in `inputs.files`.
pub fn load(inputs: &Inputs) -> Loaded {
    let mut reading =
        Reading { inputs, texts: Sources::default(), diagnostics: Diagnostics::new(), sensitive: Vec::new() };
    let mut plan = reading.plan();
    let texts = Arc::new(reading.texts);
    if let Some(plan) = &mut plan {
        plan.sensitive.clone_from(&reading.sensitive);
        plan.sources = Arc::clone(&texts);
    }
    let diagnostics = tidy(reading.diagnostics);
    Loaded {
        plan: plan.filter(|_| !diagnostics.has_errors()),
        draft: None,
        diagnostics,
        sources: texts,
        sensitive: reading.sensitive,
        names: Names::new(),
        requirements: Vec::new(),
    }
}

struct Reading<'a> {
    inputs: &'a Inputs,
    texts: Sources,
    diagnostics: Diagnostics,
    /// Texts to mask.
    sensitive: Vec<String>,
}

impl Reading<'_> {
    fn plan(&mut self) -> Option<Plan> {
        let file = self.inputs.files.first()?;
        let Some(root) = files::read_data(file, &mut self.texts, &mut self.diagnostics) else {
            self.name_the_forms();
            return None;
        };
        let mut document = Document::read(&root, &mut self.diagnostics)?;
        self.check_version(&document);
        let overview = || Plan {
            overview: Overview { json: Some(overview(&document)), ..Overview::default() },
            ..Plan::default()
        };
        match self.inputs.mode {
            _ if self.diagnostics.has_errors() => return None,
            Mode::SyntaxOnly => return Some(Plan::default()),
            Mode::Overview => return Some(overview()),
            Mode::Full => {}
        }
        let plan = overview();
        if document.builders.is_empty() {
            let detail = "A template has at least one builder in its list \"builders\".";
            self.diagnostics.push(Diagnostic::error("Missing builders", detail).at(&root.span));
        }
        let variables = Variables::read(&document, self.inputs, &mut self.texts, &mut self.diagnostics);
        let secret = variables.sensitive().map(Value::string);
        self.sensitive = secret.flat_map(|value| secret_texts(&value).collect::<Vec<_>>()).collect();
        self.sensitive.sort();
        self.sensitive.dedup();
        if self.diagnostics.has_errors() {
            return None;
        }
        let directory = self.directory();
        let constants = Constants { variables: &variables, directory: directory.as_deref() };
        document.components_mut().for_each(|component| constants.fold(component, &mut self.diagnostics));
        let builds = builds::assemble(&document, self.inputs, &mut self.diagnostics);
        Some(Plan { builds, ..plan })
    }

    /// The template's own folder, absolute, for `{{template_dir}}`; a template from a pipe has none.
    fn directory(&self) -> Option<String> {
        let piped = self.inputs.files.first().is_some_and(|file| file.name == STDIN);
        (!piped).then(|| absolute(&self.inputs.cwd, &self.inputs.root))
    }

    /// Whoever gets a syntax error here may have meant another form of template.
    fn name_the_forms(&mut self) {
        let hint = "a template in HCL is a file named *.pkr.hcl or *.pkr.json, or a directory with such files; any other \
                    file is read as a JSON template of the older form";
        let found = std::mem::take(&mut self.diagnostics);
        self.diagnostics.extend(found.into_iter().map(|diagnostic| diagnostic.hint(hint.to_owned())));
    }

    fn check_version(&mut self, document: &Document) {
        let Some((wanted, span)) = &document.min_version else { return };
        let Some(running) = Version::parse(&self.inputs.version).map(Version::released) else { return };
        match Version::parse(wanted).and_then(|_| Constraints::parse(&format!(">= {wanted}")).ok()) {
            Some(constraints) if constraints.allow(&running) => {}
            Some(_) => {
                let detail = format!(
                    "This template requires Packer {wanted} or later. Kiln reads templates as version {running} of Packer \
                     does."
                );
                self.diagnostics.push(Diagnostic::error("Unsupported Packer Core version", detail).at(span));
            }
            None => {
                let detail = format!("{wanted:?} is no version number such as \"1.7.0\".");
                self.diagnostics.push(Diagnostic::error("Invalid min_packer_version", detail).at(span));
            }
        }
    }
}

/// A folder as typed, made absolute without a look at the disk.
fn absolute(cwd: &str, root: &str) -> String {
    let mut path = PathBuf::new();
    for part in Path::new(cwd).join(root).components() {
        match part {
            PathPart::CurDir => {}
            PathPart::ParentDir => _ = path.pop(),
            part => path.push(part),
        }
    }
    path.display().to_string()
}

fn overview(document: &Document) -> JsonOverview {
    let (required, optional): (Vec<_>, Vec<_>) =
        document.variables.iter().partition(|variable| variable.default.is_none());
    let title = |component: &component::Component| (component.own_name().to_owned(), component.kind.clone());
    JsonOverview {
        description: document.description.clone(),
        required: required.iter().map(|variable| variable.name.clone()).collect(),
        optional: optional
            .iter()
            .map(|variable| (variable.name.clone(), variable.default.clone().unwrap_or_default()))
            .collect(),
        builders: document.builders.iter().map(title).collect(),
        provisioners: document.provisioners.iter().map(|component| component.kind.clone()).collect(),
    }
}
