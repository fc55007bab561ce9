//! Text to tree.
//!
//! The parser is `hcl::edit`, which keeps places. Around it: what it refuses but the language allows (`repair`, `heredoc`),
//! going on after a syntax error (`recover`, `outline`), better words for its errors (`explain`), and the step from its tree to ours
//! (`lower`, `template`).

mod explain;
mod heredoc;
mod json;
mod json_text;
mod lower;
mod outline;
mod recover;
mod repair;
mod slips;
mod template;

use super::ast::{Body, Expr, ExprKind, Part};
use super::diagnostics::{Diagnostic, Diagnostics, FileId, Span};
use super::value::Value;
pub use json::{JsonBlock, JsonBody, OPEN, Strings, parse_json, parse_json_value};
use lower::Lower;
use repair::Repaired;

/// Larger texts are refused: they are no configuration, and their tree would take gigabytes.
const MAX_LENGTH: usize = 64 << 20;
/// Syntax errors reported of one file.
const MAX_ERRORS: usize = 20;

/// Parses a file.
///
/// After a syntax error it goes on at the next argument or block, so that several are reported at once. The
/// body then holds what could be read; there is none if nothing could.
pub fn parse_body(file: FileId, text: &str) -> (Option<Body>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    if let Some(problem) = unreadable(file, text).or_else(|| explain::lone_returns(file, text)) {
        diagnostics.push(problem);
        return (None, diagnostics);
    }
    let mut repaired = Repaired::new(text);
    for _ in 0..MAX_ERRORS {
        match repaired.parse(hcl::edit::parser::parse_body) {
            Ok(body) => {
                let mut lower = Lower::new(file, text, 0, &repaired);
                let body = lower.body(&body, 0..text.len());
                diagnostics.extend(lower.into_diagnostics());
                return (Some(body), diagnostics.sorted());
            }
            Err(error) => {
                let (diagnostic, next) = recover::after(file, text, &mut repaired, &error);
                diagnostics.push(diagnostic);
                if next == recover::Next::Stop || !repaired.pay() {
                    break;
                }
            }
        }
    }
    (None, diagnostics.sorted())
}

/// Parses a lone expression, with blanks, line breaks and comments around it.
pub fn parse_expr(file: FileId, text: &str) -> Result<Expr, Diagnostics> {
    if let Some(problem) = unreadable(file, text) {
        return Err(problem.into());
    }
    if let Some(problem) = explain::missing_expression(file, text) {
        return Err(problem.into());
    }
    // In parentheses blanks, line breaks and comments are taken; the break ends a comment of the last line.
    let wrapped = format!("({text}\n)");
    let mut repaired = Repaired::new(&wrapped);
    let expr = repaired.parse(hcl::edit::parser::parse_expr).map_err(|error| {
        let at = explain::real_place(&wrapped, repair::place(&wrapped, &error), error.message());
        let at = at.saturating_sub(1).min(text.len());
        if let Some(slip) = slips::find(file, text, 0, text.len()) {
            return Diagnostics::from(slip);
        }
        if error.message().contains("expected `)`") && explain::is_balanced(&text[..at]) {
            let detail = "An expression was read, but there are extra characters after it.";
            let rest = Span::new(file, at..text.trim_end().len().max(at));
            return Diagnostic::error("Extra characters after expression", detail).at(&rest).into();
        }
        Diagnostics::from(explain::explain(file, text, at, error.message()))
    })?;
    let mut lower = Lower::new(file, &wrapped, 1, &repaired);
    let expr = lower.expr(&expr);
    let diagnostics = lower.into_diagnostics();
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    match expr.kind {
        ExprKind::Parenthesis(inner) => Ok(*inner),
        // Text such as `1) + (2` closes our parenthesis early.
        _ => Err(Diagnostic::error(
            "Invalid expression",
            "An expression was read, but there are extra characters after it.",
        )
        .at(&Span::new(file, 0..text.len()))
        .into()),
    }
}

/// Parses a text as the inside of a template: literal text with `${…}` and `%{…}` parts.
pub fn parse_template(file: FileId, text: &str) -> Result<Expr, Diagnostics> {
    if let Some(problem) = unreadable(file, text) {
        return Err(problem.into());
    }
    let mut repaired = Repaired::new(text);
    let tree = repaired
        .parse(hcl::edit::parser::parse_template)
        .map_err(|error| explain::explain(file, text, repair::place(text, &error), error.message()))?;
    let mut lower = Lower::new(file, text, 0, &repaired);
    let parts = lower.template(&tree, template::Style::Lines);
    let diagnostics = lower.into_diagnostics();
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    Ok(Expr { kind: template_kind(parts), span: Span::new(file, 0..text.len()) })
}

/// A template without any part but text is a string.
fn template_kind(parts: Vec<Part>) -> ExprKind {
    if parts.iter().all(|part| matches!(part, Part::Literal(_))) {
        let texts = parts.iter().map(|part| if let Part::Literal(text) = part { text.as_str() } else { "" });
        return ExprKind::Literal(Value::string(texts.collect::<String>()));
    }
    ExprKind::Template(parts)
}

fn unreadable(file: FileId, text: &str) -> Option<Diagnostic> {
    (text.len() > MAX_LENGTH).then(|| {
        let detail = format!("The text has {} bytes; at most {MAX_LENGTH} are read.", text.len());
        Diagnostic::error("Text too large", detail).at(&Span::new(file, 0..0))
    })
}

#[cfg(test)]
mod tests;
