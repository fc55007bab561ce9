//! JSON templates of the older form written as HCL that builds the same.
//!
//! `naming` decides what builders and variables are called in HCL, `translation` turns `{{ }}` into expressions, `bodies`
//! writes options, as attributes or blocks. Here they are put together.

mod bodies;
mod naming;
mod plugins;
mod translation;
mod writing;

use std::collections::BTreeSet;

use super::builds::{OF_POST_PROCESSORS, OF_PROVISIONERS};
use super::component::Component;
use super::document::{Document, Variable};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Sources, did_you_mean};
use crate::hcl::format::format;
use crate::template::files::read_data;
use crate::template::inputs::File;
use crate::template::kinds::{Kinds, Role};
use bodies::Bodies;
use naming::{Home, Naming, Source};
use translation::{Place, Translation};
use writing::{comment, quoted};

/// Whether the HCL explains itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Annotations {
    /// A comment stands before each part.
    Written,
    /// Only the template's own comments are kept.
    None,
}

/// What came of a template.
pub struct Upgraded {
    /// The HCL; none if the template could not be read. There may be errors with it: then it needs a look.
    pub text: Option<String>,
    /// What was found.
    pub diagnostics: Diagnostics,
    /// The texts that diagnostics point into.
    pub sources: Sources,
}

/// Writes a template as HCL.
pub fn upgrade(file: &File, kinds: &dyn Kinds, annotations: Annotations) -> Upgraded {
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::new());
    let document = read_data(file, &mut sources, &mut diagnostics)
        .and_then(|root| Document::read(&root, &mut diagnostics))
        .filter(|_| !diagnostics.has_errors());
    let text = document.map(|document| {
        let naming = Naming::new(&document, &mut diagnostics);
        let translation = Translation::new(&naming);
        let mut upgrade = Upgrade {
            document: &document,
            kinds,
            annotations,
            naming: &naming,
            translation,
            diagnostics: &mut diagnostics,
        };
        format(&upgrade.text())
    });
    Upgraded { text, diagnostics, sources }
}

struct Upgrade<'a> {
    document: &'a Document,
    kinds: &'a dyn Kinds,
    annotations: Annotations,
    naming: &'a Naming<'a>,
    translation: Translation<'a>,
    diagnostics: &'a mut Diagnostics,
}

