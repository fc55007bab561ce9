//! The functions that expressions can call: the contract between the evaluator and one function.
//!
//! The evaluator checks the number of arguments, converts each to its parameter's type, refuses nulls, answers
//! unknown for unknown arguments and carries marks over, all as the [`Function`] says; `run` sees only what is left.
//! `try`, `can` and `convert` are not here: they do not evaluate their arguments first, so the evaluator knows them.

mod arguments;
mod case;
mod charsets;
mod collections;
mod csv;
mod dates;
mod doubles;
mod encoding;
mod environment;
mod files;
mod fileset;
mod format;
mod hashing;
mod identifiers;
mod json;
mod mappings;
mod network;
mod numbers;
mod paths;
mod regexes;
mod secrets;
mod sequences;
mod sets;
mod strings;
mod timestamps;
mod yaml;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::eval::Work;
use super::types::Type;
use super::value::Value;

/// A GET request of a function.
#[derive(Clone, Debug, Default)]
pub struct HttpGet<'a> {
    /// The address.
    pub url: &'a str,
    /// Headers by name.
    pub headers: Vec<(&'a str, String)>,
    /// A PEM file with the authorities that count; the system's when unset.
    pub authorities: Option<String>,
    /// PEM files with our certificate and its key.
    pub client: Option<(String, String)>,
    /// Whether the server's certificate goes unchecked.
    pub unchecked: bool,
}

/// The world outside, as far as functions may look at it.
pub trait Host: Send + Sync {
    /// The folder that relative paths of `file`, `fileexists`, `fileset` and `templatefile` start from.
    fn root(&self) -> &Path;
    /// The working directory.
    fn cwd(&self) -> &Path;
    /// The home directory, for a leading `~`.
    fn home(&self) -> Option<PathBuf>;
    /// The content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// What is at a path, links followed; an error of kind `NotFound` if nothing is.
    fn kind(&self, path: &Path) -> io::Result<PathKind>;
    /// The names in a directory, in any order, each with what it is (links followed; broken links left out).
    fn list(&self, path: &Path) -> io::Result<Vec<(String, PathKind)>>;
    /// The time.
    fn now(&self) -> jiff::Timestamp;
    /// When the process started; it does not change.
    fn started(&self) -> jiff::Timestamp;
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// Random bytes fit for secrets.
    fn random(&self, bytes: &mut [u8]);
    /// The body of a GET request; any status but 2xx is an error, whose text says what failed.
    fn http_get(&self, request: &HttpGet<'_>) -> Result<String, String>;
    /// The current secret string of AWS Secrets Manager by name or ARN.
    fn aws_secret(&self, name: &str) -> Result<String, String>;
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A socket, a device and the like.
    Other,
}

/// What a running function has at hand.
pub struct Call<'a> {
    /// The world outside.
    pub host: &'a dyn Host,
    /// The functions that the calling expression may call; a template rendered by a function gets no others.
    pub allowed: &'a Allowed,
    /// What evaluating has cost so far; a template rendered by a function adds to it.
    pub work: &'a Work,
}

/// Which functions an expression may call. Calling another is an error as if there were none of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// No function, and a message that says so.
    None,
    /// These only.
    Only(Vec<&'static str>),
    /// All but these.
    Except(Vec<&'static str>),
}

impl Allowed {
    /// Whether a function may be called.
    pub fn allows(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::Only(names) => names.contains(&name),
            Self::Except(names) => !names.contains(&name),
        }
    }
}

/// A function of the language.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Parameters that must be given.
    pub params: &'static [Param],
    /// The parameter of all further arguments, if there may be any.
    pub variadic: Option<Param>,
    /// The type of an unknown result.
    pub returns: fn() -> Type,
    /// How marks reach the result.
    pub marks: Marks,
    /// Computes the result.
    pub run: Run,
}

