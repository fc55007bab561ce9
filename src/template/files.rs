//! From bytes to bodies.

use super::inputs::{File, FileKind};
use super::json::{FLAT, TEMPLATE};
use super::world::keep;
use crate::hcl::ast::{Body, Expr};
use crate::hcl::diagnostics::{Diagnostics, FileId, Sources};
use crate::hcl::encoding::{self, Tolerance};
use crate::hcl::parse::{Strings, parse_body, parse_json, parse_json_value};

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A template.
    Template,
    /// It sets variables.
    Variables,
}

/// Parses a file; none if it has a syntax error, which is reported.
pub(super) fn read(
    file: &File,
    purpose: Purpose,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Option<Body> {
    let (id, text) = decode(file, sources, diagnostics)?;
    let (body, problems) = match (file.kind, purpose) {
        (FileKind::Hcl, _) => parse_body(id, &text),
        (FileKind::Json, Purpose::Template) => parse_json(id, &text, &TEMPLATE, Strings::Templates),
        (FileKind::Json, Purpose::Variables) => parse_json(id, &text, &FLAT, Strings::Literal),
    };
    let failed = problems.has_errors();
    diagnostics.extend(problems);
    body.filter(|_| !failed)
}

/// Parses a file of plain JSON data; none if it has a fault, which is reported.
pub(super) fn read_data(file: &File, sources: &mut Sources, diagnostics: &mut Diagnostics) -> Option<Expr> {
    let (id, text) = decode(file, sources, diagnostics)?;
    keep(parse_json_value(id, &text), diagnostics)
}

/// The text of a file; none if it is no text, which is reported.
fn decode(file: &File, sources: &mut Sources, diagnostics: &mut Diagnostics) -> Option<(FileId, String)> {
    let tolerance = match file.kind {
        FileKind::Hcl => Tolerance::Comments,
        FileKind::Json => Tolerance::None,
    };
    let text = encoding::read(&file.name, &file.text, tolerance, sources);
    text.map_err(|problem| diagnostics.push(*problem)).ok()
}
