//! From bytes to bodies.

use super::inputs::{File, FileKind};
use super::json::{FLAT, TEMPLATE};
use crate::hcl::ast::Body;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, FileId, Sources, Span};
use crate::hcl::parse::{Strings, parse_body, parse_json};

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

/// The text of a file. A byte order mark is no part of it.
fn decode(file: &File, sources: &mut Sources, diagnostics: &mut Diagnostics) -> Option<(FileId, String)> {
    let bytes = file.text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&file.text);
    let text = String::from_utf8_lossy(bytes).into_owned();
    let id = sources.add(&file.name, text.as_str());
    if let Err(error) = std::str::from_utf8(bytes) {
        let at = error.valid_up_to();
        let span = Span::new(id, at..at + char::REPLACEMENT_CHARACTER.len_utf8());
        let detail = "The file is not valid UTF-8 here.";
        diagnostics.push(Diagnostic::error("Invalid character encoding", detail).at(&span));
        return None;
    }
    Some((id, text))
}
