//! The arguments that provisioners and post-processors have in common, and for which builds a component counts.

use std::sync::Arc;

use super::Options;
use super::uses::Use;
use crate::hcl::ast::{Attribute, Body};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span, nearest};
use crate::hcl::dynamic::Expanded;
use crate::hcl::types::Type;
use crate::hcl::value::Value;
use crate::template::world::{Names, World, texts};

/// The common arguments of a block, taken out of it.
pub(super) struct Common<'a> {
    attributes: Vec<Attribute>,
    names: Names,
    world: &'a World,
}

impl<'a> Common<'a> {
    /// Takes the arguments of these names out of a block; the rest are the component's options.
    pub fn split(expanded: Expanded, taken: &[String], build: &str, world: &'a World) -> (Self, Options) {
        let body = &expanded.block.body;
        let is_taken = |attribute: &Attribute| taken.contains(&attribute.name);
        let (attributes, left): (Vec<_>, Vec<_>) = body.attributes.iter().cloned().partition(is_taken);
        let rest = Body { attributes: left, blocks: body.blocks.clone(), span: body.span.clone(), syntax: body.syntax };
        let mut names = world.build_names(build);
        names.extend(expanded.names.clone());
        let options = Options { body: Arc::new(rest), names: expanded.names, span: expanded.block.header };
        (Self { attributes, names, world }, options)
    }

    /// An argument's value and its place; none if it is absent or null, or wrong, which is reported.
    pub fn value(&self, name: &str, ty: &Type, diagnostics: &mut Diagnostics) -> Option<(Value, &Attribute)> {
        let attribute = self.attributes.iter().find(|attribute| attribute.name == name)?;
        let scope = self.world.scope(self.names.clone());
        let value = self.world.known(&attribute.expr, ty, &scope, diagnostics)?;
        Some((value, attribute))
    }

    /// A text; empty if absent.
    pub fn text(&self, name: &str, diagnostics: &mut Diagnostics) -> String {
        let value = self.value(name, &Type::String, diagnostics);
        value.and_then(|(value, _)| value.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// A truth value.
    pub fn bool(&self, name: &str, diagnostics: &mut Diagnostics) -> Option<bool> {
        self.value(name, &Type::Bool, diagnostics)?.0.as_bool()
    }

    /// `only` and `except`.
    pub fn filter(&self, diagnostics: &mut Diagnostics) -> Filter {
        let list = Type::list(Type::String);
        let only = self.value("only", &list, diagnostics);
        let except = self.value("except", &list, diagnostics);
        if let (Some((only, _)), Some((except, attribute))) = (&only, &except)
            && only.len() != Some(0)
            && except.len() != Some(0)
        {
            diagnostics.push(only_and_except(&attribute.span));
        }
        let texts_of = |found: Option<(Value, &Attribute)>| found.map(|(value, _)| texts(&value)).unwrap_or_default();
        let span =
            |found: &Option<(Value, &Attribute)>| found.as_ref().map(|(_, attribute)| attribute.expr.span.clone());
        let spans = (span(&only), span(&except));
        Filter { only: (texts_of(only), spans.0), except: (texts_of(except), spans.1) }
    }
}

/// A component that has both `only` and `except`.
pub(in crate::template) fn only_and_except(span: &Span) -> Diagnostic {
    let detail = "The one names the builds that count, the other those that do not; both at once are unclear. Delete one of them.";
    Diagnostic::error("only one of 'only' or 'except' may be specified", detail).at(span)
}

/// The `type.name` that a misspelt one was meant to be. One half must be right: with one letter off, `null.b` is another build and not a slip.
/// Other forms (`source.null.a`, `build.null.a`) are left alone: templates list them beside the one that counts.
fn meant<'t>(name: &str, titles: &'t [String]) -> Option<&'t str> {
    let (kind, own) = name.split_once('.')?;
    let near = |title: &&str| match title.split_once('.') {
        Some((other, same)) if same == own => nearest(kind, [other]).is_some(),
        Some((same, other)) if same == kind => nearest(own, [other]).is_some(),
        _ => false,
    };
    titles.iter().map(String::as_str).find(near)
}

/// For which builds a component counts.
#[derive(Default)]
pub(super) struct Filter {
    only: (Vec<String>, Option<Span>),
    except: (Vec<String>, Option<Span>),
}

impl Filter {
    /// Whether it counts for a use of a source. Names are compared as they are: no patterns.
    pub fn admits(&self, source: &Use) -> bool {
        let title = source.title();
        match self.only.0.is_empty() {
            true => !self.except.0.contains(&title),
            false => self.only.0.contains(&title),
        }
    }

    /// Warnings of names that none of a template's sources has, where another name was evidently meant. Others may belong to a file that is not
    /// here.
    pub fn slips(&self, titles: &[String]) -> Diagnostics {
        let slips = [("only", &self.only), ("except", &self.except)].into_iter().flat_map(|(what, (names, span))| {
            let unknown = names.iter().filter(|name| !titles.contains(name));
            unknown.filter_map(move |name| {
                let meant = meant(name, titles)?;
                let detail = format!("\"{name}\" is the name of no build here, so it has no effect.");
                let warning = Diagnostic::warning(format!("Unknown build in {what}"), detail);
                let warning = if let Some(span) = span { warning.at(span) } else { warning };
                Some(warning.hint(format!("did you mean {meant:?}?")))
            })
        });
        slips.collect()
    }
}
