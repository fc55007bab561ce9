//! Why a template could not be parsed or executed. The texts have the shape that users of Go templates know and search for.

use thiserror::Error;

/// The text is no template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("template: {name}:{line}: {message}")]
pub struct ParseError {
    /// The name given to [`Template::parse`](super::Template::parse).
    pub name: String,
    /// Line of the offending token, from 1.
    pub line: usize,
    pub message: String,
}

/// The template failed while it was executed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("template: {name}:{line}:{column}: executing {executing:?} at <{context}>: {message}")]
pub struct ExecError {
    /// The name of the template as parsed.
    pub name: String,
    /// Line of the failing part, from 1.
    pub line: usize,
    /// Bytes between the start of that line and the failing part.
    pub column: usize,
    /// The name of the (perhaps nested) template that was being executed.
    pub executing: String,
    /// Source of the failing part.
    pub context: String,
    pub message: String,
}
