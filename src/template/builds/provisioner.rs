//! `provisioner` and `error-cleanup-provisioner` blocks.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use super::Options;
use super::arguments::ProvisionerArguments;
use super::common::{Common, Filter};
use crate::hcl::ast::Expr;
use crate::hcl::decode::fields;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics};
use crate::hcl::duration::GoDuration;
use crate::hcl::dynamic::Expanded;
use crate::hcl::types::Type;
use crate::hcl::value::Value;
use crate::plan::{OnFailure, Replaced};
use crate::template::world::World;

static COMMON: LazyLock<Vec<String>> = LazyLock::new(fields::<ProvisionerArguments>);

/// A provisioner.
pub(super) struct Provisioner {
    pub kind: String,
    /// Empty when it has none.
    pub name: String,
    pub filter: Filter,
    /// Options that replace its own, by the name of the use of a source.
    pub overrides: BTreeMap<String, Replaced>,
    pub pause_before: Duration,
    pub max_retries: u32,
    pub timeout: Option<Duration>,
    pub on_failure: OnFailure,
    pub options: Options,
}

impl Provisioner {
    /// Reads a block; what is wrong with its common arguments is reported.
    pub fn read(expanded: Expanded, build: &str, world: &World, diagnostics: &mut Diagnostics) -> Self {
        let kind = expanded.block.label(0).unwrap_or_default().to_owned();
        let (common, options) = Common::split(expanded, &COMMON, build, world);
        let goes_on = common.bool("continue_on_error", diagnostics).unwrap_or(false);
        Self {
            kind,
            name: common.text("name", diagnostics),
            filter: common.filter(diagnostics),
            overrides: overrides(&common, diagnostics),
            pause_before: duration(&common, "pause_before", diagnostics).unwrap_or_default(),
            max_retries: retries(&common, diagnostics),
            timeout: duration(&common, "timeout", diagnostics).filter(|timeout| !timeout.is_zero()),
            on_failure: if goes_on { OnFailure::Continue } else { OnFailure::Fail },
            options,
        }
    }

    /// `type` or `type.name`.
    pub fn title(&self) -> String {
        super::title(&self.kind, &self.name)
    }
}

/// A duration; a negative one is zero.
fn duration(common: &Common<'_>, name: &str, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let (value, attribute) = common.value(name, &Type::String, diagnostics)?;
    match value.as_str().unwrap_or_default().parse::<GoDuration>() {
        Ok(duration) => Some(duration.into()),
        Err(error) => {
            let summary = format!("Failed to parse {name} duration");
            diagnostics.push(Diagnostic::error(summary, error.to_string()).at(&attribute.expr.span));
            None
        }
    }
}

/// A negative number is none.
fn retries(common: &Common<'_>, diagnostics: &mut Diagnostics) -> u32 {
    let Some((value, attribute)) = common.value("max_retries", &Type::Number, diagnostics) else { return 0 };
    let Some(number) = value.as_number() else { return 0 };
    if !number.is_integer() {
        let detail = "Unsuitable value: max_retries must be a whole number.";
        diagnostics.push(Diagnostic::error("Unsuitable value type", detail).at(&attribute.expr.span));
    }
    if number.is_negative() {
        return 0;
    }
    number.to_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX)
}

fn overrides(common: &Common<'_>, diagnostics: &mut Diagnostics) -> BTreeMap<String, Replaced> {
    let Some((value, attribute)) = common.value("override", &Type::Dynamic, diagnostics) else {
        return BTreeMap::new();
    };
    let mut wrong = |what: &str| {
        let detail = "It is an object of the names of sources, each with an object of the options to replace.";
        let diagnostic = Diagnostic::error(format!("provisioner's {what} block must be an HCL object"), detail);
        diagnostics.push(diagnostic.at(&attribute.expr.span));
    };
    let Some(entries) = value.as_mapping() else {
        wrong("override");
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    for (name, options) in entries.iter().filter(|(_, options)| !options.is_null()) {
        match options.as_mapping() {
            Some(options) => _ = found.insert(name.clone(), replaced(name, options, &attribute.expr)),
            None => wrong(&format!("override.'{name}'")),
        }
    }
    found
}

/// The options of one source, with their places as far as the object is written out.
fn replaced(name: &str, options: &BTreeMap<String, Value>, expr: &Expr) -> Replaced {
    let object = expr.entry(name).map(|(_, object)| object);
    let place = |option: &String| {
        let (name_span, value) = object?.entry(option)?;
        Some((option.clone(), (name_span.clone(), value.span.clone())))
    };
    Replaced {
        values: options.clone(),
        places: options.keys().filter_map(place).collect(),
        span: object.unwrap_or(expr).span.clone(),
    }
}
