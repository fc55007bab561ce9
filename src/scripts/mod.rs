//! What everything that runs scripts shares: where scripts come from, their variables, their exit codes, their output as lines, and running one here.

pub mod environment;
mod group;
mod lines;
pub mod local;
mod source;

pub use lines::Lines;
pub use source::{Source, inline_text, random_number, refused, unique};