/// What computes a function's result from its arguments.
pub type Run = fn(&Call<'_>, &[Value]) -> Result<Value, FunctionError>;

/// A parameter of a function.
#[derive(Clone, Copy)]
pub struct Param {
    /// Its name in messages.
    pub name: &'static str,
    /// The type that arguments are converted to.
    pub ty: fn() -> Type,
    /// Whether null may be given.
    pub nulls: Nulls,
    /// Which unknown values `run` deals with itself.
    pub unknowns: Unknowns,
}

/// Whether a parameter takes null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// A null argument is an error.
    Refused,
    /// `run` gets it.
    Taken,
}

/// Which unknown arguments reach `run`; the others make the result unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknowns {
    /// None: every part of the argument is known.
    None,
    /// The argument is known, parts of it may not be.
    Parts,
    /// Any.
    Any,
}

/// How sensitive arguments mark the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// Any mark at any depth of an argument marks the result.
    Whole,
    /// The function keeps the marks of the parts it passes on; only a mark on a whole argument marks the result.
    Parts,
}

impl Param {
    /// A parameter that takes neither null nor unknown parts.
    pub const fn new(name: &'static str, ty: fn() -> Type) -> Self {
        Self { name, ty, nulls: Nulls::Refused, unknowns: Unknowns::None }
    }

    /// The parameter taking null too.
    #[must_use]
    pub const fn nullable(self) -> Self {
        Self { nulls: Nulls::Taken, ..self }
    }

    /// The parameter taking these unknowns.
    #[must_use]
    pub const fn with_unknowns(self, unknowns: Unknowns) -> Self {
        Self { unknowns, ..self }
    }
}

impl Function {
    /// A function without further arguments; any mark in an argument marks its result.
    pub const fn new(name: &'static str, params: &'static [Param], returns: fn() -> Type, run: Run) -> Self {
        Self { name, params, variadic: None, returns, marks: Marks::Whole, run }
    }

    /// The function taking any number of further arguments.
    #[must_use]
    pub const fn with_variadic(self, param: Param) -> Self {
        Self { variadic: Some(param), ..self }
    }

    /// The function keeping the marks of the parts it passes on.
    #[must_use]
    pub const fn keeping_marks(self) -> Self {
        Self { marks: Marks::Parts, ..self }
    }
}

/// Why a function has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// An argument is at fault, counted from zero; the message is a fragment: `base must be between 2 and 62`.
    #[error("{message}")]
    Argument {
        /// The argument's position.
        index: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The call as a whole failed.
    #[error("{0}")]
    Failed(String),
}

impl FunctionError {
    /// An argument is at fault.
    pub fn argument(index: usize, message: impl Into<String>) -> Self {
        Self::Argument { index, message: message.into() }
    }

    /// The call as a whole failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

/// The families of functions, each in a file of its own.
static FAMILIES: [&[Function]; 23] = [
    case::FUNCTIONS,
    charsets::FUNCTIONS,
    collections::FUNCTIONS,
    csv::FUNCTIONS,
    dates::FUNCTIONS,
    encoding::FUNCTIONS,
    environment::FUNCTIONS,
    files::FUNCTIONS,
    fileset::FUNCTIONS,
    format::FUNCTIONS,
    hashing::FUNCTIONS,
    identifiers::FUNCTIONS,
    json::FUNCTIONS,
    mappings::FUNCTIONS,
    network::FUNCTIONS,
    numbers::FUNCTIONS,
    paths::FUNCTIONS,
    regexes::FUNCTIONS,
    secrets::FUNCTIONS,
    sequences::FUNCTIONS,
    sets::FUNCTIONS,
    strings::FUNCTIONS,
    yaml::FUNCTIONS,
];

static TABLE: LazyLock<BTreeMap<&'static str, &'static Function>> =
    LazyLock::new(|| FAMILIES.iter().copied().flatten().map(|function| (function.name, function)).collect());

/// The function of a name.
pub fn lookup(name: &str) -> Option<&'static Function> {
    TABLE.get(name).copied()
}

/// The names of all functions in order, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.keys().copied()
}

#[cfg(test)]
mod tests;
