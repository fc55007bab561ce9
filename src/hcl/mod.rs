//! The HCL language: values, parsing, evaluation, diagnostics and decoding.
//!
//! A leaf: nothing here knows what the configuration is for.

pub mod ast;
pub mod body;
pub mod convert;
pub mod decode;
pub mod diagnostics;
pub mod duration;
pub mod dynamic;
pub mod encoding;
pub mod eval;
pub mod format;
pub mod functions;
pub mod json;
pub mod number;
pub mod parse;
pub mod print;
#[cfg(test)]
mod properties;
pub mod references;
pub mod type_expr;
pub mod types;
pub mod value;

pub use diagnostics::{Diagnostic, Diagnostics, FileId, Severity, Sources, Span};
pub use eval::{Scope, evaluate};
pub use number::Number;
pub use types::Type;
pub use value::{Data, Value};
