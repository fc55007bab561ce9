//! The old `{{ }}` engine in options: every string is rendered once when a component is prepared, deferred options when they are used
//! (packer-core.md section 4).

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::clock;
use crate::hcl::Value;
use crate::hcl::body::EvaluatedBody;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics};
use crate::text_template::{Data, Function, Functions, Moment, Parameter, render as renderer, standard};

/// The version of Packer whose templates Kiln reads: `packer.version`, `{{ packer_version }}`, `required_version`.
pub const PACKER_VERSION: &str = "1.16.0";

/// What `clean_resource_name` of Amazon builders goes by in the engine. In HCL templates there is no such function (and a
/// use of it is an error), so it must not have the name that JSON templates give it.
pub const CLEAN_AMAZON_NAME: &str = "clean_amazon_name";

/// What the engine's functions know of a build.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// `build_name`: declared name of the source.
    pub build_name: &'a str,
    /// `build_type`.
    pub build_type: &'a str,
}

/// A text that could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RenderError(String);

/// Renders every string of a body once; deferred options are only checked.
pub fn prepare(body: &mut EvaluatedBody, names: &Names<'_>, deferred: &[&str]) -> Diagnostics {
    rewrite(body, deferred, || functions(names, None), &Data::empty_map())
}

/// The same where the engine is the only way to name the values of a build, `{{ build `ID` }}`: in JSON templates.
pub fn prepare_with(
    body: &mut EvaluatedBody,
    names: &Names<'_>,
    deferred: &[&str],
    values: &BTreeMap<String, Value>,
) -> Diagnostics {
    let known: BTreeMap<String, Data> = values.iter().map(|(name, value)| (name.clone(), data(value))).collect();
    rewrite(body, deferred, || functions(names, Some(known.clone())), &Data::map(known.clone()))
}

/// Most bodies have nothing to render: the functions are made for the first text that needs them.
fn rewrite(
    body: &mut EvaluatedBody,
    deferred: &[&str],
    functions: impl FnOnce() -> Functions,
    data: &Data,
) -> Diagnostics {
    let (whole, places) = (body.span.clone(), body.places());
    let functions = LazyCell::new(functions);
    let mut problems = Diagnostics::new();
    let rewritten = body.map_strings::<Infallible>(&mut |option, text| {
        if renderer::is_plain(text) {
            return Ok(text.to_owned());
        }
        let rendered = match deferred.contains(&option) {
            true => renderer::check(text, &functions).map(|()| text.to_owned()),
            false => renderer::render(text, &functions, data),
        };
        Ok(rendered.unwrap_or_else(|error| {
            let place = places.iter().find(|(name, _)| name == option).map_or(&whole, |(_, place)| place);
            let summary = format!("Invalid {{{{ }}}} in \"{option}\"");
            problems.push(Diagnostic::error(summary, error.of_option(option)).at(place));
            text.to_owned()
        }))
    });
    match rewritten {
        Ok(()) => problems,
    }
}

/// Renders a deferred option until nothing changes any more. `{{ .Name }}` sees `fields` over `values`.
pub fn render(
    option: &str,
    text: &str,
    names: &Names<'_>,
    values: &BTreeMap<String, Value>,
    fields: &[(&str, &str)],
) -> Result<String, RenderError> {
    let mut known: BTreeMap<String, Data> = values.iter().map(|(name, value)| (name.clone(), data(value))).collect();
    let functions = functions(names, Some(known.clone()));
    known.extend(fields.iter().map(|(name, text)| ((*name).to_owned(), Data::from((*text).to_owned()))));
    let rendered = renderer::render_until_stable(text, &functions, &Data::map(known));
    rendered.map_err(|error| RenderError(error.of_option(option)))
}

fn functions(names: &Names<'_>, build: Option<BTreeMap<String, Data>>) -> Functions {
    let working_directory = std::env::current_dir().map(|dir| dir.display().to_string()).unwrap_or_default();
    let now = Moment::utc(clock::started().as_second());
    let mut functions = standard::functions(standard::Facts { now, working_directory, random: Arc::new(random) });
    functions.insert_constant("build_name", names.build_name.to_owned());
    functions.insert_constant("build_type", names.build_type.to_owned());
    functions.insert_constant("packer_version", PACKER_VERSION.to_owned());
    functions.insert("build", standard::lookup(build.unwrap_or_default()));
    functions.insert(
        CLEAN_AMAZON_NAME,
        Function::new(&[Parameter::String], |arguments| {
            Ok(clean_amazon_name(arguments.first().and_then(Data::as_str).unwrap_or_default()).into())
        }),
    );
    functions
}

/// Each byte that no name of an image may hold becomes a dash.
fn clean_amazon_name(text: &str) -> String {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"()[] ./-'@_".contains(&byte);
    text.bytes().map(|byte| if fits(byte) { char::from(byte) } else { '-' }).collect()
}

/// Bits for `{{ uuid }}`, which only has to differ between calls.
fn random() -> [u8; 12] {
    let (one, other) = (RandomState::new().hash_one(0u8), RandomState::new().hash_one(1u8));
    let mut bits = [0; 12];
    bits[..8].copy_from_slice(&one.to_le_bytes());
    bits[8..].copy_from_slice(&other.to_le_bytes()[..4]);
    bits
}

/// A value as the engine knows it.
fn data(value: &Value) -> Data {
    if let Some(mapping) = value.as_mapping() {
        return Data::map(mapping.iter().map(|(name, value)| (name.clone(), data(value))));
    }
    if let Some(items) = value.as_sequence() {
        return Data::list(items.iter().map(data));
    }
    value.to_text().map_or(Data::Nil, Data::from)
}
