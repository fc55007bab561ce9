//! The template language of Go's `text/template`, as a general engine: actions in double braces, pipelines, variables,
//! clauses, templates within templates, the built-in functions, and error texts in the shape that users know.
//!
//! ```text
//! lexer -> parser -> node (the tree) -> executor
//!                                        functions, builtins, format (printf)
//! standard   functions that many users share: upper, isotime, uuid ...
//! render     parse, execute, and again until the text is stable
//! ```
//!
//! What Go has beyond it is left out: methods, channels, functions as data, complex numbers, and bytes that are not UTF-8.
//! What it has beyond Go: limits on nesting, steps and size ([`limits`]), each of which ends in an error.

mod builtins;
pub mod constants;
mod data;
mod error;
mod executor;
mod format;
mod functions;
pub mod go_time;
mod lexer;
pub mod limits;
mod moment;
mod node;
pub mod outline;
mod parser;
pub mod render;
pub mod standard;
pub mod strftime;

pub use data::Data;
pub use error::{ExecError, ParseError};
pub use functions::{Call, Function, Functions, Parameter};
pub use moment::Moment;

/// A parsed template. It can be executed any number of times, by several threads at once.
pub struct Template {
    name: String,
    text: String,
    functions: Functions,
    bodies: parser::Bodies,
}

impl Template {
    /// Parses `text`. Every function that it calls must be built in or one of `functions`; `name` stands in errors.
    pub fn parse(name: &str, text: &str, functions: &Functions) -> Result<Template, ParseError> {
        let bodies = parser::parse(name, text, functions)?;
        Ok(Template { name: name.to_string(), text: text.to_string(), functions: functions.clone(), bodies })
    }

    /// The text that the template makes of `data`, which it knows as `.` and `$`.
    pub fn execute(&self, data: &Data) -> Result<String, ExecError> {
        executor::execute(self, data)
    }
}

#[cfg(test)]
mod tests;