impl Upgrade<'_> {
    fn text(&mut self) -> String {
        self.check_kinds();
        let sources = self.sources();
        let build = self.build();
        let locals = self.locals();
        // Last, since the other parts say which variables they need besides those declared.
        let variables = self.variables();
        let parts = [
            self.document.comments.iter().map(|text| comment(text)).collect(),
            self.packer(),
            self.annotated("Input variables: set with -var, -var-file or PKR_VAR_name.", variables),
            self.annotated("Values made of other values. They cannot be set from outside.", locals),
            self.annotated("What images are made from. A build below refers to each by type and name.", sources),
            self.annotated("What is done to each source, in order, and with what comes of it.", build),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn annotated(&self, text: &str, part: String) -> String {
        match self.annotations {
            Annotations::Written if !part.is_empty() => format!("{}{part}", comment(text)),
            _ => part,
        }
    }

    /// Types that Kiln does not have: it cannot know which of their options are blocks.
    fn check_kinds(&mut self) {
        let document = self.document;
        let lists: [(Role, &str, Vec<&Component>); 3] = [
            (Role::Source, "builder", document.builders.iter().collect()),
            (Role::Provisioner, "provisioner", document.provisioners.iter().chain(&document.cleanup).collect()),
            (Role::PostProcessor, "post-processor", document.chains.iter().flatten().collect()),
        ];
        for (role, word, components) in lists {
            for component in components.into_iter().filter(|component| !self.kinds.has(role, &component.kind)) {
                let summary = format!("Unknown {word} type \"{}\"", component.kind);
                let detail = "Kiln does not know its options: objects are written as maps and lists of objects as blocks, \
                              which may have to be changed by hand.";
                let found = match role {
                    Role::Source => Diagnostic::error(summary, detail),
                    _ => Diagnostic::warning(summary, detail),
                };
                let hint = did_you_mean(&component.kind, self.kinds.names(role));
                self.diagnostics.push(found.at(&component.span).hint(hint));
            }
        }
    }

    fn packer(&self) -> String {
        let version = self.document.min_version.as_ref().map(|(version, _)| format!(">= {version}"));
        let plugins = plugins::required(self.document);
        if version.is_none() && plugins.is_empty() {
            return String::new();
        }
        let mut out = String::from("packer {\n");
        out.extend(version.map(|version| format!("required_version = {}\n", quoted(&version))));
        if !plugins.is_empty() {
            out.push_str("required_plugins {\n");
            for (name, source) in plugins {
                out.push_str(&format!("{name} = {{\nversion = \"~> 1\"\nsource = {}\n}}\n", quoted(&source)));
            }
            out.push_str("}\n");
        }
        out + "}\n"
    }

    fn is_sensitive(&self, variable: &Variable) -> bool {
        self.document.sensitive.iter().any(|(name, _)| *name == variable.name)
    }

    fn variables(&mut self) -> String {
        let mut blocks: Vec<String> = Vec::new();
        for variable in &self.document.variables {
            let Some(Home::Variable(name)) = self.naming.home(&variable.name) else { continue };
            let default = variable
                .default
                .as_ref()
                .map(|default| self.translation.text(default, Place::Default, &variable.span, self.diagnostics).code);
            let default = default.map(|default| format!("default = {default}\n")).unwrap_or_default();
            let sensitive = if self.is_sensitive(variable) { "sensitive = true\n" } else { "" };
            blocks.push(format!("variable \"{name}\" {{\ntype = string\n{default}{sensitive}}}\n"));
        }
        for name in &self.translation.uses.undeclared {
            blocks.push(format!("variable \"{name}\" {{\ntype = string\ndefault = \"\"\n}}\n"));
        }
        for (name, of) in &self.translation.uses.environment {
            blocks.push(format!("variable \"{name}\" {{\ntype = string\ndefault = env({})\n}}\n", quoted(of)));
        }
        blocks.join("\n")
    }

    fn locals(&mut self) -> String {
        let (mut open, mut sensitive) = (String::new(), Vec::new());
        for variable in &self.document.variables {
            let Some(Home::Local(name)) = self.naming.home(&variable.name) else { continue };
            let default = variable.default.as_deref().unwrap_or_default();
            let code = self.translation.text(default, Place::Local, &variable.span, self.diagnostics).code;
            if self.is_sensitive(variable) {
                sensitive.push(format!("local \"{name}\" {{\nsensitive = true\nexpression = {code}\n}}\n"));
            } else {
                open.push_str(&format!("{name} = {code}\n"));
            }
        }
        if self.translation.uses.timestamp {
            // Seconds since 1970, as {{timestamp}} always was.
            open.push_str(&format!("{} = legacy_strftime(\"%s\")\n", self.naming.timestamp));
        }
        let mut blocks = sensitive;
        if !open.is_empty() {
            blocks.insert(0, format!("locals {{\n{open}}}\n"));
        }
        blocks.join("\n")
    }

    fn sources(&mut self) -> String {
        let mut blocks = Vec::new();
        for source in &self.naming.sources {
            let layout = self.kinds.layout(Role::Source, &source.component.kind);
            let is_amazon = source.component.kind.starts_with("amazon-");
            let place = Place::Source { is_named: source.is_named, is_amazon };
            let body = source.component.options(&["name"]);
            let body = Bodies { translation: &mut self.translation, diagnostics: self.diagnostics, place }
                .attributes(&body.attributes, layout.as_ref());
            let header = format!("source \"{}\" \"{}\"", source.component.kind, source.label);
            blocks.push(writing::block(&header, &body));
        }
        blocks.join("\n")
    }

    fn build(&mut self) -> String {
        let mut out = String::from("build {\n");
        if !self.document.description.is_empty() {
            out.push_str(&format!("description = {}\n\n", quoted(&self.document.description)));
        }
        let references = self.naming.sources.iter().map(|source| format!("\"source.{}\"", source.title()));
        out.push_str(&format!("sources = [{}]\n", references.collect::<Vec<_>>().join(", ")));
        for component in &self.document.provisioners {
            out.push_str(&self.provisioner(component, "provisioner"));
        }
        if let Some(component) = &self.document.cleanup {
            out.push_str(&self.provisioner(component, "error-cleanup-provisioner"));
        }
        for chain in &self.document.chains {
            let members: Vec<String> = chain.iter().map(|component| self.post_processor(component)).collect();
            match members.as_slice() {
                [] => {}
                [member] => out.push_str(&format!("\n{member}")),
                members => out.push_str(&format!("\npost-processors {{\n{}}}\n", members.join("\n"))),
            }
        }
        out + "}\n"
    }

    fn provisioner(&mut self, component: &Component, word: &str) -> String {
        let layout = self.kinds.layout(Role::Provisioner, &component.kind);
        let lists = self.lists(component);
        let common: Vec<&str> =
            OF_PROVISIONERS.into_iter().filter(|name| !["only", "except", "override"].contains(name)).collect();
        let overrides = self.overrides(component);
        let mut bodies =
            Bodies { translation: &mut self.translation, diagnostics: self.diagnostics, place: Place::Component };
        let common: String = common
            .into_iter()
            .filter_map(|name| component.attribute(name))
            .map(|attribute| bodies.attribute(attribute))
            .collect();
        let options = bodies.attributes(&component.options(&OF_PROVISIONERS).attributes, layout.as_ref());
        let header = format!("{word} \"{}\"", component.kind);
        format!("\n{}", writing::block(&header, &format!("{lists}{common}{overrides}{options}")))
    }

    fn post_processor(&mut self, component: &Component) -> String {
        let layout = self.kinds.layout(Role::PostProcessor, &component.kind);
        let lists = self.lists(component);
        let mut bodies =
            Bodies { translation: &mut self.translation, diagnostics: self.diagnostics, place: Place::Component };
        let own = ["name", "keep_input_artifact"].into_iter().filter_map(|name| component.attribute(name));
        let common: String = own.map(|attribute| bodies.attribute(attribute)).collect();
        let options = bodies.attributes(&component.options(&OF_POST_PROCESSORS).attributes, layout.as_ref());
        let header = format!("post-processor \"{}\"", component.kind);
        writing::block(&header, &format!("{lists}{common}{options}"))
    }

    /// `only` and `except`, with the names that sources have in HCL.
    fn lists(&mut self, component: &Component) -> String {
        let mut out = String::new();
        for list in ["only", "except"] {
            let mut titles = BTreeSet::new();
            for (name, span) in component.texts(list, self.diagnostics) {
                match self.naming.source(&name) {
                    Some(source) => _ = titles.insert(quoted(&source.title())),
                    None => self.diagnostics.push(self.naming.unknown(&name).at(&span)),
                }
            }
            if !titles.is_empty() {
                out.push_str(&format!("{list} = [{}]\n", titles.into_iter().collect::<Vec<_>>().join(", ")));
            }
        }
        out
    }

    fn overrides(&mut self, component: &Component) -> String {
        let Some(attribute) = component.attribute("override") else { return String::new() };
        let layout = self.kinds.layout(Role::Provisioner, &component.kind);
        let mut out = String::new();
        for (name, replaced) in component.overrides(self.diagnostics) {
            let label = match self.naming.source(&name) {
                Some(Source { label, .. }) => label.clone(),
                None => {
                    self.diagnostics.push(self.naming.unknown(&name).at(&replaced.span));
                    continue;
                }
            };
            let mut bodies =
                Bodies { translation: &mut self.translation, diagnostics: self.diagnostics, place: Place::Component };
            let options = bodies.entry(&attribute.expr, &name, layout.as_ref());
            out.push_str(&format!("{} = {options}\n", writing::key(&label)));
        }
        if out.is_empty() { out } else { format!("override = {{\n{out}}}\n") }
    }
}
